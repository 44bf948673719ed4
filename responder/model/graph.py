"""How the objects of a namespace hang together: services → pods, addresses in the environment → services."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from responder.model.jobs import Job, runs
from responder.model.kubernetes import Container, Object, Pod, mapping, mappings, string, whole
from responder.model.picture import Picture
from responder.model.told import NAME, Address, addresses

FEW = 4
"""Of fewer services nobody can tell which words their names have in common."""
_DECORATIONS = ("service", "svc")
KEPT_RUNNING = ("Deployment", "StatefulSet", "DaemonSet", "ReplicationController")


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether equality-based terms (as a Service has them) all hold."""
    return all(labels.get(key) == value for key, value in selector.items())


def matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a label selector (`matchLabels`, `matchExpressions`) holds; an empty one always does."""
    if not selects(mapping(selector.get("matchLabels")), labels):
        return False
    return all(_holds(term, labels) for term in mappings(selector.get("matchExpressions")))


def _holds(term: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, values = string(term.get("key")), term.get("values") or []
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
    def done(self) -> frozenset[tuple[str, str]]:
        """The jobs that came to a good end: they completed, or a later run of their cron job did."""
        every = runs(Job(item) for item in self.picture.all("Job", self.namespace))
        jobs = [job for each in every for job in each.jobs if job.completed or (job.failure and each.good_again)]
        return frozenset(("Job", job.name) for job in jobs)

    @cached_property
    def pods(self) -> Sequence[Pod]:
        """The pods, without those that are done or being deleted; of a job that came to a good end all are done."""
        return [
            pod
            for pod in self.picture.pods(self.namespace)
            if pod.phase != "Succeeded"
            and pod.controller not in self.done
            and not pod.metadata.get("deletionTimestamp")
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
            # a pod behind a headless service has a name before the service's
            return self.picture.get("Service", namespace, name) or self.picture.get(
                "Service", self.namespace, namespace
            )
        if rest.split(".")[1:3] == [self.namespace, "svc"] and namespace:
            return self.picture.get("Service", self.namespace, namespace)
        return next((item for item in self.services if item.spec.get("clusterIP") == host), None)

    def is_internal(self, host: str) -> bool:
        """Whether a name can only mean a service of this namespace."""
        name, _, rest = host.rstrip(".").partition(".")
        if not NAME.fullmatch(host.rstrip(".")) or name == "localhost":
            return False
        return not rest or (rest.split(".")[0] == self.namespace and (rest + ".").partition(".")[2][:3] in ("", "svc"))

    @cached_property
    def _common(self) -> frozenset[tuple[bool, str]]:
        """The words with which most services' names begin or end, as (at the end, word)."""
        words = [item.name.split("-") for item in self.services]
        counted = Counter(
            [*((False, item[0]) for item in words), *((True, item[-1]) for item in words if len(item) > 1)]
        )
        return frozenset(word for word, count in counted.items() if len(words) >= FEW and 2 * count > len(words))

    def core(self, name: str) -> str:
        """A name without what names of services have in common, lower case, letters and digits only."""
        words = name.lower().replace("_", "-").split("-")
        if len(words) > 1 and (False, words[0]) in self._common:
            words = words[1:]
        while len(words) > 1 and ((True, words[-1]) in self._common or words[-1] in _DECORATIONS):
            words = words[:-1]
        joined = "".join(character for character in "".join(words) if character.isalnum())
        for word in _DECORATIONS:
            if joined.endswith(word) and joined != word:
                joined = joined.removesuffix(word)
        return joined

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

    @cached_property
    def _addresses(self) -> Mapping[tuple[str, str], Sequence[Address]]:
        return {(item.kind, item.name): list(addresses(self.picture, item)) for item in self.workloads}

    def addresses(self, workload: Object) -> Sequence[Address]:
        """Where a workload is told to call, by its environment, arguments and mounted config maps."""
        return self._addresses.get((workload.kind, workload.name), ())

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
