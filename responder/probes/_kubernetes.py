"""What the Kubernetes probes share: questions asked together, where to look, and pods told in one line."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from responder.clients import Kubernetes, Listing
from responder.clients.discovery import well_known
from responder.clients.objects import is_ours
from responder.errors import Permanent, Reason, Temporary, Trouble
from responder.model.evidence import Gap, KubernetesObjects
from responder.model.kubernetes import Container, Event, Object, Pod
from responder.model.subject import Target
from responder.probes import Inquiry, Permission

Raw = dict[str, Any]

WORKLOADS: Mapping[str, str] = {
    "deployment": "deployments.apps",
    "statefulset": "statefulsets.apps",
    "daemonset": "daemonsets.apps",
    "replicaset": "replicasets.apps",
    "job": "jobs.batch",
    "cronjob": "cronjobs.batch",
}
_MAKERS_OF_PODS = ("replicasets.apps", "statefulsets.apps", "daemonsets.apps", "jobs.batch")
_PATIENCE = 0.8
"""The share of a step's time after which a list that has not come is a gap, so that the others are told."""
_BEGINNING = ("ContainerCreating", "PodInitializing")
_WORDS = {"NotReady": "not ready", "Succeeded": "completed", "Pending": "pending", "Unschedulable": "unschedulable"}


@dataclass(frozen=True)
class Question:
    """A list to read: the resource as kubectl names it, and which part of it.

    One that is `welcome` helps where it can be read; that it may not be, or is not there, is nothing to complain of.
    """

    resource: str
    namespace: str = ""
    labels: str = ""
    fields: str = ""
    welcome: bool = False

    def __str__(self) -> str:
        return f"{self.resource.partition('.')[0]}{f' in {self.namespace}' if self.namespace else ''}"

    @property
    def whole(self) -> str:
        """What is complete when this was read, as `Kind/namespace`; empty where only a part is asked for."""
        if self.labels or self.fields:
            return ""
        known = well_known(self.resource)
        return "" if known is None else f"{known[1]}/{self.namespace}" if self.namespace else known[1]


@dataclass
class Gathering:
    """Objects from several questions asked at once; one that fails is a gap, not the end."""

    kubernetes: Kubernetes
    inquiry: Inquiry
    objects: list[Raw] = field(default_factory=list)
    complete: list[str] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    truncated: list[str] = field(default_factory=list)

    async def ask(self, *questions: Question) -> None:
        """Read the lists; raises the first trouble if there is nothing but trouble."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._listing(question)) for question in questions]
        troubles = []
        for question, answer in zip(questions, (task.result() for task in tasks), strict=True):
            if isinstance(answer, Listing):
                self._keep(question, answer)
            else:
                troubles.append(answer)
                if not (question.welcome and answer.reason in (Reason.FORBIDDEN, Reason.NOT_FOUND)):
                    self.miss(str(question), answer)
        if troubles and len(troubles) == len(questions) and not self.objects:
            raise troubles[0]

    async def get(self, question: Question, name: str) -> None:
        """Read one object; raises Permanent with Reason.NOT_FOUND where it is not there."""
        self.objects.append(await self.kubernetes.get(question.resource, name, namespace=question.namespace))

    def miss(self, what: str, trouble: Trouble) -> None:
        """Note what could not be seen."""
        self.gaps.append(Gap(what=what, reason=trouble.reason, message=str(trouble)[:256]))

    def of(self, kind: str) -> list[Raw]:
        """The objects of a kind."""
        return [item for item in self.objects if item["kind"] == kind]

    def content(self) -> KubernetesObjects:
        """Everything, each object once."""
        unique = {
            (item["kind"], item["metadata"].get("namespace", ""), item["metadata"].get("name", "")): item
            for item in self.objects
        }
        return KubernetesObjects(objects=tuple(unique.values()), complete=tuple(dict.fromkeys(self.complete)))

    async def _listing(self, question: Question) -> Listing | Trouble:
        patience = self.inquiry.seconds * _PATIENCE
        try:
            async with asyncio.timeout(patience):
                return await self.kubernetes.list(
                    question.resource, namespace=question.namespace, labels=question.labels, fields=question.fields
                )
        except Trouble as trouble:
            return trouble
        except TimeoutError:
            return Temporary(f"no answer within {patience:g} s", Reason.TIMEOUT)

    def _keep(self, question: Question, listing: Listing) -> None:
        self.objects += [item for item in listing.items if not is_ours(item)]
        if listing.truncated:
            self.truncated.append(listing.truncated)
        elif question.whole:
            self.complete.append(question.whole)


def place(inquiry: Inquiry, namespace: str = "", workload: str = "") -> Target:
    """Where to look: what the options say, else the target. In another namespace the target's objects are not."""
    target = inquiry.target
    here = namespace in ("", target.namespace)
    return Target(
        namespace=namespace or target.namespace,
        workload=workload or (target.workload if here else ""),
        pod=target.pod if here and not workload else "",
    )


def in_namespace(where: Target) -> str:
    """The namespace; raises Permanent where none is known."""
    if not where.namespace:
        raise Permanent("the alert names no namespace: set the option namespace", Reason.BAD_REQUEST)
    return where.namespace


