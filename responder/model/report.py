"""The incident as it is shown: one record that the page, the JSON API and every sink start from."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import AwareDatetime, Field

from responder.model.action import ActionLine
from responder.model.communication import PublicUpdate, StatusDraft
from responder.model.evidence import Evidence
from responder.model.finding import Cleared, Coverage, Diagnosis, Finding, Unseen
from responder.model.incident import (
    AlertState,
    EscalationStep,
    Incident,
    IncidentStatus,
    Severity,
    TimelineEntry,
    TrackedAlert,
)
from responder.model.procedure import ProcedureLine
from responder.model.record import Record
from responder.model.runbook import Runbook
from responder.model.subject import Subject, Target

WHY = 200
"""Characters of the reason in a headline."""


class InvestigationStatus(StrEnum):
    """Where an investigation stands."""

    PENDING = "pending"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"


class Aimed(Record):
    """One of several targets of an incident, with the ids of its evidence by step."""

    target: Target
    evidence: Mapping[str, str] = Field(default_factory=dict)


class Investigation(Record):
    """One run of a runbook's steps for an incident. `aims` are its targets where its alerts name several."""

    status: InvestigationStatus = InvestigationStatus.PENDING
    number: int = 0
    target: Target = Field(default_factory=Target)
    aims: tuple[Aimed, ...] = ()
    started_at: AwareDatetime | None = None
    finished_at: AwareDatetime | None = None
    findings: tuple[Finding, ...] = ()
    also_unhealthy: tuple[Finding, ...] = ()
    cleared: tuple[Cleared, ...] = ()
    unseen: tuple[Unseen, ...] = ()
    remarks: tuple[str, ...] = ()
    coverage: Coverage = Coverage()

    def with_diagnosis(self, diagnosis: Diagnosis) -> "Investigation":
        """The same, with this diagnosis; it may still go on."""
        return self.model_copy(update={name: getattr(diagnosis, name) for name in Diagnosis.model_fields})

    @property
    def targets(self) -> tuple[Target, ...]:
        """Where it looks: the target, or each of several."""
        return tuple(aim.target for aim in self.aims) or (self.target,)

    def concluded(self, diagnosis: Diagnosis, at: datetime) -> "Investigation":
        """The same, finished with this diagnosis."""
        finished = {"status": InvestigationStatus.FINISHED, "finished_at": at}
        return self.with_diagnosis(diagnosis).model_copy(update=finished)


class Check(Record):
    """One line of a verification: what was expected, and what was seen."""

    text: str
    passed: bool | None = None
    seen: str = ""
    evidence: tuple[str, ...] = ()


class Verification(Record):
    """Whether a resolved incident really is fixed."""

    at: AwareDatetime
    checks: tuple[Check, ...] = ()

    @property
    def passed(self) -> bool | None:
        """True if all machine checks passed, False if one failed, None if nothing could be checked."""
        results = [check.passed for check in self.checks if check.passed is not None]
        return all(results) if results else None


class Advice(Record):
    """What a person may do, from the runbook: `when` is immediate, short_term, long_term, verification…"""

    when: str
    steps: tuple[str, ...]


class Investigated(Record):
    """The part of the investigation that the API shows beside the findings."""

    status: InvestigationStatus
    started_at: AwareDatetime | None = None
    finished_at: AwareDatetime | None = None
    number: int = 0


