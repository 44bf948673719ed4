"""Who answers for a failure is looked at, wherever it runs."""

from typing import Any

from responder.detectors import Case, dependencies
from responder.model.evidence import ContainerLog, Logs
from responder.model.logs import group
from tests.detectors import cases
from tests.makers import evidence

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web-0", "namespace": cases.NAMESPACE},
    "spec": {"containers": [{"name": "server"}]},
    "status": {"phase": "Running"},
}


def complaining(line: str, *objects: dict[str, Any]) -> Case:
    written = ContainerLog(
        namespace=cases.NAMESPACE, pod="web-0", container="server", lines=(line,), groups=group([line])
    )
    seen = cases.case([POD, *objects])
    return Case(
        seen.target,
        seen.alerts,
        seen.started_at,
        seen.now,
        {**seen.evidence, "logs": evidence("logs", Logs(logs=(written,)))},
    )


def asked(seen: Case) -> list[tuple[str, str]]:
    return [(item.probe, str(item.options.get("namespace"))) for item in dependencies.follow_up(seen)]


def test_the_name_servers_log_is_read_where_a_name_does_not_resolve() -> None:
    assert ("kubernetes.logs", "kube-system") in asked(complaining("ERROR getaddrinfo ENOTFOUND orders"))


def test_the_namespace_of_a_server_that_does_not_answer_is_read() -> None:
    seen = complaining("ERROR dial tcp: connect to db.data.svc.cluster.local:5432: connection refused")
    assert ("kubernetes.objects", "data") in asked(seen)


def test_the_logs_of_a_server_that_is_not_well_are_read_next() -> None:
    down = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "db-0", "namespace": "data"},
        "status": {"phase": "Running"},
    }
    seen = complaining("ERROR dial tcp: connect to db.data.svc.cluster.local:5432: connection refused", down)
    assert ("kubernetes.logs", "data") in asked(seen)


def test_hosts_outside_and_servers_of_the_same_namespace_lead_nowhere_else() -> None:
    assert not asked(complaining("ERROR dial tcp: connect to api.example.com:443: connection refused"))
    assert not asked(complaining("ERROR dial tcp: connect to db:5432: connection refused"))
