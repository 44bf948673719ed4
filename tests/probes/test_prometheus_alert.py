"""`prometheus.alert`: the alert's own expression, wherever it can be had without fetching a stranger's URL."""

from urllib.parse import urlencode

import pytest

from responder.model.alert import Alert
from responder.model.evidence import Chart, Observation, Threshold
from responder.probes.prometheus_alert import PrometheusAlert
from tests.fakes.prometheus import FakePrometheus
from tests.makers import alert
from tests.probes.prometheus import asking, course, inquiry


def firing(expression: str, url: str = "http://stranger.example/graph?", **labels: str) -> Alert:
    generator = url + urlencode({"g0.expr": expression, "g0.tab": "1"}) if expression else url
    return alert("Slow", **labels).model_copy(update={"generator_url": generator})


async def ask(prometheus: FakePrometheus, *alerts: Alert) -> Observation:
    return await PrometheusAlert().run(inquiry(*alerts), asking(prometheus))


async def test_the_expression_is_drawn_against_its_bound() -> None:
    prometheus = FakePrometheus(series=[course(lambda ago: 0.9)])
    seen = await ask(prometheus, firing("histogram_quantile(0.95, rate(x[5m])) > 0.5"))
    assert prometheus.asked[0][0] == "histogram_quantile(0.95, rate(x[5m]))"
    assert isinstance(seen.data, Chart)
    assert seen.data.threshold == Threshold(operator=">", value=0.5)
    assert (seen.value, seen.breached) == (0.9, True)


async def test_a_further_condition_is_told() -> None:
    seen = await ask(FakePrometheus(series=[course(lambda ago: 1.0)]), firing("a > 0.5 and b > 3"))
    assert any("and b > 3" in fact for fact in seen.facts)


async def test_of_its_series_those_of_the_alerts_are_shown() -> None:
    series = [course(lambda ago: 1.0, pod=pod, namespace="shop") for pod in ("a", "b", "c")]
    alerts = [firing("x > 0.5", pod=pod, namespace="shop", severity="page") for pod in ("a", "c")]
    seen = await ask(FakePrometheus(series=series), *alerts)
    assert isinstance(seen.data, Chart)
    assert [item.labels["pod"] for item in seen.data.series] == ["a", "c"]


async def test_where_no_series_has_the_labels_of_the_alert_all_are_shown() -> None:
    seen = await ask(FakePrometheus(series=[course(lambda ago: 1.0, pod="b")]), firing("x > 0.5", pod="a"))
    assert isinstance(seen.data, Chart)
    assert len(seen.data.series) == 1


@pytest.mark.parametrize(
    "url", ["", "http://vmalert/alert?group_id=1", "http://[broken", "http://g/?g0.expr=", "x" * 100_000]
)
async def test_without_an_expression_in_the_url_the_rule_of_that_name_is_taken(url: str) -> None:
    rules = [
        {"name": "Slow", "query": "x > 9", "labels": {"severity": "critical"}},
        {"name": "Slow", "query": "x > 5", "labels": {"severity": "warning", "team": "{{ $labels.team }}"}},
        {"name": "Other", "query": "y > 1"},
    ]
    prometheus = FakePrometheus(alerting=rules, series=[course(lambda ago: 7.0)])
    seen = await ask(prometheus, firing("", url=url, severity="warning", team="a"))
    assert isinstance(seen.data, Chart)
    assert (seen.data.query, seen.breached) == ("x", True)


async def test_an_alert_without_any_expression_says_so_and_draws_nothing() -> None:
    prometheus = FakePrometheus()
    seen = await ask(prometheus, firing("", url=""))
    assert seen.empty
    assert "no expression" in seen.summary
    assert prometheus.asked == ["rules"]


async def test_an_expression_that_is_too_long_is_not_asked() -> None:
    prometheus = FakePrometheus()
    await ask(prometheus, firing("a" * 20_000 + " > 1"))
    assert prometheus.asked == ["rules"]


async def test_the_stranger_of_the_url_is_not_in_the_link() -> None:
    reproductions = PrometheusAlert().reproduce(inquiry(firing("a > 1")), asking(FakePrometheus()))
    assert len(reproductions) == 2
    assert not any("stranger" in item.command + item.link for item in reproductions)
    assert not PrometheusAlert().reproduce(inquiry(firing("", url="")), asking(FakePrometheus()))
