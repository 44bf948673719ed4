"""What folding reads and what it changes: the open incidents with their alerts, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from pydantic import AwareDatetime

from responder.model.incident import Incident, Severity, TimelineEntry, TrackedAlert
from responder.model.record import Record
from responder.model.runbook import Runbook
from responder.model.subject import Subject


@dataclass(frozen=True)
class Assignment:
    """Which runbook answers an alert, and which of its incidents the alert belongs to."""

    runbook: Runbook
    identity: str
    group: Mapping[str, str]
    subject: Subject
    severity: Severity


class Heart(Record):
    """A dead man's switch: when it last beat, when silence becomes an incident, and where it is assigned.

    `starts_at` is the start of the alert that beat last, where one was told. Once stopped, `due_at` is when it stopped.
    Once `retired` it means nothing any more: the rules name no heartbeat there, or another heart took its place.
    """

    key: str
    identity: str
    runbook: str
    labels: Mapping[str, str]
    last_beat: AwareDatetime
    due_at: AwareDatetime
    stopped: bool = False
    retired: bool = False
    starts_at: AwareDatetime | None = None


@dataclass(frozen=True)
class Ledger:
    """The part of the store that one fold needs.

    `incidents` by id: those that hold an alert of the notification (of each alert the latest), and of each
    identity in question the latest. `alerts` by (incident id, alert key): all alerts of these incidents.
    `hearts` by key, all there are: whether the pipeline works is asked of every end of an alert.
    """

    incidents: Mapping[str, Incident] = field(default_factory=dict)
    alerts: Mapping[tuple[str, str], TrackedAlert] = field(default_factory=dict)
    hearts: Mapping[str, Heart] = field(default_factory=dict)


@dataclass(frozen=True)
class Due:
    """Something to look at later: `settle` held alerts, `overdue` alerts or hearts."""

    what: Literal["settle", "overdue"]
    at: datetime


@dataclass(frozen=True)
class Changes:
    """What a fold decided. Everything is the new state; the store replaces the old."""

    incidents: tuple[Incident, ...] = ()
    alerts: tuple[TrackedAlert, ...] = ()
    hearts: tuple[Heart, ...] = ()
    timeline: tuple[tuple[str, TimelineEntry], ...] = ()
    investigate: tuple[str, ...] = ()
    verify: tuple[str, ...] = ()
    reconcile: bool = False
    due: tuple[Due, ...] = ()


@dataclass(frozen=True)
class FoldRules:
    """What we know of the sender's timing (Alertmanager's route), and how long an incident can be reopened."""

    group_interval: timedelta = timedelta(minutes=5)
    repeat_interval: timedelta = timedelta(hours=4)
    reopen_window: timedelta = timedelta(minutes=30)
    peer_timeout: timedelta = timedelta(seconds=15)

    @property
    def hold(self) -> timedelta:
        """How long a stale duplicate can trail its resolve (SEMANTICS: `group_interval` + peer timeout)."""
        return self.group_interval + self.peer_timeout

    @property
    def overdue(self) -> timedelta:
        """After which silence a firing alert is unknown."""
        return self.repeat_interval + self.group_interval + self.peer_timeout
