"""What the pages show of incidents: numbered evidence, references, timelines, advice. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from responder.charts import Mark
from responder.flow.alert_facts import label_lines, wording
from responder.model.evidence import Evidence, EvidenceStatus, Reproduction
from responder.model.finding import Cause, Finding
from responder.model.incident import (
    AlertState,
    IncidentStatus,
    Severity,
    TimelineEntry,
    TimelineKind,
    TrackedAlert,
)
from responder.model.links import alert_links
from responder.model.report import Investigated, InvestigationStatus, Report, ReportSummary, Verification
from responder.model.runbook import Runbook
from responder.web.blocks import Block
from responder.web.formats import day, words
from responder.web.shapes import blocks

MOST_ALERTS = 100
MOST_ENTRIES = 60
MOST_NAMES = 4


@dataclass(frozen=True)
class Row:
    """One incident in the list."""

    summary: ReportSummary
    place: str
    since: datetime
    silenced: bool = False

    @property
    def open(self) -> bool:
        return self.summary.status is not IncidentStatus.RESOLVED


@dataclass(frozen=True)
class Reason:
    """Why we think so, with the numbers of the evidence."""

    text: str
    references: Sequence[int] = ()


@dataclass(frozen=True)
class Verdict:
    """A finding, with its entry in the catalogue where there is one."""

    finding: Finding
    cause: Cause | None
    because: Sequence[Reason]


@dataclass(frozen=True)
class Seen:
    """One piece of evidence; `status` is also `waiting` for a step that did not answer yet."""

    number: int
    id: str
    title: str
    probe: str
    status: str
    summary: str
    evidence: Evidence | None = None
    content: Sequence[Block] = ()
    open: bool = False

    @property
    def reproduce(self) -> Sequence[Reproduction]:
        return self.evidence.reproduce if self.evidence else ()


@dataclass(frozen=True)
class Day:
    """The entries of one day."""

    name: str
    entries: Sequence[TimelineEntry]


@dataclass(frozen=True)
class Told:
    """An alert with the links that its sender gave."""

    alert: TrackedAlert
    links: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Page:
    """The incident page."""

    report: Report
    place: str
    silenced: bool
    running: bool
    verdicts: Sequence[Verdict]
    cleared: Sequence[Reason]
    unseen: Sequence[Reason]
    steps: Sequence[str]
    other_steps: Sequence[tuple[str, Sequence[str]]]
    advice: Sequence[tuple[str, Sequence[str]]]
    checks: Sequence[tuple[Reason, bool | None]]
    days: Sequence[Day]
    earlier: int
    seen: Sequence[Seen]
    answered: int
    names: Sequence[tuple[str, int]]
    more_names: int
    alerts: Sequence[Told]
    more_alerts: int
    summary: Sequence[str] = ()
    differences: Sequence[str] = ()
    links: Sequence[tuple[str, str]] = ()


def rows(summaries: Iterable[ReportSummary], now: datetime) -> Sequence[Row]:
    """The lines of the list, in the order given."""
    return [Row(item, place(item), item.resolved_at or item.started_at, silenced(item, now)) for item in summaries]


def silenced(incident: ReportSummary | Report, now: datetime) -> bool:
    """Whether nobody hears of it: silenced from here, or Alertmanager keeps each alert that fires to itself."""
    if incident.status is IncidentStatus.RESOLVED:
        return False
    firing = [alert for alert in incident.alerts if alert.state is AlertState.FIRING]
    from_here = incident.silenced_until is not None and incident.silenced_until > now
    return from_here or (bool(firing) and all(alert.suppressed for alert in firing))


def place(incident: ReportSummary | Report) -> str:
    """`namespace/kind/name`, as far as it is known."""
    cluster = incident.target.cluster if isinstance(incident, Report) else ""
    subject = incident.subject
    thing = str(subject) if subject.name and subject.kind != "Namespace" else ""
    return " / ".join(part for part in (cluster, subject.namespace, thing) if part) or "subject unknown"


def page(report: Report, runbook: Runbook | None, catalogue: Mapping[str, Cause], now: datetime) -> Page:
    """Everything that the incident page shows, drawn and numbered."""
    waiting = _waiting(report, runbook)
    numbers = _numbers(report, runbook, waiting)
    best = report.findings[0] if report.findings else None
    told = _interesting(report)
    counted = Counter(alert.name or "alert without a name" for alert in report.alerts).most_common()
    seen = tuple(_seen(report, waiting, numbers))
    return Page(
        report=report,
        place=place(report),
        silenced=silenced(report, now),
        running=_running(report.investigation),
        verdicts=[_verdict(finding, catalogue, numbers) for finding in report.findings],
        cleared=[Reason(item.text, _references(item.evidence, numbers)) for item in report.cleared],
        unseen=[Reason(item.text, _references(item.evidence, numbers)) for item in report.unseen],
        steps=list(best.next_steps) if best else [],
        other_steps=[(item.headline, item.next_steps) for item in report.findings[1:] if item.next_steps],
        advice=[(words(advice.when), advice.steps) for advice in report.advice],
        checks=list(_checks(report.verification, numbers)),
        days=_days(told[-MOST_ENTRIES:]),
        earlier=max(0, len(told) - MOST_ENTRIES),
        seen=seen,
        answered=sum(item.status != "waiting" for item in seen),
        names=counted[:MOST_NAMES],
        more_names=max(0, len(counted) - MOST_NAMES),
        alerts=[Told(alert, alert_links([alert])) for alert in report.alerts[:MOST_ALERTS]],
        more_alerts=max(0, len(report.alerts) - MOST_ALERTS),
        summary=wording(report.alerts),
        differences=label_lines(report.alerts),
        links=alert_links(report.alerts),
    )


def _running(investigation: Investigated) -> bool:
    return investigation.status in (InvestigationStatus.PENDING, InvestigationStatus.RUNNING)


def _verdict(finding: Finding, catalogue: Mapping[str, Cause], numbers: Mapping[str, int]) -> Verdict:
    because = [Reason(item.text, _references(item.evidence, numbers)) for item in finding.because]
    if not because and finding.evidence:
        because = [Reason("see", _references(finding.evidence, numbers))]
    return Verdict(finding, catalogue.get(finding.cause), because)


def _references(names: Iterable[str], numbers: Mapping[str, int]) -> Sequence[int]:
    return list(dict.fromkeys(numbers[name] for name in names if name in numbers))


def _checks(verification: Verification | None, numbers: Mapping[str, int]) -> Iterator[tuple[Reason, bool | None]]:
    for check in verification.checks if verification else ():
        text = f"{check.text}: {check.seen}" if check.seen else check.text
        yield Reason(text, _references(check.evidence, numbers)), check.passed


def _seen(report: Report, waiting: Mapping[str, tuple[str, str]], numbers: Mapping[str, int]) -> Iterator[Seen]:
    """All evidence and the steps that did not answer yet, each in its place; what the verdict rests on is open."""
    best = report.findings[0] if report.findings else None
    cited = {*best.evidence, *(name for item in best.because for name in item.evidence)} if best else set()
    changes = [Mark(entry.at, entry.text) for entry in report.timeline if entry.kind is TimelineKind.CHANGE]
    known = {evidence.id: evidence for evidence in report.evidence}
    for name, number in numbers.items():
        found = known.get(name)
        if found is None:
            title, probe = waiting[name]
            yield Seen(number, name, title, probe, "waiting", "asked, no answer yet")
            continue
        yield Seen(
            number=number,
            id=name,
            title=found.title or words(name),
            probe=found.probe,
            status=found.status.value,
            summary=found.summary,
            evidence=found,
            content=blocks(found, report.began_at, changes),
            open=name in cited or bool(found.breached),
        )


def _waiting(report: Report, runbook: Runbook | None) -> Mapping[str, tuple[str, str]]:
    """Title and probe of the steps that are asked and did not answer yet."""
    if runbook is None or not _running(report.investigation):
        return {}
    known = {evidence.id for evidence in report.evidence}
    return {step.id: (step.title or words(step.id), step.probe) for step in runbook.investigate if step.id not in known}


def _numbers(report: Report, runbook: Runbook | None, waiting: Mapping[str, object]) -> Mapping[str, int]:
    """Evidence counts as the messages count it; while some is missing, its places are kept free."""
    names = [evidence.id for evidence in report.evidence]
    if waiting and runbook is not None:
        steps = [step.id for step in runbook.investigate]
        names = [name for name in names if name not in steps] + steps
    return {name: number for number, name in enumerate(names, start=1)}


def _interesting(report: Report) -> Sequence[TimelineEntry]:
    """The timeline, with the beginning that the sender told and the changes of the findings."""
    entries = list(report.timeline)
    if not entries or report.started_at < entries[0].at:
        began = TimelineEntry(at=report.started_at, kind=TimelineKind.ALERT, text="Alert started (Alertmanager)")
        entries.append(began)
    for finding in report.findings[:1]:
        if finding.since and finding.since < report.started_at:
            text = f"Probable origin: {finding.subject}"
            entries.append(TimelineEntry(at=finding.since, kind=TimelineKind.CHANGE, text=text))
    return sorted(entries, key=lambda entry: entry.at)


def _days(entries: Sequence[TimelineEntry]) -> Sequence[Day]:
    days: dict[str, list[TimelineEntry]] = {}
    for entry in entries:
        days.setdefault(day(entry.at), []).append(entry)
    return [Day(name, found) for name, found in days.items()]


def burning(found: Sequence[Row]) -> Mapping[str, int]:
    """How many open incidents there are of each severity."""
    counted = Counter(row.summary.severity for row in found if row.open)
    return {severity.value: counted[severity] for severity in Severity if counted[severity]}


STATUS_WORDS: Mapping[str, str] = {
    IncidentStatus.FIRING: "firing",
    IncidentStatus.UNKNOWN: "stale",
    IncidentStatus.RESOLVED: "resolved",
    AlertState.HELD: "held",
}
EVIDENCE_WORDS: Mapping[str, str] = {
    EvidenceStatus.OK: "seen",
    EvidenceStatus.EMPTY: "nothing there",
    EvidenceStatus.DENIED: "denied",
    EvidenceStatus.TIMEOUT: "no answer in time",
    EvidenceStatus.ERROR: "error",
    EvidenceStatus.SKIPPED: "not asked",
    "waiting": "waiting",
}
