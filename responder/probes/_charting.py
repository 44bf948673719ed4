"""What `prometheus.range` and `prometheus.alert` share: the window, the chart and what to say of it."""

import re
import shlex
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from responder.clients import Prometheus, warnings_of
from responder.errors import Reason
from responder.model.evidence import Chart, Gap, Observation, Reproduction, Series, Threshold
from responder.model.numbers import plain, shown
from responder.model.shift import shift
from responder.probes import Inquiry

MOST_POINTS = 250
MOST_SERIES = 20
LISTED = 6
CLEAR_SHIFT = 3
LONGEST_NAME = 120
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800)
_PREFERRED = ("pod", "persistentvolumeclaim", "deployment", "statefulset", "node", "instance", "state")


@dataclass(frozen=True)
class Window:
    """From when until when, and how fine."""

    start: datetime
    end: datetime

    @classmethod
    def around(cls, inquiry: Inquiry, before: timedelta, after: timedelta | None = None) -> "Window":
        """From some time before the alert's start until some time after it, or now; at most a day."""
        end = inquiry.now if after is None else min(inquiry.now, inquiry.started_at + after)
        start = max(inquiry.started_at - before, end - timedelta(days=1))
        start = min(start, end - timedelta(minutes=5))
        # whole seconds, so that the same question a moment later is the same request
        return cls(start.replace(microsecond=0), end.replace(microsecond=0))

    @property
    def step(self) -> timedelta:
        """A round step that gives at most MOST_POINTS points."""
        wanted = (self.end - self.start).total_seconds() / (MOST_POINTS - 1)
        return timedelta(seconds=next((step for step in _STEPS if wanted <= step), _STEPS[-1]))


class Ranged(Protocol):
    """Whoever answers range queries with series."""

    async def range(self, expression: str, *, start: datetime, end: datetime, step: timedelta) -> Sequence[Series]:
        """A range query."""
        ...


@dataclass(frozen=True)
class Drawing:
    """A chart to be drawn. `belongs` says which series of the answer are meant; if none is, all are."""

    query: str
    window: Window
    unit: str = ""
    threshold: Threshold | None = None
    belongs: Callable[[Series], bool] | None = None
    source: str = "Prometheus"

    async def draw(self, prometheus: Ranged, inquiry: Inquiry) -> Observation:
        """Ask and tell the course around the start of the alert."""
        window, series, warnings = await self._ask(prometheus, inquiry)
        chart = Chart(
            query=self.query,
            unit=self.unit,
            series=tuple(series[:MOST_SERIES]),
            threshold=self.threshold,
            start=window.start,
            end=window.end,
        )
        gaps = tuple(Gap(what=self.source, reason=Reason.BAD_ANSWER, message=text) for text in warnings)
        if not series:
            summary = f"no data between {window.start:%H:%M} and {window.end:%H:%M} UTC: no series has a value"
            return Observation(summary=summary, data=chart, empty=True, gaps=gaps)
        course = _Course(series, window, inquiry.started_at, self.unit)
        value = series[0].points[-1][1] if course.current(series[0]) else None
        return Observation(
            summary=course.summary(self.threshold),
            brief=course.brief,
            data=chart,
            facts=tuple(course.facts()),
            value=value,
            breached=self.threshold.holds(value) if self.threshold and value is not None else None,
            truncated=f"{len(series) - MOST_SERIES} more series" if len(series) > MOST_SERIES else "",
            gaps=gaps,
        )

    def reproduce(self, prometheus: Prometheus) -> tuple[Reproduction, ...]:
        """The same question as a command and as a graph."""
        start, end = (int(at.timestamp()) for at in (self.window.start, self.window.end))
        arguments = [f"--start={start}", f"--end={end}", f"--step={self.window.step.total_seconds():g}s"]
        hours = (self.window.end - self.window.start).total_seconds() / 3600
        return (
            Reproduction(command=shlex.join(["promtool", "query", "range", *arguments, prometheus.url, self.query])),
            Reproduction(link=prometheus.link(self.query, at=self.window.end, hours=hours)),
        )

    async def _ask(self, prometheus: Ranged, inquiry: Inquiry) -> tuple[Window, list[Series], tuple[str, ...]]:
        window = self.window
        answer = await prometheus.range(self.query, start=window.start, end=window.end, step=window.step)
        found = self._chosen(answer)
        closer = _closer(window, found, inquiry.started_at)
        if closer is not None:
            window = closer
            answer = await prometheus.range(self.query, start=window.start, end=window.end, step=window.step)
            found = self._chosen(answer)
        low = self.threshold is not None and self.threshold.operator.startswith("<")
        # what has ended comes last, then by the latest value
        latest = max((item.points[-1][0] for item in found), default=0.0)
        far = window.step.total_seconds() * 5
        found.sort(key=lambda item: item.points[-1][1] * (1 if low else -1))
        found.sort(key=lambda item: latest - item.points[-1][0] > far)
        return window, found, warnings_of(answer)

    def _chosen(self, series: Sequence[Series]) -> list[Series]:
        filled = [item for item in series if item.points]
        return [item for item in filled if self.belongs is None or self.belongs(item)] or filled


