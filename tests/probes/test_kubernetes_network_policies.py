"""`kubernetes.network_policies`: which policies select the pods, and what they let through."""

import json
from pathlib import Path
from typing import Any

from responder.clients import Clients
from responder.errors import Permanent, Reason
from responder.model.evidence import Observation
from responder.model.subject import Target
from responder.probes import Inquiry
from responder.probes.kubernetes_network_policies import KubernetesNetworkPolicies
from tests.detectors.test_databases import workload
from tests.detectors.test_policies import CLOSED, DENY
from tests.fakes.clients import FailingHttp, FakeKubernetes
from tests.makers import NOW, alert

NAMESPACE = "kubechat-system"
MYSQL = Target(namespace=NAMESPACE, workload="deployment/mysql")


def cluster(*specs: dict[str, Any], **fields: Any) -> FakeKubernetes:
    found = [
        {"kind": "NetworkPolicy", "metadata": {"name": f"p{n}", "namespace": NAMESPACE}, "spec": spec}
        for n, spec in enumerate(specs)
    ]
    return FakeKubernetes([*workload("mysql", "mysql:8", 3306), *found], **fields)


async def ask(kubernetes: FakeKubernetes, target: Target = MYSQL, **options: Any) -> Observation:
    asked = Inquiry(target, (alert(),), NOW, NOW)
    return await KubernetesNetworkPolicies(**options).run(asked, Clients("", FailingHttp(), kubernetes))


async def test_what_restricts_a_workload_is_told() -> None:
    seen = await ask(cluster(CLOSED))
    assert seen.summary == (
        "deployment/mysql, 1 network policy: traffic to it is restricted by 1, traffic from it is open"
    )
    assert seen.facts == ("p0, ingress: nothing",)
    assert (seen.value, seen.breached) == (1, False)


async def test_dns_that_is_blocked_is_said() -> None:
    seen = await ask(cluster(DENY))
    assert seen.summary.endswith("; DNS is blocked")
    assert seen.breached is True


async def test_no_policies_and_no_target_are_answers() -> None:
    assert (await ask(cluster())).empty
    whole = await ask(cluster(CLOSED, DENY), Target(namespace=NAMESPACE))
    assert whole.summary == f"2 network policies in namespace {NAMESPACE}"
    assert whole.facts == ("p0: ingress", "p1: egress")


async def test_namespaces_that_may_not_be_read_are_no_gap() -> None:
    seen = await ask(cluster(CLOSED, troubles={"namespaces": Permanent("no", Reason.FORBIDDEN)}))
    assert seen.gaps == ()


async def test_recorded_policies_are_read(shared: Path) -> None:
    folder = shared / "kubernetes" / "recordings" / "list"
    objects = []
    for kind in ("networkpolicies", "pods", "statefulsets"):
        recorded = json.loads((folder / f"{kind}.json").read_text())["body"]
        objects += [{"kind": recorded["kind"].removesuffix("List"), **item} for item in recorded["items"]]
    seen = await ask(FakeKubernetes(objects), Target(namespace=NAMESPACE, workload="statefulset/postgres"))
    assert "data-from-backend-only, ingress: from pods tier=backend" in seen.facts
