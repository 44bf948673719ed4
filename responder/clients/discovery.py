"""Which groups and versions an API server has (Kubernetes, concepts/overview/kubernetes-api, "API discovery")."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from responder.clock import Clock
from responder.errors import Permanent, Reason

REMEMBERED = 600.0
UNKNOWN = "the server has no"
"""How the message begins where a server does not have a resource."""

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
    "ingressclasses": ("networking.k8s.io", "IngressClass", False),
    "networkpolicies": ("networking.k8s.io", "NetworkPolicy", True),
    "storageclasses": ("storage.k8s.io", "StorageClass", False),
    "endpointslices": ("discovery.k8s.io", "EndpointSlice", True),
    "horizontalpodautoscalers": ("autoscaling", "HorizontalPodAutoscaler", True),
    "poddisruptionbudgets": ("policy", "PodDisruptionBudget", True),
    "controllerrevisions": ("apps", "ControllerRevision", True),
    "leases": ("coordination.k8s.io", "Lease", True),
    "roles": ("rbac.authorization.k8s.io", "Role", True),
    "rolebindings": ("rbac.authorization.k8s.io", "RoleBinding", True),
    "clusterroles": ("rbac.authorization.k8s.io", "ClusterRole", False),
    "clusterrolebindings": ("rbac.authorization.k8s.io", "ClusterRoleBinding", False),
    "priorityclasses": ("scheduling.k8s.io", "PriorityClass", False),
    "volumeattachments": ("storage.k8s.io", "VolumeAttachment", False),
    "csidrivers": ("storage.k8s.io", "CSIDriver", False),
    "apiservices": ("apiregistration.k8s.io", "APIService", False),
    "validatingwebhookconfigurations": ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration", False),
    "mutatingwebhookconfigurations": ("admissionregistration.k8s.io", "MutatingWebhookConfiguration", False),
    "gateways": ("gateway.networking.k8s.io", "Gateway", True),
    "httproutes": ("gateway.networking.k8s.io", "HTTPRoute", True),
    "gatewayclasses": ("gateway.networking.k8s.io", "GatewayClass", False),
}
"""Group, kind and scope of the usual resources: of these only the version has to be asked for."""


def well_known(resource: str) -> tuple[str, str, bool] | None:
    """Group, kind and scope of a resource as kubectl names it, if it is a usual one."""
    name, _, group = resource.partition(".")
    known = WELL_KNOWN.get(name)
    return known if known is not None and group in ("", known[0]) else None


NEWEST_FIRST: Mapping[str, tuple[str, ...]] = {"autoscaling": ("v2", "v2beta2", "v2beta1", "v1")}
"""Where the preferred version of old servers says less: `autoscaling/v1` hides all metrics but CPU."""

USUAL: Mapping[str, tuple[str, ...]] = {
    "apps": ("v1",),
    "batch": ("v1",),
    "networking.k8s.io": ("v1",),
    "storage.k8s.io": ("v1",),
    "discovery.k8s.io": ("v1",),
    "autoscaling": ("v2",),
    "policy": ("v1",),
    "coordination.k8s.io": ("v1",),
    "rbac.authorization.k8s.io": ("v1",),
    "scheduling.k8s.io": ("v1",),
    "apiregistration.k8s.io": ("v1",),
    "admissionregistration.k8s.io": ("v1",),
    "metrics.k8s.io": ("v1beta1",),
}
"""Versions to try where discovery is denied: those of every server since 1.25."""

_NO_SEGMENT = re.compile(r"\.{0,2}|.*[/%].*", re.DOTALL)


def segment(name: str) -> str:
    """A name as one segment of a path; raises Permanent where it cannot be one."""
    if _NO_SEGMENT.fullmatch(name):
        raise Permanent(f"{name[:80]!r} is no name of an object", Reason.BAD_REQUEST)
    return quote(name, safe="")


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
        inside = f"/namespaces/{segment(namespace)}" if namespace and self.namespaced else ""
        return f"{root}{inside}/{self.name}"


class Discovery:
    """Resolves `deployments.apps` or `pods.metrics.k8s.io` to a path; remembers for minutes.

    `get` asks for the JSON at a path; who asks the same at once shares one request.
    """

    def __init__(self, get: Callable[[str], Awaitable[dict[str, Any]]], clock: Clock) -> None:
        self._get = get
        self._clock = clock
        self._versions: Mapping[str, tuple[str, ...]] = {}
        self._resources: dict[str, Mapping[str, Resource]] = {}
        self._until = 0.0

    async def find(self, resource: str) -> Resource:
        """The resource; raises Permanent with Reason.NOT_FOUND where the server does not have it."""
        name, _, group = resource.partition(".")
        known = well_known(resource)
        if known is None:
            return await self._look_up(name, group)
        group, kind, namespaced = known
        if not group:
            return Resource(name, "v1", kind, namespaced)
        versions = await self._group(group, resource)
        if len(versions) == 1:
            return Resource(name, versions[0], kind, namespaced)
        return await self._look_up(name, group)

    async def _look_up(self, name: str, group: str) -> Resource:
        """Ask version by version for what it has; take an undisclosed one on trust."""
        resource = f"{name}.{group}" if group else name
        for version in await self._group(group, resource) if group else ("v1",):
            try:
                if found := (await self._of_version(version)).get(name):
                    return found
            except Permanent as trouble:
                if trouble.reason is not Reason.FORBIDDEN:
                    raise
                _, kind, namespaced = WELL_KNOWN.get(name, ("", "", True))
                return Resource(name, version, kind, namespaced)
        raise Permanent(f"{UNKNOWN} {resource}", Reason.NOT_FOUND)

    async def _group(self, group: str, resource: str) -> tuple[str, ...]:
        """The versions of a group as `group/version`, the one to use first."""
        if self._until < self._clock.now().timestamp():
            self._versions = await self._groups()
            self._resources = {}
            self._until = self._clock.now().timestamp() + REMEMBERED
        if group not in self._versions:
            raise Permanent(f"{UNKNOWN} {resource}: group {group} is missing", Reason.NOT_FOUND)
        return self._versions[group]

    async def _groups(self) -> Mapping[str, tuple[str, ...]]:
        try:
            answer = await self._get("/apis")
        except Permanent as trouble:
            if trouble.reason is not Reason.FORBIDDEN:
                raise
            return {group: tuple(f"{group}/{version}" for version in versions) for group, versions in USUAL.items()}
        try:
            return {str(group["name"]): _versions(group) for group in answer["groups"]}
        except (AttributeError, KeyError, TypeError):
            raise Permanent("the Kubernetes API answered /apis with something else", Reason.BAD_ANSWER) from None

    async def _of_version(self, version: str) -> Mapping[str, Resource]:
        if version not in self._resources:
            path = f"/apis/{version}" if "/" in version else f"/api/{version}"
            try:
                answer = await self._get(path)
            except Permanent as trouble:
                if trouble.reason is not Reason.NOT_FOUND:
                    raise
                answer = {}
            try:
                self._resources[version] = {
                    item["name"]: Resource(item["name"], version, str(item["kind"]), bool(item.get("namespaced")))
                    for item in answer.get("resources") or ()
                    if "/" not in item["name"]
                }
            except (AttributeError, KeyError, TypeError):
                message = f"the Kubernetes API answered {path} with something else"
                raise Permanent(message, Reason.BAD_ANSWER) from None
        return self._resources[version]


def _versions(group: Mapping[str, Any]) -> tuple[str, ...]:
    """The versions of an entry of `APIGroupList`, the preferred one first."""
    name = str(group.get("name", ""))
    preferred = (group.get("preferredVersion") or {}).get("groupVersion")
    served = [str(version["groupVersion"]) for version in group.get("versions") or ()]
    ordered = dict.fromkeys([preferred, *served] if preferred else served)
    better = {f"{name}/{version}": place for place, version in enumerate(NEWEST_FIRST.get(name, ()))}
    return tuple(sorted(ordered, key=lambda version: better.get(version, len(better))))
