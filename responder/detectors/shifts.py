"""Metrics that changed: workloads that burn CPU until they are throttled, and calls that suddenly take long.

A series is compared with itself: the median of its calm beginning against its worst stretch after it. What a chart
shows is told by the well-known metrics of its query: cAdvisor's, and those of meshes and of common instrumentation.
"""

import math
import re
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from responder.detectors import Case
from responder.detectors._scene import Scene
from responder.detectors._writing import LIKELY, POSSIBLE, because, found, listed, plural
from responder.model.evidence import Chart, Series
from responder.model.finding import Because, Cause, Cleared, Finding
from responder.model.kubernetes import time
from responder.model.numbers import plain, shown
from responder.model.subject import Subject

OVERLOAD = Cause(
    slug="pod-cpu-overload",
    title="It burns CPU until it is throttled",
    meaning="The pod uses several times the CPU that it used before, up to its limit; the kernel makes it wait.",
    confirm="container_cpu_usage_seconds_total and container_cpu_cfs_throttled_seconds_total of the pod",
    fix="Find what burns the CPU (a profile, a top of the container's processes); raise the limit if the load is real",
    reference="https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/",
)
SLOW = Cause(
    slug="pod-network-delay",
    title="Calls to it are delayed",
    meaning="Answers take many times as long as before, while it uses no more CPU and nothing behind it is slower.",
    confirm="The latency of the service and of those it calls; curl from a pod of another node; tc qdisc",
    fix="Restart the pod on another node; look at the node's network and at what limits the pod's traffic",
)
NODE_SLOW = Cause(
    slug="node-network-delay",
    title="The network of a node is slow",
    meaning="Calls to pods of one node take many times as long as before, those to other nodes do not.",
    confirm="ping the node from another one; tc qdisc show on the node; its network interface's errors",
    fix="Drain the node; repair its network",
)
NODE_LOSS = Cause(
    slug="node-network-packet-loss",
    title="The network of a node loses packets",
    meaning="The node has to send many times as many TCP segments again as before; calls to its pods take long.",
    confirm="node_netstat_Tcp_RetransSegs of the node; ping -c 100 from another node; its network interface's errors",
    fix="Drain the node; repair its network",
)
CAUSES = (OVERLOAD, SLOW, NODE_SLOW, NODE_LOSS)

THROTTLED = 0.2
"""A share of the time in which the kernel made a container wait that people notice."""
TIMES = 3.0
"""So many times as much as before is a shift; a metric doubles for many harmless reasons."""
RESENT = 2.0
"""TCP segments a second that are sent again."""
SLOWER = 0.04
"""Seconds of latency that people notice."""
EXPLAINS = 0.05
"""The part of a caller's time that a callee takes at least where the caller waits for it: it may call it often."""
COMPARABLE = 0.2
"""Of factors by which calls became slower: what is smaller than this part of the largest is another matter."""
WARM = timedelta(minutes=3)
"""A program that has just started burns CPU: it loads and compiles."""
CALM = 1 / 4
"""The part of a window that is taken for what was before."""
STRETCH = 3
"""Points that a shift lasts at least: one alone is an outlier."""

_ROLES: Mapping[str, re.Pattern[str]] = {
    "throttled": re.compile(r"cfs_throttled_(?:seconds|periods)"),
    "cpu": re.compile(r"cpu_usage_seconds|cpu_usage:"),
    "retransmits": re.compile(r"Tcp_RetransSegs|tcp_retrans"),
    "latency": re.compile(r"request_duration|latency|response_time|processing_duration"),
}
_SCALE: Mapping[str, float] = {"milliseconds": 0.001, "ms": 0.001}


@dataclass(frozen=True)
class Shift:
    """How a metric of a workload or node was before, how bad it became, how it is now, since when, and the evidence."""

    of: Subject
    before: float
    worst: float
    latest: float
    since: datetime
    evidence: str

    @property
    def times(self) -> float:
        """How many times as much."""
        return self.worst / max(self.before, 1e-6)


