"""`prometheus.query`: nothing, zero and not-a-number are different answers."""

import math
import shlex

import pytest
from pydantic import ValidationError

from responder.clients import Answer
from responder.errors import Permanent
from responder.model.evidence import Observation, Sample, Samples
from responder.probes.prometheus_query import PrometheusQuery
from tests.fakes.prometheus import FakePrometheus
from tests.makers import NOW
from tests.probes.prometheus import asking, inquiry


def sample(value: float, **labels: str) -> Sample:
    return Sample(labels=labels, value=value)


async def ask(*samples: Sample, warnings: tuple[str, ...] = (), **options: str) -> Observation:
    probe = PrometheusQuery(**{"query": "x", **options})
    return await probe.run(inquiry(), asking(FakePrometheus(samples=Answer(samples, warnings))))


async def test_no_data_is_not_zero() -> None:
    nothing, zero = await ask(threshold="> 5"), await ask(sample(0), threshold="> 5")
    assert (nothing.empty, nothing.value, nothing.breached) == (True, None, None)
    assert (zero.empty, zero.value, zero.breached) == (False, 0, False)
    assert "no data" in nothing.summary


async def test_nothing_to_divide_by_is_no_data_and_says_so() -> None:
    seen = await ask(sample(math.nan))
    assert seen.empty
    assert "NaN" in seen.summary


async def test_an_infinite_value_is_past_a_bound_but_never_stored_as_a_number() -> None:
    seen = await ask(sample(math.inf), threshold="> 5")
    assert (seen.value, seen.breached, seen.empty) == (None, True, False)
    assert isinstance(seen.data, Samples)
    assert not seen.data.samples


@pytest.mark.parametrize(("threshold", "value", "breached"), [("> 5", 9, True), ("< 5", 1, True), ("", 9, None)])
async def test_of_several_series_the_worst_counts(threshold: str, value: float, breached: bool | None) -> None:
    seen = await ask(sample(1, pod="a"), sample(9, pod="b"), sample(7, pod="c"), threshold=threshold)
    assert (seen.value, seen.breached) == (value, breached)
    assert len(seen.facts) == 3
    assert "3 series" in seen.summary


async def test_numbers_are_told_with_their_unit() -> None:
    assert (await ask(sample(0.25), unit="ratio", threshold="> 0.5")).summary == "25 %, not > 50 %"
    assert (await ask(sample(0.91), query="namespace:postgres_connections:utilization{a=`b`}")).summary == "91 %"


async def test_many_series_are_cut_and_it_says_so() -> None:
    seen = await ask(*(sample(i, pod=f"p{i}") for i in range(700)))
    assert seen.truncated == "200 more series"
    assert isinstance(seen.data, Samples)
    assert len(seen.data.samples) == 500


async def test_what_prometheus_warns_of_is_a_gap() -> None:
    seen = await ask(sample(1), warnings=("store b did not answer",))
    assert [gap.message for gap in seen.gaps] == ["store b did not answer"]


async def test_the_command_survives_a_shell() -> None:
    query = "up{a='$(rm -rf /)'} > 1; `x` \"y\""
    probe = PrometheusQuery(query=query)
    command, link = probe.reproduce(inquiry(), asking(FakePrometheus()))
    assert shlex.split(command.command)[-2:] == ["http://prometheus:9090", query]
    assert link.link


async def test_the_same_second_is_the_same_question() -> None:
    prometheus = FakePrometheus()
    await PrometheusQuery(query="x").run(inquiry(), asking(prometheus))
    assert prometheus.asked == [("x", NOW.replace(microsecond=0))]


def test_a_threshold_that_is_none_is_refused_at_once() -> None:
    with pytest.raises(ValidationError, match="not a threshold"):
        PrometheusQuery(query="x", threshold="more than 5")


async def test_without_prometheus_the_setting_to_set_is_named() -> None:
    with pytest.raises(Permanent, match=r"prometheus\.url"):
        await PrometheusQuery(query="x").run(inquiry(), asking(None))
