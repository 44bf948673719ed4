"""Charts: well-formed, harmless, the same every time, and telling what they should."""

import re
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from responder.charts import STYLE, Mark, svg
from responder.model.evidence import Chart, Series, Threshold

END = datetime(2026, 3, 4, 3, 0, tzinfo=UTC)
START = END - timedelta(hours=1)
NAMESPACE = "{http://www.w3.org/2000/svg}"


def series(*values: float, step: float = 60, **labels: str) -> Series:
    return Series(labels=labels, points=tuple((START.timestamp() + i * step, v) for i, v in enumerate(values)))


def chart(*found: Series, threshold: str = "", **fields: str) -> Chart:
    bound = Threshold.parse(threshold) if threshold else None
    return Chart(**{"query": "x", **fields}, series=found, threshold=bound, start=START, end=END)


def texts(picture: str) -> list[str]:
    return [item.text or "" for item in ET.fromstring(picture).iter(f"{NAMESPACE}text")]


def paths(picture: str) -> list[str]:
    found = ET.fromstring(picture).iter(f"{NAMESPACE}path")
    return [item.get("d", "") for item in found if "series" in item.get("class", "")]


def test_it_shows_threshold_start_and_changes() -> None:
    picture = svg(
        chart(series(1, 2, 3), threshold="> 2", unit="requests/s"),
        started_at=END - timedelta(minutes=10),
        changes=[Mark(END - timedelta(minutes=20), "Deployment web: revision 4")],
    )
    assert {"> 2 requests/s", "began 02:50 UTC", "02:40 Deployment web: revision 4"} <= set(texts(picture))


def test_the_same_chart_is_the_same_picture() -> None:
    given_chart = chart(series(1, 2, 3, pod="a"), series(3, 2, 1, pod="b"))
    assert svg(given_chart) == svg(given_chart)


def test_labels_from_strangers_stay_text() -> None:
    evil = "</text><script>alert(1)</script>\"'&\x00\x1b"
    picture = svg(
        chart(series(1, 2, pod=evil), series(1, 2, pod="b"), query=evil, unit=evil),
        changes=[Mark(END, evil)],
        title=evil,
    )
    assert not list(ET.fromstring(picture).iter(f"{NAMESPACE}script"))
    assert "<script" not in picture


def test_it_needs_no_script_no_id_and_no_inline_style() -> None:
    picture = svg(chart(series(1, 2)), style=False)
    assert not re.search(r"<script|<style|\s(?:id|style|on\w+|href)=", picture)
    assert STYLE in svg(chart(series(1, 2)))


def test_both_colour_schemes_are_there() -> None:
    assert "prefers-color-scheme: dark" in STYLE
    used = set(re.findall(r"var\((--chart-[a-z0-9]+)\)", STYLE))
    light, dark = STYLE.split("@media")[0], STYLE.split("@media")[1].split("}")[0]
    assert all(f"{name}:" in light and f"{name}:" in dark for name in used)


def test_more_series_than_can_be_told_apart_are_counted() -> None:
    picture = svg(chart(*(series(i, i, pod=f"p{i}") for i in range(9))))
    assert len(paths(picture)) == 6
    assert "and 3 more" in texts(picture)


def test_a_gap_in_the_data_is_a_gap_in_the_line() -> None:
    points = [(START.timestamp() + at * 60, 1.0) for at in range(60) if not 20 < at < 30]
    (path,) = paths(svg(chart(Series(labels={}, points=tuple(points)))))
    assert path.count("M") == 2


def test_a_single_point_is_a_dot() -> None:
    (path,) = paths(svg(chart(series(5))))
    assert path.endswith("h0")


def test_no_data_is_said_in_the_picture() -> None:
    picture = svg(chart())
    assert "no data between 02:00 and 03:00 UTC" in texts(picture)
    assert not paths(picture)


def test_the_height_depends_on_the_rows_alone() -> None:
    def height(picture: str) -> int:
        return int(ET.fromstring(picture).get("height", ""))

    assert height(svg(chart())) == height(svg(chart(series(1, 2), threshold="> 1"), started_at=END))
    assert height(svg(chart(series(1, pod="a"), series(2, pod="b")))) == height(svg(chart(series(1)))) + 40


@pytest.mark.parametrize("minutes", [-120, 30])
def test_a_start_outside_of_the_window_is_not_marked(minutes: int) -> None:
    assert not any(
        "began" in text for text in texts(svg(chart(series(1)), started_at=END + timedelta(minutes=minutes)))
    )


@pytest.mark.parametrize(
    ("values", "unit", "expected"),
    [
        ((0.1, 1.9), "seconds", ["0 ms", "500 ms", "1 s", "1.5 s", "2 s"]),
        ((0.2, 0.99), "ratio", ["0 %", "50 %", "100 %"]),
        ((100 * 2**20, 500 * 2**20), "bytes", ["0 B", "128 MiB", "256 MiB", "384 MiB", "512 MiB"]),
        ((0.96, 0.99), "", ["0.96", "0.97", "0.98", "0.99"]),
        ((7, 7), "", ["0", "5", "10", "15"]),
        ((0, 0), "", ["0", "0.5", "1"]),
        ((-5, 5), "", ["-5", "0", "5"]),
    ],
)
def test_the_axis_has_round_numbers(values: tuple[float, ...], unit: str, expected: list[str]) -> None:
    shown = [text for text in texts(svg(chart(series(*values), unit=unit))) if not re.fullmatch(r"\d\d:\d\d", text)]
    assert sorted(shown) == sorted(expected)


numbers = st.floats(allow_nan=True, allow_infinity=True)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.lists(st.tuples(st.floats(-7200, 7200), numbers), max_size=6), max_size=8),
    st.none() | st.tuples(st.sampled_from([">", "<", "==", ">=", "!="]), st.floats(allow_nan=False)),
    st.sampled_from(["", "bytes", "seconds", "ratio", "percent", "things"]),
    st.text(max_size=80),
)
def test_whatever_is_given_is_a_well_formed_picture(
    found: list[list[tuple[float, float]]], bound: tuple[str, float] | None, unit: str, text: str
) -> None:
    lines = [
        Series(labels={"a": text}, points=tuple(sorted((START.timestamp() + at, v) for at, v in points)))
        for points in found
    ]
    threshold = Threshold(operator=bound[0], value=bound[1]) if bound else None
    given_chart = Chart(query=text, unit=unit, series=tuple(lines), threshold=threshold, start=START, end=END)
    picture = svg(given_chart, started_at=START, changes=[Mark(START, text)], title=text)
    ET.fromstring(picture)
    assert "nan" not in "".join(paths(picture))
    assert "inf" not in "".join(paths(picture))
