"""`kubernetes.workload`: a deployment, stateful set or daemon set with its pods, events and rollout history."""

from collections.abc import Iterable, Iterator

from responder.clients import Clients
from responder.clients.selectors import written
from responder.model.evidence import Observation, Reproduction
from responder.model.kubernetes import Event, Object, whole
from responder.model.rollouts import revisions, told
from responder.probes import Inquiry, Permission, Probe
from responder.probes._kubernetes import (
    WORKLOADS,
    Gathering,
    Question,
    Raw,
    counted,
    find_workload,
    in_namespace,
    lines_of,
    place,
    pods_in,
    reads,
)
from responder.templating import KubeName

_ASKED = ("pods", "replicasets.apps", "controllerrevisions.apps", "jobs.batch")
_PARTS: dict[str, tuple[str, ...]] = {
    "Deployment": ("pods", "replicasets.apps"),
    "ReplicaSet": ("pods",),
    "StatefulSet": ("pods", "controllerrevisions.apps"),
    "DaemonSet": ("pods", "controllerrevisions.apps"),
    "Job": ("pods",),
    "CronJob": ("pods", "jobs.batch"),
}
"""What belongs to a workload, by its kind."""


class KubernetesWorkload(Probe):
    """A workload with its pods, replica sets, autoscaler, events, rollout history and the nodes it is on.

    Without `workload` it is the target's, or the one that owns the target's pod. `value` is how many of its
    pods are ready.
    """

    workload: KubeName = ""
    namespace: KubeName = ""

    async def run(self, inquiry: Inquiry, clients: Clients) -> Observation:
        where = place(inquiry, self.namespace, self.workload)
        namespace = in_namespace(where)
        workload = Object(await find_workload(clients.kubernetes, where))
        found = Gathering(clients.kubernetes, inquiry, [dict(workload.raw)])
        labels = written(workload.spec.get("selector") or {}) if workload.kind != "CronJob" else ""
        await found.ask(
            *(Question(part, namespace, labels) for part in _PARTS.get(workload.kind, ())),
            Question("events", namespace),
            Question("horizontalpodautoscalers.autoscaling", namespace),
            Question("nodes"),
        )
        # only what belongs to the workload is kept, so that no list is whole any more
        found.objects, found.complete = list(_belonging(workload, found.objects)), []
        pods = pods_in(found.objects)
        title = f"{workload.kind.lower()}/{workload.name}"
        return Observation(
            summary=f"{counted(pods)} (no controller)" if workload.kind == "Pod" else counted(pods, title),
            data=found.content(),
            facts=(*_replicas(workload), *lines_of(pods), *told(revisions(found.objects), inquiry.started_at)),
            value=float(sum(pod.ready for pod in pods)),
            truncated="; ".join(found.truncated),
            gaps=tuple(found.gaps),
        )

    def reproduce(self, inquiry: Inquiry, clients: Clients) -> tuple[Reproduction, ...]:
        where = place(inquiry, self.namespace, self.workload)
        kubectl = clients.kubernetes.kubectl
        if not where.workload:
            return (Reproduction(command=kubectl("-n", where.namespace, "describe", "pod", where.pod)),)
        commands = [kubectl("-n", where.namespace, "describe", where.workload)]
        if where.workload.startswith(("deployment/", "statefulset/", "daemonset/")):
            commands.append(kubectl("-n", where.namespace, "rollout", "history", where.workload))
        return tuple(Reproduction(command=command) for command in commands)

    def permissions(self) -> tuple[Permission, ...]:
        named = _kind_of(self.workload)
        parts = _PARTS[named] if named else _ASKED
        own = [resource for kind, resource in WORKLOADS.items() if not named or kind == named.lower()]
        wanted = dict.fromkeys((*own, *parts, "events", "nodes", "horizontalpodautoscalers.autoscaling"))
        return reads(*wanted)


def _kind_of(workload: str) -> str:
    """The kind that `deployment/NAME` names, or empty."""
    word = workload.partition("/")[0]
    return next((kind for kind in _PARTS if kind.lower() == word), "")


def _belonging(workload: Object, objects: Iterable[Raw]) -> Iterator[Raw]:
    """The workload, what it owns, what is said about them and scales them, and the nodes they are on."""
    objects = list(objects)
    names = {(workload.kind, workload.name)}
    for kinds in (("ReplicaSet", "Job", "ControllerRevision"), ("Pod",)):
        for item in (Object(raw) for raw in objects if raw["kind"] in kinds):
            if item.controller in names:
                names.add((item.kind, item.name))
    nodes = {pod.node for pod in pods_in(objects) if ("Pod", pod.name) in names}
    names |= {("Node", node) for node in nodes}
    for raw in objects:
        item = Object(raw)
        if item.kind == "Event":
            kind, _, name = Event(raw).about
            belongs = (kind, name) in names
        elif item.kind == "HorizontalPodAutoscaler":
            scaled = item.spec.get("scaleTargetRef") or {}
            belongs = (scaled.get("kind"), scaled.get("name")) in names
        else:
            belongs = (item.kind, item.name) in names
        if belongs:
            yield raw


def _replicas(workload: Object) -> Iterator[str]:
    wanted, scheduled = whole(workload.spec.get("replicas")), whole(workload.status.get("desiredNumberScheduled"))
    if wanted is not None:
        yield f"{whole(workload.status.get('readyReplicas')) or 0} of {wanted} replicas ready"
    elif scheduled is not None:
        yield f"{whole(workload.status.get('numberReady')) or 0} of {scheduled} nodes have a ready pod"
