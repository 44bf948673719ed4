"""Objects of any operator are read by the conventions for conditions."""

from dataclasses import replace
from typing import Any

from responder.detectors import Case, operators
from responder.model.finding import Confidence
from tests.detectors.cases import NAMESPACE, case, findings


def thing(version: str, kind: str, name: str, spec: Any = None, **status: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec or {}, "status": status}


def owned(kind: str = "Cluster", version: str = "postgresql.cnpg.io/v1") -> dict[str, Any]:
    reference = {"apiVersion": version, "kind": kind, "name": "db", "controller": True}
    pod = thing("v1", "Pod", "db-1", phase="Running")
    pod["metadata"]["ownerReferences"] = [reference]
    return pod


def failing(message: str = "no space for the archive") -> dict[str, Any]:
    condition = {"type": "Ready", "status": "False", "reason": "ClusterIsNotReady", "message": message}
    return thing("postgresql.cnpg.io/v1", "Cluster", "db", conditions=[condition])


def asked(of: Case) -> list[str]:
    return [str(question.options["resource"]) for question in operators.follow_up(of)]


def test_the_owner_of_any_kind_is_asked_for() -> None:
    assert "clusters.postgresql.cnpg.io" in asked(case([owned()]))
    assert "kafkaproxies.example.org" in asked(case([owned("KafkaProxy", "example.org/v1")]))


def test_what_its_operator_says_of_the_owner_is_quoted_and_its_pods_suffer() -> None:
    (finding,) = findings(operators.detect, case([owned(), failing()]))
    assert (finding.cause, str(finding.subject)) == ("custom-resource-not-ready", "cluster/db")
    assert finding.confidence is Confidence.CERTAIN
    assert "no space for the archive" in finding.headline
    assert [item.kind for item in finding.suffering] == ["Cluster"] or finding.suffering == ()


def test_an_owner_that_is_ready_says_nothing() -> None:
    ready = {"type": "Ready", "status": "True", "reason": "ClusterIsReady"}
    well = thing("postgresql.cnpg.io/v1", "Cluster", "db", conditions=[ready])
    assert not findings(operators.detect, case([owned(), well]))


def test_workloads_of_kubernetes_itself_are_left_to_others() -> None:
    condition = {"type": "Available", "status": "False", "reason": "MinimumReplicasUnavailable", "message": "x"}
    assert not findings(operators.detect, case([thing("apps/v1", "Deployment", "web", conditions=[condition])]))


def test_a_gateway_whose_class_does_not_exist_is_served_by_nobody() -> None:
    gateway = thing("gateway.networking.k8s.io/v1", "Gateway", "edge", {"gatewayClassName": "gone"})
    seen = case([gateway], whole=("Pod",))
    assert not findings(operators.detect, seen), "classes were not read"
    (evidence,) = seen.evidence.values()
    data = {**evidence.data, "complete": ["GatewayClass"]}
    whole = replace(seen, evidence={"namespace": evidence.model_copy(update={"data": data})})
    (finding,) = findings(operators.detect, whole)
    assert (finding.cause, str(finding.subject)) == ("gateway-class-missing", "gateway/edge")


def test_gateways_are_asked_for_where_nothing_explains_the_alert() -> None:
    assert "gateways.gateway.networking.k8s.io" in asked(case([]))
