"""Pods that no node takes: why, and which of several obstacles is the one to remove.

The scheduler counts nodes by the first plugin that refused them (kubernetes/kubernetes,
pkg/scheduler/framework/types.go, FitError). A node that could never be meant (it does not match the pod's own
placement, or it is part of the control plane) says little, so the obstacles of the nodes that match count.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from responder.detectors import Case
from responder.detectors._placement import Placement, control_plane
from responder.detectors._scene import Scene
from responder.detectors._writing import CERTAIN, LIKELY, because, found, listed, plural, quote
from responder.model.finding import Cause, Cleared, Finding
from responder.model.kubernetes import Object, Pod, mapping
from responder.model.numbers import shown

_REFERENCE = "https://kubernetes.io/docs/concepts/scheduling-eviction/"


def _cause(slug: str, title: str, meaning: str, fix: str, reference: str = "assign-pod-node/") -> Cause:
    return Cause(
        slug=slug,
        title=title,
        meaning=meaning,
        confirm="kubectl describe pod: the message of FailedScheduling counts the nodes by what is in the way",
        fix=fix,
        reference=_REFERENCE + reference,
    )


CORDON = _cause(
    "node-cordon-mismatch",
    "The nodes that fit are cordoned",
    "Every node that the pod may run on is marked unschedulable.",
    "kubectl uncordon NODE, or let the pod run elsewhere",
)
AFFINITY = _cause(
    "node-affinity-mismatch",
    "No node satisfies the required node affinity",
    "requiredDuringScheduling node affinity asks for labels that no node has.",
    "Correct the affinity in the template, or label a node",
)
SELECTOR = _cause(
    "node-selector-mismatch",
    "No node has the labels of the nodeSelector",
    "nodeSelector asks for labels that no node has.",
    "Correct the nodeSelector in the template, or label a node",
)
ANTI_AFFINITY = _cause(
    "pod-anti-affinity-conflict",
    "Required anti-affinity leaves no node",
    "Pods that the new pod must not share a node with sit on every eligible node.",
    "Make the anti-affinity preferred, or add nodes",
)
POD_AFFINITY = _cause(
    "pod-affinity-mismatch",
    "No node has the pods that the affinity asks for",
    "Required pod affinity finds no pod to be near to.",
    "Correct the pod affinity, or start the pods that it names",
)
SPREAD = _cause(
    "topology-spread-conflict",
    "Topology spread constraints leave no node",
    "Another pod on any eligible node would exceed maxSkew.",
    "Relax maxSkew or whenUnsatisfiable, or add nodes",
    "topology-spread-constraints/",
)
TAINT = _cause(
    "taint-toleration-mismatch",
    "Taints keep the pod off the nodes",
    "The nodes that would fit carry a taint that the pod does not tolerate.",
    "Add the toleration to the template, or remove the taint",
    "taint-and-toleration/",
)
CPU = _cause(
    "cpu-capacity-mismatch",
    "No node has the CPU that the pod requests",
    "The request is larger than what any eligible node can give.",
    "Lower the request, or add or free capacity",
)
MEMORY = _cause(
    "memory-capacity-mismatch",
    "No node has the memory that the pod requests",
    "The request is larger than what any eligible node can give.",
    "Lower the request, or add or free capacity",
)
RESOURCE = _cause(
    "resource-capacity-mismatch",
    "No node has a resource that the pod requests",
    "An extended resource, ephemeral storage or the number of pods a node takes is used up.",
    "Lower the request, or add or free capacity",
)
HOST_PORT = _cause(
    "host-port-conflict",
    "The host port is taken on every node",
    "The pod asks for a host port that another pod has on every eligible node.",
    "Use a Service in place of the host port, or add nodes",
)
ZONE = _cause(
    "volume-zone-conflict",
    "The volume is tied to nodes that cannot take the pod",
    "The volume's node affinity allows only nodes that are unavailable to the pod.",
    "Free a node in the volume's zone, or move the data",
)
NODE_DOWN = _cause(
    "no-node-ready",
    "The nodes that fit are not ready",
    "The nodes that would take the pod are tainted as not ready, unreachable or under pressure.",
    "Repair the nodes",
)
UNSCHEDULABLE = Cause(
    slug="pod-unschedulable",
    title="No node takes the pod",
    meaning="The scheduler found no node; the message counts the nodes by what is in the way.",
    confirm="kubectl describe pod",
    fix="Follow the message",
    reference=_REFERENCE,
    generic=True,
)
CAUSES = (
    CORDON, AFFINITY, SELECTOR, ANTI_AFFINITY, POD_AFFINITY, SPREAD, TAINT, CPU, MEMORY, RESOURCE, HOST_PORT, ZONE,
    NODE_DOWN, UNSCHEDULABLE,
)  # fmt: skip

_COUNTED = re.compile(r"(?P<count>\d+) (?P<why>[^,.]*(?:\{[^}]*\})?[^,.]*)")
_TAINT = re.compile(r"untolerated taint (?:\{(?P<taint>[^}]*)\}|\(s\))|had taints? \{(?P<old>[^}]*)\}")
_OF_NODE = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable", "node.kubernetes.io/network-unavailable")
_OF_PRESSURE = ("disk-pressure", "memory-pressure", "pid-pressure")
_WORDS: tuple[tuple[str, Cause], ...] = (
    (r"were unschedulable", CORDON),
    (r"Insufficient cpu", CPU),
    (r"Insufficient memory", MEMORY),
    (r"Insufficient |Too many pods", RESOURCE),
    (r"anti-affinity", ANTI_AFFINITY),
    (r"pod affinity", POD_AFFINITY),
    (r"topology spread", SPREAD),
    (r"free ports", HOST_PORT),
    (r"volume node affinity|volume zone|available persistent volumes to bind", ZONE),
    (r"node affinity|node selector|affinity/selector", AFFINITY),
    (r"taint", TAINT),
)
_OF_VOLUMES = re.compile(
    r"unbound immediate PersistentVolumeClaims|persistentvolumeclaim \"[^\"]+\" (?:not found|is being)"
)


@dataclass(frozen=True)
class Stuck:
    """A pod that the scheduler has refused, and what it said."""

    pod: Pod
    message: str
    source: Object


def detect(case: Case) -> Iterator[Finding | Cleared]:
    scene = case.scene
    told: set[tuple[str, str]] = set()
    for stuck in _stuck(scene):
        if _OF_VOLUMES.search(stuck.message):
            continue
        subject = scene.responsible(stuck.pod)
        if (subject.kind, subject.name) not in told:
            told.add((subject.kind, subject.name))
            yield _explain(scene, stuck)
    if not told and scene.pods and scene.knows_all("Pod"):
        waiting = [pod for pod in scene.pods if not pod.node]
        if not waiting:
            yield Cleared(
                text=f"scheduling ({plural(len(scene.pods), 'pod')}, all on nodes)", evidence=scene.pods[0].evidence
            )


def _stuck(scene: Scene) -> Iterator[Stuck]:
    for pod in scene.pods:
        if pod.node or pod.phase not in ("Pending", ""):
            continue
        condition = mapping(pod.conditions.get("PodScheduled"))
        if condition.get("status") == "False" and condition.get("message"):
            yield Stuck(pod, str(condition["message"]), pod)
            continue
        events = [event for event in scene.picture.events(pod) if event.reason == "FailedScheduling"]
        if events:
            latest = max(events, key=lambda event: event.last or scene.started_at)
            yield Stuck(pod, latest.message, latest)


def _obstacles(message: str) -> Mapping[str, int]:
    """How many nodes each obstacle keeps away, as the scheduler counts them."""
    first = message.partition(" preemption:")[0].partition("nodes are available:")[2] or message
    return Counter({item["why"].strip(): int(item["count"]) for item in _COUNTED.finditer(first)})


def _cause_of(why: str) -> Cause:
    if taint := _TAINT.search(why):
        key = (taint["taint"] or taint["old"] or "").split(":")[0].strip()
        if key == "node.kubernetes.io/unschedulable":
            return CORDON
        if key in _OF_NODE or key.rpartition("/")[2] in _OF_PRESSURE:
            return NODE_DOWN
        return TAINT
    return next((cause for words, cause in _WORDS if re.search(words, why)), UNSCHEDULABLE)


def _explain(scene: Scene, stuck: Stuck) -> Finding:
    pod, subject = stuck.pod, scene.responsible(stuck.pod)
    nodes = scene.picture.all("Node")
    said = Counter[str]()
    for why, count in _obstacles(stuck.message).items():
        said[_cause_of(why).slug] += count
    by_slug = {cause.slug: cause for cause in CAUSES}
    reasons = [because(f"{pod.subject}: {quote(stuck.message)}", stuck.source)]
    cause, sure = UNSCHEDULABLE, LIKELY
    placement = Placement(pod, nodes)
    if nodes and scene.picture.complete("Node"):
        slug, details = placement.obstacle(said)
        cause = by_slug.get(slug, UNSCHEDULABLE)
        reasons += [because(text, *sources) for text, sources in details]
    elif said:
        cause = by_slug[said.most_common(1)[0][0]]
        if cause is AFFINITY and not placement.affinity and placement.selector:
            cause = SELECTOR
    if said[cause.slug] or (cause in (SELECTOR, AFFINITY) and said[AFFINITY.slug]):
        sure = CERTAIN
    waiting = [item for item in scene.pods if not item.node and scene.responsible(item) == subject]
    return found(
        cause,
        subject,
        sure,
        f"{_headline(cause, placement)}; {subject} has {plural(len(waiting), 'pod')} waiting",
        reasons,
        next_steps=_steps(cause, pod, subject.namespace),
        since=pod.created,
    )


def _headline(cause: Cause, placement: Placement) -> str:
    match cause.slug:
        case CPU.slug:
            return f"No node can give the requested CPU ({placement.requested('cpu'):g} cores)"
        case MEMORY.slug:
            return f"No node can give the requested memory ({shown(placement.requested('memory'), 'bytes')})"
        case SELECTOR.slug:
            terms = (f"{key}={value}" for key, value in placement.selector.items())
            return f"No node has the labels of the nodeSelector ({listed(terms)})"
        case CORDON.slug:
            names = [node.name for node in placement.matching() if placement.cordoned(node) and not control_plane(node)]
            return f"The nodes that fit are cordoned ({listed(names)})" if names else cause.title
        case TAINT.slug:
            taints = dict.fromkeys(text for node in placement.matching() for text in placement.untolerated(node))
            return f"Taints keep the pod off the nodes that fit ({listed(taints)})" if taints else cause.title
        case _:
            return cause.title


def _steps(cause: Cause, pod: Pod, namespace: str) -> list[str]:
    steps = [f"kubectl -n {namespace} describe pod {pod.name}"]
    if cause in (CORDON, AFFINITY, SELECTOR, TAINT, NODE_DOWN):
        steps.append("kubectl get nodes --show-labels -o wide")
    if cause in (CPU, MEMORY, RESOURCE):
        steps.append("kubectl describe nodes | grep -A8 'Allocated resources'")
    return steps
