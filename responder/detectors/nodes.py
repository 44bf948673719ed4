"""Nodes that are not ready, under pressure, or lack one of the services that make a node a node.

Node conditions and their reasons: kubernetes/kubernetes, pkg/kubelet/nodestatus/setters.go and
pkg/controller/nodelifecycle. The services' state: node_exporter's systemd collector, `node_systemd_unit_state`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

from responder.detectors import Case
from responder.detectors._placement import control_plane
from responder.detectors._scene import Scene
from responder.detectors._writing import CERTAIN, LIKELY, POSSIBLE, because, found, listed, plural, quote
from responder.model.evidence import Samples
from responder.model.finding import Because, Cause, Cleared, Finding
from responder.model.kubernetes import Object, mapping, time
from responder.model.subject import Subject

_REFERENCE = "https://kubernetes.io/docs/concepts/architecture/nodes/"


def _cause(slug: str, title: str, meaning: str, confirm: str, fix: str, *, symptom_of: tuple[str, ...] = ()) -> Cause:
    return Cause(
        slug=slug,
        title=title,
        meaning=meaning,
        confirm=confirm,
        fix=fix,
        reference=_REFERENCE,
        generic=bool(symptom_of),
        symptom_of=symptom_of,
    )


RUNTIME = _cause(
    "containerd-unavailable",
    "The container runtime of a node is down",
    "The kubelet cannot reach the runtime: no container starts or ends on the node.",
    "systemctl status containerd on the node; kubectl describe node: container runtime is down",
    "Restart the runtime on the node; drain the node if it does not stay up",
)
KUBELET = _cause(
    "kubelet-unavailable",
    "The kubelet of a node is down",
    "The node reports nothing; its pods are neither started nor checked, and leave their services.",
    "systemctl status kubelet on the node; kubectl describe node: Kubelet stopped posting node status",
    "Restart the kubelet on the node; drain the node if it does not stay up",
)
PROXY = _cause(
    "kube-proxy-unavailable",
    "kube-proxy of a node is down",
    "Service addresses on the node are no longer kept up to date: calls to services go nowhere or to old pods.",
    "systemctl status kube-proxy on the node, or the kube-proxy pod of the node",
    "Restart kube-proxy on the node",
)
SCHEDULER = _cause(
    "kube-scheduler-unavailable",
    "The scheduler is down",
    "Pods stay Pending without a word from the scheduler.",
    "systemctl status kube-scheduler on the control plane, or the kube-scheduler pod; its lease in kube-system",
    "Restart the scheduler",
)
MEMORY = _cause(
    "node-memory-pressure",
    "A node is short of memory",
    "The kubelet evicts pods of the node.",
    "kubectl describe node: MemoryPressure",
    "Find what uses the memory; set requests and limits; add memory",
)
DISK = _cause(
    "node-disk-pressure",
    "A node is short of disk",
    "The kubelet deletes images and evicts pods; new pods are kept off the node.",
    "kubectl describe node: DiskPressure; df -h on the node",
    "Free or enlarge the disk",
)
PROCESSES = _cause(
    "node-pid-pressure",
    "A node is short of process ids",
    "Processes cannot be started on the node.",
    "kubectl describe node: PIDPressure",
    "Find what forks; limit processes per pod",
)
NETWORK = _cause(
    "node-network-unavailable",
    "A node's pod network is not set up",
    "The network plugin does not work on the node.",
    "kubectl describe node: NetworkUnavailable; the plugin's pod on the node",
    "Repair the network plugin on the node",
)
NOT_READY = _cause(
    "node-not-ready",
    "A node is not ready",
    "The kubelet says that the node cannot run pods.",
    "kubectl describe node",
    "Follow the message",
    symptom_of=(RUNTIME.slug, KUBELET.slug, DISK.slug, MEMORY.slug, NETWORK.slug),
)
CAUSES = (RUNTIME, KUBELET, PROXY, SCHEDULER, MEMORY, DISK, PROCESSES, NETWORK, NOT_READY)

_UNITS: Sequence[tuple[re.Pattern[str], Cause]] = (
    (re.compile(r"(?:containerd|crio|cri-o|docker|cri-docker(?:d)?)\.service"), RUNTIME),
    (re.compile(r"(?:snap\.)?(?:k3s-agent|kubelet)(?:\.daemon)?\.service"), KUBELET),
    (re.compile(r"kube-proxy\.service"), PROXY),
    (re.compile(r"kube-scheduler\.service"), SCHEDULER),
)
_PRESSURES: Mapping[str, Cause] = {
    "MemoryPressure": MEMORY,
    "DiskPressure": DISK,
    "PIDPressure": PROCESSES,
    "NetworkUnavailable": NETWORK,
}
_RUNTIME_WORDS = re.compile(
    r"container runtime is down|runtime.{0,30}not (?:ready|responding)|PLEG is not healthy"
    r"|(?:containerd|crio|docker)\.sock"
)
_NETWORK_WORDS = re.compile(
    r"NetworkPluginNotReady|network plugin is not ready|cni (?:config|plugin) (?:not|un)initialized"
)
UNANSWERED = timedelta(seconds=20)
"""A pod that the scheduler has not looked at for so long waits for a scheduler, not for its turn."""


def detect(case: Case) -> Iterator[Finding | Cleared]:
    scene = case.scene
    units = list(_units(case))
    told: set[tuple[str, str]] = set()
    for finding in (*_stopped(scene, units), *_conditions(scene), *_system_pods(scene), *_unscheduled(scene, units)):
        if (key := (finding.cause, finding.subject.name)) not in told:
            told.add(key)
            yield finding
    nodes = scene.picture.all("Node")
    if nodes and not told and scene.picture.complete("Node"):
        services = f", {plural(len(units), 'service')} of theirs active" if units else ""
        yield Cleared(
            text=f"nodes ({plural(len(nodes), 'node')} ready, without pressure{services})", evidence=nodes[0].evidence
        )


def _units(case: Case) -> Iterator[tuple[str, str, bool, str]]:
    """What is known of the nodes' services: (node, unit, active, evidence)."""
    names = {node.name: node.name for node in case.picture.all("Node")}
    for node in case.picture.all("Node"):
        for address in node.status.get("addresses") or []:
            names[str(mapping(address).get("address"))] = node.name
    for evidence, samples in case.read(Samples):
        for sample in samples.samples:
            labels = sample.labels
            unit = labels.get("name", "")
            if labels.get("state") != "active" or not any(pattern.fullmatch(unit) for pattern, _ in _UNITS):
                continue
            spoken = labels.get("node") or labels.get("nodename") or labels.get("instance", "")
            yield names.get(spoken) or names.get(spoken.rpartition(":")[0]) or spoken, unit, sample.value > 0, evidence


