"""An investigation asks again what would prove or refute what it has seen, within its budget."""

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import pytest

from responder import plugins, probes
from responder.clients import Clients
from responder.clients.spending import spend
from responder.clock import SystemClock
from responder.detectors import Case, Detectors
from responder.flow.investigate import Investigator
from responder.flow.rounds import REQUESTS, Rounds
from responder.metrics import Metrics
from responder.model.evidence import Evidence, KubernetesObjects, Observation
from responder.model.finding import Cause, Cleared, Confidence, Diagnosis, Finding
from responder.model.follow_up import FollowUp, logs, objects
from responder.model.runbook import Runbook
from responder.model.subject import Subject, Target
from responder.probes import Inquiry, Probe
from responder.probes.kubernetes_logs import KubernetesLogs
from responder.probes.kubernetes_namespace import KubernetesNamespace
from responder.probes.kubernetes_objects import KubernetesObjectsOf
from tests.fakes.clients import FailingHttp, FakeKubernetes
from tests.makers import NOW, alert

POLICIES = "networkpolicies.networking.k8s.io"
BLOCKED = Cause(slug="blocked", title="Blocked", meaning="", confirm="", fix="")


def detect(case: Case) -> Iterator[Finding | Cleared]:
    for name, content in case.read(KubernetesObjects):
        for item in content.objects:
            if item["kind"] == "NetworkPolicy":
                subject = Subject(kind="NetworkPolicy", name=item["metadata"]["name"], namespace="shop")
                yield Finding(
                    cause="blocked", subject=subject, confidence=Confidence.LIKELY, headline="blocked", evidence=(name,)
                )


def suggest_policies(_case: Case) -> Iterator[FollowUp]:
    yield objects(POLICIES, "calls to a ready server time out")
    yield objects(POLICIES, "another reason for the same question")


@dataclass
class Cluster:
    """Answers the probes with what a test wants, and keeps what was asked."""

    monkeypatch: pytest.MonkeyPatch
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        policy = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "deny"}}

        async def namespace(_probe: object, _inquiry: Inquiry, _clients: Clients) -> Observation:
            self.asked.append("namespace")
            spend()
            return Observation(summary="nothing", data=KubernetesObjects())

        async def written(_probe: object, _inquiry: Inquiry, _clients: Clients) -> Observation:
            self.asked.append("logs")
            return Observation(summary="nothing", empty=True)

        async def of(probe: KubernetesObjectsOf, _inquiry: Inquiry, _clients: Clients) -> Observation:
            self.asked.append(probe.resource)
            spend()
            found = (policy,) if probe.resource == POLICIES else ()
            return Observation(summary="read", data=KubernetesObjects(objects=found), empty=not found)

        self.monkeypatch.setattr(KubernetesNamespace, "run", namespace)
        self.monkeypatch.setattr(KubernetesLogs, "run", written)
        self.monkeypatch.setattr(KubernetesObjectsOf, "run", of)


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    return Cluster(monkeypatch)


def rounds(
    detectors: Detectors, target: Target, shown: list[Diagnosis], *, connected: bool = True, **more: Any
) -> Rounds:
    async def keep(_found: Evidence) -> None:
        return

    async def show(diagnosis: Diagnosis) -> None:
        shown.append(diagnosis)

    given = {"apiVersion": "responder/v1", "kind": "Runbook", "metadata": {"name": "x", "title": "X"}, "match": ["{}"]}
    investigator = Investigator(
        inquiry=Inquiry(target, (alert(namespace="shop"),), NOW, NOW),
        clients=Clients("", FailingHttp(), FakeKubernetes() if connected else None),
        probes=plugins.load(probes, Probe, "probe", dotted=True),
        clock=SystemClock(),
        metrics=Metrics(),
        keep=keep,
    )
    runbook = Runbook.model_validate({**given, **more})
    return Rounds(investigator, runbook, detectors, lambda _name: nullcontext(), show)


