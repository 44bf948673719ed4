"""Workloads and nodes that use all of the processor or memory they may, as metrics-server tells it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from responder.detectors import Case
from responder.detectors._scene import Scene
from responder.detectors._writing import LIKELY, POSSIBLE, because, found, listed, plural
from responder.model.finding import Cause, Cleared, Finding
from responder.model.kubernetes import Object, Pod, mapping, mappings, quantity, string, whole
from responder.model.numbers import plain, shown

FULL = 0.95
"""A share of the limit from which on there is nothing left: metrics-server tells means over 15 s and more."""
NODE_FULL = 0.95

THROTTLING = Cause(
    slug="cpu-throttling",
    title="Held back by its CPU limit",
    meaning="The containers use all of their CPU limit; the kernel makes them wait, and everything takes longer.",
    confirm="kubectl top pods against the limits; container_cpu_cfs_throttled_periods_total",
    fix="Raise or remove the CPU limit, add replicas (and the autoscaler's maximum), or find what burns the CPU",
    reference="https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/",
)
MEMORY = Cause(
    slug="memory-near-limit",
    title="Its memory is nearly used up",
    meaning="The containers use nearly all of their memory limit; the next allocation may get them killed.",
    confirm="kubectl top pods against the limits; container_memory_working_set_bytes",
    fix="Raise the memory limit, or find what uses the memory",
    reference="https://kubernetes.io/docs/tasks/configure-pod-container/assign-memory-resource/",
)
NODE_CPU = Cause(
    slug="node-cpu-saturated",
    title="The node's processors are used up",
    meaning="Pods of the node get less CPU than they want; those without requests suffer first.",
    confirm="kubectl top nodes",
    fix="Move or limit what uses most of it, add nodes; set requests to what the pods use",
)
CAUSES = (THROTTLING, MEMORY, NODE_CPU)


@dataclass(frozen=True)
class _Use:
    """What one container of a pod uses, with its limits (None: no limit)."""

    pod: Pod
    container: str
    used: Mapping[str, float]
    limits: Mapping[str, float | None]
    evidence: tuple[str, ...]

    def share(self, resource: str) -> float:
        limit = self.limits.get(resource)
        return self.used.get(resource, 0.0) / limit if limit else 0.0


def detect(case: Case) -> Iterator[Finding | Cleared]:
    scene = case.scene
    uses = list(_uses(scene))
    by_pod: dict[str, list[_Use]] = {}
    for use in uses:
        by_pod.setdefault(use.pod.name, []).append(use)
    findings: list[Finding] = []
    for workload in scene.graph.workloads:
        pods = scene.graph.pods_of(workload)
        findings += _workload(scene, workload, [use for pod in pods for use in by_pod.get(pod.name, ())])
    findings += _nodes(scene)
    yield from findings
    if uses and not findings:
        yield Cleared(
            text=f"saturation ({plural(len(uses), 'container')} below their limits)", evidence=uses[0].evidence
        )


def _uses(scene: Scene) -> Iterator[_Use]:
    for metrics in scene.picture.all("PodMetrics", scene.namespace):
        pod = scene.picture.get("Pod", metrics.namespace, metrics.name)
        if not isinstance(pod, Pod):
            continue
        specs = {container.name: container for container in pod.containers}
        for item in mappings(metrics.raw.get("containers")):
            name = string(item.get("name"))
            usage = mapping(item.get("usage"))
            yield _Use(
                pod,
                name,
                {resource: quantity(usage.get(resource)) or 0.0 for resource in ("cpu", "memory")},
                {resource: quantity(specs[name].limit(resource)) for resource in ("cpu", "memory")}
                if name in specs
                else {},
                metrics.evidence,
            )


def _workload(scene: Scene, workload: Object, uses: Sequence[_Use]) -> Iterator[Finding]:
    if full := sorted((use for use in uses if use.share("cpu") >= FULL), key=lambda use: -use.share("cpu")):
        yield _throttled(scene, workload, full, len({use.pod.name for use in uses}))
    if full := sorted((use for use in uses if use.share("memory") >= FULL), key=lambda use: -use.share("memory")):
        headline = f"{workload.subject} uses {_percent(full[0].share('memory'))} of its memory limit"
        reasons = [
            because(
                f"{use.pod.subject}, container {use.container}: {shown(use.used['memory'], 'bytes')} of "
                f"{shown(use.limits['memory'] or 0, 'bytes')}",
                *use.evidence,
            )
            for use in full[:3]
        ]
        yield found(MEMORY, workload.subject, POSSIBLE, headline, reasons)


def _throttled(scene: Scene, workload: Object, full: Sequence[_Use], running: int) -> Finding:
    pods = len({use.pod.name for use in full})
    limit = plain(full[0].limits["cpu"] or 0)
    headline = (
        f"{workload.subject} has used up its CPU limit: {pods} of {plural(running, 'pod')} "
        f"at {_percent(full[0].share('cpu'))} of {limit} cores"
    )
    reasons = [
        because(
            f"{use.pod.subject}, container {use.container}: {plain(use.used['cpu'])} of {limit} cores", *use.evidence
        )
        for use in full[:2]
    ]
    steps = [f"Raise the CPU limit of {workload.subject}, if its nodes have the CPU"]
    scaler = _autoscaler(scene, workload)
    if scaler is not None:
        most = whole(scaler.spec.get("maxReplicas")) or 0
        if (whole(scaler.status.get("currentReplicas")) or 0) >= most:
            reasons.append(because(f"its autoscaler {scaler.name} is at its maximum of {most} replicas", scaler))
            steps.insert(0, f"Raise maxReplicas of the autoscaler {scaler.name}")
            headline += f", and its autoscaler is at its maximum of {most}"
    else:
        steps.insert(
            0, f"kubectl -n {workload.namespace} scale {workload.subject} --replicas={scene.desired(workload) + 2}"
        )
    return found(THROTTLING, workload.subject, LIKELY, headline, reasons, next_steps=steps)


def _autoscaler(scene: Scene, workload: Object) -> Object | None:
    for scaler in scene.picture.all("HorizontalPodAutoscaler", workload.namespace):
        of = mapping(scaler.spec.get("scaleTargetRef"))
        if (of.get("kind"), of.get("name")) == (workload.kind, workload.name):
            return scaler
    return None


def _nodes(scene: Scene) -> Iterator[Finding]:
    for metrics in scene.picture.all("NodeMetrics"):
        node = scene.picture.get("Node", "", metrics.name)
        used = quantity(mapping(metrics.raw.get("usage")).get("cpu"))
        there = quantity(mapping(node.status.get("allocatable")).get("cpu")) if node else None
        if node is None or used is None or not there or used / there < NODE_FULL:
            continue
        here = [pod for pod in scene.pods if pod.node == node.name]
        reason = because(f"{node.subject} uses {plain(used)} of {plain(there)} cores", metrics, node)
        names = listed(pod.name for pod in here)
        headline = f"The processors of {node.subject} are used up ({_percent(used / there)}); {names} run there"
        suffering = dict.fromkeys(scene.responsible(pod) for pod in here)
        yield found(NODE_CPU, node.subject, POSSIBLE, headline, [reason], suffering=suffering)


def _percent(share: float) -> str:
    return f"{round(100 * share)} %"
