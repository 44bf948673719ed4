"""The server that nobody reaches comes before the callers that complain of it."""

from typing import Any

from responder.detectors import Case
from responder.flow.ranking import ranked, with_callers
from responder.model.evidence import ContainerLog, KubernetesObjects, Logs
from responder.model.finding import Cause, Confidence, Finding
from responder.model.logs import group
from responder.model.subject import Subject, Target
from tests.makers import NOW, alert, evidence

CRASH = Cause(slug="crash-loop", title="", meaning="", confirm="", fix="", generic=True)
DNS = Cause(slug="no-names", title="", meaning="", confirm="", fix="")


def pod(name: str, namespace: str = "shop", ip: str = "", **labels: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {"containers": [{"name": "main"}]},
        "status": {"phase": "Running", "podIP": ip},
    }


SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "db", "namespace": "shop"},
    "spec": {"selector": {"app": "db"}},
}
CLUSTER = [
    pod("web"),
    pod("db", ip="10.0.0.7", app="db"),
    pod("coredns", "kube-system", **{"k8s-app": "kube-dns"}),
    SERVICE,
]


def first(line: str, server: Subject, cause: str = "crash-loop") -> Subject:
    """What comes first of a finding about `web` and one about a server, where `web` writes a line."""
    log = ContainerLog(namespace="shop", pod="web", container="main", lines=(line,), groups=group([line]))
    seen = {
        "objects": evidence("objects", KubernetesObjects(objects=tuple(CLUSTER))),
        "logs": evidence("logs", Logs(logs=(log,))),
    }
    case = Case(Target(namespace="shop"), (alert(),), NOW, NOW, seen)
    web = Subject(kind="Pod", name="web", namespace="shop")
    pair = [
        Finding(cause="crash-loop", subject=web, confidence=Confidence.LIKELY, headline="web"),
        Finding(cause=cause, subject=server, confidence=Confidence.LIKELY, headline="server"),
    ]
    return ranked(with_callers(pair, case), {"crash-loop": CRASH, "no-names": DNS}, case)[0].subject


DB = Subject(kind="Pod", name="db", namespace="shop")


def test_a_server_behind_the_service_that_a_caller_names_comes_first() -> None:
    assert first("ERROR dial tcp: connect db:5432: connection refused", DB) == DB


def test_a_server_at_the_address_of_a_pod_comes_first() -> None:
    assert first("ERROR connect ECONNREFUSED 10.0.0.7:27017", DB) == DB


def test_the_name_servers_come_first_where_a_name_does_not_resolve() -> None:
    coredns = Subject(kind="Pod", name="coredns", namespace="kube-system")
    assert first("ERROR getaddrinfo ENOTFOUND payments", coredns) == coredns


def test_whom_nobody_complains_of_stays_behind() -> None:
    assert first("ERROR cannot parse the order", DB).name == "web"
