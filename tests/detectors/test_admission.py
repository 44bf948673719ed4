"""Quotas that refuse what should exist: claims and services."""

from typing import Any

import pytest

from responder.detectors import admission
from responder.model.finding import Confidence
from tests.detectors import cases

WHOLE = ("Pod", "Deployment", "Service", "PersistentVolumeClaim", "ResourceQuota")


def placed(kind: str, name: str, version: str = "v1", **content: Any) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": cases.NAMESPACE}, **content}


def workload(name: str, claim: str = "", served: bool = True, ready: int = 1) -> list[dict[str, Any]]:
    labels = {"app": name}
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}] if claim else []
    containers = [{"name": "server", "ports": [{"containerPort": 8080}]}]
    template = {"metadata": {"labels": labels}, "spec": {"containers": containers, "volumes": volumes}}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    found = [placed("Deployment", name, "apps/v1", spec=spec, status={"readyReplicas": ready})]
    if served:
        found.append(placed("Service", name, spec={"selector": labels, "ports": [{"port": 8080}]}))
    return found


def quota(hard: dict[str, str], used: dict[str, str]) -> dict[str, Any]:
    return placed("ResourceQuota", "limits", spec={"hard": hard}, status={"hard": hard, "used": used})


def volume(size: str, phase: str = "Available") -> dict[str, Any]:
    spec = {"capacity": {"storage": size}}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": "v"},
        "spec": spec,
        "status": {"phase": phase},
    }


def causes(*objects: dict[str, Any]) -> list[tuple[str, str, Confidence]]:
    found = cases.findings(admission.detect, cases.case(objects, whole=WHOLE))
    return [(item.cause, str(item.subject), item.confidence) for item in found]


def test_a_quota_that_leaves_less_than_the_waiting_volume_explains_a_missing_claim() -> None:
    given = [*workload("store", claim="data", ready=0), quota({"requests.storage": "1Gi"}, {"requests.storage": "0"})]
    wanted = ("namespace-storage-quota-exceeded", f"namespace/{cases.NAMESPACE}", Confidence.LIKELY)
    assert causes(*given, volume("10Gi")) == [wanted]


@pytest.mark.parametrize(
    "others",
    [
        [quota({"requests.storage": "100Gi"}, {"requests.storage": "0"}), volume("10Gi")],
        [quota({"requests.storage": "1Gi"}, {"requests.storage": "0"}), volume("10Gi", phase="Bound")],
        [quota({"pods": "10"}, {"pods": "1"}), volume("10Gi")],
        [volume("10Gi")],
    ],
    ids=["room left", "no volume waits", "another quota", "no quota"],
)
def test_a_quota_that_has_room_explains_nothing(others: list[dict[str, Any]]) -> None:
    assert causes(*workload("store", claim="data", ready=0), *others) == []


def test_a_full_quota_of_services_explains_why_one_workload_has_none() -> None:
    given = [*workload("front", served=False), *workload("cart"), quota({"services": "1"}, {"services": "1"})]
    wanted = ("namespace-service-quota-exceeded", f"namespace/{cases.NAMESPACE}", Confidence.LIKELY)
    assert causes(*given) == [wanted]


@pytest.mark.parametrize(
    "given",
    [
        [*workload("front", served=False), *workload("cart"), quota({"services": "9"}, {"services": "1"})],
        [*workload("front"), *workload("cart"), quota({"services": "2"}, {"services": "2"})],
        [*workload("front", served=False), quota({"services": "1"}, {"services": "1"})],
    ],
    ids=["room left", "all are served", "nobody is served"],
)
def test_services_that_nobody_misses_are_no_finding(given: list[dict[str, Any]]) -> None:
    assert causes(*given) == []


def test_where_services_may_not_be_read_none_is_missing() -> None:
    given = [*workload("front", served=False), *workload("cart"), quota({"services": "1"}, {"services": "1"})]
    case = cases.case(given, whole=("Deployment", "ResourceQuota"))
    assert cases.findings(admission.detect, case) == []
