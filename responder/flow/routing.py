"""Routing: which sinks are told of an incident, and from when. Pure; Alertmanager's matchers and order."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from responder.errors import ConfigError
from responder.flow.alert_facts import common_labels
from responder.model.labels import meant
from responder.model.report import Report
from responder.model.spellings import meaning
from responder.plugins import did_you_mean
from responder.runbooks.matchers import MatcherError, Matchers, parse
from responder.settings import DAYS, Hours, Route

WEEK = timedelta(days=8)


@dataclass(frozen=True)
class _Rule:
    route: Route
    matchers: tuple[Matchers, ...]

    def fits(self, report: Report, labels: Mapping[str, str]) -> bool:
        severities = self.route.severity
        right = not severities or report.severity in severities
        return right and all(matchers.matches(labels) for matchers in self.matchers)


class Routing:
    """The routes of the settings; without any, every sink is told everything."""

    def __init__(self, routes: Sequence[Route], sinks: Collection[str]) -> None:
        """Raises ConfigError naming the bad route."""
        self._rules = [_Rule(route, _matchers(place, route)) for place, route in enumerate(routes)]
        known = dict.fromkeys(sinks)
        for place, route in enumerate(routes):
            for name in route.sinks:
                if name not in known:
                    raise ConfigError(f"routes[{place}]: there is no sink {name!r}{did_you_mean(name, known)}")

    def told(self, report: Report, sink: str, now: datetime) -> datetime | None:
        """From when the sink is told of the incident: now or earlier means at once, None never."""
        if not self._rules:
            return now
        found: list[datetime] = []
        labels = labels_of(report)
        for rule in self._rules:
            if not rule.fits(report, labels):
                continue
            if sink in rule.route.sinks:
                found.append(opens(rule.route.hours, now))
            if not rule.route.goes_on:
                break
        return min(found, default=None)


def labels_of(report: Report) -> Mapping[str, str]:
    """What routes match: the labels that all alerts share, as they are meant, the runbook, and the cause once known."""
    cause = report.findings[0].cause if report.findings else ""
    return {**_meant_by_all(report), "responder_runbook": report.runbook, "responder_cause": cause}


def _meant_by_all(report: Report) -> Mapping[str, str]:
    """The labels that all alerts share; what they say in differing labels, in whatever spelling, is nothing shared."""
    common = common_labels(report.alerts)
    differing = {name for alert in report.alerts for name in alert.labels} - common.keys()
    differ = {known[0] for name in differing if (known := meaning(name))}
    return {name: value for name, value in meant(common).items() if name not in differ}


def opens(hours: Sequence[Hours], now: datetime) -> datetime:
    """The first moment from now on that lies in one of the hours; now where there are none."""
    if not hours:
        return now
    return min(_opens(each, now) for each in hours)


def _opens(hours: Hours, now: datetime) -> datetime:
    zone = ZoneInfo(hours.zone)
    today = now.astimezone(zone).date()
    for offset in range(-1, WEEK.days):
        day = today + timedelta(days=offset)
        if DAYS[day.weekday()] not in hours.days:
            continue
        begin = datetime.combine(day, hours.since, zone).astimezone(UTC)
        past_midnight = hours.until <= hours.since or hours.until == time(0, 0)
        last = day + timedelta(days=1) if past_midnight else day
        end = datetime.combine(last, hours.until, zone).astimezone(UTC)
        # in the night when clocks go forward there may be nothing between the two
        if begin < end and now < end:
            return max(now, begin)
    return now + WEEK


def _matchers(place: int, route: Route) -> tuple[Matchers, ...]:
    try:
        return tuple(parse(text) for text in route.match)
    except MatcherError as error:
        raise ConfigError(f"routes[{place}]: {error}") from None