class Report(Record):
    """An incident with its alerts, findings and evidence; what `GET /api/v1/incidents/{id}` returns.

    `started_at` is when the first alert fired (Alertmanager's startsAt), `onset_at` when the trouble began, once known.
    `levels` of escalation were told, in order; `escalation` says who was told when, and who is next. `public` is the
    newest update of the public status that was approved, else the newest draft; `updates` are all of them. `aims` are
    the targets where the alerts name several; `target` is the first.
    """

    id: str
    url: str
    status: IncidentStatus
    severity: Severity
    runbook: str
    title: str
    headline: str
    subject: Subject
    target: Target
    aims: tuple[Aimed, ...] = ()
    opened_at: AwareDatetime
    started_at: AwareDatetime
    onset_at: AwareDatetime | None = None
    updated_at: AwareDatetime
    resolved_at: AwareDatetime | None = None
    acknowledged_at: AwareDatetime | None = None
    acknowledged_by: str = ""
    silenced_until: AwareDatetime | None = None
    silenced_by: str = ""
    flaps: int = 0
    alerts_truncated: int = 0
    revision: int
    alerts: tuple[TrackedAlert, ...] = ()
    findings: tuple[Finding, ...] = ()
    investigation: Investigated
    also_unhealthy: tuple[Finding, ...] = ()
    cleared: tuple[Cleared, ...] = ()
    unseen: tuple[Unseen, ...] = ()
    coverage: Coverage = Coverage()
    remarks: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    advice: tuple[Advice, ...] = ()
    verification: Verification | None = None
    timeline: tuple[TimelineEntry, ...] = ()
    opened_by: str = ""
    levels: tuple[str, ...] = ()
    escalation: tuple[EscalationStep, ...] = ()
    due_response: AwareDatetime | None = None
    response_missed: bool = False
    false_alarm: str = ""
    procedure: tuple[ProcedureLine, ...] = ()
    actions: tuple[ActionLine, ...] = ()
    public: PublicUpdate | None = None
    public_approved: bool = False
    updates: tuple[StatusDraft, ...] = ()

    @property
    def began_at(self) -> datetime:
        """When the trouble began, as far as it is known."""
        return min(self.onset_at or self.started_at, self.started_at)


class ReportSummary(Record):
    """One line of the list of incidents; `alerts` and `findings` as in the report, without evidence."""

    id: str
    url: str
    status: IncidentStatus
    severity: Severity
    runbook: str
    title: str
    headline: str
    subject: Subject
    opened_at: AwareDatetime
    started_at: AwareDatetime
    onset_at: AwareDatetime | None = None
    updated_at: AwareDatetime
    resolved_at: AwareDatetime | None = None
    acknowledged_by: str = ""
    silenced_until: AwareDatetime | None = None
    silenced_by: str = ""
    flaps: int = 0
    revision: int
    alerts: tuple[TrackedAlert, ...] = ()
    findings: tuple[Finding, ...] = ()
    investigation: Investigated


def headline(title: str, investigation: Investigation) -> str:
    """The verdict in one sentence: the best finding's, or what is known so far."""
    if investigation.findings:
        return investigation.findings[0].headline
    match investigation.status:
        case InvestigationStatus.FINISHED:
            return f"{title}: {without_cause(investigation.coverage)}"
        case InvestigationStatus.FAILED:
            return f"{title}: the investigation failed"
        case _:
            return f"{title}: looking into it"


def without_cause(coverage: Coverage) -> str:
    """`could not investigate: 7 of 7 checks failed (…)`: what an investigation without a finding came to."""
    if not coverage.failed:
        return "no cause found"
    said = "could not investigate" if coverage.blind else "no cause found"
    joint = ": " if coverage.blind else ", but "
    why = f" ({coverage.why[:WHY].rstrip()})" if coverage.why else ""
    return f"{said}{joint}{coverage.failed} of {coverage.asked} checks failed{why}"


def about(incident: Incident, alerts: Sequence[TrackedAlert]) -> tuple[str, Subject]:
    """Title and subject; where the alerts name several things of the subject's kind, not one of them alone."""
    subject = incident.subject
    firing = [alert for alert in alerts if alert.state is not AlertState.RESOLVED] or alerts
    spelt = [name for alert in firing for name, value in alert.labels.items() if value == subject.name]
    if not spelt or all(any(alert.labels.get(name) == subject.name for name in spelt) for alert in firing):
        return incident.title, subject
    label = next((name for name in spelt if subject.kind.lower() in name), spelt[0])
    things = {alert.labels[label] for alert in firing if label in alert.labels}
    what = incident.title.removesuffix(f" on {subject}")
    several = f"{len(things)} {plural(subject.kind.lower())}" if len(things) > 1 else f"{subject} and others"
    place = Subject(kind="Namespace", name=subject.namespace, namespace=subject.namespace)
    return f"{what} on {several}", place if subject.namespace else Subject(kind="Unknown", name="")