def detect(case: Case) -> Iterator[Finding | Cleared]:
    scene = case.scene
    shifts = {role: _shifts(case, role) for role in _ROLES}
    burning = sorted(
        (
            item
            for item in shifts["throttled"].values()
            if item.worst >= THROTTLED and item.times >= TIMES and not _starting(scene, item)
        ),
        key=lambda item: item.before - item.worst,
    )
    slow = {
        name: item
        for name, item in shifts["latency"].items()
        if item.worst - item.before >= SLOWER and item.times >= TIMES
    }
    for item in burning:
        yield _overloaded(item, shifts["cpu"].get(item.of), slow)
    if not burning:
        yield from _networks(scene, shifts, slow)
    if any(shifts.values()) and not burning and not slow:
        metrics = max(shifts.values(), key=len)
        names = {item.evidence for of_role in shifts.values() for item in of_role.values()}
        yield Cleared(
            text=f"shifts of CPU and latency ({plural(len(metrics), 'workload')} as before)",
            evidence=tuple(sorted(names)),
        )


def _starting(scene: Scene, item: Shift) -> bool:
    """Whether a container of the workload started just before, and it is over or still may be."""
    return any(
        (started := time(container.running.get("startedAt"))) is not None
        and started <= item.since < started + WARM
        and (item.latest < item.worst / 2 or scene.now - started < WARM)
        for pod in scene.pods
        if scene.responsible(pod) == item.of
        for container in pod.containers
    )


def _shifts(case: Case, role: str) -> Mapping[Subject, Shift]:
    """The largest shift of each workload in the charts of a role."""
    shifts: dict[Subject, Shift] = {}
    for evidence, chart in case.read(Chart):
        if not _ROLES[role].search(chart.query):
            continue
        scale = _SCALE.get(chart.unit, 1.0)
        for series in chart.series:
            of = _node(case.scene, series) if role == "retransmits" else _workload(case.scene, series)
            shift = _shift(series, of, scale, evidence) if of else None
            if shift and (shift.of not in shifts or shift.worst > shifts[shift.of].worst):
                shifts[shift.of] = shift
    return shifts


def _shift(series: Series, of: Subject, scale: float, evidence: str) -> Shift | None:
    """The calm beginning against the worst stretch after it; None where the series is too short to tell."""
    points = [(at, value * scale) for at, value in series.points if math.isfinite(value)]
    values = [value for _, value in points]
    calm = max(STRETCH, int(len(values) * CALM))
    if len(values) < calm + STRETCH:
        return None
    stretches = [statistics.median(values[at : at + STRETCH]) for at in range(calm, len(values) - STRETCH + 1)]
    at, worst = max(enumerate(stretches, start=calm), key=lambda item: item[1])
    began = datetime.fromtimestamp(points[at][0], UTC)
    return Shift(of, statistics.median(values[:calm]), worst, statistics.median(values[-STRETCH:]), began, evidence)


def _workload(scene: Scene, series: Series) -> Subject | None:
    labels = series.labels
    if labels.get("namespace", labels.get("destination_workload_namespace", scene.namespace)) != scene.namespace:
        return None
    if pod := scene.picture.get("Pod", scene.namespace, labels.get("pod", "")):
        return scene.responsible(pod)
    wanted = [labels.get(name) for name in ("destination_workload", "workload", "deployment", "service", "app")]
    return next((item.subject for item in scene.graph.workloads if item.name in wanted), None)


def _node(scene: Scene, series: Series) -> Subject | None:
    names = (series.labels.get("node"), series.labels.get("nodename"), series.labels.get("instance", "").split(":")[0])
    return next((node.subject for node in scene.picture.all("Node") if node.name in names), None)


def _networks(
    scene: Scene, shifts: Mapping[str, Mapping[Subject, Shift]], slow: Mapping[Subject, Shift]
) -> Iterator[Finding]:
    """What became slow without burning CPU: by the node that it shares, and by workload."""
    origins = _origins(scene, slow)
    if loss := _losing(shifts["retransmits"], {node for name in slow for node in _nodes_of(scene, name)}):
        headline = (
            f"{loss.of} sends {plain(loss.worst)} TCP segments a second again, before it was {plain(loss.before)}"
        )
        reasons = [because(headline, loss.evidence), *_latency(slow)]
        yield found(NODE_LOSS, loss.of, LIKELY, headline, reasons, suffering=slow, since=loss.since)
    shared = _shared_node(scene, origins, shifts["latency"])
    if shared is not None:
        names = listed(item.of for item in origins)
        headline = f"Calls to {names} became slow together; they all run on {shared}, what runs on other nodes did not"
        since = min(item.since for item in origins)
        yield found(NODE_SLOW, shared, POSSIBLE, headline, _latency(slow), suffering=slow, since=since)
    for item in origins:
        yield _delayed(scene, item, slow)


