"""Who is told when nobody answers (`apiVersion: responder/v1`, `kind: EscalationPolicy`)."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from responder.model.incident import Severity
from responder.model.record import Record
from responder.model.runbook import Duration, Metadata, StepId

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: tuple[Weekday, ...] = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_WORK_WEEK = WEEKDAYS[:5]


def zone_of(name: str) -> tzinfo:
    """The time zone; UTC also where the system has no time zones."""
    return UTC if name == "UTC" else ZoneInfo(name)


def _zone(name: str) -> str:
    try:
        zone_of(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is no time zone: write it as Europe/Berlin, or UTC") from None
    return name


Zone = Annotated[str, AfterValidator(_zone)]
Moment = Annotated[
    str, StringConstraints(pattern=rf"^(next_business_day|{'|'.join(WEEKDAYS)}) ([01][0-9]|2[0-3]):[0-5][0-9]$")
]


class Level(Record):
    """Somebody who can be told. `contact` says how people reach them; the sinks are in the settings."""

    role: str
    contact: str = ""
    response_time: Duration | None = None


class ChainStep(Record):
    """When a level is told: `after` the incident began to wait for an answer, or `at` the next such moment.

    `next_business_day 09:00` is on the first work day after, `monday 09:00` on the next Monday.
    """

    level: StepId
    after: Duration | None = None
    at: Moment | Literal[""] = ""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.after is None) == (not self.at):
            raise ValueError("write either 'after' or 'at'")
        return self


class Urgency(Record):
    """How a severity is treated: until when somebody has to answer, and who is told while nobody does."""

    description: str = ""
    response_time: Duration
    chain: tuple[ChainStep, ...] = ()


class EscalationPolicy(Record):
    """The severities with their chains, and the levels that the chains name."""

    api_version: Literal["responder/v1"] = Field(alias="apiVersion")
    kind: Literal["EscalationPolicy"]
    metadata: Metadata
    time_zone: Zone = "UTC"
    work_days: tuple[Weekday, ...] = Field(default=_WORK_WEEK, min_length=1)
    holidays: tuple[date, ...] = ()
    severities: Mapping[Severity, Urgency]
    levels: Mapping[StepId, Level]

    @property
    def name(self) -> str:
        """The policy's name."""
        return self.metadata.name

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for severity, urgency in self.severities.items():
            named = [step.level for step in urgency.chain]
            for twice in sorted({level for level in named if named.count(level) > 1}):
                raise ValueError(f"the chain of {severity} names {twice!r} twice")
        return self

    def unserved(self, contacts: Mapping[str, Sequence[str]]) -> str:
        """Which levels no sink reaches, in words; empty where each has one."""
        named = dict.fromkeys(step.level for urgency in self.severities.values() for step in urgency.chain)
        missing = [level for level in sorted(named) if not contacts.get(level)]
        return no_contact(missing, nobody=len(missing) == len(named)) if missing else ""

    def due(self, step: ChainStep, since: datetime) -> datetime:
        """When the step is due for an incident that waits since then."""
        if step.after is not None:
            return since + step.after
        day, _, clock = step.at.partition(" ")
        zone = zone_of(self.time_zone)
        local = since.astimezone(zone)
        wanted = time.fromisoformat(clock)
        found = local.date()
        while True:
            moment = datetime.combine(found, wanted, zone)
            if moment > since and self._fits(day, found, local.date()):
                return moment.astimezone(since.tzinfo)
            found += timedelta(days=1)

    def _fits(self, day: str, found: date, today: date) -> bool:
        if day == "next_business_day":
            works = WEEKDAYS[found.weekday()] in self.work_days and found not in self.holidays
            return works and found > today
        return WEEKDAYS[found.weekday()] == day


def no_contact(levels: Sequence[str], *, nobody: bool) -> str:
    """`nobody is notified: no contact for level_1, level_2`; without the beginning where other levels have one."""
    return f"{'nobody is notified: ' if nobody else ''}no contact for {', '.join(levels)}"
