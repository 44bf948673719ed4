"""Clients that a test fills, or that fail in one way."""

import asyncio
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from responder.clients import Document, Execution, Exists, Listing, LogLine, Reply, Rows, Statement
from responder.clients.selectors import by_fields, by_labels
from responder.errors import Permanent, Reason, Temporary, Trouble
from responder.model.evidence import HttpAnswer, Sample, Series, Shape
from responder.model.network import DnsAnswer, TcpAnswer, TlsAnswer, WebSocketAnswer
from tests.fakes.patches import BadPatch, merged, operated

S = TypeVar("S", bound=Shape)

DRY = " (dry run)"
BUDGET = "Cannot evict pod as it would violate the pod's disruption budget."

KINDS = {
    "pods": "Pod",
    "services": "Service",
    "endpoints": "Endpoints",
    "configmaps": "ConfigMap",
    "secrets": "Secret",
    "persistentvolumeclaims": "PersistentVolumeClaim",
    "persistentvolumes": "PersistentVolume",
    "storageclasses.storage.k8s.io": "StorageClass",
    "serviceaccounts": "ServiceAccount",
    "resourcequotas": "ResourceQuota",
    "ingresses.networking.k8s.io": "Ingress",
    "events": "Event",
    "nodes": "Node",
    "deployments.apps": "Deployment",
    "replicasets.apps": "ReplicaSet",
    "statefulsets.apps": "StatefulSet",
    "daemonsets.apps": "DaemonSet",
    "controllerrevisions.apps": "ControllerRevision",
    "jobs.batch": "Job",
    "cronjobs.batch": "CronJob",
    "horizontalpodautoscalers.autoscaling": "HorizontalPodAutoscaler",
    "poddisruptionbudgets.policy": "PodDisruptionBudget",
    "namespaces": "Namespace",
    "endpointslices.discovery.k8s.io": "EndpointSlice",
    "ingressclasses.networking.k8s.io": "IngressClass",
    "networkpolicies.networking.k8s.io": "NetworkPolicy",
    "roles.rbac.authorization.k8s.io": "Role",
    "rolebindings.rbac.authorization.k8s.io": "RoleBinding",
    "clusterroles.rbac.authorization.k8s.io": "ClusterRole",
    "clusterrolebindings.rbac.authorization.k8s.io": "ClusterRoleBinding",
    "pods.metrics.k8s.io": "PodMetrics",
    "nodes.metrics.k8s.io": "NodeMetrics",
}


