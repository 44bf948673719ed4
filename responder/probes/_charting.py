"""What `prometheus.range` and `prometheus.alert` share: the window, the chart and what to say of it."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from responder.clients import Prometheus
from responder.model.evidence import Chart, Observation, Series, Threshold
from responder.model.numbers import shown
from responder.model.shift import shift
from responder.probes import Inquiry

MOST_POINTS = 250
MOST_SERIES = 20
LISTED = 6


async def draw(
    prometheus: Prometheus,
    inquiry: Inquiry,
    query: str,
    *,
    before: timedelta,
    unit: str = "",
    threshold: Threshold | None = None,
) -> Observation:
    """The expression from some time before the start until now."""
    start, end = window(inquiry, before)
    step = step_of(end - start)
    series = await prometheus.range(query, start=start, end=end, step=step)
    series = [item for item in series if item.points]
    low = threshold is not None and threshold.operator.startswith("<")
    series.sort(key=lambda item: item.points[-1][1], reverse=not low)
    chart = Chart(query=query, unit=unit, series=tuple(series[:MOST_SERIES]), threshold=threshold, start=start, end=end)
    if not series:
        return Observation(summary=f"no data between {start:%H:%M} and {end:%H:%M} UTC", data=chart, empty=True)
    value = series[0].points[-1][1]
    more = len(series) - MOST_SERIES
    return Observation(
        summary=_summary(series, inquiry.started_at, unit, threshold),
        data=chart,
        facts=tuple(_fact(item, inquiry.started_at, unit) for item in series[:LISTED]) if len(series) > 1 else (),
        value=value,
        breached=threshold.holds(value) if threshold else None,
        truncated=f"{more} more series" if more > 0 else "",
    )


def window(inquiry: Inquiry, before: timedelta) -> tuple[datetime, datetime]:
    """From some time before the alert's start until now, at most a day."""
    start = max(inquiry.started_at - before, inquiry.now - timedelta(days=1))
    return min(start, inquiry.now - timedelta(minutes=5)), inquiry.now


def step_of(span: timedelta) -> timedelta:
    """A round step that gives at most MOST_POINTS points."""
    seconds = span.total_seconds() / MOST_POINTS
    for step in (5, 10, 15, 30, 60, 120, 300, 600):
        if seconds <= step:
            return timedelta(seconds=step)
    return timedelta(seconds=1800)


def _summary(series: Sequence[Series], started_at: datetime, unit: str, threshold: Threshold | None) -> str:
    first = series[0]
    text = _course(first, started_at, unit)
    if len(series) > 1:
        text = f"{name_of(first)}: {text} ({len(series)} series)"
    if threshold is not None:
        bound = f"{threshold.operator} {shown(threshold.value, unit)}"
        past = threshold.holds(first.points[-1][1])
        text += f"; past {bound}" if past else f"; not {bound}"
    return text


def _course(series: Series, started_at: datetime, unit: str) -> str:
    now = shown(series.points[-1][1], unit)
    moved = shift(series.points, started_at.timestamp())
    if moved is None or abs(moved.score) < 3:
        return f"{now} now"
    return f"{now} now, {shown(moved.before, unit)} before it began"


def _fact(series: Series, started_at: datetime, unit: str) -> str:
    return f"{name_of(series)}: {_course(series, started_at, unit)}"


def name_of(series: Series) -> str:
    """What tells a series apart from the others of its answer."""
    labels = {name: value for name, value in series.labels.items() if name != "__name__"}
    preferred = [labels[name] for name in ("pod", "deployment", "node", "instance") if name in labels]
    return preferred[0] if preferred else ", ".join(f"{name}={value}" for name, value in labels.items()) or "value"
