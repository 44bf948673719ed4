"""A chart as SVG, for the page and for sinks: one quiet picture of series, threshold, start and changes.

The text keeps its size at any width: lines are drawn in a nested, stretched coordinate system, texts are placed
in percent of the width. No scripts, no ids, no inline styles: it may stand in a page several times and under a
strict content security policy, with `STYLE` in the page's own style sheet. Times are UTC.
"""

import itertools
import math
import statistics
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Literal

from jinja2 import Environment, StrictUndefined, Template

from responder.model.evidence import Chart, Series, Threshold
from responder.model.numbers import shown

SERIES = 6
CHANGES = 4
PLOT = 170
TOP = 22
AXIS = 22
ROW = 20
SCALE = 1000
LONGEST_NAME = 46
SMALLEST, LARGEST = 1e-100, 1e100
LONGEST_TITLE = 300
LINES_A_CHANGE = 2

Anchor = Literal["start", "middle", "end"]
_STEPS = (60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)

STYLE = (Path(__file__).parent / "charts.css").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Mark:
    """A moment worth a line: a rollout, a restart."""

    at: datetime
    text: str


@dataclass(frozen=True)
class _Text:
    """A label; `x` in percent of the width, `y` in pixels."""

    x: float
    y: float
    text: str
    anchor: Anchor = "start"


@dataclass(frozen=True)
class _Line:
    number: int
    path: str
    name: str
    value: str


@dataclass(frozen=True)
class _Moment:
    x: float
    label: _Text


@dataclass(frozen=True)
class _Bound:
    """A threshold: the line and the band beyond it, in the plot's own units."""

    line: float
    band_top: float
    band_height: float
    label: _Text


@dataclass(frozen=True)
class _Row:
    """A line of text under the plot; `mark` says whether it begins with the sign of a change."""

    text: str
    mark: bool


def svg(
    chart: Chart,
    *,
    started_at: datetime | None = None,
    changes: Sequence[Mark] = (),
    title: str = "",
    style: bool = True,
) -> str:
    """The picture, as wide as its place and of a height that only the number of rows decides.

    `style` False leaves out the style sheet, for a page that brings `STYLE` itself.
    """
    chart = _drawable(chart)
    area = _Area.of(chart)
    lines = [area.line(number, series) for number, series in enumerate(chart.series[:SERIES])]
    seen = sorted((c for c in changes if chart.start <= c.at <= chart.end), key=lambda c: c.at)[-CHANGES:]
    legend = lines if len(lines) > 1 else []
    rows = list(_rows(seen, len(chart.series) - len(lines)))
    bound = area.bound(chart.threshold) if chart.threshold else None
    return (
        _template()
        .render(
            chart=chart,
            title=_shortened(title or chart.query, LONGEST_TITLE),
            description=_description(chart, lines, started_at),
            style=STYLE if style else "",
            top=TOP,
            plot=PLOT,
            scale=SCALE,
            axis=TOP + PLOT + AXIS,
            height=TOP + PLOT + AXIS + ROW * (len(legend) + len(rows)),
            row=ROW,
            lines=lines,
            legend=legend,
            rows=rows,
            grid=[area.height(value) for value in area.ticks],
            values=list(area.values(bound)) if lines else [],
            times=list(area.times()),
            bound=bound,
            start=area.moment(started_at) if started_at else None,
            changes=[area.percent(change.at.timestamp()) for change in seen],
            nothing=f"no data between {chart.start:%H:%M} and {chart.end:%H:%M} UTC",
        )
        .strip()
    )


@dataclass(frozen=True)
class _Area:
    """Maps time and value to places in the picture."""

    start: float
    end: float
    ticks: tuple[float, ...]
    unit: str

    @classmethod
    def of(cls, chart: Chart) -> "_Area":
        values = [value for series in chart.series[:SERIES] for _, value in series.points]
        if chart.threshold is not None:
            values.append(chart.threshold.value)
        start, end = chart.start.timestamp(), chart.end.timestamp()
        return cls(start, max(end, start + 1), _ticks(values or [0.0], chart.unit), chart.unit)

    def percent(self, at: float) -> float:
        """Where a time is, in percent of the width."""
        return round(100 * (at - self.start) / (self.end - self.start), 2)

    def height(self, value: float) -> float:
        """Where a value is, in the plot's own units from its top."""
        low, high = self.ticks[0], self.ticks[-1]
        return round(SCALE * (1 - (value - low) / (high - low)), 1)

    def pixel(self, value: float) -> float:
        """Where a value is, in pixels from the top of the picture."""
        return round(TOP + PLOT * self.height(value) / SCALE, 1)

    def line(self, number: int, series: Series) -> _Line:
        """A path that breaks where points are missing."""
        points = [(at, v) for at, v in series.points if self.start <= at <= self.end]
        gap = 2.5 * _spacing(points)
        parts: list[str] = []
        before = -math.inf
        for at, value in points:
            place = f"{self.percent(at) * SCALE / 100:g},{self.height(value):g}"
            parts.append(f"L{place}" if at - before <= gap else f"M{place}h0")
            before = at
        last = shown(points[-1][1], self.unit) if points else "no data"
        return _Line(number, "".join(parts), _shortened(name_of(series), LONGEST_NAME), last)

    def values(self, bound: _Bound | None) -> Iterator[_Text]:
        """Labels of the value axis: the lowest in the row of the times, the others on their lines."""
        yield _Text(0, TOP + PLOT + 15, shown(self.ticks[0], self.unit))
        for value in self.ticks[1:]:
            y = self.pixel(value) - 4
            if bound is None or abs(y - bound.label.y) >= 14:
                yield _Text(0, y, shown(value, self.unit))

    def times(self) -> Iterator[_Text]:
        """Labels of the time axis."""
        step = next((step for step in _STEPS if (self.end - self.start) / step <= 5), _STEPS[-1])
        at = math.ceil(self.start / step) * step
        pattern = "%H:%M" if step < 86400 else "%d %b"
        while at <= self.end:
            if (x := self.percent(at)) >= 16:
                yield _Text(x, TOP + PLOT + 15, f"{datetime.fromtimestamp(at, UTC):{pattern}}", _anchor(x))
            at += step

    def bound(self, threshold: Threshold) -> _Bound:
        """The line, the band beyond it, and the label inside of the band."""
        line, y = self.height(threshold.value), self.pixel(threshold.value)
        text = f"{threshold.operator} {shown(threshold.value, self.unit)}"
        match threshold.operator[0]:
            case ">":
                return _Bound(line, 0, line, _Text(0, y - 4, text))
            case "<":
                return _Bound(line, line, SCALE - line, _Text(0, y + 13, text))
            case _:
                return _Bound(line, line, 0, _Text(0, y - 4, text))

    def moment(self, started_at: datetime) -> _Moment | None:
        """The line where the trouble began; None where the chart does not reach that far."""
        x = self.percent(started_at.timestamp())
        if not 0 <= x <= 100:
            return None
        text = f"began {started_at.astimezone(UTC):%H:%M} UTC"
        return _Moment(x, _Text(x, 13, text, _anchor(x, wide=True)))