def _stopped(scene: Scene, units: Sequence[tuple[str, str, bool, str]]) -> Iterator[Finding]:
    """Services that are not active on a node; a runtime only where no other runtime of the node is."""
    for node, unit, active, evidence in units:
        cause = next(cause for pattern, cause in _UNITS if pattern.fullmatch(unit))
        alike = any(
            other and where == node and name != unit and cause is next(c for p, c in _UNITS if p.fullmatch(name))
            for where, name, other, _ in units
        )
        # systemd keeps units that were never meant to run: those are idle on every node
        states = [other for _, name, other, _ in units if name == unit]
        idle = len(states) > 1 and not any(states)
        if active or alike or idle:
            continue
        yield _on_node(scene, cause, node, [because(f"{unit} is not active on {node}", evidence)], f"{unit} is stopped")


def _on_node(scene: Scene, cause: Cause, node: str, reasons: list[Because], why: str) -> Finding:
    held = scene.picture.get("Node", "", node)
    pods = [pod for pod in scene.pods if pod.node == node]
    suffering = list(dict.fromkeys(scene.responsible(pod) for pod in pods if cause is PROXY or not pod.ready))
    ready = mapping(held.conditions.get("Ready")) if held else {}
    if held and ready.get("status") not in (None, "True"):
        reasons = [
            *reasons,
            because(f"node/{node}: Ready is {ready['status']}: {quote(str(ready.get('message')))}", held),
        ]
    return found(
        cause,
        Subject(kind="Node", name=node),
        CERTAIN,
        f"{cause.title}: {why} on {node}"
        + (f"; it concerns {listed(item.name for item in suffering)}" if suffering else ""),
        reasons,
        next_steps=[f"kubectl describe node {node}", f"kubectl get pods -A --field-selector spec.nodeName={node}"],
        suffering=suffering,
        since=time(ready.get("lastTransitionTime")) if ready.get("status") != "True" else None,
    )