SHOP = Target(namespace="shop", workload="deployment/web")


async def run(detectors: Detectors, **more: Any) -> tuple[Mapping[str, Evidence], Diagnosis, list[Diagnosis]]:
    shown: list[Diagnosis] = []
    evidence, diagnosis = await rounds(detectors, SHOP, shown, **more).run()
    return evidence, diagnosis, shown


async def test_an_alert_whose_runbook_explains_nothing_is_looked_at_in_its_whole_namespace(cluster: Cluster) -> None:
    _, diagnosis, _ = await run(Detectors({}, {}))
    assert sorted(cluster.asked) == ["logs", "namespace"]
    assert not diagnosis.findings


async def test_without_a_cluster_nothing_is_asked_of_one(cluster: Cluster) -> None:
    await run(Detectors({}, {}), connected=False)
    assert not cluster.asked


async def test_what_the_runbook_has_asked_is_not_asked_again(cluster: Cluster) -> None:
    steps = [
        {"id": "everything", "probe": "kubernetes.namespace"},
        {"id": "logs", "probe": "kubernetes.logs", "whole_namespace": True},
    ]
    await run(Detectors({}, {}), investigate=steps)
    assert sorted(cluster.asked) == ["logs", "namespace"]


async def test_logs_of_the_workload_alone_are_not_all_that_the_namespace_wrote(cluster: Cluster) -> None:
    await run(Detectors({}, {}), investigate=[{"id": "logs", "probe": "kubernetes.logs"}])
    assert sorted(cluster.asked) == ["logs", "logs", "namespace"]


async def test_a_follow_up_proves_what_was_suspected_and_says_why_it_was_asked(cluster: Cluster) -> None:
    detectors = Detectors({"policies": detect}, {"blocked": BLOCKED}, {"policies": suggest_policies})
    evidence, diagnosis, shown = await run(detectors)
    assert cluster.asked.count(POLICIES) == 1
    assert [finding.cause for finding in diagnosis.findings] == ["blocked"]
    (asked,) = [item for item in evidence.values() if item.probe == "kubernetes.objects"]
    assert asked.asked_because == "calls to a ready server time out"
    assert diagnosis.findings[0].evidence == (asked.id,)
    assert [item.findings for item in shown] == [()], "the first answer is shown before the follow-ups are asked"


async def test_questions_end_with_the_budget(cluster: Cluster) -> None:
    def suggest(_case: Case) -> Iterator[FollowUp]:
        for number in range(2 * REQUESTS):
            yield objects(POLICIES, "why not", namespace=f"ns-{number}")

    await run(Detectors({"greedy": detect}, {}, {"greedy": suggest}))
    assert cluster.asked.count(POLICIES) <= REQUESTS


async def test_what_an_answer_suggests_is_asked_in_a_third_round_and_no_fourth(cluster: Cluster) -> None:
    def suggest(case: Case) -> Iterator[FollowUp]:
        yield objects(POLICIES, "the answer before suggests it", namespace=f"ns-{len(case.evidence)}")

    await run(Detectors({"curious": detect}, {}, {"curious": suggest}))
    assert cluster.asked.count(POLICIES) == 2


async def test_text_of_strangers_in_a_follow_up_is_no_template(cluster: Cluster) -> None:
    def suggest(_case: Case) -> Iterator[FollowUp]:
        yield logs("a log names it", namespace="shop", pod="{{ labels.alertname }}")

    evidence, _, _ = await run(Detectors({"x": detect}, {}, {"x": suggest}), investigate=[])
    (asked,) = [item for item in evidence.values() if item.title.startswith("Logs of")]
    assert asked.status == "error", "no such name can be asked for"
    assert "HighErrorRate" not in asked.model_dump_json()


def test_the_same_question_has_the_same_id_whoever_asks() -> None:
    assert objects(POLICIES, "one").id == objects(POLICIES, "another").id
    assert objects(POLICIES, "one").id != objects(POLICIES, "one", namespace="other").id
