"""The message: a report cut down to what a person reads first, the same in every sink.

Verdict, why, what it is not, what could not be seen, next step, the alerts: in this order.
"""

from collections.abc import Mapping
from typing import Literal

from pydantic import AwareDatetime, Field

from responder.model.communication import PublicUpdate
from responder.model.evidence import Chart
from responder.model.incident import IncidentStatus, Severity
from responder.model.record import Record
from responder.model.report import Report

Stage = Literal["announced", "diagnosed", "resolved"]


class Line(Record):
    """A sentence, with the numbers of the evidence it rests on (as the page counts them)."""

    text: str
    references: tuple[int, ...] = ()


class Link(Record):
    """Somewhere to look."""

    title: str
    url: str


class Picture(Record):
    """A chart: sinks that upload draw it (`Medium.draw`), others link `url`, where it is drawn when asked for.

    `url` is signed, so that whoever has it needs no credentials; empty where it cannot be reached from outside.
    """

    title: str
    chart: Chart
    started_at: AwareDatetime
    url: str = ""


Command = Literal["acknowledge", "useful", "not_useful", "approve"]
"""What a reader can tell us from where they read; `approve` always through a page that shows what it would do."""


class Button(Record):
    """Something the reader may say. `url` is a signed page that asks before it acts: it may be fetched by anybody.

    Media that call back (see `Sink.hear`) need no url, save for `approve`, which names an `action`.
    """

    command: Command
    label: str
    url: str
    action: str = ""


class Member(Record):
    """One incident of a storm."""

    severity: Severity
    status: IncidentStatus
    place: str
    headline: str
    url: str


class Message(Record):
    """What every sink renders. `cause` is empty as long as there is no finding.

    `summary` is what the authors of the rules wrote, `differences` the labels that tell the alerts apart, and those$
    they share. `next_steps` fit the finding; `advice` is the runbook's, whatever the cause is.
    `stage` tells a first word from an answer. `key` is the same for all messages of an incident; `digest`
    changes exactly when there is something new to show. `labels` are those that all of its alerts have.
    A message about a storm has `members` and no `report`: chats get it in place of one message for each.
    """

    key: str
    digest: str
    stage: Stage
    severity: Severity
    status: IncidentStatus
    place: str
    subject: str
    since: str
    started_at: AwareDatetime
    updated_at: AwareDatetime
    resolved_at: AwareDatetime | None = None
    acknowledged_by: str = ""
    headline: str
    summary: tuple[Line, ...] = ()
    differences: tuple[Line, ...] = ()
    cause: str = ""
    because: tuple[Line, ...] = ()
    not_it: tuple[Line, ...] = ()
    also_unhealthy: tuple[Line, ...] = ()
    not_seen: tuple[Line, ...] = ()
    next_steps: tuple[Line, ...] = ()
    advice: tuple[Line, ...] = ()
    alerts: tuple[str, ...] = ()
    labels: Mapping[str, str] = Field(default_factory=dict)
    url: str
    links: tuple[Link, ...] = ()
    pictures: tuple[Picture, ...] = ()
    buttons: tuple[Button, ...] = ()
    members: tuple[Member, ...] = ()
    more_members: int = 0
    public: PublicUpdate | None = None
    report: Report | None = None
