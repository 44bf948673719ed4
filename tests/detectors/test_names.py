"""Names that do not resolve: whose fault it is."""

from typing import Any

from responder.detectors import Case, load, names
from responder.flow.ranking import ranked
from responder.model.evidence import ContainerLog, KubernetesObjects, Logs
from responder.model.finding import Confidence, Finding
from responder.model.logs import group
from responder.model.network import DnsAnswer, DnsStatus
from responder.model.subject import Target
from tests.detectors import cases
from tests.makers import NOW, alert, evidence


def pod(name: str, *, ready: bool = True, namespace: str = "shop", **labels: str) -> dict[str, Any]:
    status = {"phase": "Running", "conditions": [{"type": "Ready", "status": str(ready)}]}
    return {
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {"containers": [{"name": "main"}]},
        "status": status,
    }


def service(name: str) -> dict[str, Any]:
    return {
        "kind": "Service",
        "metadata": {"name": name, "namespace": "shop", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"clusterIP": "10.0.0.1", "selector": {"app": name}},
    }


def name_server(*, ready: bool) -> dict[str, Any]:
    return pod("coredns-1", ready=ready, namespace="kube-system", **{"k8s-app": "kube-dns"})


def said(host: str, by: str) -> ContainerLog:
    lines = [f"2026-03-04T02:58:00Z ERROR dial tcp: lookup {host} on 10.96.0.10:53: no such host"]
    return ContainerLog(namespace="shop", pod=by, container="main", lines=tuple(lines), groups=group(lines))


def case(*objects: dict[str, Any], logs: tuple[ContainerLog, ...] = (), asked: tuple[DnsAnswer, ...] = ()) -> Case:
    whole = ("Service/shop", "Pod/shop")
    seen = {"objects": evidence("objects", KubernetesObjects(objects=objects, complete=whole))}
    seen |= {"logs": evidence("logs", Logs(logs=logs))}
    seen |= {answer.name: evidence(answer.name, answer) for answer in asked}
    return Case(Target(namespace="shop"), (alert(),), NOW, NOW, seen)


def best(seen: Case) -> Finding:
    return ranked(cases.findings(names.detect, seen), load().causes, seen)[0]


WHO = (pod("web"), pod("api"), service("db"))


def test_while_the_clusters_dns_is_down_no_name_is_blamed() -> None:
    failed = (said("gone", "web"),)
    finding = best(case(*WHO, name_server(ready=False), logs=failed))
    assert (finding.cause, finding.confidence) == ("cluster-dns-failure", Confidence.CERTAIN)
    assert "pod/coredns-1 is not ready" in [reason.text for reason in finding.because]
    assert best(case(*WHO, name_server(ready=True), logs=failed)).cause == "service-dns-resolution-failure"


def test_services_that_exist_and_names_outside_that_fail_alike_are_the_clusters_dns() -> None:
    failed = (said("db", "web"), said("db", "api"), said("api.openai.com", "api"))
    finding = best(case(*WHO, name_server(ready=True), logs=failed))
    assert (finding.cause, finding.confidence) == ("cluster-dns-failure", Confidence.LIKELY)


def test_a_question_that_got_no_answer_counts_while_the_clusters_dns_is_down() -> None:
    asked = DnsAnswer(name="db.shop.svc", type="A", server="10.96.0.10", status=DnsStatus.TIMED_OUT, seconds=4)
    assert best(case(*WHO, name_server(ready=False), asked=(asked,))).cause == "cluster-dns-failure"


def test_one_workload_that_cannot_resolve_a_service_is_not_the_clusters_dns() -> None:
    finding = best(case(*WHO, name_server(ready=True), logs=(said("db", "web"), said("api.openai.com", "web"))))
    assert (finding.cause, str(finding.subject)) == ("service-dns-resolution-failure", "pod/web")