@dataclass
class FakeKubernetes:
    """A cluster of the given objects and logs (`pod/container`, `pod/container:previous`).

    `troubles` are raised for a resource, a log, or for everything (`*`). What `slow` names never comes. Pods that are
    `budgeted` cannot be evicted.
    """

    objects: list[dict[str, Any]] = field(default_factory=list)
    logs: dict[str, str] = field(default_factory=dict)
    troubles: dict[str, Trouble] = field(default_factory=dict)
    slow: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    name: str = ""
    reviews: Callable[[str, Mapping[str, Any], str], Mapping[str, Any]] | None = None
    execution: Execution | None = None
    budgeted: set[str] = field(default_factory=set)

    def kubectl(self, *arguments: str) -> str:
        return " ".join(("kubectl", *arguments))

    async def list(
        self, resource: str, *, namespace: str = "", labels: str = "", fields: str = "", limit: int = 0
    ) -> Listing:
        await self._told(resource)
        kind, fits_labels, fits_fields = KINDS.get(resource, resource), by_labels(labels), by_fields(fields)
        return Listing(
            [
                item
                for item in self.objects
                if item["kind"] == kind
                and namespace in ("", item["metadata"].get("namespace", ""))
                and fits_labels(item["metadata"].get("labels") or {})
                and fits_fields(item)
            ]
        )

    async def get(self, resource: str, name: str, *, namespace: str = "") -> dict[str, Any]:
        for item in (await self.list(resource, namespace=namespace)).items:
            if item["metadata"]["name"] == name:
                return item
        raise Permanent(f'{resource} "{name}" not found', Reason.NOT_FOUND)

    async def log(
        self,
        namespace: str,
        pod: str,
        container: str,
        *,
        previous: bool = False,
        tail: int = 500,
        since: timedelta | None = None,
    ) -> str:
        key = f"{pod}/{container}{':previous' if previous else ''}"
        await self._told(key)
        if key not in self.logs:
            raise Permanent(f'pods "{pod}" not found', Reason.NOT_FOUND)
        return "".join(self.logs[key].splitlines(keepends=True)[-tail:])

    async def review(self, kind: str, spec: Mapping[str, Any], *, namespace: str = "") -> Mapping[str, Any]:
        await self._told(kind)
        if self.reviews is None:
            raise Permanent("access cannot be asked", Reason.NOT_FOUND)
        return self.reviews(kind, spec, namespace)

    async def exec(
        self, namespace: str, pod: str, container: str, command: Sequence[str], *, timeout: float = 10
    ) -> Execution:
        await self._told(f"exec {pod}/{container}: {shlex.join(command)}")
        if self.execution is None:
            raise Permanent("the command is not allowed", Reason.FORBIDDEN)
        return self.execution

    async def create(
        self, resource: str, body: Mapping[str, Any], *, namespace: str = "", dry_run: bool = False
    ) -> dict[str, Any]:
        await self._told(f"create {resource}{DRY * dry_run}")
        made, name = dict(body), body["metadata"]["name"]
        if any(one["kind"] == body["kind"] and one["metadata"]["name"] == name for one in self.objects):
            raise Exists(f"{resource} {name} already exists", Reason.BAD_REQUEST)
        if not dry_run:
            self.objects.append(made)
        return made

    async def patch(
        self, resource: str, name: str, body: Document, *, namespace: str = "", dry_run: bool = False
    ) -> dict[str, Any]:
        await self._told(f"patch {resource}{DRY * dry_run}")
        whole, _, _part = resource.partition("/")
        found = await self.get(whole, name, namespace=namespace)
        try:
            changed = merged(found, body) if isinstance(body, Mapping) else operated(found, [*map(dict, body)])
        except BadPatch as problem:
            raise Permanent(f"the server answered 422: {problem}", Reason.BAD_REQUEST) from None
        if not dry_run:
            found.clear()
            found.update(changed)
        return dict(changed)

    async def evict(self, pod: str, *, namespace: str, uid: str = "", dry_run: bool = False) -> None:
        await self._told(f"evict {pod}{DRY * dry_run}")
        found = await self.get("pods", pod, namespace=namespace)
        if uid and found["metadata"].get("uid") != uid:
            raise Permanent("the server answered 409: the UID in the precondition is another", Reason.BAD_REQUEST)
        if pod in self.budgeted:
            raise Temporary(f"the server answered 429: {BUDGET}", Reason.OVERLOADED)
        if not dry_run:
            self.objects.remove(found)

    async def version(self) -> str:
        await self._told("version")
        return "v1.31.2"

    async def close(self) -> None:
        self.asked.clear()

    async def _told(self, what: str) -> None:
        self.asked.append(what)
        if {what, "*"} & self.slow:
            await asyncio.sleep(3600)
        if trouble := self.troubles.get(what, self.troubles.get("*")):
            raise trouble


@dataclass
class FailingPrometheus:
    """A Prometheus of which every question fails with `trouble`, or hangs without one."""

    trouble: Trouble | None = None
    name: str = ""
    url: str = "http://prometheus:9090"

    async def query(self, expression: str, *, at: datetime | None = None) -> Sequence[Sample]:
        raise await self._trouble()

    async def range(self, expression: str, *, start: datetime, end: datetime, step: timedelta) -> Sequence[Series]:
        raise await self._trouble()

    async def rules(self) -> Sequence[Mapping[str, Any]]:
        raise await self._trouble()

    async def targets(self) -> Sequence[Mapping[str, Any]]:
        raise await self._trouble()

    def link(self, expression: str, *, at: datetime | None = None, hours: float = 1) -> str:
        return self.url

    async def close(self) -> None:
        self.trouble = None

    async def _trouble(self) -> Trouble:
        if self.trouble is None:
            await asyncio.sleep(3600)
        assert self.trouble is not None
        return self.trouble


@dataclass
class FailingLoki:
    """A Loki of which every question fails with `trouble`, or hangs without one."""

    trouble: Trouble | None = None
    name: str = ""
    url: str = "http://loki:3100"

    async def query(
        self, query: str, *, start: datetime, end: datetime, step: timedelta, limit: int, forward: bool = False
    ) -> Sequence[LogLine] | Sequence[Series]:
        raise await fails(self.trouble)

    async def ready(self) -> str:
        raise await fails(self.trouble)

    def link(self, query: str, *, start: datetime, end: datetime) -> str:
        return ""

    async def close(self) -> None:
        self.trouble = None


