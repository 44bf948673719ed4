"""Whatever objects a cluster holds: every Kubernetes probe answers and every detector concludes."""

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from responder import detectors
from responder.clients import Clients
from responder.detectors import Case
from responder.errors import Permanent, Temporary
from responder.model.evidence import Evidence, Observation
from responder.model.finding import Finding
from responder.model.subject import Target
from tests.conformance.test_probes import CATALOG, TROUBLES, built, inquiry
from tests.fakes.clients import FailingHttp, FailingPrometheus, FakeKubernetes
from tests.kubernetes_objects import cluster
from tests.kubernetes_schema import NAMES, TEXTS
from tests.makers import NOW, alert, evidence

PROBES = [kind for kind in CATALOG.kinds if kind.startswith("kubernetes.")]
EVERY = detectors.load()
TARGETS = [
    Target(),
    Target(namespace="shop"),
    Target(namespace="shop", pod="web-1"),
    Target(namespace="shop", node="node-a"),
    *(
        Target(namespace="shop", workload=f"{kind}/web")
        for kind in ("deployment", "statefulset", "daemonset", "replicaset", "job", "cronjob")
    ),
]
whatever = settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
randoms = st.randoms(use_true_random=True)


def logs(random: Random) -> dict[str, str]:
    """Logs of containers, of which some exist."""
    return {
        f"{pod}/{container}{which}": "\n".join(random.choices(TEXTS, k=random.randint(0, 5)))
        for pod in NAMES
        for container in ("main", "sidecar")
        for which in ("", ":previous")
        if random.random() < 0.5
    }


async def asked(kind: str, target: Target, kubernetes: FakeKubernetes) -> Observation | None:
    """What a probe sees; None where it says why there is no answer."""
    clients = Clients("", FailingHttp(), kubernetes, FailingPrometheus(TROUBLES["denied"]))
    try:
        return await built(kind).run(inquiry(target), clients)
    except (Temporary, Permanent):
        return None


def clean(text: str) -> bool:
    """Whether a text says nothing of a value that is not there."""
    return bool(text) and "\n" not in text and "None" not in text.replace("dnsPolicy None", "")


@given(randoms)
@whatever
async def test_no_object_that_the_api_allows_ends_a_probe(random: Random) -> None:
    kubernetes = FakeKubernetes(cluster(random), logs(random))
    for kind in PROBES:
        if seen := await asked(kind, random.choice(TARGETS), kubernetes):
            assert clean(seen.summary), kind
            assert all(map(clean, seen.facts)), kind


async def seen_by_probes(random: Random) -> Case:
    """A case of what some of the probes saw."""
    kubernetes, target = FakeKubernetes(cluster(random), logs(random)), random.choice(TARGETS)
    found: dict[str, Evidence] = {}
    for kind in PROBES:
        if random.random() < 0.8 and (seen := await asked(kind, target, kubernetes)):
            found[kind] = evidence(kind, seen.data, probe=kind)
    return Case(target, (alert(namespace="shop"),), NOW, NOW, found)


@given(randoms)
@whatever
async def test_no_object_that_the_api_allows_ends_a_detector(random: Random) -> None:
    case = await seen_by_probes(random)
    for family, detect in EVERY.families.items():
        for said in detect(case):
            assert said.evidence, family
            assert clean(said.headline if isinstance(said, Finding) else said.text), family
    for suggest in EVERY.follow_ups.values():
        for question in suggest(case):
            CATALOG.build(question.probe, question.options)


@pytest.mark.parametrize("kind", ["job", "cronjob", "statefulset", "daemonset", "replicaset"])
async def test_a_workload_without_revisions_is_answered(kind: str) -> None:
    names = {"job": "Job", "cronjob": "CronJob", "statefulset": "StatefulSet", "daemonset": "DaemonSet"}
    workload = {"kind": names.get(kind, "ReplicaSet"), "metadata": {"name": "web", "namespace": "shop"}}
    target = Target(namespace="shop", workload=f"{kind}/web")
    seen = await asked("kubernetes.workload", target, FakeKubernetes([workload]))
    assert seen is not None
    assert seen.summary == f"no pods of {kind}/web"


async def test_a_pod_without_a_controller_is_answered() -> None:
    pod = {"kind": "Pod", "metadata": {"name": "web-1", "namespace": "shop"}, "status": {"phase": "Running"}}
    seen = await asked("kubernetes.workload", Target(namespace="shop", pod="web-1"), FakeKubernetes([pod]))
    assert seen is not None
    assert seen.summary == "1 pod: 0 ready, 1 not ready (no controller)"
