"""What several detectors look at: the namespace as a graph, who is unwell, what the logs complain of."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from responder.model.evidence import ContainerLog, Logs
from responder.model.failures import Failure, FailureKind, failure
from responder.model.graph import Graph, declared_ports
from responder.model.kubernetes import Object, Pod, mapping, mappings, time, whole
from responder.model.picture import Picture
from responder.model.subject import Subject, Target
from responder.model.told import Address, environment

_LISTENING = re.compile(
    r"(?:listen(?:ing|s)?|start(?:ed|ing)?|serving|bound|running|ready|accept(?:ing)?)\b.{0,60}?"
    r"(?:\bport\(?s?\)?\s*[:=]?\s*|:|\bon\s+)(?P<port>\d{2,5})\b(?!\.\d)",
    re.IGNORECASE,
)
_SERVER_PORT_FLAG = re.compile(r"(?:-D|--)(?:server\.)?(?:http-?)?port[= ](?P<port>\d{2,5})\b")
_SERVER_PORT_VARIABLES = ("PORT", "SERVER_PORT", "HTTP_PORT", "GRPC_PORT", "LISTEN_PORT", "APP_PORT", "SERVICE_PORT")


STALE = timedelta(minutes=15)
"""An alert fires minutes after its cause: rules wait and evaluate over windows."""


NAME_SERVERS = ("k8s-app", "kube-dns")
"""The label of the cluster's name servers, CoreDNS among them."""
FEW = 8
"""Words of a line in which a plain word may be the name of a service."""


@dataclass(frozen=True)
class Complaint:
    """A failure that a container reports in its log, how often, and the evidence that holds it."""

    workload: Subject
    pod: str
    failure: Failure
    count: int
    level: str
    evidence: str
    last: datetime | None = None