def _conditions(scene: Scene) -> Iterator[Finding]:
    """What nodes say of themselves, and the control plane of nodes that say nothing."""
    for node in scene.picture.all("Node"):
        for name, cause in _PRESSURES.items():
            condition = mapping(node.conditions.get(name))
            if condition.get("status") == "True":
                text = quote(str(condition.get("message") or name))
                yield _on_node(scene, cause, node.name, [because(f"node/{node.name}: {text}", node)], text)
        ready = mapping(node.conditions.get("Ready"))
        if ready.get("status") in (None, "True"):
            continue
        text = str(ready.get("message") or ready.get("reason") or "")
        if ready.get("status") == "Unknown":
            cause = KUBELET
        elif _RUNTIME_WORDS.search(text):
            cause = RUNTIME
        elif _NETWORK_WORDS.search(text):
            cause = NETWORK
        else:
            cause = NOT_READY
        events = [
            because(f"{event.reason}: {quote(event.message)}", event)
            for event in scene.picture.events(node)
            if event.warning and _RUNTIME_WORDS.search(event.message)
        ]
        yield _on_node(scene, cause, node.name, events[:1], quote(text) or "it is not ready")


def _system_pods(scene: Scene) -> Iterator[Finding]:
    """kube-proxy and the scheduler where they run as pods."""
    for pod in scene.picture.pods("kube-system"):
        cause = PROXY if pod.name.startswith("kube-proxy") else SCHEDULER if "kube-scheduler" in pod.name else None
        known = "Ready" in pod.conditions
        if cause is None or not known or pod.ready or not pod.node or (cause is SCHEDULER and not _waiting(scene)):
            continue
        node = scene.picture.get("Node", "", pod.node)
        if node and mapping(node.conditions.get("Ready")).get("status") != "True":
            continue
        yield _on_node(
            scene, cause, pod.node, [because(f"pod/{pod.name} is not ready", pod)], f"pod {pod.name} is not ready"
        )


def _waiting(scene: Scene) -> Sequence[Object]:
    """Pods that no scheduler has said a word about for too long."""
    return [
        pod
        for pod in scene.pods
        if not pod.node
        and pod.phase in ("Pending", "")
        and "PodScheduled" not in pod.conditions
        and not pod.spec.get("schedulingGates")
        and pod.spec.get("schedulerName", "default-scheduler") == "default-scheduler"
        and not any(event.reason in ("FailedScheduling", "Scheduled") for event in scene.picture.events(pod))
        and (pod.created is None or scene.now - pod.created > UNANSWERED)
    ]


def _unscheduled(scene: Scene, units: Sequence[tuple[str, str, bool, str]]) -> Iterator[Finding]:
    """Where nothing tells of the scheduler itself: pods that it should have looked at."""
    waiting = _waiting(scene)
    if not waiting or any(active for _, unit, active, _ in units if "kube-scheduler" in unit):
        return
    planes = [node for node in scene.picture.all("Node") if control_plane(node)]
    node = planes[0].name if len(planes) == 1 else ""
    names = listed(pod.name for pod in waiting)
    yield found(
        SCHEDULER,
        Subject(kind="Node", name=node) if node else Subject(kind="Unknown", name="kube-scheduler"),
        LIKELY if node else POSSIBLE,
        f"The scheduler does not work: {names} has waited for more than {UNANSWERED.seconds} s without a word from it",
        [
            because(f"pod/{pod.name} is Pending, without a condition PodScheduled and without an event", pod)
            for pod in waiting[:3]
        ],
        next_steps=["kubectl -n kube-system get pods,leases | grep scheduler"],
        suffering=[scene.responsible(pod) for pod in waiting],
        since=min((pod.created for pod in waiting if pod.created), default=None),
    )
