"""Clients that a test fills, or that fail in one way."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from responder.clients import Listing
from responder.clients.selectors import by_fields, by_labels
from responder.errors import Permanent, Reason, Trouble
from responder.model.evidence import HttpAnswer, Sample, Series

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
    "pods.metrics.k8s.io": "PodMetrics",
    "nodes.metrics.k8s.io": "NodeMetrics",
}


@dataclass
class FakeKubernetes:
    """A cluster of the given objects and logs (`pod/container`, `pod/container:previous`).

    `troubles` are raised for a resource, a log, or for everything (`*`). What `slow` names never comes.
    """

    objects: list[dict[str, Any]] = field(default_factory=list)
    logs: dict[str, str] = field(default_factory=dict)
    troubles: dict[str, Trouble] = field(default_factory=dict)
    slow: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    name: str = ""

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