@dataclass(frozen=True)
class _Course:
    """Says how series went."""

    series: Sequence[Series]
    window: Window
    started_at: datetime
    unit: str

    def current(self, series: Series) -> bool:
        """Whether the series still has values at the end of the window."""
        return self.window.end.timestamp() - series.points[-1][0] <= max(300, self.window.step.total_seconds() * 3)

    @property
    def brief(self) -> str:
        """The latest value, and of several series whose it is."""
        first = self.series[0]
        text = shown(first.points[-1][1], self.unit)
        return f"{text} ({name_of(first)})" if len(self.series) > 1 else text

    def summary(self, threshold: Threshold | None) -> str:
        """One line: the latest value, how it was before, and on which side of the bound it is."""
        first = self.series[0]
        text = self._line(first)
        if len(self.series) > 1:
            text = f"{name_of(first)}: {text} ({len(self.series)} series)"
        if threshold is not None and self.current(first):
            bound = f"{threshold.operator} {shown(threshold.value, self.unit)}"
            text += f"; past {bound}" if threshold.holds(first.points[-1][1]) else f"; not {bound}"
        return text

    def facts(self) -> Iterator[str]:
        """Before, at and now of a single series; one line each of several."""
        if len(self.series) > 1:
            yield from (f"{name_of(item)}: {self._line(item)}" for item in self.series[:LISTED])
            return
        points, moment = self.series[0].points, self.started_at.timestamp()
        before = [value for at, value in points if at < moment]
        if before:
            yield f"before it began: {shown(statistics.median(before), self.unit)} (median)"
        if at_start := next((value for at, value in points if at >= moment), None):
            yield f"when it began, {self.started_at:%H:%M} UTC: {shown(at_start, self.unit)}"
        moved = shift(points, moment)
        if moved is not None and abs(moved.score) >= CLEAR_SHIFT:
            factor = f", {plain(round(moved.factor, 2))} × as much" if moved.factor and moved.factor > 0 else ""
            yield f"since then: {shown(moved.after, self.unit)} (median){factor}"

    def _line(self, series: Series) -> str:
        at, value = series.points[-1]
        if not self.current(series):
            return f"{shown(value, self.unit)} last, no data for {shown(self.window.end.timestamp() - at, 'seconds')}"
        now = f"{shown(value, self.unit)} now"
        moved = shift(series.points, self.started_at.timestamp())
        if moved is None or abs(moved.score) < CLEAR_SHIFT:
            return now
        return f"{now}, {shown(moved.before, self.unit)} before it began"


def _closer(window: Window, series: Sequence[Series], started_at: datetime) -> Window | None:
    """A narrower window where data begins late, so that a young series is not a dot at the edge.

    As much is kept before the alert's start as there is after it.
    """
    if not series:
        return None
    first = datetime.fromtimestamp(min(item.points[0][0] for item in series), window.end.tzinfo) - window.step
    start = min(first, started_at - (window.end - started_at))
    middle = window.start + (window.end - window.start) / 2
    return Window(start.replace(microsecond=0), window.end) if start > middle else None


def name_of(series: Series) -> str:
    """What tells a series apart from the others of its answer."""
    labels = {name: value for name, value in series.labels.items() if name != "__name__"}
    preferred = [labels[name] for name in _PREFERRED if name in labels]
    text = preferred[0] if preferred else ", ".join(f"{name}={value}" for name, value in labels.items()) or "value"
    return text if len(text) <= LONGEST_NAME else f"{text[: LONGEST_NAME - 1]}…"


def unit_of(query: str) -> str:
    """The unit that a plain metric's name tells by convention (prometheus.io/docs/practices/naming), or empty."""
    found = re.fullmatch(r"\s*([A-Za-z_:][A-Za-z0-9_:]*)\s*(?:\{.*\})?\s*", query, re.DOTALL)
    name = found[1] if found else ""
    for ending, unit in (("seconds", "seconds"), ("bytes", "bytes"), ("ratio", "ratio"), ("utilization", "ratio")):
        if re.search(rf"(?:^|[_:]){ending}(?:$|:(?!.*rate)|_[0-9]+[a-z]+$)", name):
            return unit
    return ""