def _losing(resent: Mapping[Subject, Shift], hosts: set[str]) -> Shift | None:
    """The one node of the slow workloads that sends far more again than before, and than the others of them."""
    worst = sorted((item for item in resent.values() if item.of.name in hosts), key=lambda item: -item.worst)
    if not worst or worst[0].worst < RESENT or worst[0].times < TIMES:
        return None
    return worst[0] if len(worst) < 2 or worst[0].worst >= TIMES * worst[1].worst else None


def _shared_node(scene: Scene, origins: Sequence[Shift], known: Mapping[Subject, Shift]) -> Subject | None:
    """The one node that everything slow runs on, where there is more than one such thing, and others elsewhere."""
    places = {item.of: _nodes_of(scene, item.of) for item in known.values()}
    together = set().union(*(places[item.of] for item in origins))
    elsewhere = any(place - together for place in places.values())
    if len(origins) < 2 or len(together) != 1 or not elsewhere:
        return None
    node = scene.picture.get("Node", "", together.pop())
    return node.subject if node else None


def _nodes_of(scene: Scene, workload: Subject) -> set[str]:
    return {pod.node for pod in scene.pods if scene.responsible(pod) == workload and pod.node}


def _origins(scene: Scene, slow: Mapping[Subject, Shift]) -> Sequence[Shift]:
    """Of what became slow those that no slow callee explains, the worst first.

    A delay makes a quick service slower by the largest factor, and its callers by what they wait for it; a callee that
    takes a small part of its caller's time explains nothing. What grew far less than the worst follows from it in some
    other way: by connections that wait, by retries.
    """
    calls: dict[Subject, set[Subject]] = {}
    for host, addresses in scene.graph.callers.items():
        service = scene.graph.service(host)
        if service is None:
            continue
        called = {item.subject for item in scene.graph.workloads_behind(service)}
        for address in addresses:
            calls.setdefault(address.owner.subject, set()).update(called)
    unexplained = [
        item
        for name, item in slow.items()
        if not any(
            callee in slow and slow[callee].worst >= EXPLAINS * item.worst for callee in calls.get(name, set()) - {name}
        )
    ]
    most = max((item.times for item in unexplained), default=0.0)
    return sorted((item for item in unexplained if item.times >= COMPARABLE * most), key=lambda item: -item.times)


def _overloaded(item: Shift, cpu: Shift | None, slow: Mapping[Subject, Shift]) -> Finding:
    headline = (
        f"{item.of} burns CPU until it is throttled: it is made to wait {round(100 * item.worst)} % of the time, "
        f"before it was {round(100 * item.before)} %"
    )
    reasons = [because(f"{item.of} throttled: {_course(item, 'ratio')}", item.evidence)]
    if cpu:
        reasons.append(because(f"CPU of {item.of}: {_course(cpu, 'cores')}", cpu.evidence))
    reasons += _latency(slow)
    return found(
        OVERLOAD, item.of, LIKELY, headline, reasons, suffering=slow, since=item.since,
        next_steps=[f"kubectl -n {item.of.namespace} top pod --containers"],
    )  # fmt: skip


def _delayed(scene: Scene, item: Shift, slow: Mapping[Subject, Shift]) -> Finding:
    callers = [name for name in slow if name != item.of]
    headline = f"Calls to {item.of} take {shown(item.worst, 'seconds')}, before it was {shown(item.before, 'seconds')}"
    if callers:
        headline += f"; {listed(callers)} wait for it"
    reasons = _latency(slow)
    reasons.append(because(f"nothing that {item.of} calls explains it, and it is not throttled", item.evidence))
    return found(
        SLOW, item.of, POSSIBLE, headline, reasons, suffering=callers, since=item.since,
        next_steps=[f"kubectl -n {scene.namespace} get pods -o wide"],
    )  # fmt: skip


def _latency(slow: Mapping[Subject, Shift]) -> list[Because]:
    return [
        because(f"latency of {item.of}: {_course(item, 'seconds')}", item.evidence)
        for item in sorted(slow.values(), key=lambda item: -item.times)[:3]
    ]


def _course(item: Shift, unit: str) -> str:
    return f"{shown(item.before, unit)}, then {shown(item.worst, unit)} (from {item.since:%H:%M} UTC)"