class Scene:
    """The namespace that a case is about."""

    def __init__(
        self, target: Target, picture: Picture, logs: Sequence[tuple[str, Logs]], started_at: datetime, now: datetime
    ) -> None:
        self.target = target
        self.picture = picture
        self.started_at = started_at
        self.now = now
        self.logs = [(evidence, log) for evidence, found in logs for log in found.logs]

    @cached_property
    def namespace(self) -> str:
        """The target's namespace, else the one that most pods are in."""
        if self.target.namespace:
            return self.target.namespace
        seen = [pod.namespace for pod in self.picture.pods() if not pod.namespace.startswith("kube-")]
        return max(sorted(set(seen)), key=seen.count, default="")

    @cached_property
    def graph(self) -> Graph:
        """The namespace's objects."""
        return Graph(self.picture, self.namespace)

    @cached_property
    def pods(self) -> Sequence[Pod]:
        """The namespace's pods, without those that are done or being deleted."""
        return self.graph.pods

    def knows_all(self, kind: str) -> bool:
        """Whether every object of the kind in the namespace (or cluster) was read."""
        return self.picture.complete(kind, self.namespace)

    def logs_of(
        self, pod: str, container: str = "", *, previous: bool | None = None
    ) -> Iterator[tuple[str, ContainerLog]]:
        """The logs of a pod's containers, as (evidence id, log); those before a restart first."""
        for evidence, log in sorted(self.logs, key=lambda item: not item[1].previous):
            if log.pod == pod and container in ("", log.container) and previous in (None, log.previous):
                yield evidence, log

    def desired(self, workload: Object) -> int:
        """How many pods a workload wants."""
        if workload.kind == "DaemonSet":
            return whole(workload.status.get("desiredNumberScheduled")) or 0
        wanted = whole(workload.spec.get("replicas"))
        return 1 if wanted is None else wanted

    def ready(self, workload: Object) -> int:
        """How many ready pods it has: as its status says, or as its pods do."""
        field = "numberReady" if workload.kind == "DaemonSet" else "readyReplicas"
        counted = whole(workload.status.get(field))
        pods = sum(pod.ready for pod in self.graph.pods_of(workload))
        return pods if counted is None else min(counted, pods) if self.knows_all("Pod") else counted

    def ails(self, workload: Object) -> bool:
        """Whether it has fewer ready pods than it wants."""
        return self.ready(workload) < self.desired(workload)

    def responsible(self, item: Object) -> Subject:
        """The workload to name for an object."""
        return self.picture.responsible(item)

    @cached_property
    def complaints(self) -> Sequence[Complaint]:
        """What the logs of the namespace complain of, in terms of well-known failures."""
        pods = self.picture.pods(self.namespace)
        by_name = {pod.name: pod for pod in pods if pod.controller not in self.graph.done}
        return [
            Complaint(
                self.responsible(by_name[log.pod]), log.pod, failed, group.count, group.level, evidence, group.last
            )
            for evidence, log in self.logs
            if log.namespace == self.namespace and log.pod in by_name
            for group in log.groups
            if not self._over(by_name[log.pod], group.last) and (failed := failure(group.example))
        ]

    def called(self, complaint: Complaint) -> Object | None:
        """The service that a complaint is about: by its address, else by the only name of a service that it says."""
        if complaint.failure.host:
            return self.graph.service(complaint.failure.host)
        words = set(re.findall(r"[a-z0-9][a-z0-9.-]*[a-z0-9]", complaint.failure.text.lower()))
        named = [item for item in self.graph.services if item.name in words and ("-" in item.name or len(words) < FEW)]
        return named[0] if len(named) == 1 else None

    def servers(self, complaint: Complaint) -> Sequence[Pod]:
        """The pods that should have answered: behind the service, at the address, or the name servers."""
        if complaint.failure.kind is FailureKind.NO_SUCH_HOST:
            return [pod for pod in self.picture.pods() if pod.labels.get(NAME_SERVERS[0]) == NAME_SERVERS[1]]
        if (service := self.called(complaint)) is not None:
            return Graph(self.picture, service.namespace).behind(service)
        host = complaint.failure.host
        return [pod for pod in self.picture.pods() if host and pod.status.get("podIP") == host]

    def _over(self, pod: Pod, last: datetime | None) -> bool:
        """Whether a pod that is well said it last too long before the trouble began: programs complain while others
        start, and never again.
        """
        if not pod.ready or last is None:
            return False
        asked = any(container.spec.get("readinessProbe") for container in pod.containers)
        since = time(mapping(pod.conditions.get("Ready")).get("lastTransitionTime")) if asked else None
        return self.started_at - last > STALE or (since is not None and last < since)

    @cached_property
    def _listening(self) -> Mapping[str, frozenset[int]]:
        found: dict[str, set[int]] = {}
        for _, log in self.logs:
            for line in log.lines:
                if "isten" in line or "port" in line.lower():
                    found.setdefault(log.pod, set()).update(
                        port for item in _LISTENING.finditer(line[:2000]) if 0 < (port := int(item["port"])) < 65536
                    )
        return {pod: frozenset(ports) for pod, ports in found.items()}

    def said_ports(self, workload: Object) -> frozenset[int]:
        """The ports that its logs say it listens on."""
        pods = self.graph.pods_of(workload)
        return frozenset().union(*(self._listening.get(pod.name, frozenset()) for pod in pods))

    def known_ports(self, workload: Object) -> frozenset[int]:
        """The ports that it declares, is told in its environment, or says in its log that it listens on."""
        found = {*declared_ports(workload.template_containers), *self.said_ports(workload)}
        for container in workload.template_containers:
            variables = environment(self.picture, workload, container)
            words = container.spec.get("args") or container.spec.get("command")
            texts = [*(value for value, _ in variables.values()), *map(str, words if isinstance(words, list) else [])]
            found |= {
                port
                for name, (value, _) in variables.items()
                if name in _SERVER_PORT_VARIABLES and (port := whole(value)) is not None
            }
            found |= {int(match["port"]) for text in texts for match in _SERVER_PORT_FLAG.finditer(text)}
        return frozenset(found | self._asked_with_success(workload))

    def _asked_with_success(self, workload: Object) -> set[int]:
        """The ports at which its readiness probes find its ready pods."""
        return {
            port
            for pod in self.graph.pods_of(workload)
            if pod.ready
            for container in pod.containers
            for kind in ("httpGet", "tcpSocket", "grpc")
            if (port := whole(mapping(mapping(container.spec.get("readinessProbe")).get(kind)).get("port"))) is not None
        }

    def absent_services(self) -> Sequence[tuple[str, Object, Sequence[Address]]]:
        """Names that callers have in their environment, that a workload bears, and for which no service exists."""
        if not self.knows_all("Service"):
            return []
        by_name = {item.name: item for item in self.graph.workloads}
        return [
            (host, by_name[host.partition(".")[0]], addresses)
            for host, addresses in self.graph.callers.items()
            if host.partition(".")[0] in by_name and self.graph.is_internal(host) and self.graph.service(host) is None
        ]

    def claims_of(self, workload: Object) -> Sequence[str]:
        """The names of the claims that a workload's pods mount."""
        sources: Sequence[Object] = self.graph.pods_of(workload) or [workload]
        volumes = [volume for item in sources for volume in mappings(item.template.get("volumes"))]
        names = [str(mapping(volume.get("persistentVolumeClaim")).get("claimName") or "") for volume in volumes]
        return list(dict.fromkeys(filter(None, names)))

    def claim(self, name: str) -> Object | None:
        """A claim of the namespace."""
        return self.picture.get("PersistentVolumeClaim", self.namespace, name)

    def since(self, pod: Pod) -> datetime | None:
        """When a pod stopped being ready."""
        ready = mapping(pod.conditions.get("Ready"))
        return time(ready.get("lastTransitionTime")) if ready.get("status") != "True" else None
