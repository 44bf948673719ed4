"""Storms: many incidents at once as one message, with the cause that they share. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

from responder.flow.alert_facts import common_labels
from responder.flow.message import digest_of, span
from responder.model.finding import Finding
from responder.model.incident import AlertState, IncidentStatus
from responder.model.message import Line, Link, Member, Message, Stage
from responder.model.report import InvestigationStatus, ReportSummary
from responder.store.deliveries import Storm

NAMED = 15
CAUSES = 5
ALERTS = 12
COMMON = 0.5
"""The share of the incidents that have to have one cause for it to be called the common one."""


def compose(storm: Storm, reports: Sequence[ReportSummary], base_url: str) -> Message:
    """What chats show of the incidents of a storm: how many, what they share, and which they are."""
    ordered = sorted(reports, key=lambda report: (_over(report), report.severity, report.opened_at, report.id))
    causes = Counter(_cause(report.findings[0]) for report in ordered if report.findings)
    status = _status(ordered)
    common = _common(ordered, causes)
    message = Message(
        key=storm.id,
        digest="",
        stage=_stage(ordered),
        severity=min(report.severity for report in ordered),
        status=status,
        place=_place(ordered),
        subject="",
        since=_since(ordered, status),
        started_at=min(report.started_at for report in ordered),
        updated_at=max(report.updated_at for report in ordered),
        resolved_at=max((report.resolved_at for report in ordered if report.resolved_at), default=None)
        if status is IncidentStatus.RESOLVED
        else None,
        headline=_headline(storm, ordered, common),
        cause=f"{_cause(common)}; {common.confidence.value}" if common else "",
        because=tuple(_counted(causes, len(ordered))),
        next_steps=tuple(Line(text=text) for text in common.next_steps[:CAUSES])
        if common and not _ended(status)
        else (),
        alerts=tuple(_alerts(ordered)),
        labels=common_labels([alert for report in ordered for alert in report.alerts]),
        url=f"{base_url}/",
        links=(Link(title="Incidents", url=f"{base_url}/"),),
        members=tuple(map(_member, ordered[:NAMED])),
        more_members=max(0, len(ordered) - NAMED),
    )
    return message.model_copy(update={"digest": digest_of(message)})


def _headline(storm: Storm, reports: Sequence[ReportSummary], common: Finding | None) -> str:
    over = sum(map(_over, reports))
    within = span(storm.opened_at, storm.joined_at)
    many = f"{len(reports)} more incidents within {within}" + (f", {over} of them resolved" if over else "")
    if common is not None:
        return f"{many}; most share one cause: {common.headline}"
    return f"{many}, without a common cause" if any(report.findings for report in reports) else many


def _common(reports: Sequence[ReportSummary], causes: Counter[str]) -> Finding | None:
    """The finding that most of the incidents have, if there is one."""
    for cause, count in causes.most_common(1):
        if count >= 2 and count > COMMON * len(reports):
            return next(
                report.findings[0] for report in reports if report.findings and _cause(report.findings[0]) == cause
            )
    return None


def _cause(finding: Finding) -> str:
    return f"{finding.named}: {finding.subject}"


def _counted(causes: Counter[str], total: int) -> Iterable[Line]:
    for cause, count in causes.most_common(CAUSES):
        yield Line(text=f"{count} of {total}: {cause}")
    if len(causes) > CAUSES:
        yield Line(text=f"{len(causes) - CAUSES} other causes")


def _stage(reports: Sequence[ReportSummary]) -> Stage:
    if all(map(_over, reports)):
        return "resolved"
    done = (InvestigationStatus.FINISHED, InvestigationStatus.FAILED)
    return (
        "diagnosed" if all(_over(report) or report.investigation.status in done for report in reports) else "announced"
    )


def _status(reports: Sequence[ReportSummary]) -> IncidentStatus:
    found = {report.status for report in reports}
    for status in (IncidentStatus.FIRING, IncidentStatus.UNKNOWN):
        if status in found:
            return status
    return IncidentStatus.RESOLVED


def _since(reports: Sequence[ReportSummary], status: IncidentStatus) -> str:
    began = min(report.started_at for report in reports)
    if _ended(status):
        return f"resolved after {span(began, max(_end(report) for report in reports))}"
    return f"firing {span(began, max(report.updated_at for report in reports))}"


def _end(report: ReportSummary) -> datetime:
    return report.resolved_at or report.updated_at


def _place(reports: Sequence[ReportSummary]) -> str:
    places = Counter(_where(report) for report in reports)
    [(most, _)] = places.most_common(1)
    return most if len(places) == 1 else f"{len(places)} places, most in {most}"


def _where(report: ReportSummary) -> str:
    return report.subject.namespace or str(report.subject)


def _alerts(reports: Sequence[ReportSummary]) -> Iterable[str]:
    told = Counter(
        alert.name or "alert without a name"
        for report in reports
        for alert in report.alerts
        if alert.state is not AlertState.RESOLVED
    )
    for name, count in told.most_common(ALERTS):
        yield f"{name} ×{count}" if count > 1 else name
    if len(told) > ALERTS:
        yield f"{len(told) - ALERTS} other names"


def _member(report: ReportSummary) -> Member:
    return Member(
        severity=report.severity,
        status=report.status,
        place=_where(report),
        headline=" ".join(report.headline.split())[:300],
        url=report.url,
    )


def _over(report: ReportSummary) -> bool:
    return report.status is IncidentStatus.RESOLVED


def _ended(status: IncidentStatus) -> bool:
    return status is IncidentStatus.RESOLVED