def name_of(series: Series) -> str:
    """What tells a series apart from the others of its answer."""
    labels = {name: value for name, value in series.labels.items() if name != "__name__"}
    preferred = [labels[name] for name in ("pod", "deployment", "node", "instance") if name in labels]
    return preferred[0] if preferred else ", ".join(f"{name}={value}" for name, value in labels.items()) or "value"


def _rows(changes: Sequence[Mark], more: int) -> Iterator[_Row]:
    if more > 0:
        yield _Row(f"and {more} more", mark=False)
    for change in changes:
        text = _shortened(f"{change.at.astimezone(UTC):%H:%M} {change.text}", LINES_A_CHANGE * LONGEST_NAME - 8)
        for number, line in enumerate(textwrap.wrap(text, LONGEST_NAME)[:LINES_A_CHANGE]):
            yield _Row(line, mark=number == 0)


def _ticks(values: Sequence[float], unit: str) -> tuple[float, ...]:
    """Three to six round values that span the given ones, zero included where it is near."""
    low, high = min(values), max(values)
    if 0 < low <= high * 0.6:
        low = 0.0
    if low == high:
        low, high = (0.0, high * 2) if high > 0 else (low * 2, 0.0) if low < 0 else (0.0, 1.0)
    step = _step((high - low) / 4, 1024 if unit == "bytes" else 10)
    first = math.floor(low / step + 1e-9)
    last = max(math.ceil(high / step - 1e-9), first + 1)
    return tuple(float(f"{number * step:.12g}") for number in range(first, last + 1))


def _step(least: float, base: int) -> float:
    """The next round number: 1, 2 or 5 times a power of ten; for bytes a power of two."""
    if base == 1024:
        return 2.0 ** max(0, math.ceil(math.log2(least)))
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * (1 - 1e-9))


def _spacing(points: Sequence[tuple[float, float]]) -> float:
    """The usual time between two points."""
    apart = [after[0] - before[0] for before, after in itertools.pairwise(points)]
    return statistics.median(apart) if apart else 0.0


def _anchor(x: float, *, wide: bool = False) -> Anchor:
    margin = 18 if wide else 6
    return "start" if x < margin else "end" if x > 100 - margin else "middle"


def _drawable(chart: Chart) -> Chart:
    """The chart without the numbers that have no place in a picture, such as those of a division by zero."""
    series = (
        one.model_copy(update={"points": tuple((at, value) for at, value in one.points if _has_place(value))})
        for one in chart.series
    )
    threshold = chart.threshold if chart.threshold and _has_place(chart.threshold.value) else None
    return chart.model_copy(update={"series": tuple(series), "threshold": threshold, "unit": _printable(chart.unit)})


def _has_place(value: float) -> bool:
    return value == 0 or SMALLEST < abs(value) < LARGEST


def _printable(text: str) -> str:
    """Without control characters, most of which XML cannot hold at all."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _shortened(text: str, most: int) -> str:
    text = " ".join(_printable(text).split())
    return text if len(text) <= most else f"{text[: most // 2]}…{text[-(most // 2 - 1) :]}"


def _description(chart: Chart, lines: Sequence[_Line], started_at: datetime | None) -> str:
    """What the picture shows, for those who do not see it."""
    if not lines:
        return "no data"
    parts = [f"{line.name}: {line.value}" for line in lines]
    if chart.threshold:
        parts.append(f"threshold {chart.threshold.operator} {shown(chart.threshold.value, chart.unit)}")
    if started_at:
        parts.append(f"the trouble began {started_at.astimezone(UTC):%H:%M} UTC")
    return _printable("; ".join(parts))


@cache
def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string((Path(__file__).parent / "charts.svg.jinja").read_text(encoding="utf-8"))
