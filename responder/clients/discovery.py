"""Which groups and versions an API server has (Kubernetes, concepts/overview/kubernetes-api, "API discovery")."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from responder.clock import Clock
from responder.errors import Permanent, Reason, Trouble

REMEMBERED = 600.0

WELL_KNOWN: Mapping[str, tuple[str, str, bool]] = {
    "pods": ("", "Pod", True),
    "services": ("", "Service", True),
    "endpoints": ("", "Endpoints", True),
    "events": ("", "Event", True),
    "configmaps": ("", "ConfigMap", True),
    "secrets": ("", "Secret", True),
    "persistentvolumeclaims": ("", "PersistentVolumeClaim", True),
    "serviceaccounts": ("", "ServiceAccount", True),
    "resourcequotas": ("", "ResourceQuota", True),
    "limitranges": ("", "LimitRange", True),
    "nodes": ("", "Node", False),
    "namespaces": ("", "Namespace", False),
    "persistentvolumes": ("", "PersistentVolume", False),
    "deployments": ("apps", "Deployment", True),
    "replicasets": ("apps", "ReplicaSet", True),
    "statefulsets": ("apps", "StatefulSet", True),
    "daemonsets": ("apps", "DaemonSet", True),
    "jobs": ("batch", "Job", True),
    "cronjobs": ("batch", "CronJob", True),
    "ingresses": ("networking.k8s.io", "Ingress", True),
    "networkpolicies": ("networking.k8s.io", "NetworkPolicy", True),
    "storageclasses": ("storage.k8s.io", "StorageClass", False),
    "endpointslices": ("discovery.k8s.io", "EndpointSlice", True),
    "horizontalpodautoscalers": ("autoscaling", "HorizontalPodAutoscaler", True),
    "poddisruptionbudgets": ("policy", "PodDisruptionBudget", True),
    "leases": ("coordination.k8s.io", "Lease", True),
}
"""Group, kind and scope of the built-in resources: of these only the version has to be asked for."""


@dataclass(frozen=True)
class Resource:
    """A resource in the version that the server has."""

    name: str
    version: str
    kind: str
    namespaced: bool

    def path(self, namespace: str = "") -> str:
        """The path of its list."""
        root = f"/apis/{self.version}" if "/" in self.version else f"/api/{self.version}"
        inside = f"/namespaces/{quote(namespace, safe='')}" if namespace and self.namespaced else ""
        return f"{root}{inside}/{self.name}"


class Discovery:
    """Resolves `deployments.apps` or `pods.metrics.k8s.io` to a path; remembers for minutes."""

    def __init__(self, get: Callable[[str], Awaitable[dict[str, Any]]], clock: Clock) -> None:
        self._get = get
        self._clock = clock
        self._versions: Mapping[str, tuple[str, ...]] = {}
        self._resources: dict[str, Mapping[str, Resource]] = {}
        self._until = 0.0
        self._asking = asyncio.Lock()

    async def find(self, resource: str) -> Resource:
        """The resource; raises Permanent with Reason.NOT_FOUND where the server does not have it."""
        name, _, group = resource.partition(".")
        known = WELL_KNOWN.get(name)
        if known is not None and group in ("", known[0]):
            group, kind, namespaced = known
            if not group:
                return Resource(name, "v1", kind, namespaced)
            preferred, *others = await self._group(group, resource)
            if not others:
                return Resource(name, preferred, kind, namespaced)
        for version in await self._group(group, resource):
            if found := (await self._of_version(version)).get(name):
                return found
        raise Permanent(f"the server has no {resource}", Reason.NOT_FOUND)

    async def _group(self, group: str, resource: str) -> tuple[str, ...]:
        """The versions of a group as `group/version`, the preferred one first."""
        async with self._asking:
            if self._until < self._clock.now().timestamp():
                self._versions = await self._groups()
                self._resources = {}
                self._until = self._clock.now().timestamp() + REMEMBERED
        if group not in self._versions:
            raise Permanent(f"the server has no {resource}", Reason.NOT_FOUND)
        return self._versions[group]

    async def _groups(self) -> Mapping[str, tuple[str, ...]]:
        answer = await self._get("/apis")
        found: dict[str, tuple[str, ...]] = {}
        for group in answer.get("groups") or ():
            preferred = (group.get("preferredVersion") or {}).get("groupVersion")
            versions = [version["groupVersion"] for version in group.get("versions") or ()]
            ordered = [preferred, *versions] if preferred else versions
            found[str(group.get("name", ""))] = tuple(dict.fromkeys(ordered))
        return found

    async def _of_version(self, version: str) -> Mapping[str, Resource]:
        if version not in self._resources:
            try:
                answer = await self._get(f"/apis/{version}")
            except Trouble as trouble:
                if trouble.reason is not Reason.NOT_FOUND:
                    raise
                answer = {}
            self._resources[version] = {
                item["name"]: Resource(item["name"], version, str(item.get("kind", "")), bool(item.get("namespaced")))
                for item in answer.get("resources") or ()
                if "/" not in item.get("name", "/")
            }
        return self._resources[version]
