"""Schedules of cron jobs, as Kubernetes reads them (robfig/cron's standard parser; crontab(5))."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_NAMED: Mapping[str, str] = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_LONGEST = timedelta(days=366 * 8)
"""How far back a time is looked for: 29 February may be eight years away."""


@dataclass(frozen=True)
class Schedule:
    """When a cron job is due: minutes, hours, days, months and weekdays (0 is Sunday) in a time zone."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    any_day: bool
    any_weekday: bool
    zone: tzinfo = UTC

    @classmethod
    def parse(cls, text: str, zone: str = "") -> Self:
        """Read `*/5 * * * *` or `@daily`; raises ValueError."""
        found = re.match(r"(?:CRON_)?TZ=(\S+)\s+(.*)", text.strip())
        if found:
            zone, text = found[1], found[2]
        fields = _NAMED.get(text.strip().lower(), text).split()
        if len(fields) != 5:
            raise ValueError(f"{text[:80]!r} is no schedule of five fields")
        minutes, hours, days, months, weekdays = fields
        try:
            where: tzinfo = ZoneInfo(zone) if zone else UTC
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"{zone[:80]!r} is no time zone") from None
        return cls(
            minutes=_field(minutes, 0, 59),
            hours=_field(hours, 0, 23),
            days=_field(days, 1, 31),
            months=_field(months, 1, 12, _MONTHS, 1),
            weekdays=frozenset(day % 7 for day in _field(weekdays, 0, 7, _DAYS)),
            any_day=days[0] in "*?",
            any_weekday=weekdays[0] in "*?",
            zone=where,
        )

    def before(self, now: datetime) -> datetime | None:
        """The last time that it was due, at `now` or before; None where there is none within years."""
        return next(self._backwards(now), None)

    def due(self, after: datetime, now: datetime, most: int = 100) -> int:
        """How many times it was due after one time and until another, at most so many."""
        count = 0
        for at in self._backwards(now):
            if at <= after or count == most:
                break
            count += 1
        return count

    def _backwards(self, now: datetime) -> Iterator[datetime]:
        local = now.astimezone(self.zone)
        day = local.replace(hour=0, minute=0, second=0, microsecond=0)
        for back in range(_LONGEST.days):
            date = day.date() - timedelta(days=back)
            if date.month not in self.months or not self._on(date.day, date.isoweekday() % 7):
                continue
            for hour in sorted(self.hours, reverse=True):
                for minute in sorted(self.minutes, reverse=True):
                    at = datetime(date.year, date.month, date.day, hour, minute, tzinfo=self.zone)
                    if at <= local:
                        yield at

    def _on(self, day: int, weekday: int) -> bool:
        """Where both days and weekdays are restricted, either is enough."""
        if self.any_day or self.any_weekday:
            return day in self.days and weekday in self.weekdays
        return day in self.days or weekday in self.weekdays


def _field(text: str, low: int, high: int, names: tuple[str, ...] = (), first: int = 0) -> frozenset[int]:
    found: set[int] = set()
    for part in text.lower().split(","):
        span, _, step = part.partition("/")
        begin, dash, end = span.partition("-")
        if begin in ("*", "?"):
            start, stop = low, high
        else:
            start = _number(begin, names, first)
            stop = _number(end, names, first) if dash else (high if step else start)
        every = int(step) if step.isdecimal() else 0
        if (step and every < 1) or not low <= start <= stop <= high:
            raise ValueError(f"{text[:40]!r} is no field of a schedule")
        found.update(range(start, stop + 1, every or 1))
    return frozenset(found)


def _number(text: str, names: tuple[str, ...], first: int) -> int:
    if text in names:
        return names.index(text) + first
    if not text.isdecimal():
        raise ValueError(f"{text[:40]!r} is no number")
    return int(text)
