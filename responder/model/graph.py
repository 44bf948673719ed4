"""How the objects of a namespace hang together: services → pods, addresses in the environment → services."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from responder.model.kubernetes import Container, Object, Pod, mapping, mappings, whole
from responder.model.picture import Picture

KEPT_RUNNING = ("Deployment", "StatefulSet", "DaemonSet", "ReplicationController")
_HOST = r"(?!\d+(?:\.|:|$))[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"^(?P<host>{_HOST}):(?P<port>\d{{1,5}})$")
_URL = re.compile(
    r"(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*)://(?:[^\s/@]*@)?"
    rf"(?P<host>{_HOST})(?::(?P<port>\d{{1,5}}))?(?=[/?\s,;\"']|$)"
)
_FLAG = re.compile(rf"(?:^|[=\s])(?P<host>{_HOST}):(?P<port>\d{{2,5}})(?=$|[\s,/])")
_HOST_VARIABLE = re.compile(r"(?:^|[_.-])(?:HOST|HOSTNAME|ADDR|ADDRESS|SERVER|ENDPOINT)S?$", re.IGNORECASE)
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")


@dataclass(frozen=True)
class Address:
    """A place that a workload is told to call: where it is written, and what it says."""

    owner: Object
    container: str
    variable: str
    value: str
    host: str
    port: int | None
    scheme: str = ""


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether equality-based terms (as a Service has them) all hold."""
    return all(labels.get(key) == value for key, value in selector.items())


def matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a label selector (`matchLabels`, `matchExpressions`) holds; an empty one always does."""
    if not selects(mapping(selector.get("matchLabels")), labels):
        return False
    return all(_holds(term, labels) for term in mappings(selector.get("matchExpressions")))


def _holds(term: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, values = str(term.get("key", "")), term.get("values") or []
    value = labels.get(key)
    match term.get("operator"):
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
        case "Gt" | "Lt" as operator:
            bound, number = whole(values[0] if values else None), whole(value)
            if bound is None or number is None:
                return False
            return number > bound if operator == "Gt" else number < bound
        case _:
            return False


def declared_ports(containers: Sequence[Container]) -> Mapping[int, Mapping[str, Any]]:
    """The ports that containers declare, by number."""
    return {
        number: port
        for container in containers
        for port in container.ports
        if (number := whole(port.get("containerPort"))) is not None
    }


class Graph:
    """One namespace's objects as a graph."""

    def __init__(self, picture: Picture, namespace: str) -> None:
        self.picture = picture
        self.namespace = namespace

    @cached_property
    def workloads(self) -> Sequence[Object]:
        """Deployments and their like, without jobs."""
        return [item for kind in KEPT_RUNNING for item in self.picture.all(kind, self.namespace)]

    @cached_property
    def services(self) -> Sequence[Object]:
        """The services."""
        return self.picture.all("Service", self.namespace)

    @cached_property
    def pods(self) -> Sequence[Pod]:
        """The pods, without those that are done or being deleted."""
        return [
            pod
            for pod in self.picture.pods(self.namespace)
            if pod.phase != "Succeeded" and not pod.metadata.get("deletionTimestamp")
        ]

    @cached_property
    def _pods_by_workload(self) -> Mapping[tuple[str, str], Sequence[Pod]]:
        found: dict[tuple[str, str], list[Pod]] = {}
        for pod in self.pods:
            above = self.picture.responsible(pod)
            found.setdefault((above.kind, above.name), []).append(pod)
        return found

    def pods_of(self, workload: Object) -> Sequence[Pod]:
        """The pods of a workload."""
        return self._pods_by_workload.get((workload.kind, workload.name), ())

    def service(self, host: str) -> Object | None:
        """The service that a host name or cluster address means, if it was seen."""
        name, _, rest = host.rstrip(".").partition(".")
        namespace, _, suffix = rest.partition(".")
        if not rest:
            return self.picture.get("Service", self.namespace, name)
        if suffix in ("", "svc") or suffix.startswith("svc."):
            return self.picture.get("Service", namespace, name)
        return next((item for item in self.services if item.spec.get("clusterIP") == host), None)

    def is_internal(self, host: str) -> bool:
        """Whether a name can only mean a service of this namespace."""
        name, _, rest = host.rstrip(".").partition(".")
        if not _NAME.fullmatch(host.rstrip(".")) or name == "localhost":
            return False
        return not rest or (rest.split(".")[0] == self.namespace and (rest + ".").partition(".")[2][:3] in ("", "svc"))

    def behind(self, service: Object) -> Sequence[Pod]:
        """The pods that a service selects, ready or not."""
        selector = mapping(service.spec.get("selector"))
        return [pod for pod in self.pods if selector and selects(selector, pod.labels)]

    def workloads_behind(self, service: Object) -> Sequence[Object]:
        """The workloads whose pods a service selects, whether or not there are any pods."""
        selector = mapping(service.spec.get("selector"))
        return [item for item in self.workloads if selector and selects(selector, item.template_labels)]

    def intended(self, service: Object) -> Object | None:
        """The workload that a service is there for: its namesake, else the one it selects, else the only one
        whose labels share the most values with the selector.
        """
        for workload in self.workloads:
            if workload.name == service.name:
                return workload
        behind = self.workloads_behind(service)
        if len(behind) == 1:
            return behind[0]
        wanted = set(map(str, mapping(service.spec.get("selector")).values())) | {service.name}
        scores = [
            (len(wanted & {*map(str, item.template_labels.values()), item.name}), item) for item in self.workloads
        ]
        best = max((score for score, _ in scores), default=0)
        closest = [item for score, item in scores if score == best]
        return closest[0] if best and len(closest) == 1 else None

    def services_of(self, workload: Object) -> Sequence[Object]:
        """The services that select a workload's pods."""
        labels = workload.template_labels
        return [
            item for item in self.services if (terms := mapping(item.spec.get("selector"))) and selects(terms, labels)
        ]

    def endpoints(self, service: Object) -> tuple[int, int] | None:
        """Ready and unready addresses of a service; None where nothing tells."""
        if found := self.picture.get("Endpoints", service.namespace, service.name):
            subsets = mappings(found.raw.get("subsets"))
            ready = sum(len(mappings(item.get("addresses"))) for item in subsets)
            return ready, sum(len(mappings(item.get("notReadyAddresses"))) for item in subsets)
        slices = [
            item
            for item in self.picture.all("EndpointSlice", service.namespace)
            if item.labels.get("kubernetes.io/service-name") == service.name
        ]
        if not slices:
            return None
        states = [
            mapping(endpoint.get("conditions")).get("ready", True)
            for item in slices
            for endpoint in mappings(item.raw.get("endpoints"))
        ]
        return sum(map(bool, states)), len(states) - sum(map(bool, states))

    def addresses(self, workload: Object) -> Iterator[Address]:
        """Where a workload is told to call, by its environment and arguments."""
        for container in workload.template_containers:
            variables = container.environment
            for name, value in variables.items():
                yield from self._in_variable(workload, container.name, name, value, variables)
            for field in ("command", "args"):
                words = container.spec.get(field)
                for word in words if isinstance(words, list) else []:
                    yield from _in_text(workload, container.name, field, str(word))

    def _in_variable(
        self, workload: Object, container: str, name: str, value: str, variables: Mapping[str, str]
    ) -> Iterator[Address]:
        if found := _ADDRESS.match(value.strip()):
            yield Address(workload, container, name, value, found["host"], int(found["port"]))
        elif "://" in value:
            yield from _in_text(workload, container, name, value)
        elif _NAME.fullmatch(value.strip()) and not value.strip().isdigit():
            host = value.strip()
            if _HOST_VARIABLE.search(name) or self.picture.get("Service", self.namespace, host):
                yield Address(workload, container, name, value, host, _port_beside(name, variables))

    @cached_property
    def callers(self) -> Mapping[str, Sequence[Address]]:
        """Who is told to call a service, by the service's name or the unknown host."""
        found: dict[str, list[Address]] = {}
        for workload in self.workloads:
            for address in self.addresses(workload):
                service = self.service(address.host)
                if service is not None and service.namespace != self.namespace:
                    continue
                name = service.name if service else address.host
                found.setdefault(name, []).append(address)
        return found


def _in_text(workload: Object, container: str, variable: str, text: str) -> Iterator[Address]:
    urls = list(_URL.finditer(text))
    for found in urls or _FLAG.finditer(text):
        scheme = found["scheme"].lower() if urls else ""
        port = int(found["port"]) if found["port"] else None
        yield Address(workload, container, variable, text, found["host"], port, scheme)


def _port_beside(name: str, variables: Mapping[str, str]) -> int | None:
    """The port in the variable beside the one with the host: `DB_HOST` and `DB_PORT`."""
    stem = _HOST_VARIABLE.sub("", name)
    for separator in ("_", ".", "-", ""):
        for word in ("PORT", "port", "Port"):
            if (port := whole(variables.get(f"{stem}{separator}{word}"))) is not None:
                return port
    return None
