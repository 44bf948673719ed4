"""Network policies: what they block of what is called, and when that counts."""

from typing import Any

import pytest

from responder.detectors import Case, policies
from responder.model.evidence import ContainerLog, KubernetesObjects, Logs
from responder.model.finding import Confidence
from responder.model.logs import group
from responder.model.subject import Target
from tests.detectors import cases
from tests.detectors.test_databases import workload
from tests.makers import NOW, alert, evidence

DENY = {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": [{"podSelector": {}}]}]}
CLOSED = {"podSelector": {"matchLabels": {"app": "mysql"}}, "policyTypes": ["Ingress"]}
FOR_ORDERS = {**CLOSED, "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "orders"}}}]}]}
TO_PORT = {**CLOSED, "ingress": [{"ports": [{"port": 3306}]}]}
WRONG_PORT = {**CLOSED, "ingress": [{"ports": [{"port": 3307}]}]}
LOST = "ERROR dial tcp mysql:3306: i/o timeout"
UNKNOWN = "ERROR lookup mysql: no such host"
ASKED = "kubernetes.network_policies"


def case(spec: dict[str, Any] | None, probe: str = ASKED, log: str = "") -> Case:
    objects = [
        *workload("mysql", "docker.io/library/mysql:8.4", 3306),
        *workload("orders", "shop/orders:1", 8080, DB_HOST="mysql", DB_PORT="3306"),
    ]
    if spec is not None:
        place = {"name": "guard", "namespace": cases.NAMESPACE}
        objects.append({"kind": "NetworkPolicy", "metadata": place, "spec": spec})
    whole = (f"NetworkPolicy/{cases.NAMESPACE}",)
    seen = {"e": evidence("e", KubernetesObjects(objects=tuple(objects), complete=whole), probe=probe)}
    if log:
        told = ContainerLog(
            namespace=cases.NAMESPACE, pod="orders-0", container="server", lines=(log,), groups=group([log])
        )
        seen["logs"] = evidence("logs", Logs(logs=(told,)))
    return Case(Target(namespace=cases.NAMESPACE), (alert(),), NOW, NOW, seen)


def told(seen: Case) -> list[tuple[str, str, Confidence]]:
    return [(item.cause, str(item.subject), item.confidence) for item in cases.findings(policies.detect, seen)]


BLOCKED = ("network-policy-blocks-traffic", "networkpolicy/guard")


@pytest.mark.parametrize("spec", [CLOSED, WRONG_PORT])
def test_a_call_that_no_rule_lets_through_is_named(spec: dict[str, Any]) -> None:
    assert told(case(spec, log=LOST)) == [(*BLOCKED, Confidence.LIKELY)]
    assert told(case(spec)) == [(*BLOCKED, Confidence.POSSIBLE)]


@pytest.mark.parametrize("spec", [FOR_ORDERS, TO_PORT])
def test_a_call_that_a_rule_lets_through_is_not(spec: dict[str, Any]) -> None:
    assert told(case(spec, log=LOST)) == []
    assert cases.cleared(policies.detect, case(spec)) == ["network policies (1 policy, none blocks a call)"]


def test_without_a_complaint_or_a_question_a_policy_is_nobodys_business() -> None:
    assert list(policies.detect(case(CLOSED, probe="kubernetes.namespace"))) == []
    assert told(case(CLOSED, probe="kubernetes.namespace", log=LOST)) == [(*BLOCKED, Confidence.LIKELY)]


def test_egress_without_dns_is_named_for_who_cannot_resolve() -> None:
    found = told(case(DENY, log=UNKNOWN))
    assert ("network-policy-blocks-dns", "networkpolicy/guard", Confidence.LIKELY) in found
    assert ("network-policy-blocks-dns", "networkpolicy/guard", Confidence.POSSIBLE) in found
    assert told(case(DENY, probe="kubernetes.namespace")) == []


def test_no_policies_is_cleared_where_that_was_asked() -> None:
    assert cases.cleared(policies.detect, case(None)) == [f"network policies (none in {cases.NAMESPACE})"]
    assert list(policies.detect(case(None, probe="kubernetes.namespace"))) == []


def test_nothing_seen_concludes_nothing() -> None:
    assert list(policies.detect(Case(Target(), (), NOW, NOW, {}))) == []


def test_policies_are_asked_for_where_somebody_waits_in_vain() -> None:
    assert [item.options["resource"] for item in policies.follow_up(case(None, log=LOST))] == [policies.READS[0]]
    assert not list(policies.follow_up(case(None, log="ERROR cannot parse the order")))


def test_a_complaint_without_an_address_is_about_the_only_service_that_is_called() -> None:
    assert told(case(CLOSED, probe="kubernetes.objects", log="ERROR wget: download timed out")) == [
        (*BLOCKED, Confidence.LIKELY)
    ]


def test_a_pod_that_nobody_made_may_be_closed_too() -> None:
    place = {"name": "client", "namespace": cases.NAMESPACE, "labels": {"app": "client"}}
    pod = {
        "kind": "Pod",
        "metadata": place,
        "spec": {"containers": [{"name": "server"}]},
        "status": {"phase": "Running"},
    }
    policy = {"kind": "NetworkPolicy", "metadata": {"name": "guard", "namespace": cases.NAMESPACE}, "spec": DENY}
    line = "ERROR lookup shop.example.com: no such host"
    written = ContainerLog(
        namespace=cases.NAMESPACE, pod="client", container="server", lines=(line,), groups=group([line])
    )
    seen = cases.case([pod, policy]).evidence | {"logs": evidence("logs", Logs(logs=(written,)))}
    found = told(Case(Target(namespace=cases.NAMESPACE), (alert(),), NOW, NOW, seen))
    assert found == [("network-policy-blocks-dns", "networkpolicy/guard", Confidence.LIKELY)]
