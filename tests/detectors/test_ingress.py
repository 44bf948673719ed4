"""Ingresses: what keeps them from serving."""

from typing import Any

import pytest

from responder.detectors import Case, ingress
from responder.model.evidence import KubernetesObjects
from responder.model.finding import Confidence
from responder.model.ingresses import Ingress
from responder.model.kubernetes import Object
from responder.model.subject import Target
from tests.detectors import cases
from tests.makers import NOW, alert, evidence

WHOLE = ("Service/shop", "IngressClass", "Secret of Ingress/shop")
SURE, LIKELY, MAYBE = Confidence.CERTAIN, Confidence.LIKELY, Confidence.POSSIBLE


def web(
    service: str = "web", port: Any = "http", *, ingress_class: str = "nginx", address: str = "1.2.3.4", **fields: Any
) -> dict[str, Any]:
    wanted = {"name": port} if isinstance(port, str) else {"number": port}
    path = {"path": "/api", "backend": {"service": {"name": service, "port": wanted}}}
    spec: dict[str, Any] = {"rules": [{"host": "shop.example", "http": {"paths": [path]}}], **fields}
    if ingress_class:
        spec["ingressClassName"] = ingress_class
    status = {"loadBalancer": {"ingress": [{"ip": address}]}} if address else {}
    return {"kind": "Ingress", "metadata": {"name": "web", "namespace": "shop"}, "spec": spec, "status": status}


SERVICE = {
    "kind": "Service",
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {"selector": {"app": "web"}, "ports": [{"name": "http", "port": 80}]},
}
NGINX = {"kind": "IngressClass", "metadata": {"name": "nginx"}}
SECRET = {"kind": "Secret", "metadata": {"name": "tls", "namespace": "shop"}}
TLS = {"tls": [{"secretName": "tls", "hosts": ["shop.example"]}]}


def endpoints(ready: int, unready: int = 0) -> dict[str, Any]:
    found = {"addresses": [{"ip": "a"}] * ready, "notReadyAddresses": [{"ip": "b"}] * unready}
    return {"kind": "Endpoints", "metadata": {"name": "web", "namespace": "shop"}, "subsets": [found]}


def case(*objects: dict[str, Any], whole: tuple[str, ...] = WHOLE, probe: str = "kubernetes.ingress") -> Case:
    seen = evidence("e", KubernetesObjects(objects=objects, complete=whole), probe=probe)
    return Case(Target(namespace="shop"), (alert(),), NOW, NOW, {"e": seen})


def told(seen: Case) -> list[tuple[str, Confidence]]:
    return [(item.cause, item.confidence) for item in cases.findings(ingress.detect, seen)]


@pytest.mark.parametrize(
    ("objects", "cause", "confidence"),
    [
        ((web("absent"), SERVICE, NGINX, endpoints(1)), "ingress-without-service", SURE),
        ((web(port=8080), SERVICE, NGINX, endpoints(1)), "ingress-port-mismatch", SURE),
        ((web(), SERVICE, NGINX, endpoints(0, 2)), "ingress-without-endpoints", LIKELY),
        ((web(ingress_class="haproxy", address=""), SERVICE, NGINX, endpoints(1)), "ingress-class-missing", LIKELY),
        ((web(ingress_class="", address=""), SERVICE, NGINX, endpoints(1)), "ingress-class-missing", LIKELY),
        ((web(address=""), SERVICE, NGINX, endpoints(1)), "ingress-not-taken-up", MAYBE),
        ((web(**TLS), SERVICE, NGINX, endpoints(1)), "ingress-tls-secret-missing", SURE),
    ],
)
def test_one_thing_is_wrong(objects: tuple[dict[str, Any], ...], cause: str, confidence: Confidence) -> None:
    assert told(case(*objects)) == [(cause, confidence)]


@pytest.mark.parametrize(
    "objects",
    [
        (web(), SERVICE, NGINX, endpoints(1)),
        (web(port=80), SERVICE, NGINX, endpoints(1, 3)),
        (web(**TLS), SERVICE, NGINX, SECRET, endpoints(1)),
        (web(ingress_class="", address=""), SERVICE, endpoints(1),
         {"kind": "IngressClass",
          "metadata": {"name": "x", "annotations": {"ingressclass.kubernetes.io/is-default-class": "true"}}}),
        (web(ingress_class="gone"), SERVICE, NGINX, endpoints(1)),
        (web("out"), {"kind": "Service", "metadata": {"name": "out", "namespace": "shop"},
                      "spec": {"type": "ExternalName", "ports": [{"name": "http", "port": 80}]}}, NGINX),
    ],
    ids=["by name", "by number", "with its secret", "default class without address", "served nevertheless", "external"],
)  # fmt: skip
def test_its_neighbours_are_not_that(objects: tuple[dict[str, Any], ...]) -> None:
    probe = "kubernetes.namespace" if len(objects) == 4 and "x" in str(objects[3]) else "kubernetes.ingress"
    assert told(case(*objects, probe=probe)) == []


def test_what_was_not_read_whole_proves_nothing_absent() -> None:
    assert told(case(web("absent", ingress_class="gone", address="", **TLS), whole=(), probe="x")) == []


def test_all_well_is_cleared_with_its_numbers() -> None:
    seen = case(web(), SERVICE, NGINX, endpoints(1))
    assert cases.cleared(ingress.detect, seen) == ["ingresses (1 ingress with 1 path, services and endpoints fit)"]
    assert list(ingress.detect(case())) == []


def test_ingresses_of_old_versions_are_read() -> None:
    backend = {"serviceName": "web", "servicePort": 80}
    rules = [{"host": "a", "http": {"paths": [{"path": "/", "backend": backend}]}}]
    old = Ingress(
        Object({"metadata": {"annotations": {"kubernetes.io/ingress.class": "nginx"}}, "spec": {"rules": rules}})
    )
    assert [(str(route), route.service, route.port) for route in old.routes] == [("a/", "web", "80")]
    assert old.wanted_class == "nginx"


def test_annotations_about_websockets_and_timeouts_are_told() -> None:
    annotations = {"nginx.ingress.kubernetes.io/proxy-read-timeout": "3600", "team": "a"}
    item = Ingress(Object({"metadata": {"annotations": annotations}}))
    assert item.told == {"nginx.ingress.kubernetes.io/proxy-read-timeout": "3600"}