def plural(noun: str) -> str:
    """`pods`, `ingresses`, `networkpolicies`."""
    if noun.endswith("y"):
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith("s") else f"{noun}s"


def full(
    incident: Incident,
    investigation: Investigation,
    alerts: Sequence[TrackedAlert],
    *,
    url: str,
    runbook: Runbook,
    evidence: Sequence[Evidence] = (),
    verification: Verification | None = None,
    timeline: Sequence[TimelineEntry] = (),
    procedure: Sequence[ProcedureLine] = (),
    actions: Sequence[ActionLine] = (),
    updates: Sequence[StatusDraft] = (),
) -> Report:
    """An incident with everything that is known of it."""
    approved = [draft for draft in updates if draft.approved_at is not None]
    public = (approved or list(updates))[-1:]
    return Report(
        **_shared(incident, investigation, alerts),
        url=url,
        target=investigation.target,
        aims=investigation.aims,
        acknowledged_at=incident.acknowledged_at,
        alerts_truncated=incident.alerts_truncated,
        also_unhealthy=investigation.also_unhealthy,
        cleared=investigation.cleared,
        unseen=investigation.unseen,
        coverage=investigation.coverage,
        remarks=investigation.remarks,
        evidence=tuple(evidence),
        advice=tuple(Advice(when=when, steps=steps) for when, steps in runbook.advise.items()),
        verification=verification,
        timeline=tuple(timeline),
        opened_by=incident.opened_by,
        levels=incident.levels,
        escalation=incident.escalation,
        due_response=incident.due_response,
        response_missed=incident.response_missed,
        false_alarm=incident.false_alarm,
        procedure=tuple(procedure),
        actions=tuple(actions),
        public=public[0].update if public else None,
        public_approved=bool(approved),
        updates=tuple(updates),
    )


def summary(
    incident: Incident, investigation: Investigation, alerts: Sequence[TrackedAlert], *, url: str
) -> ReportSummary:
    """An incident as a line of the list."""
    return ReportSummary(**_shared(incident, investigation, alerts), url=url)


def _found_at(title: str, subject: Subject, target: Target) -> tuple[str, Subject]:
    """A node by its own name, where the alert has an address of it."""
    if subject.kind != "Node" or target.node in ("", subject.name):
        return title, subject
    node = subject.model_copy(update={"name": target.node})
    return title.replace(str(subject), str(node)), node


def _shared(incident: Incident, investigation: Investigation, alerts: Sequence[TrackedAlert]) -> dict[str, Any]:
    title, subject = _found_at(*about(incident, alerts), investigation.target)
    return {
        "id": incident.id,
        "status": incident.status,
        "severity": incident.severity,
        "runbook": incident.runbook,
        "title": title,
        "headline": headline(title, investigation),
        "subject": subject,
        "opened_at": incident.opened_at,
        "started_at": incident.started_at,
        "onset_at": incident.onset_at,
        "updated_at": incident.updated_at,
        "resolved_at": incident.resolved_at,
        "acknowledged_by": incident.acknowledged_by,
        "silenced_until": incident.silenced_until,
        "silenced_by": incident.silenced_by,
        "flaps": incident.flaps,
        "revision": incident.revision,
        "alerts": tuple(alerts),
        "findings": investigation.findings,
        "investigation": Investigated(
            status=investigation.status,
            started_at=investigation.started_at,
            finished_at=investigation.finished_at,
            number=investigation.number,
        ),
    }
