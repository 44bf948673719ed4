"""Incidents: the alerts that one runbook handles together, from first firing to closed."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import AwareDatetime, Field

from responder.model.record import Record
from responder.model.subject import Subject


class Severity(StrEnum):
    """P0 is a complete outage, P3 a minor issue."""

    P0 = "P0"
    P1 = "P1"
    P2 = "P2"
    P3 = "P3"


class AlertState(StrEnum):
    """What we believe of an alert.

    `held` fires again with the start it had when it was resolved: a stale duplicate or a sender
    that came back; `unknown` is overdue: neither firing for ever nor resolved.
    """

    FIRING = "firing"
    RESOLVED = "resolved"
    UNKNOWN = "unknown"
    HELD = "held"


class IncidentStatus(StrEnum):
    """`firing` while one alert fires, `unknown` while none fires and one is overdue, else `resolved`."""

    FIRING = "firing"
    UNKNOWN = "unknown"
    RESOLVED = "resolved"


class TrackedAlert(Record):
    """An alert of an incident, as all notifications together tell it.

    Labels and annotations are those of the last firing (a resolved one may come without).
    `episodes` counts firings with a different start; `hold_until` is set while held.
    `receivers` are the receivers whose notifications brought it. `suppressed` says by what it is silenced,
    inhibited or muted, as far as Alertmanager's API told. `by_hand`: a person opened it, and a person ends it.
    `severity` is the one of its last firing; None where an older version kept the alert.
    """

    incident_id: str
    key: str
    fingerprint: str
    state: AlertState
    labels: Mapping[str, str] = Field(default_factory=dict)
    annotations: Mapping[str, str] = Field(default_factory=dict)
    generator_url: str = ""
    starts_at: AwareDatetime
    starts_at_known: bool = True
    ends_at: AwareDatetime | None = None
    first_seen: AwareDatetime
    last_seen: AwareDatetime
    episodes: int = 1
    hold_until: AwareDatetime | None = None
    receivers: tuple[str, ...] = ()
    suppressed: str = ""
    by_hand: bool = False
    severity: Severity | None = None

    @property
    def name(self) -> str:
        """The rule's name, or empty."""
        return self.labels.get("alertname", "")


class TimelineKind(StrEnum):
    """What a line of the timeline tells."""

    ALERT = "alert"
    INCIDENT = "incident"
    INVESTIGATION = "investigation"
    CHANGE = "change"
    MESSAGE = "message"
    ACTION = "action"
    PERSON = "person"
    TROUBLE = "trouble"


class TimelineEntry(Record):
    """One thing that happened, in one sentence."""

    at: AwareDatetime
    kind: TimelineKind
    text: str


class EscalationStep(Record):
    """One level of an incident's escalation: when it is due, and once it is called, when and through which sinks.

    `by` is who asked for it before it was due. `reached_at` is when the first of its sinks took the incident: until
    then nobody of the level knows.
    """

    level: str
    role: str = ""
    contact: str = ""
    due_at: AwareDatetime
    told_at: AwareDatetime | None = None
    reached_at: AwareDatetime | None = None
    sinks: tuple[str, ...] = ()
    by: str = ""


class Incident(Record):
    """What we respond to. Its alerts are kept beside it, as `TrackedAlert`s.

    `group` are the grouping labels with their values; `identity` is made of runbook and group and
    is what a re-fire is recognised by. `revision` grows with every change worth showing. `about` are the
    kinds of alerts and of things that it is known to be about: another kind is worth another look.

    `levels` are the levels of escalation that were told, in order, `escalation` the plan that they are part of.
    Somebody has to acknowledge it until `due_response`; `response_missed` once that was said to be over. Its plan began
    at `unacknowledged_since`.
    `onset_at` is when the trouble began, once that was looked up: before `started_at`, when the first alert fired.
    `silenced_until` and `silenced_by` are set where somebody silenced it from here.
    `opened_by` is set where a person opened it. `false_alarm` says why it is taken for one: `said`, `no_evidence`.
    """

    id: str
    identity: str
    runbook: str
    title: str
    group: Mapping[str, str] = Field(default_factory=dict)
    subject: Subject
    severity: Severity
    status: IncidentStatus
    opened_at: AwareDatetime
    started_at: AwareDatetime
    onset_at: AwareDatetime | None = None
    updated_at: AwareDatetime
    resolved_at: AwareDatetime | None = None
    acknowledged_at: AwareDatetime | None = None
    acknowledged_by: str = ""
    flaps: int = 0
    alerts_truncated: int = 0
    revision: int = 1
    about: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    escalation: tuple[EscalationStep, ...] = ()
    due_response: AwareDatetime | None = None
    response_missed: bool = False
    unacknowledged_since: AwareDatetime | None = None
    silenced_until: AwareDatetime | None = None
    silenced_by: str = ""
    opened_by: str = ""
    false_alarm: Literal["", "said", "no_evidence"] = ""

    @property
    def open(self) -> bool:
        """Whether anybody still has to care."""
        return self.status is not IncidentStatus.RESOLVED

    @property
    def began_at(self) -> datetime:
        """When the trouble began, as far as it is known."""
        return min(self.onset_at or self.started_at, self.started_at)

    def lasted(self, now: datetime) -> float:
        """Seconds from the beginning of the trouble until it was resolved, or until now."""
        return max(0.0, ((self.resolved_at or now) - self.began_at).total_seconds())
