"""`prometheus.range`: how it was before, when it began, and now."""

import random
import shlex
from datetime import timedelta

import pytest

from responder.model.evidence import Chart, Observation, Series
from responder.probes.prometheus_range import PrometheusRange
from tests.fakes.prometheus import FakePrometheus
from tests.makers import NOW
from tests.probes.prometheus import STARTED, asking, course, inquiry


async def ask(*series: Series, **options: object) -> Observation:
    probe = PrometheusRange.model_validate({"query": "x", **options})
    return await probe.run(inquiry(), asking(FakePrometheus(series=series)))


def chart_of(seen: Observation) -> Chart:
    assert isinstance(seen.data, Chart)
    return seen.data


async def test_a_value_that_jumped_when_the_alert_began_is_told_with_what_it_was() -> None:
    chance = random.Random(1)
    seen = await ask(
        course(lambda ago: (2.0 if ago <= 5 else 0.1) * chance.uniform(0.95, 1.05)), unit="seconds", threshold="> 0.5"
    )
    assert seen.breached is True
    assert "now, 100 ms before it began; past > 500 ms" in seen.summary.replace("99 ms", "100 ms").replace(
        "101 ms", "100 ms"
    )
    before, began, since = seen.facts
    assert "before it began: " in before
    assert "when it began, 02:55 UTC" in began
    assert "× as much" in since


async def test_a_quiet_value_is_not_called_a_change() -> None:
    chance = random.Random(2)
    seen = await ask(course(lambda ago: chance.uniform(90, 110)), threshold="> 500")
    assert "before it began" not in seen.summary
    assert not any("since then" in fact for fact in seen.facts)
    assert seen.breached is False


async def test_no_series_is_no_data_with_the_time_it_was_looked_for() -> None:
    seen = await ask(threshold="> 1")
    assert (seen.empty, seen.value, seen.breached) == (True, None, None)
    assert "no data between 01:55 and 03:00 UTC" in seen.summary


async def test_a_series_of_zeros_is_data() -> None:
    seen = await ask(course(lambda ago: 0.0), threshold="> 1")
    assert (seen.empty, seen.value, seen.breached) == (False, 0, False)


async def test_a_series_that_ended_has_no_latest_value() -> None:
    seen = await ask(course(lambda ago: 9.0, until=20), threshold="> 1")
    assert (seen.value, seen.breached, seen.empty) == (None, None, False)
    assert "no data for 20 min" in seen.summary


async def test_series_that_ended_come_after_those_that_go_on() -> None:
    seen = await ask(course(lambda ago: 99.0, until=30, pod="old"), course(lambda ago: 1.0, pod="new"))
    assert seen.value == 1
    assert [item.labels["pod"] for item in chart_of(seen).series] == ["new", "old"]


@pytest.mark.parametrize(("threshold", "first"), [("> 1", "b"), ("< 1", "a")])
async def test_of_several_series_the_worst_comes_first(threshold: str, first: str) -> None:
    seen = await ask(course(lambda ago: 1.0, pod="a"), course(lambda ago: 2.0, pod="b"), threshold=threshold)
    assert chart_of(seen).series[0].labels["pod"] == first
    assert next(fact.partition(":")[0] for fact in seen.facts) == first


async def test_too_many_series_are_cut_and_it_says_so() -> None:
    seen = await ask(*(course(lambda ago: 1.0, pod=f"p{i}") for i in range(25)))
    assert len(chart_of(seen).series) == 20
    assert seen.truncated == "5 more series"


@pytest.mark.parametrize("hours", [0.01, 0.5, 1, 6, 23, 24 * 30])
async def test_there_are_never_more_points_than_a_picture_needs(hours: float) -> None:
    prometheus = FakePrometheus()
    await PrometheusRange(query="x", before=timedelta(hours=hours)).run(inquiry(), asking(prometheus))
    ((_, start, end, step),) = prometheus.asked
    assert (end - start) / step <= 250
    assert timedelta(minutes=5) <= end - start <= timedelta(days=1)


async def test_the_window_can_end_before_now() -> None:
    prometheus = FakePrometheus()
    probe = PrometheusRange(query="x", before=timedelta(minutes=30), after=timedelta(minutes=1))
    await probe.run(inquiry(), asking(prometheus))
    ((_, start, end, _step),) = prometheus.asked
    assert (start, end) == (STARTED - timedelta(minutes=30), STARTED + timedelta(minutes=1))


async def test_a_young_series_is_looked_at_more_closely() -> None:
    prometheus = FakePrometheus(series=[course(lambda ago: ago, since=7)])
    seen = await PrometheusRange(query="x").run(inquiry(), asking(prometheus))
    assert len(prometheus.asked) == 2
    assert NOW - chart_of(seen).start <= timedelta(minutes=10)
    assert chart_of(seen).start <= STARTED - (NOW - STARTED)


async def test_the_command_asks_the_same() -> None:
    prometheus = FakePrometheus()
    probe = PrometheusRange(query="x{a='b c'}")
    command, link = probe.reproduce(inquiry(), asking(prometheus))
    words = shlex.split(command.command)
    assert words[:3] == ["promtool", "query", "range"]
    assert words[-1] == "x{a='b c'}"
    assert f"--end={int(NOW.timestamp())}" in words
    assert link.link