async def find_workload(kubernetes: Kubernetes, where: Target) -> Raw:
    """The workload, else the one that owns the pod, else the pod; a pod that is gone is known by its name.

    Raises Permanent where none is named or found.
    """
    namespace = in_namespace(where)
    if where.workload:
        kind, _, name = where.workload.partition("/")
        if kind not in WORKLOADS or not name:
            raise Permanent(f"{where.workload!r} is no workload: write deployment/NAME", Reason.BAD_REQUEST)
        return await kubernetes.get(WORKLOADS[kind], name, namespace=namespace)
    if not where.pod:
        raise Permanent("the alert names neither a workload nor a pod: set the option workload", Reason.BAD_REQUEST)
    try:
        item = await kubernetes.get("pods", where.pod, namespace=namespace)
    except Permanent as trouble:
        if trouble.reason is not Reason.NOT_FOUND:
            raise
        item = await _maker_of(kubernetes, namespace, where.pod, trouble)
    for _ in range(3):
        owner = Object(item).controller
        if owner is None or owner[0].lower() not in WORKLOADS:
            return item
        item = await kubernetes.get(WORKLOADS[owner[0].lower()], owner[1], namespace=namespace)
    return item


async def _maker_of(kubernetes: Kubernetes, namespace: str, pod: str, trouble: Permanent) -> Raw:
    """Who made a pod that is gone: its name is that of its maker and a suffix."""
    for resource in _MAKERS_OF_PODS:
        for item in (await kubernetes.list(resource, namespace=namespace)).items:
            if pod.rpartition("-")[0] == Object(item).name:
                return item
    raise trouble


def state_of(pod: Pod) -> str:
    """A pod's state in the words of `kubectl get pods`."""
    if pod.metadata.get("deletionTimestamp"):
        return "Terminating"
    if pod.phase == "Succeeded":
        return pod.phase
    for container in pod.containers:
        reason = str(container.waiting.get("reason") or _ended(container).get("reason") or "")
        if reason and reason != "Completed" and reason not in _BEGINNING:
            return f"Init:{reason}" if container.init else reason
    if pod.phase == "Running" and not pod.ready:
        return "NotReady"
    scheduled = pod.conditions.get("PodScheduled", {})
    if pod.phase == "Pending" and scheduled.get("reason") == "Unschedulable":
        return "Unschedulable"
    return str(pod.status.get("reason") or pod.phase or "Unknown")


def unhealthy(pod: Pod) -> bool:
    """Whether a pod neither serves nor has completed."""
    return pod.phase != "Succeeded" and not pod.ready


def restarts(pod: Pod) -> int:
    """How often its containers were started again."""
    return sum(container.restarts for container in pod.containers)


def pods_in(objects: Iterable[Raw]) -> list[Pod]:
    """The pods among objects."""
    return [Pod(item) for item in objects if item["kind"] == "Pod"]


def counted(pods: Sequence[Pod], of: str = "") -> str:
    """`5 pods of deployment/api-gateway: 2 ready, 3 in CrashLoopBackOff, 17 restarts`."""
    whose = f" of {of}" if of else ""
    if not pods:
        return f"no pods{whose}"
    states = Counter("ready" if pod.ready else state_of(pod) for pod in pods)
    parts = [f"{states.pop('ready', 0)} ready"]
    parts += [f"{count} {_WORDS.get(state, f'in {state}')}" for state, count in states.most_common()]
    if total := sum(map(restarts, pods)):
        parts.append(f"{total} restart{'s' if total > 1 else ''}")
    return f"{len(pods)} pod{'s' if len(pods) > 1 else ''}{whose}: {', '.join(parts)}"


def lines_of(pods: Iterable[Pod], limit: int = 8) -> tuple[str, ...]:
    """One line for each pod that is not well, the worst first."""
    ailing = sorted((pod for pod in pods if unhealthy(pod) or restarts(pod)), key=urgency)
    lines = tuple(
        f"{pod.name}: {state_of(pod)}, {restarts(pod)} restarts, on {pod.node or 'no node'}" for pod in ailing[:limit]
    )
    return lines + ((f"and {len(ailing) - limit} more",) if len(ailing) > limit else ())


def urgency(pod: Pod) -> tuple[bool, int, str]:
    """Sorts pods: unhealthy ones first, those that were restarted most before others."""
    return not unhealthy(pod), -restarts(pod), pod.name


def newest_last(events: Iterable[Raw]) -> list[Event]:
    """Events in the order of when they were last seen."""
    return sorted(map(Event, events), key=lambda event: event.last.timestamp() if event.last else 0.0)


def line_of(event: Event) -> str:
    """`BackOff Pod api-1: Back-off restarting failed container ×12`."""
    kind, _, name = event.about
    times = f" ×{event.count}" if event.count > 1 else ""
    return f"{event.reason} {kind} {name}: {event.message[:200]}{times}"


def reads(*resources: str) -> tuple[Permission, ...]:
    """The permissions to read resources, named as kubectl does."""
    parts = (resource.partition(".") for resource in resources)
    return tuple(Permission(group, name) for name, _, group in parts)


def _ended(container: Container) -> Mapping[str, Any]:
    """How the present run ended, if it did."""
    return (container.status.get("state") or {}).get("terminated") or {}
