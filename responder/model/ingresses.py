"""Ingresses: where their rules lead (Kubernetes, concepts/services-networking/ingress)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from responder.model.graph import Graph
from responder.model.kubernetes import Object, mapping, mappings, string

DEFAULT_CLASS = "ingressclass.kubernetes.io/is-default-class"
_CLASS = "kubernetes.io/ingress.class"
TOLD_ANNOTATIONS = (
    "proxy-read-timeout", "proxy-send-timeout", "proxy-connect-timeout", "proxy-http-version", "proxy-body-size",
    "websocket-services", "backend-protocol", "ssl-redirect", "force-ssl-redirect", "rewrite-target",
    "configuration-snippet", "server-snippet", "affinity", "limit-rps", "limit-connections", "whitelist-source-range",
    "canary", "auth-url", "upstream-hash-by", "timeout-tunnel", "idle_timeout", "timeoutSec",
)  # fmt: skip
"""The last parts of annotations that decide about WebSockets, timeouts and refusals, of the usual controllers."""


@dataclass(frozen=True)
class Route:
    """One path of an ingress and the backend behind it; `port` is a number or a name."""

    host: str
    path: str
    service: str
    port: str

    def __str__(self) -> str:
        return f"{self.host or '*'}{self.path or '/'}"


@dataclass(frozen=True)
class Ingress:
    """An ingress."""

    item: Object

    @property
    def wanted_class(self) -> str:
        """The class that it names: in its spec, else in the old annotation."""
        return str(self.item.spec.get("ingressClassName") or self.item.annotations.get(_CLASS) or "")

    @property
    def routes(self) -> Iterator[Route]:
        """Its paths; the default backend has no host and no path."""
        if default := self.item.spec.get("defaultBackend") or self.item.spec.get("backend"):
            yield from _route("", "", mapping(default))
        for rule in mappings(self.item.spec.get("rules")):
            for path in mappings(mapping(rule.get("http")).get("paths")):
                backend = mapping(path.get("backend"))
                yield from _route(string(rule.get("host")), string(path.get("path")), backend)

    @property
    def secrets(self) -> Mapping[str, tuple[str, ...]]:
        """The TLS secrets that it names, with their hosts."""
        return {
            str(item["secretName"]): tuple(map(str, item.get("hosts") or ()))
            for item in mappings(self.item.spec.get("tls"))
            if item.get("secretName")
        }

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where its controller says that it can be reached."""
        found = mappings(mapping(self.item.status.get("loadBalancer")).get("ingress"))
        return tuple(str(item.get("ip") or item.get("hostname") or "") for item in found)

    @property
    def told(self) -> Mapping[str, str]:
        """The annotations that decide about WebSockets, timeouts and refusals."""
        return {
            name: value
            for name, value in self.item.annotations.items()
            if name.rpartition("/")[2].rpartition(".")[2] in TOLD_ANNOTATIONS
        }


def ready_behind(graph: Graph, service: Object) -> tuple[int, int] | None:
    """Ready and unready addresses of a service; None where nothing tells, or where it leads out of the cluster."""
    if service.spec.get("type") == "ExternalName" or not mapping(service.spec.get("selector")):
        return None
    return graph.endpoints(service)


def has_port(service: Object, port: str) -> bool:
    """Whether a service has a port of the name or number."""
    return any(port in (str(item.get("port")), str(item.get("name"))) for item in mappings(service.spec.get("ports")))


def _route(host: str, path: str, backend: Mapping[str, Any]) -> Iterator[Route]:
    service = mapping(backend.get("service"))
    if service:
        port = mapping(service.get("port"))
        yield Route(host, path, string(service.get("name")), str(port.get("number") or port.get("name") or ""))
    elif backend.get("serviceName"):
        # networking.k8s.io/v1beta1
        yield Route(host, path, str(backend["serviceName"]), string(backend.get("servicePort")))
