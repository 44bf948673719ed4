"""The message: a report cut down to what a person reads first, the same in every sink.

Verdict, why, what it is not, what could not be seen, next step, the alerts: in this order.
"""

from typing import Literal

from responder.model.evidence import Chart
from responder.model.incident import IncidentStatus, Severity
from responder.model.record import Record
from responder.model.report import Report


class Line(Record):
    """A sentence, with the numbers of the evidence it rests on (as the page counts them)."""

    text: str
    references: tuple[int, ...] = ()


class Link(Record):
    """Somewhere to look."""

    title: str
    url: str


class Message(Record):
    """What every sink renders. `cause` is empty as long as there is no finding.

    `stage` tells a first word from an answer. `key` is the same for all messages of an incident;
    `digest` changes exactly when there is something new to show.
    """

    key: str
    digest: str
    stage: Literal["announced", "diagnosed", "resolved"]
    severity: Severity
    status: IncidentStatus
    place: str
    since: str
    headline: str
    cause: str = ""
    because: tuple[Line, ...] = ()
    not_it: tuple[Line, ...] = ()
    not_seen: tuple[Line, ...] = ()
    next_steps: tuple[Line, ...] = ()
    alerts: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
    charts: tuple[Chart, ...] = ()
    report: Report
