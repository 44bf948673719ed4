"""Which sinks are told of what, and when."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from responder.errors import ConfigError
from responder.flow.routing import Routing, labels_of, opens
from responder.model.incident import Severity
from responder.model.report import Report
from responder.settings import DAYS, Hours, Route
from tests.makers import NOW
from tests.sinks.reports import announced, diagnosed, tracked

SINKS = ("chat", "pager", "mail")


def route(*sinks: str, **fields: Any) -> Route:
    return Route.model_validate({"sinks": sinks, **fields})


def told(routing: Routing, report: Report) -> list[str]:
    return [sink for sink in SINKS if routing.told(report, sink, NOW) == NOW]


def of_team(team: str, severity: Severity = Severity.P1) -> Report:
    alert = tracked().model_copy(update={"labels": {"alertname": "Down", "team": team}})
    return announced(alerts=(alert,), severity=severity)


def test_without_routes_everybody_is_told_everything() -> None:
    assert told(Routing([], SINKS), announced()) == ["chat", "pager", "mail"]


def test_the_first_route_that_fits_is_taken() -> None:
    routing = Routing([route("pager", match=['team="pay"']), route("chat", match=['team=~"pay|shop"'])], SINKS)
    assert told(routing, of_team("pay")) == ["pager"]
    assert told(routing, of_team("shop")) == ["chat"]
    assert told(routing, of_team("other")) == []


def test_a_route_that_continues_lets_the_next_ones_be_looked_at() -> None:
    routing = Routing([route("pager", severity=["P0", "P1"], **{"continue": True}), route("chat")], SINKS)
    assert told(routing, of_team("pay")) == ["chat", "pager"]
    assert told(routing, of_team("pay", Severity.P3)) == ["chat"]


def test_a_route_by_namespace_means_that_of_the_broken_thing() -> None:
    scraped = {"alertname": "Down", "job": "kube-state-metrics", "namespace": "monitoring"}

    def behind(*namespaces: str) -> Report:
        alerts = (scraped | {"exported_namespace": namespace} for namespace in namespaces)
        return announced(
            alerts=tuple(
                tracked(number=number).model_copy(update={"labels": labels}) for number, labels in enumerate(alerts)
            )
        )

    routing = Routing([route("pager", match=['namespace="shop"']), route("mail", match=['namespace=""'])], SINKS)
    assert told(routing, behind("shop", "shop")) == ["pager"]
    assert told(routing, behind("shop", "billing")) == ["mail"]


def test_labels_that_not_all_alerts_share_do_not_count() -> None:
    mixed = announced(
        alerts=tuple(
            tracked(number=number).model_copy(update={"labels": {"alertname": "Down", "team": team}})
            for number, team in enumerate(("pay", "shop"))
        )
    )
    assert labels_of(mixed) == {"alertname": "Down", "responder_runbook": "pod-crash-loop", "responder_cause": ""}
    assert told(Routing([route("pager", match=['team="pay"']), route("chat")], SINKS), mixed) == ["chat"]


def test_the_cause_can_be_matched_once_it_is_known() -> None:
    routing = Routing([route("mail", match=['responder_cause="memory-limit-reached"']), route("chat")], SINKS)
    assert told(routing, announced()) == ["chat"]
    assert told(routing, diagnosed()) == ["mail"]


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"sinks": ["chatt"]}, "did you mean 'chat'"),
        ({"sinks": ["chat"], "match": ["team=~'('"]}, "routes\\[0\\]"),
    ],
)
def test_a_bad_route_is_named(bad: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Routing([Route.model_validate(bad)], SINKS)


def hours(since: str, until: str, *days: str, zone: str = "UTC") -> Hours:
    return Hours.model_validate({"from": since, "to": until, "days": days or DAYS, "zone": zone})


@pytest.mark.parametrize(
    ("when", "at", "opened"),
    [
        (hours("08:00", "18:00", "mon", "tue", "wed", "thu", "fri"), "2026-03-04T03:00", "2026-03-04T08:00"),
        (hours("08:00", "18:00", "mon", "tue", "wed", "thu", "fri"), "2026-03-04T12:00", "2026-03-04T12:00"),
        (hours("08:00", "18:00", "mon", "tue", "wed", "thu", "fri"), "2026-03-06T19:00", "2026-03-09T08:00"),
        (hours("22:00", "06:00", "sat"), "2026-03-08T05:59", "2026-03-08T05:59"),
        (hours("22:00", "06:00", "sat"), "2026-03-08T06:00", "2026-03-14T22:00"),
        (hours("09:00", "17:00", zone="Asia/Tokyo"), "2026-03-04T12:00", "2026-03-05T00:00"),
        (hours("02:30", "03:30", zone="Europe/Berlin"), "2026-03-29T00:00", "2026-03-30T00:30"),
    ],
)
def test_a_closed_route_opens_when_its_hours_begin(when: Hours, at: str, opened: str) -> None:
    moment = datetime.fromisoformat(at).replace(tzinfo=UTC)
    assert opens([when], moment) == datetime.fromisoformat(opened).replace(tzinfo=UTC)


@given(
    st.times(),
    st.times(),
    st.sets(st.sampled_from(DAYS), min_size=1),
    st.integers(0, 365 * 24 * 3600),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Pacific/Apia"]),
)
def test_every_route_opens_within_a_week_and_is_open_then(
    since: time, until: time, days: set[str], at: int, zone: str
) -> None:
    when = Hours.model_validate({"from": since, "to": until, "days": sorted(days), "zone": zone})
    now = NOW + timedelta(seconds=at)
    opened = opens([when], now)
    assert now <= opened <= now + timedelta(days=8)
    assert opens([when], opened) == opened
