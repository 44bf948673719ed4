"""An action changes what a finding is about, and nothing else: whatever was found, about whatever."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from responder.actions import load
from responder.app import world
from responder.clients import Clients
from responder.detectors import Case, Detectors
from responder.flow.act import Actor
from responder.flow.approve import Approver, Declined
from responder.flow.diagnose import diagnose
from responder.flow.justify import Offers
from responder.flow.matter import propose
from responder.flow.world import World
from responder.metrics import Metrics
from responder.model.evidence import KubernetesObjects
from responder.model.finding import Confidence, Finding
from responder.model.incident import Incident, IncidentStatus, Severity
from responder.model.report import Investigation
from responder.model.runbook import ActionProposal, Runbook
from responder.model.subject import Subject, Target
from responder.settings import Settings
from responder.store import actions, incidents, investigations
from tests.clock import TurnedClock
from tests.fakes.clients import FailingHttp, FakeKubernetes
from tests.fakes.cluster import deployment, owned, revision
from tests.makers import NOW, evidence

KINDS = load()
WEB = Target(namespace="shop", workload="deployment/web")
PLACES = [(namespace, name) for namespace in ("shop", "bank") for name in ("web", "api")]
SUBJECTS = [Subject(kind="Deployment", namespace=namespace, name=name) for namespace, name in PLACES]
PODS = [Subject(kind="Pod", namespace=namespace, name=f"{name}-1-x") for namespace, name in PLACES]
OTHERS = [
    Subject(kind="Node", name="n1"),
    Subject(kind="Service", namespace="shop", name="web"),
    Subject(kind="StatefulSet", namespace="shop", name="web"),
]
RUNBOOK = """
apiVersion: responder/v1
kind: Runbook
metadata: {{name: {name}, title: web}}
match: [alertname="Web"]
actions: [{{id: more, action: kubernetes.scale, mode: {mode}, factor: 2, max: 1000, causes: [oom-killed]{more}}}]
"""


def finding(subject: Subject, confidence: Confidence = Confidence.CERTAIN, cause: str = "oom-killed") -> Finding:
    return Finding(cause=cause, subject=subject, confidence=confidence, headline="It is broken.")


FINDINGS = st.lists(
    st.builds(
        finding,
        st.sampled_from([*SUBJECTS, *PODS, *OTHERS]),
        st.sampled_from(list(Confidence)),
        st.sampled_from(["oom-killed", "crash-loop"]),
    ),
    max_size=3,
)
TARGETS = st.sampled_from(
    [
        Target(),
        Target(namespace="shop"),
        *(Target(namespace=namespace, workload=f"deployment/{name}") for namespace, name in PLACES),
        *(Target(namespace=namespace, pod=f"{name}-1-x") for namespace, name in PLACES),
    ]
)
NAMED = [
    "",
    "target: deployment/web",
    "target: deployment/api, namespace: bank",
    'target: "{{ target.workload }}"',
    'target: "deployment/{{ evidence.web.brief }}"',
    "namespace: bank",
]


def objects(namespace: str, name: str) -> list[dict[str, Any]]:
    """A deployment with a replica set and a pod."""
    pod = {"kind": "Pod", "metadata": {"name": f"{name}-1-x", "ownerReferences": owned("ReplicaSet", f"{name}-1")}}
    items = [deployment(), revision(1, "web:1", f"{name}-1"), pod]
    items[0]["metadata"]["name"] = name
    items[1]["metadata"]["ownerReferences"] = owned("Deployment", name)
    for item in items:
        item["metadata"] |= {"namespace": namespace, "uid": f"{namespace}-{item['metadata']['name']}"}
    return items


@dataclass
class Recorder(FakeKubernetes):
    """A cluster that remembers what was changed in it."""

    changed: list[Subject] = field(default_factory=list)

    async def patch(self, resource: str, name: str, body: Any, *, namespace: str = "", dry_run: bool = False) -> Any:
        if not dry_run:
            self.changed.append(Subject(kind="Deployment", namespace=namespace, name=name))
        return await super().patch(resource, name, body, namespace=namespace, dry_run=dry_run)


@dataclass
class Service:
    """A service that may change everything, without its loops."""

    world: World
    cluster: Recorder
    incidents: int = 0

    async def investigated(self, mode: str, named: str, target: Target, found: Sequence[Finding]) -> str:
        """An incident with these findings, in a cluster that is as it was made."""
        self.incidents += 1
        self.cluster.changed.clear()
        self.cluster.objects[:] = [item for place in PLACES for item in objects(*place)]
        await self.world.database.write(lambda connection: actions.set_stop(connection, None))
        incident = Incident(
            id=f"i{self.incidents}",
            identity=f"i{self.incidents}",
            runbook=f"{mode}-{NAMED.index(named)}",
            title="web",
            subject=target.subject,
            severity=Severity.P1,
            status=IncidentStatus.FIRING,
            opened_at=NOW,
            started_at=NOW,
            updated_at=NOW,
        )
        investigation = Investigation(number=1, target=target, findings=tuple(found))
        await self.world.database.write(lambda connection: _keep(self.world, connection, incident, investigation))
        return incident.id

    async def automatic(self, named: str, target: Target, found: Sequence[Finding]) -> str:
        """What is done without a person."""
        incident = await self.investigated("auto", named, target, found)
        actor = Actor(self.world, Approver(self.world))
        await actor.act(incident)
        await actor.act(f"{incident}/more")
        return incident


def _keep(world: World, connection: Connection, incident: Incident, investigation: Investigation) -> None:
    incidents.save(connection, incident)
    investigations.save(connection, incident.id, investigation)
    propose(world, connection, incident, investigation)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[asyncio.Runner, Service]]:
    """One service for all that is tried, and what runs it."""
    folder = tmp_path_factory.mktemp("live")
    for mode in ("auto", "approve"):
        for number, named in enumerate(NAMED):
            book = RUNBOOK.format(name=f"{mode}-{number}", mode=mode, more=f", {named}" if named else "")
            (folder / f"{mode}-{number}.yaml").write_text(book)
    allowed = {"allow": "auto", "namespaces": ["*"], "hourly_limit": 100_000, "cool_down": "0s"}
    wanted = Settings(database=f"sqlite:///{folder}/r.db", rules=(folder,), sinks=(), actions=allowed)  # type: ignore[arg-type]
    with asyncio.Runner() as runner:
        opened = world(wanted, Metrics(), TurnedClock(NOW))
        made = runner.run(opened.__aenter__())
        cluster = Recorder()
        yield runner, Service(replace(made, clusters={"": Clients("", FailingHttp(), cluster)}), cluster)
        runner.run(opened.__aexit__(None, None, None))


def owner(subject: Subject) -> Subject:
    return SUBJECTS[PODS.index(subject)] if subject in PODS else subject


def sure(found: Sequence[Finding]) -> list[Subject]:
    """What is OOMKilled for more than a guess."""
    return [
        owner(one.subject) for one in found if one.cause == "oom-killed" and one.confidence is not Confidence.POSSIBLE
    ]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(FINDINGS, TARGETS, st.sampled_from(NAMED))
def test_what_is_done_without_a_person_is_done_to_what_the_best_and_certain_finding_is_about(
    live: tuple[asyncio.Runner, Service], found: list[Finding], target: Target, named: str
) -> None:
    runner, service = live
    runner.run(service.automatic(named, target, found))
    if service.cluster.changed:
        assert found[0].confidence is Confidence.CERTAIN
        assert [owner(found[0].subject)] == service.cluster.changed
        assert found[0].cause == "oom-killed"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(FINDINGS, TARGETS, st.sampled_from(NAMED))
def test_what_a_person_is_offered_changes_what_a_finding_is_about(
    live: tuple[asyncio.Runner, Service], found: list[Finding], target: Target, named: str
) -> None:
    runner, service = live

    async def approved() -> None:
        incident = await service.investigated("approve", named, target, found)
        approver = Approver(service.world)
        with suppress(Declined):
            line = await approver.preview(incident, "more")
            if line and line.attempt and line.attempt.preview and not line.attempt.preview.refusal:
                (changes,) = line.attempt.preview.objects
                assert changes in [f"/{one.namespace}/deployment/{one.name}" for one in sure(found)]
            await approver.approve(incident, "more", known="", claimed="Ada")
        await Actor(service.world, approver).act(f"{incident}/more")

    runner.run(approved())
    assert not {*service.cluster.changed} - {*sure(found)}


def test_another_deployment_that_is_killed_is_changed_instead_of_the_one_that_the_alert_names(
    live: tuple[asyncio.Runner, Service],
) -> None:
    runner, service = live
    killed, target = SUBJECTS[1], Target(namespace="shop", workload="deployment/web")
    runner.run(service.automatic("", target, [finding(killed)]))
    assert service.cluster.changed == [killed]
    incident = runner.run(service.automatic("target: deployment/web", target, [finding(killed)]))
    assert service.cluster.changed == []
    with pytest.raises(Declined, match="the finding is about deployment/api, which it does not change"):
        runner.run(Approver(service.world).approve(incident, "more", known="", claimed="Ada"))


def offers(*found: Finding, target: Target = WEB) -> Offers:
    return Offers(KINDS, found, target, {"labels": {}, "annotations": {}, "target": target.model_dump()})


def proposal(kind: str = "kubernetes.scale", **fields: Any) -> ActionProposal:
    return ActionProposal.model_validate({"id": "more", "action": kind, "causes": ["oom-killed"], **fields})


@pytest.mark.parametrize(
    ("found", "certain"),
    [
        ([finding(SUBJECTS[0])], True),
        ([finding(SUBJECTS[0], Confidence.LIKELY)], False),
        ([finding(SUBJECTS[0], cause="other")], False),
        ([finding(SUBJECTS[0], Confidence.LIKELY, "other"), finding(SUBJECTS[0])], False),
        ([], False),
    ],
)
def test_only_the_best_finding_and_only_a_certain_one_lets_it_go_by_itself(found: list[Finding], certain: bool) -> None:
    assert offers(*found).is_certain(proposal(mode="auto")) is certain


def test_what_is_only_possible_is_not_acted_on() -> None:
    guess = offers(finding(SUBJECTS[0], Confidence.POSSIBLE))
    assert guess.justification(proposal()) is None
    assert guess.why_not(proposal()) == "that deployment/web has this cause is only possible"
    assert offers(finding(SUBJECTS[0], Confidence.LIKELY)).justification(proposal())


def test_an_action_for_other_causes_is_not_offered_and_one_for_whatever_is_found_changes_the_incidents_object() -> None:
    other = offers(finding(SUBJECTS[1], cause="other"))
    assert other.why_not(proposal()) == "it is for other findings: oom-killed"
    free = other.justification(proposal(causes=[]))
    assert free is not None
    assert free.target(other.target) == other.target


def test_the_owner_of_a_pod_is_changed_for_what_its_pod_says() -> None:
    known = finding(PODS[0]).model_copy(update={"owner": SUBJECTS[0], "container": "web"})
    for named in ({}, {"target": "deployment/web"}):
        justified = offers(known).justification(proposal(**named))
        assert justified is not None
        assert justified.changes == SUBJECTS[0].model_copy(update={"container": "web"})
    assert offers(finding(PODS[0])).justification(proposal(target="deployment/web")) is None


def test_another_container_than_the_one_that_was_killed_is_left_alone() -> None:
    killed = finding(SUBJECTS[0]).model_copy(update={"container": "app"})
    raised = "kubernetes.set_resources"
    assert offers(killed).justification(proposal(raised, container="proxy")) is None
    justified = offers(killed).justification(proposal(raised))
    assert justified is not None
    assert justified.target(Target(container="proxy")).container == "app"


def test_a_node_is_cordoned_for_what_is_found_of_it_and_alerts_are_silenced_for_what_is_found_of_theirs() -> None:
    node, pod = finding(OTHERS[0]), finding(SUBJECTS[1])
    assert offers(node, target=Target(node="n2")).justification(proposal("kubernetes.cordon"))
    assert offers(node).justification(proposal("kubernetes.cordon", node="n2")) is None
    assert offers(pod).justification(proposal("kubernetes.cordon")) is None
    assert offers(pod).justification(proposal("alertmanager.silence")) is None
    assert offers(finding(SUBJECTS[0])).justification(proposal("alertmanager.silence"))


def test_a_failed_job_is_run_again_and_not_its_cron_job() -> None:
    job, cron = Subject(kind="Job", namespace="shop", name="n-1"), Subject(kind="CronJob", namespace="shop", name="n")
    failed = finding(job).model_copy(update={"owner": cron})
    for named, changes in (({}, job), ({"target": "cronjob/n"}, cron)):
        justified = offers(failed).justification(proposal("kubernetes.rerun_job", **named))
        assert justified is not None
        assert justified.changes == changes
    assert offers(failed).justification(proposal("kubernetes.rollout_restart")) is None


@given(st.sampled_from([*SUBJECTS, *PODS, *OTHERS]), st.sampled_from(sorted(KINDS.kinds)), TARGETS)
def test_every_kind_of_action_changes_one_of_the_objects_that_it_is_shown(
    subject: Subject, kind: str, target: Target
) -> None:
    about = [subject] if owner(subject) == subject else [subject, owner(subject)]
    assert KINDS.find(kind).object_among(about, {}, target) in (*about, None)
    assert KINDS.find(kind).object_among([], {}, target) is None


def test_the_diagnosis_says_whose_pod_a_finding_is_about() -> None:
    items = [item | {"apiVersion": "apps/v1"} for item in objects("shop", "web")]
    seen = evidence("pods", KubernetesObjects(objects=tuple(items)))
    book = {
        "apiVersion": "responder/v1",
        "kind": "Runbook",
        "metadata": {"name": "x", "title": "X"},
        "match": ["{}"],
        "diagnose": [
            {"when": "true", "finding": {"cause": "oom-killed", "subject": f"pod/{name}", "headline": "It is killed."}}
            for name in ("web-1-x", "gone")
        ],
    }
    case = Case(Target(namespace="shop", pod="web-1-x"), (), NOW, NOW, {"pods": seen})
    found = diagnose(case, Runbook.model_validate(book), Detectors({}, {})).findings
    assert {one.subject.name: one.owner for one in found} == {"web-1-x": SUBJECTS[0], "gone": None}
