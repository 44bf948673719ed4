"""What the Kubernetes probes share: resources, owners, and how pods are counted in one line."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from responder.clients import Kubernetes, Listing
from responder.errors import Permanent, Reason, Trouble
from responder.model.evidence import Gap, KubernetesObjects
from responder.model.subject import Target
from responder.probes import Permission

RESOURCES: Mapping[str, str] = {
    "deployment": "deployments.apps",
    "statefulset": "statefulsets.apps",
    "daemonset": "daemonsets.apps",
    "replicaset": "replicasets.apps",
    "job": "jobs.batch",
    "cronjob": "cronjobs.batch",
}
KINDS = {
    "deployment": "Deployment",
    "statefulset": "StatefulSet",
    "daemonset": "DaemonSet",
    "replicaset": "ReplicaSet",
    "job": "Job",
    "cronjob": "CronJob",
}

Raw = dict[str, Any]


@dataclass
class Gathering:
    """Objects from several questions asked at once; one that fails is a gap, not the end."""

    objects: list[Raw] = field(default_factory=list)
    complete: list[str] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    truncated: list[str] = field(default_factory=list)
    answered: int = 0

    async def lists(self, *questions: tuple[str, str, Awaitable[Listing]]) -> None:
        """Ask (kind, namespace, question) all at once."""
        answers = await asyncio.gather(*(question for _, _, question in questions), return_exceptions=True)
        for (kind, namespace, _), answer in zip(questions, answers, strict=True):
            if isinstance(answer, Trouble):
                if answer.reason is not Reason.NOT_FOUND:
                    self.gaps.append(Gap(what=f"{kind} list", reason=answer.reason, message=str(answer)[:256]))
            elif isinstance(answer, BaseException):
                raise answer
            else:
                self.add(kind, namespace, answer)

    def add(self, kind: str, namespace: str, listing: Listing) -> None:
        """Keep a list."""
        self.answered += 1
        self.objects += listing.items
        if listing.truncated:
            self.truncated.append(listing.truncated)
        elif kind:
            self.complete.append(f"{kind}/{namespace}" if namespace else kind)

    def refuse_if_nothing(self) -> None:
        """Raise the first trouble where no question was answered."""
        if not self.answered and self.gaps:
            first = self.gaps[0]
            raise Permanent(first.message, first.reason)

    def content(self) -> KubernetesObjects:
        """Everything, each object once."""
        unique = {
            (item["kind"], item["metadata"].get("namespace", ""), item["metadata"].get("name", "")): item
            for item in self.objects
        }
        return KubernetesObjects(objects=tuple(unique.values()), complete=tuple(dict.fromkeys(self.complete)))


def name_of(item: Raw) -> str:
    """`metadata.name`."""
    return str(item["metadata"].get("name", ""))


def controller(item: Raw) -> tuple[str, str] | None:
    """Kind and name of the owner that controls an object."""
    for owner in item["metadata"].get("ownerReferences") or ():
        if owner.get("controller", True):
            return str(owner.get("kind", "")), str(owner.get("name", ""))
    return None


def selector_of(workload: Raw) -> str:
    """The workload's selector as a label selector."""
    selector = (workload.get("spec") or {}).get("selector") or {}
    terms = [f"{name}={value}" for name, value in (selector.get("matchLabels") or {}).items()]
    for item in selector.get("matchExpressions") or ():
        key, operator, values = item.get("key", ""), item.get("operator", ""), ",".join(item.get("values") or ())
        terms.append(
            {"In": f"{key} in ({values})", "NotIn": f"{key} notin ({values})", "Exists": key}.get(operator, f"!{key}")
        )
    return ",".join(terms)


async def find_workload(kubernetes: Kubernetes, target: Target, named: str, namespace: str) -> Raw:
    """The workload of that name (`deployment/x`), else the target's, else the one that owns the target's pod.

    Raises Permanent where none is named or found.
    """
    name = named or target.workload
    if not namespace:
        raise Permanent("no namespace is known", Reason.NOT_FOUND)
    if name:
        kind, _, plain = name.partition("/")
        if kind not in RESOURCES or not plain:
            raise Permanent(f"{name!r} is no workload: write deployment/NAME", Reason.BAD_REQUEST)
        return await kubernetes.get(RESOURCES[kind], plain, namespace=namespace)
    if not target.pod:
        raise Permanent("neither a workload nor a pod is known", Reason.NOT_FOUND)
    item = await kubernetes.get("pods", target.pod, namespace=namespace)
    for _ in range(3):
        owner = controller(item)
        if owner is None or owner[0].lower() not in RESOURCES:
            return item
        item = await kubernetes.get(RESOURCES[owner[0].lower()], owner[1], namespace=namespace)
    return item


def state_of(pod: Raw) -> str:
    """A pod's state in the words of `kubectl get pods`."""
    status = pod.get("status") or {}
    if pod["metadata"].get("deletionTimestamp"):
        return "Terminating"
    for field_name in ("initContainerStatuses", "containerStatuses"):
        for container in status.get(field_name) or ():
            state = container.get("state") or {}
            reason = (state.get("waiting") or {}).get("reason") or (state.get("terminated") or {}).get("reason")
            if reason and reason not in ("Completed", "PodInitializing", "ContainerCreating"):
                return str(reason)
    if status.get("phase") == "Running" and not ready(pod):
        return "NotReady"
    return str(status.get("reason") or status.get("phase") or "Unknown")


def ready(pod: Raw) -> bool:
    """Whether the pod's condition Ready holds."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(item.get("type") == "Ready" and item.get("status") == "True" for item in conditions)


def unhealthy(pod: Raw) -> bool:
    """Whether a pod neither serves nor has completed."""
    return (pod.get("status") or {}).get("phase") != "Succeeded" and not ready(pod)


def restarts(pod: Raw) -> int:
    """How often its containers were started again."""
    return sum(int(c.get("restartCount") or 0) for c in (pod.get("status") or {}).get("containerStatuses") or ())


def counted(pods: Sequence[Raw]) -> str:
    """`5 pods: 2 ready, 3 CrashLoopBackOff, 17 restarts`."""
    if not pods:
        return "no pods"
    states = Counter("ready" if ready(pod) else state_of(pod) for pod in pods)
    parts = [f"{states.pop('ready', 0)} ready", *(f"{count} {state}" for state, count in states.most_common())]
    total = sum(map(restarts, pods))
    if total:
        parts.append(f"{total} restart{'s' if total > 1 else ''}")
    return f"{len(pods)} pod{'s' if len(pods) > 1 else ''}: {', '.join(parts)}"


def lines_of(pods: Iterable[Raw], limit: int = 8) -> tuple[str, ...]:
    """One line for each pod that is not well."""
    found = [
        f"{name_of(pod)}: {state_of(pod)}, {restarts(pod)} restarts, on {pod['spec'].get('nodeName') or 'no node'}"
        for pod in pods
        if unhealthy(pod) or restarts(pod)
    ]
    return tuple(found[:limit]) + ((f"and {len(found) - limit} more",) if len(found) > limit else ())


def reads(*resources: str) -> tuple[Permission, ...]:
    """The permissions to read resources."""
    found = []
    for resource in resources:
        name, _, group = resource.partition(".")
        found.append(Permission(group, name))
    return tuple(found)
