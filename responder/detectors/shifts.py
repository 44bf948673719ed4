"""Metrics that changed: workloads that burn CPU until they are throttled, and calls that suddenly take long.

A series is compared with itself: the median of its calm beginning against its worst stretch after it. What a chart
shows is told by the well-known metrics of its query: cAdvisor's, and those of meshes and of common instrumentation.
"""

import math
import re
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from responder.detectors import Case
from responder.detectors._scene import Scene
from responder.detectors._writing import LIKELY, POSSIBLE, because, found, listed, plural
from responder.model.evidence import Chart, Series
from responder.model.finding import Because, Cause, Cleared, Finding
from responder.model.numbers import shown
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
CAUSES = (OVERLOAD, SLOW)

THROTTLED = 0.2
"""A share of the time in which the kernel made a container wait that people notice."""
TIMES = 3.0
"""So many times as much as before is a shift; a metric doubles for many harmless reasons."""
SLOWER = 0.04
"""Seconds of latency that people notice."""
CALM = 1 / 4
"""The part of a window that is taken for what was before."""
STRETCH = 3
"""Points that a shift lasts at least: one alone is an outlier."""

_ROLES: Mapping[str, re.Pattern[str]] = {
    "throttled": re.compile(r"cfs_throttled_(?:seconds|periods)"),
    "cpu": re.compile(r"cpu_usage_seconds|cpu_usage:"),
    "latency": re.compile(r"request_duration|latency|response_time|processing_duration"),
}
_SCALE: Mapping[str, float] = {"milliseconds": 0.001, "ms": 0.001}


@dataclass(frozen=True)
class Shift:
    """How a workload's metric was before, how bad it became, since when, and the evidence."""

    workload: Subject
    before: float
    worst: float
    since: datetime
    evidence: str

    @property
    def times(self) -> float:
        """How many times as much."""
        return self.worst / max(self.before, 1e-6)


def detect(case: Case) -> Iterator[Finding | Cleared]:
    scene = case.scene
    shifts = {role: _shifts(case, role) for role in _ROLES}
    burning = [item for item in shifts["throttled"].values() if item.worst >= THROTTLED and item.times >= TIMES]
    slow = {
        name: item
        for name, item in shifts["latency"].items()
        if item.worst - item.before >= SLOWER and item.times >= TIMES
    }
    worst = sorted(burning, key=lambda item: item.before - item.worst)
    for item in worst:
        yield _overloaded(item, shifts["cpu"].get(item.workload), slow)
    burnt = {item.workload for item in worst}
    for item in _origins(scene, slow):
        if not burnt:
            yield _delayed(scene, item, slow)
    if any(shifts.values()) and not burnt and not slow:
        metrics = max(shifts.values(), key=len)
        names = {item.evidence for found_ in shifts.values() for item in found_.values()}
        yield Cleared(
            text=f"shifts of CPU and latency ({plural(len(metrics), 'workload')} as before)",
            evidence=tuple(sorted(names)),
        )


def _shifts(case: Case, role: str) -> Mapping[Subject, Shift]:
    """The largest shift of each workload in the charts of a role."""
    shifts: dict[Subject, Shift] = {}
    for evidence, chart in case.read(Chart):
        if not _ROLES[role].search(chart.query):
            continue
        scale = _SCALE.get(chart.unit, 1.0)
        for series in chart.series:
            workload = _workload(case.scene, series)
            shift = _shift(series, workload, scale, evidence) if workload else None
            if shift and (shift.workload not in shifts or shift.worst > shifts[shift.workload].worst):
                shifts[shift.workload] = shift
    return shifts


def _shift(series: Series, workload: Subject, scale: float, evidence: str) -> Shift | None:
    """The calm beginning against the worst stretch after it; None where the series is too short to tell."""
    values = [value * scale for _, value in series.points if math.isfinite(value)]
    calm = max(STRETCH, int(len(values) * CALM))
    if len(values) < calm + STRETCH:
        return None
    stretches = [statistics.median(values[at : at + STRETCH]) for at in range(calm, len(values) - STRETCH + 1)]
    at, worst = max(enumerate(stretches, start=calm), key=lambda item: item[1])
    return Shift(
        workload, statistics.median(values[:calm]), worst, datetime.fromtimestamp(series.points[at][0], UTC), evidence
    )


def _workload(scene: Scene, series: Series) -> Subject | None:
    labels = series.labels
    if labels.get("namespace", labels.get("destination_workload_namespace", scene.namespace)) != scene.namespace:
        return None
    if pod := scene.picture.get("Pod", scene.namespace, labels.get("pod", "")):
        return scene.responsible(pod)
    wanted = [labels.get(name) for name in ("destination_workload", "workload", "deployment", "service", "app")]
    return next((item.subject for item in scene.graph.workloads if item.name in wanted), None)


def _origins(scene: Scene, slow: Mapping[Subject, Shift]) -> Sequence[Shift]:
    """Of what became slow those that call nothing else that did, the worst first."""
    calls: dict[Subject, set[Subject]] = {}
    for host, addresses in scene.graph.callers.items():
        service = scene.graph.service(host)
        for address in addresses if service else ():
            called = {item.subject for item in scene.graph.workloads_behind(service)} if service else set()
            calls.setdefault(address.owner.subject, set()).update(called)
    origins = [item for name, item in slow.items() if not (calls.get(name, set()) - {name}) & slow.keys()]
    return sorted(origins, key=lambda item: -item.times)


def _overloaded(item: Shift, cpu: Shift | None, slow: Mapping[Subject, Shift]) -> Finding:
    headline = (
        f"{item.workload} burns CPU until it is throttled: it is made to wait {round(100 * item.worst)} % of the time, "
        f"before it was {round(100 * item.before)} %"
    )
    reasons = [because(f"{item.workload} throttled: {_course(item, 'ratio')}", item.evidence)]
    if cpu:
        reasons.append(because(f"CPU of {item.workload}: {_course(cpu, 'cores')}", cpu.evidence))
    reasons += _latency(slow)
    return found(
        OVERLOAD, item.workload, LIKELY, headline, reasons, suffering=slow, since=item.since,
        next_steps=[f"kubectl -n {item.workload.namespace} top pod --containers"],
    )  # fmt: skip


def _delayed(scene: Scene, item: Shift, slow: Mapping[Subject, Shift]) -> Finding:
    callers = [name for name in slow if name != item.workload]
    headline = (
        f"Calls to {item.workload} take {shown(item.worst, 'seconds')}, before it was {shown(item.before, 'seconds')}"
    )
    if callers:
        headline += f"; {listed(callers)} wait for it"
    reasons = _latency({item.workload: item, **slow})
    reasons.append(because(f"nothing that {item.workload} calls became slower, and it is not throttled", item.evidence))
    return found(
        SLOW, item.workload, POSSIBLE, headline, reasons, suffering=callers, since=item.since,
        next_steps=[f"kubectl -n {scene.namespace} get pods -o wide"],
    )  # fmt: skip


def _latency(slow: Mapping[Subject, Shift]) -> list[Because]:
    return [
        because(f"latency of {item.workload}: {_course(item, 'seconds')}", item.evidence)
        for item in sorted(slow.values(), key=lambda item: -item.times)[:3]
    ]


def _course(item: Shift, unit: str) -> str:
    return f"{shown(item.before, unit)}, then {shown(item.worst, unit)} (from {item.since:%H:%M} UTC)"
