"""Draws one chart: `python -m responder.plot` reads a `Picture` as JSON and writes a PNG of 800×360 pixels."""

import io
import math
import sys
from collections.abc import Mapping
from datetime import UTC, datetime

import matplotlib as mpl
from matplotlib import dates
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from responder.model.evidence import Chart, Series
from responder.model.message import Picture
from responder.model.numbers import shown

SERIES = 6
LONGEST_NAME = 60
LONGEST_TITLE = 90
INCHES, DPI = (8.0, 3.6), 100
INK, SOFT, GRID, BOUND = "#1f2733", "#57606e", "#e3e7ec", "#b3261e"
_COLOURS = ("#0a5bd0", "#a8500a", "#0b7a5c", "#7a3fd1", "#9c2f6a", "#4a6572")
_DASHES = ("-", "--", ":", "-.", "--", "-")


def render(picture: Picture) -> bytes:
    """Series, threshold, and the start of the alert; times are UTC."""
    mpl.use("Agg")
    mpl.rcParams["text.parse_math"] = False
    chart = picture.chart
    figure, axes = plt.subplots(figsize=INCHES, dpi=DPI, layout="constrained")
    for number, series in enumerate(chart.series[:SERIES]):
        _line(axes, number, series)
    if chart.threshold is not None and math.isfinite(chart.threshold.value):
        _bound(axes, chart)
    if chart.start <= picture.started_at <= chart.end:
        axes.axvline(dates.date2num(picture.started_at), color=SOFT, linewidth=1.1)
    _dress(axes, chart)
    if any(series.labels for series in chart.series[:SERIES]):
        more = len(chart.series) - SERIES
        title = f"and {more} more" if more > 0 else None
        figure.legend(fontsize=8, frameon=False, loc="outside lower left", ncols=2, title=title, title_fontsize=8)
    figure.suptitle(_short(picture.title, LONGEST_TITLE), fontsize=11, x=0.01, ha="left", color=INK)
    out = io.BytesIO()
    figure.savefig(out, format="png", facecolor="white")
    plt.close(figure)
    return out.getvalue()


def _line(axes: Axes, number: int, series: Series) -> None:
    times = [dates.date2num(datetime.fromtimestamp(at, UTC)) for at, _ in series.points]
    values = [value if math.isfinite(value) else math.nan for _, value in series.points]
    axes.plot(
        times,
        values,
        color=_COLOURS[number],
        linestyle=_DASHES[number],
        linewidth=1.6,
        marker="." if len(times) == 1 else "",
        label=_name(series.labels),
    )


def _bound(axes: Axes, chart: Chart) -> None:
    assert chart.threshold is not None
    value = chart.threshold.value
    axes.axhline(value, color=BOUND, linewidth=1.1, linestyle=(0, (5, 4)))
    text = f"{chart.threshold.operator} {shown(value, chart.unit)}"
    axes.annotate(
        text, (1, value), xycoords=axes.get_yaxis_transform(), color=BOUND, fontsize=8, ha="right", va="bottom"
    )


def _dress(axes: Axes, chart: Chart) -> None:
    """Scales and grid."""
    axes.set_xlim(dates.date2num(chart.start), dates.date2num(chart.end))
    axes.xaxis.set_major_formatter(dates.DateFormatter("%H:%M", tz=UTC))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: shown(value, chart.unit)))
    axes.grid(color=GRID, linewidth=0.8)
    axes.tick_params(colors=SOFT, labelsize=8)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _name(labels: Mapping[str, str]) -> str:
    name = ", ".join(f"{key}={value}" for key, value in sorted(labels.items()) if key != "__name__")
    # an underscore at the beginning would hide the name from the legend
    return _short(name, LONGEST_NAME).lstrip("_") or "value"


def _short(text: str, most: int) -> str:
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return line if len(line) <= most else line[: most - 1] + "…"


if __name__ == "__main__":
    sys.stdout.buffer.write(render(Picture.model_validate_json(sys.stdin.buffer.read())))
