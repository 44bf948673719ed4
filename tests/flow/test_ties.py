"""A finding is the cause only if it has to do with what the alert names."""

from typing import Any

import pytest

from responder.detectors import Case
from responder.flow.ties import Ties
from responder.model.evidence import KubernetesObjects
from responder.model.finding import Confidence, Finding
from responder.model.subject import Subject, Target
from tests.makers import NOW, alert, evidence


def thing(kind: str, name: str, owner: tuple[str, str] | None = None, **fields: Any) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "namespace": "shop", "labels": fields.pop("labels", {})}
    if owner:
        metadata["ownerReferences"] = [{"kind": owner[0], "name": owner[1], "controller": True}]
    if kind in ("Node", "PersistentVolume", "StorageClass"):
        del metadata["namespace"]
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **fields}


def deployment(name: str, calls: str = "") -> list[dict[str, Any]]:
    environment = [{"name": "BACKEND_URL", "value": f"http://{calls}:8080"}] if calls else []
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": f"{name}-data"}}]
    template = {
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": [{"name": name, "env": environment}], "volumes": volumes},
    }
    pod = thing("Pod", f"{name}-6d5f9-abcde", ("ReplicaSet", f"{name}-6d5f9"), labels={"app": name})
    return [
        thing("Deployment", name, spec={"template": template}),
        thing("ReplicaSet", f"{name}-6d5f9", ("Deployment", name)),
        {**pod, "spec": {**template["spec"], "nodeName": f"node-of-{name}"}},
        thing("Service", name, spec={"selector": {"app": name}}),
        thing("PersistentVolumeClaim", f"{name}-data", spec={"volumeName": f"pv-{name}"}),
        thing("PersistentVolume", f"pv-{name}"),
        thing("Node", f"node-of-{name}"),
    ]


CLUSTER = [
    *deployment("web", calls="orders"),
    *deployment("orders", calls="stock"),
    *deployment("stock"),
    *deployment("legacy"),
    thing("ResourceQuota", "quota"),
]


def hold(subject: Subject, target: Target, *suffering: Subject, **labels: str) -> bool:
    seen = evidence("namespace", KubernetesObjects(objects=tuple(CLUSTER)))
    case = Case(target, (alert(**labels),), NOW, NOW, {"namespace": seen})
    finding = Finding(cause="x", subject=subject, confidence=Confidence.LIKELY, headline="x", suffering=suffering)
    return Ties(case).hold(finding)


def of(kind: str, name: str) -> Subject:
    return Subject(kind=kind, name=name, namespace="" if kind in ("Node", "PersistentVolume") else "shop")


WEB = Target(namespace="shop", workload="deployment/web")


@pytest.mark.parametrize(
    "subject",
    [
        of("Deployment", "web"),
        of("Pod", "web-6d5f9-abcde"),
        of("Node", "node-of-web"),
        of("PersistentVolumeClaim", "web-data"),
        of("PersistentVolume", "pv-web"),
        of("Service", "web"),
        of("Deployment", "orders"),
        of("Deployment", "stock"),
        of("ResourceQuota", "quota"),
        Subject(kind="Namespace", name="shop"),
        Subject(kind="Endpoint", name="api.example.com"),
    ],
    ids=str,
)
def test_what_it_runs_on_mounts_calls_and_is_bounded_by_has_to_do_with_it(subject: Subject) -> None:
    assert hold(subject, WEB)


@pytest.mark.parametrize(
    "subject",
    [
        of("Deployment", "legacy"),
        of("Pod", "legacy-6d5f9-abcde"),
        of("Node", "node-of-legacy"),
        of("PersistentVolumeClaim", "legacy-data"),
    ],
    ids=str,
)
def test_a_neighbour_that_it_does_not_need_has_nothing_to_do_with_it(subject: Subject) -> None:
    assert not hold(subject, WEB)


def test_who_makes_it_suffer_has_to_do_with_it() -> None:
    assert hold(of("Deployment", "legacy"), WEB, of("Deployment", "web"))


def test_a_caller_is_not_the_cause_of_its_server() -> None:
    assert not hold(of("Deployment", "web"), Target(namespace="shop", workload="deployment/stock"))


def test_an_alert_that_names_a_namespace_only_is_about_everything_in_it() -> None:
    assert hold(of("Deployment", "legacy"), Target(namespace="shop"))


def test_an_alert_whose_object_was_not_seen_is_about_everything() -> None:
    assert hold(of("Deployment", "legacy"), Target(namespace="shop", workload="deployment/gone"))


def test_an_alert_that_names_a_namespace_only_is_not_about_other_namespaces() -> None:
    elsewhere = Subject(kind="Pod", name="metrics-server-0", namespace="kube-system")
    stranger = {"kind": "Pod", "metadata": {"name": "metrics-server-0", "namespace": "kube-system"}}
    seen = evidence("namespace", KubernetesObjects(objects=(*CLUSTER, stranger)))
    case = Case(Target(namespace="shop"), (alert(namespace="shop"),), NOW, NOW, {"namespace": seen})
    assert not Ties(case).hold(Finding(cause="x", subject=elsewhere, confidence=Confidence.LIKELY, headline="x"))


def test_an_alert_about_a_node_is_about_the_pods_on_it() -> None:
    node = Target(node="node-of-legacy")
    assert hold(of("Deployment", "legacy"), node)
    assert not hold(of("Deployment", "web"), node)