@dataclass
class FailingPostgres:
    """A PostgreSQL of which every question fails with `trouble`, or hangs without one."""

    trouble: Trouble | None = None
    name: str = "main"
    place: str = "postgres:5432"

    def psql(self, *statements: str) -> str:
        return shlex.join(("psql", *statements))

    async def read(self, statements: Mapping[str, Statement], *, limit: int = 200) -> Mapping[str, Rows | Trouble]:
        raise await fails(self.trouble)

    async def close(self) -> None:
        self.trouble = None


@dataclass
class FailingRedis:
    """A Redis of which every question fails with `trouble`, or hangs without one."""

    trouble: Trouble | None = None
    name: str = "sessions"
    place: str = "redis:6379"

    def cli(self, *commands: str) -> str:
        return shlex.join(("redis-cli", *commands))

    async def ask(self, *commands: str) -> Sequence[Reply | Trouble]:
        raise await fails(self.trouble)

    async def close(self) -> None:
        self.trouble = None


async def fails(trouble: Trouble | None) -> Trouble:
    """The trouble to raise; without one it never comes."""
    if trouble is None:
        await asyncio.sleep(3600)
    assert trouble is not None
    return trouble


@dataclass
class FailingHttp:
    """Requests that all fail with `trouble`, or hang without one."""

    trouble: Trouble | None = None

    async def get(
        self, url: str, *, headers: Mapping[str, str] | None = None, timeout: float = 10, limit: int = 65536
    ) -> HttpAnswer:
        if self.trouble is None:
            await asyncio.sleep(3600)
        assert self.trouble is not None
        raise self.trouble

    async def close(self) -> None:
        self.trouble = None


@dataclass
class FakeNetwork:
    """Gives the answers it was told; without one every question fails with `trouble`, or hangs without that."""

    answers: Sequence[Shape] = ()
    trouble: Trouble | None = None
    asked: list[tuple[Any, ...]] = field(default_factory=list)

    async def connect(self, host: str, port: int, *, timeout: float = 5) -> TcpAnswer:
        return await self._answer(TcpAnswer, host, port)

    async def resolve(self, name: str, kind: str = "A", server: str = "", *, timeout: float = 5) -> DnsAnswer:
        return await self._answer(DnsAnswer, name, kind, server)

    async def certificate(self, host: str, port: int, server_name: str = "", *, timeout: float = 5) -> TlsAnswer:
        return await self._answer(TlsAnswer, host, port, server_name)

    async def websocket(
        self, url: str, *, protocols: Sequence[str] = (), headers: Mapping[str, str] | None = None, timeout: float = 5
    ) -> WebSocketAnswer:
        return await self._answer(WebSocketAnswer, url, tuple(protocols), dict(headers or {}))

    async def close(self) -> None:
        self.asked.clear()

    async def _answer(self, shape: type[S], *asked: Any) -> S:
        self.asked.append(asked)
        for answer in self.answers:
            if isinstance(answer, shape):
                return answer
        if self.trouble is None:
            await asyncio.sleep(3600)
        assert self.trouble is not None
        raise self.trouble


@dataclass
class FakeAlertmanager:
    """Knows some alerts; without any every question fails with `trouble`, or hangs without that."""

    known: Sequence[Mapping[str, Any]] | None = None
    trouble: Trouble | None = None
    asked: list[tuple[str, ...]] = field(default_factory=list)
    url: str = "http://alertmanager:9093"

    async def alerts(self, *matchers: str) -> Sequence[Mapping[str, Any]]:
        self.asked.append(matchers)
        if self.known is not None:
            return self.known
        if self.trouble is None:
            await asyncio.sleep(3600)
        assert self.trouble is not None
        raise self.trouble

    async def silence(self, labels: Mapping[str, str], *, until: datetime, reason: str, by: str, mark: str) -> str:
        self.asked.append(("silence", *labels.values()))
        if self.trouble is not None:
            raise self.trouble
        return "silence-1"

    async def unsilence(self, mark: str) -> int:
        self.asked.append(("unsilence", mark))
        if self.trouble is not None:
            raise self.trouble
        return 1

    async def close(self) -> None:
        self.asked.clear()
