"""`kubernetes.workload`: a deployment, stateful set or daemon set with its pods, events and history."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

from responder.clients import Clients, Kubernetes
from responder.errors import Trouble
from responder.model.evidence import Gap, Observation, Reproduction
from responder.probes import Inquiry, Permission, Probe
from responder.probes._kubernetes import (
    Gathering,
    Raw,
    controller,
    counted,
    find_workload,
    lines_of,
    name_of,
    reads,
    ready,
    selector_of,
)
from responder.runbooks.templating import KubeName

REVISION = "deployment.kubernetes.io/revision"


class KubernetesWorkload(Probe):
    """A workload with its pods, replica sets, autoscaler, events and rollout history.

    Without `workload` it is the target's, or the one that owns the target's pod.
    """

    workload: KubeName = ""
    namespace: KubeName = ""

    async def run(self, inquiry: Inquiry, clients: Clients) -> Observation:
        kubernetes = clients.kubernetes
        namespace = self.namespace or inquiry.target.namespace
        workload = await find_workload(kubernetes, inquiry.target, self.workload, namespace)
        found = Gathering(objects=[workload], answered=1)
        selector = selector_of(workload)
        pods = kubernetes.list("pods", namespace=namespace, labels=selector) if selector else None
        await asyncio.gather(
            found.lists(
                *((("", namespace, pods),) if pods else ()),
                ("Event", namespace, kubernetes.list("events", namespace=namespace)),
                ("", namespace, kubernetes.list("replicasets.apps", namespace=namespace, labels=selector)),
                ("", namespace, kubernetes.list("horizontalpodautoscalers.autoscaling", namespace=namespace)),
            ),
            self._nodes(kubernetes, found),
        )
        mine = _belonging(workload, found.objects)
        found.objects = mine
        own_pods = [item for item in mine if item["kind"] == "Pod"]
        history = _history(mine)
        title = f"{workload['kind'].lower()}/{name_of(workload)}"
        return Observation(
            summary=f"{title} in {namespace}, {counted(own_pods)}",
            data=found.content(),
            facts=(*_replicas(workload), *lines_of(own_pods), *history),
            value=float(sum(map(ready, own_pods))),
            truncated="; ".join(found.truncated),
            gaps=tuple(found.gaps),
        )

    def reproduce(self, inquiry: Inquiry, clients: Clients) -> tuple[Reproduction, ...]:
        namespace = self.namespace or inquiry.target.namespace
        name = self.workload or inquiry.target.workload
        kubectl = clients.kubernetes.kubectl
        if not name:
            return (Reproduction(command=kubectl("-n", namespace, "describe", "pod", inquiry.target.pod)),)
        return (
            Reproduction(command=kubectl("-n", namespace, "describe", name)),
            Reproduction(command=kubectl("-n", namespace, "rollout", "history", name)),
        )

    def permissions(self) -> tuple[Permission, ...]:
        return reads(
            "pods",
            "events",
            "nodes",
            "deployments.apps",
            "statefulsets.apps",
            "daemonsets.apps",
            "replicasets.apps",
            "jobs.batch",
            "cronjobs.batch",
            "horizontalpodautoscalers.autoscaling",
        )

    async def _nodes(self, kubernetes: Kubernetes, found: Gathering) -> None:
        try:
            listing = await kubernetes.list("nodes")
        except Trouble as trouble:
            found.gaps.append(Gap(what="Node list", reason=trouble.reason, message=str(trouble)[:256]))
        else:
            found.add("Node", "", listing)


def _belonging(workload: Raw, objects: list[Raw]) -> list[Raw]:
    """The workload, what it owns, what is said about them, and the nodes they are on."""
    names = {(workload["kind"], name_of(workload))}
    owned: list[Raw] = [workload]
    for kind in ("ReplicaSet", "Pod"):
        owned += [item for item in objects if item["kind"] == kind and controller(item) in names]
        names |= {(kind, name_of(item)) for item in owned}
    nodes = {(item.get("spec") or {}).get("nodeName") for item in owned if item["kind"] == "Pod"}
    for item in objects:
        if item["kind"] == "Event":
            about = item.get("involvedObject") or {}
            if (about.get("kind"), about.get("name")) in names:
                owned.append(item)
        elif item["kind"] == "HorizontalPodAutoscaler":
            scaled = (item.get("spec") or {}).get("scaleTargetRef") or {}
            if (scaled.get("kind"), scaled.get("name")) in names:
                owned.append(item)
        elif item["kind"] == "Node" and (name_of(item) in nodes or len(nodes) == 0):
            owned.append(item)
    return owned


def _replicas(workload: Raw) -> Iterator[str]:
    spec, status = workload.get("spec") or {}, workload.get("status") or {}
    if "replicas" in spec:
        yield f"{status.get('readyReplicas') or 0} of {spec['replicas']} replicas ready"


def _history(mine: list[Raw]) -> Iterator[str]:
    """The last rollouts, and what changed with the latest."""
    sets = [item for item in mine if item["kind"] == "ReplicaSet"]
    sets.sort(key=lambda item: int((item["metadata"].get("annotations") or {}).get(REVISION, 0)))
    for item in sets[-3:]:
        revision = (item["metadata"].get("annotations") or {}).get(REVISION, "?")
        images = ", ".join(str(c.get("image", "")) for c in _template(item).get("containers") or ())
        yield f"revision {revision} since {item['metadata'].get('creationTimestamp', '?')}: {images}"
    if len(sets) > 1:
        changes = list(template_changes(_template(sets[-2]), _template(sets[-1])))
        if changes:
            yield f"changed with the latest: {'; '.join(changes[:6])}"


def _template(item: Raw) -> dict[str, Any]:
    return ((item.get("spec") or {}).get("template") or {}).get("spec") or {}


def template_changes(before: Any, after: Any, place: str = "") -> Iterator[str]:
    """What differs between two pod specs: `containers.api.image: a → b`. Values of environments are not shown."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(set(before) | set(after)):
            if before.get(key) != after.get(key):
                yield from template_changes(before.get(key), after.get(key), f"{place}.{key}".lstrip("."))
    elif isinstance(before, list) and isinstance(after, list) and _named(before) and _named(after):
        left, right = {item["name"]: item for item in before}, {item["name"]: item for item in after}
        for name in sorted(set(left) | set(right)):
            if left.get(name) != right.get(name):
                yield from template_changes(left.get(name), right.get(name), f"{place}.{name}")
    elif place.rpartition(".")[2] == "value" and ".env." in place:
        yield f"{place.removesuffix('.value')}: another value"
    else:
        yield f"{place}: {_short(before)} → {_short(after)}"


def _named(items: list[Any]) -> bool:
    return all(isinstance(item, dict) and "name" in item for item in items)


def _short(value: Any) -> str:
    if value is None:
        return "none"
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), sort_keys=True)
    return text if len(text) <= 80 else f"{text[:79]}…"
