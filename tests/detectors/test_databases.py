"""Databases: who has wrong settings, and which server takes no more."""

from typing import Any

import pytest

from responder.detectors import Case, databases, databases_clients
from responder.model.evidence import ContainerLog, Logs
from responder.model.finding import Confidence
from responder.model.logs import group, last_error
from tests.detectors import cases
from tests.makers import evidence


def workload(name: str, image: str, port: int, **environment: str) -> list[dict[str, Any]]:
    labels = {"app": name}
    variables = [{"name": key, "value": value} for key, value in environment.items()]
    template = {"containers": [{"name": "server", "image": image, "env": variables}]}
    place = {"name": name, "namespace": cases.NAMESPACE}
    spec = {
        "replicas": 1,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": template},
    }
    owner = [{"kind": "Deployment", "name": name, "controller": True, "apiVersion": "apps/v1"}]
    pod = {**place, "name": f"{name}-0", "labels": labels, "ownerReferences": owner}
    return [
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": place, "spec": spec},
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": place,
            "spec": {"selector": labels, "ports": [{"port": port}]},
        },
        {"apiVersion": "v1", "kind": "Pod", "metadata": pod, "spec": template, "status": {"phase": "Running"}},
    ]


def shop(logs: dict[str, str], port: str = "3306") -> Case:
    """Orders and carts that keep what they have in MySQL; each pod's log as given."""
    objects = [
        *workload("mysql", "docker.io/library/mysql:8.4", 3306),
        *workload("orders", "shop/orders:1", 8080, DB_HOST="mysql", DB_PORT=port),
        *workload("carts", "shop/carts:1", 8080, DB_HOST="mysql", DB_PORT="3306"),
    ]
    told = [
        ContainerLog(
            namespace=cases.NAMESPACE,
            pod=f"{name}-0",
            container="server",
            lines=(line,),
            groups=group([line]),
            last_error=last_error([line]),
        )
        for name, line in logs.items()
    ]
    case = cases.case(objects)
    seen = {"logs": evidence("logs", Logs(logs=tuple(told)))}
    return Case(case.target, case.alerts, case.started_at, case.now, {**case.evidence, **seen})


def told(case: Case) -> list[tuple[str, str, Confidence]]:
    return [
        (item.cause, str(item.subject), item.confidence)
        for detect in (databases.detect, databases_clients.detect)
        for item in cases.findings(detect, case)
    ]


DENIED = "ERROR java.sql.SQLException: Access denied for user 'shop'@'10.0.0.7' (using password: YES)"
FULL = 'ERROR com.mysql.jdbc: Data source rejected establishment of connection: "Too many connections"'
FIXED = "ERROR The MySQL server is running with the --read-only option so it cannot execute this statement"
POSTGRES = 'FATAL: password authentication failed for user "shop"'


@pytest.mark.parametrize(
    ("logs", "expected"),
    [
        ({"orders": DENIED}, [("mysql-invalid-credentials", "deployment/orders", Confidence.CERTAIN)]),
        ({"orders": f"ERROR {POSTGRES}"}, [("database-invalid-credentials", "deployment/orders", Confidence.LIKELY)]),
        ({"orders": FULL}, [("db-connection-exhaustion", "deployment/mysql", Confidence.LIKELY)]),
        ({"orders": FULL, "carts": FULL}, [("db-connection-exhaustion", "deployment/mysql", Confidence.LIKELY)]),
        (
            {"mysql": "ERROR Too many connections"},
            [("db-connection-exhaustion", "deployment/mysql", Confidence.LIKELY)],
        ),
        ({"orders": FIXED}, [("db-read-only", "deployment/mysql", Confidence.LIKELY)]),
        (
            {"orders": "ERROR Unknown database 'shpo'"},
            [("database-name-invalid", "deployment/orders", Confidence.LIKELY)],
        ),
    ],
)
def test_what_is_logged_tells_whose_fault_it_is(
    logs: dict[str, str], expected: list[tuple[str, str, Confidence]]
) -> None:
    assert told(shop(logs)) == expected


def test_a_wrong_port_is_named_with_the_right_one() -> None:
    assert told(shop({}, port="3307")) == [("mysql-invalid-port", "deployment/orders", Confidence.LIKELY)]
    (finding,) = cases.findings(databases_clients.detect, shop({}, port="3307"))
    assert "mysql:3307; its service has port 3306" in finding.headline


@pytest.mark.parametrize(
    "logs",
    [
        {"orders": "INFO order 1045 was stored"},
        {"orders": "ERROR payment provider answered 401 Unauthorized"},
        {"mysql": DENIED},
        {"orders": "ERROR Connection refused: payments:443"},
        {},
    ],
    ids=["a number", "another service's login", "the server tells of a caller", "another service", "silence"],
)
def test_other_troubles_are_not_the_databases(logs: dict[str, str]) -> None:
    assert told(shop(logs)) == []


def test_silence_clears_the_databases() -> None:
    assert cases.cleared(databases.detect, shop({"orders": "INFO fine"})) == [
        "databases (deployment/mysql; nobody complains of them)"
    ]
