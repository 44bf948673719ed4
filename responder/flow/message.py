"""Message: a report cut down to what a person reads first, in the same order everywhere.

Pure. The digest covers what is shown, without the times that move by themselves.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from responder.flow.alert_facts import common_labels, counted, label_lines, wording
from responder.flow.buttons import Addresses, approvable, buttons
from responder.model.action import ActionLine, ActionState
from responder.model.escalation import no_contact
from responder.model.evidence import Chart, Evidence, EvidenceStatus
from responder.model.finding import Cleared, Finding, Unseen
from responder.model.incident import EscalationStep, IncidentStatus
from responder.model.links import alert_links
from responder.model.message import Line, Link, Message, Picture, Stage
from responder.model.report import Check, InvestigationStatus, Report

REASONS = 6
ALSO_UNHEALTHY = 3
CLEARED = 8
UNSEEN = 6
STEPS = 5
CHARTS = 3
TEXT = 400
"""Characters of one sentence."""


def compose(report: Report, *, addresses: Addresses | None = None) -> Message:
    """What every sink renders of the report; without addresses there are no buttons."""
    numbers = {evidence.id: number for number, evidence in enumerate(report.evidence, start=1)}
    best = report.findings[0] if report.findings else None
    message = Message(
        key=report.id,
        digest="",
        stage=_stage(report),
        severity=report.severity,
        status=report.status,
        place=_place(report),
        subject=_sentence(str(report.subject)),
        since=_since(report),
        started_at=report.started_at,
        updated_at=report.updated_at,
        resolved_at=report.resolved_at,
        acknowledged_by=_sentence(report.acknowledged_by or "somebody") if report.acknowledged_at else "",
        headline=_headline(report),
        summary=_texts(wording(report.alerts)),
        differences=_texts(label_lines(report.alerts)),
        cause=_cause(best),
        because=tuple(_because(report, best, numbers))[:REASONS],
        also_unhealthy=_also_unhealthy(report, numbers),
        not_it=_lines(report.cleared, numbers, CLEARED),
        not_seen=_lines(report.unseen, numbers, UNSEEN),
        next_steps=_texts(_next_steps(report, best)),
        advice=_texts(_advice(report, best)),
        alerts=tuple(map(_sentence, counted(report.alerts, report.alerts_truncated))),
        labels=common_labels(report.alerts),
        url=report.url,
        links=tuple(links_of(report)),
        pictures=tuple(_pictures(report, best, addresses)),
        buttons=tuple(buttons(report, addresses)) if addresses else (),
        public=report.public if report.public_approved else None,
        report=report,
    )
    offered = [f"{line.id} {attempt.number}" for line, attempt in approvable(report)]
    return message.model_copy(update={"digest": digest_of(message, [*_standing(report), *offered])})


def _headline(report: Report) -> str:
    said = "Marked as a false alarm: " if report.false_alarm == "said" else ""
    return _sentence(f"{said}{report.headline}")


def links_of(report: Report) -> list[Link]:
    """Where to look: our page, and what the alerts point to."""
    every = [("Incident", report.url), *alert_links(report.alerts)]
    return [Link(title=_sentence(title), url=url) for title, url in every if url]


def _offer(line: ActionLine) -> str:
    """How an action stands; empty where nobody can do it from here, or nobody has to know."""
    attempt = line.attempt
    if attempt is None or not line.fits or (line.hindrance and attempt.state.waits):
        return ""
    if attempt.state.waits:
        return "approve"
    by = f", approved by {attempt.approved_by}" if attempt.approved_by else ""
    return "" if attempt.state is ActionState.EXPIRED and not by else f"{attempt.state}{by}"


def _stage(report: Report) -> Stage:
    if report.status is IncidentStatus.RESOLVED:
        return "resolved"
    over = report.investigation.status in (InvestigationStatus.FINISHED, InvestigationStatus.FAILED)
    return "diagnosed" if over or report.findings else "announced"


def _place(report: Report) -> str:
    """Cluster and namespace, as far as they are known; else the object itself."""
    namespace = report.target.namespace or report.subject.namespace
    known = [part for part in (report.target.cluster, namespace) if part]
    return _sentence("/".join(known) if known else str(report.subject))


def _since(report: Report) -> str:
    """`firing 4 min`, as of the report's latest news."""
    news = (report.updated_at, report.investigation.finished_at, report.resolved_at)
    lasted = span(report.started_at, report.resolved_at or max(time for time in news if time))
    words = {
        IncidentStatus.FIRING: f"firing {lasted}",
        IncidentStatus.UNKNOWN: f"stale, began {lasted} ago",
        IncidentStatus.RESOLVED: f"resolved after {lasted}",
    }
    return ", ".join([words[report.status], *_standing(report)])


def _standing(report: Report) -> list[str]:
    """What else there is to know of the incident's state."""
    standing = [f"flapped {report.flaps}×"] if report.flaps else []
    if report.acknowledged_at:
        standing.append(_sentence(f"acknowledged by {report.acknowledged_by or 'somebody'}"))
    elif report.status is not IncidentStatus.RESOLVED:
        standing += map(_sentence, _escalated(report.escalation))
    return standing


def _escalated(steps: Sequence[EscalationStep]) -> Iterable[str]:
    """Who was called last; and the levels after that whom nothing reaches."""
    due = [step for step in steps if step.told_at is not None]
    called = [step for step in due if step.sinks]
    unserved = [step.level for step in due if not step.sinks]
    if called:
        yield f"{'escalated to' if called[-1].reached_at else 'notifying'} {called[-1].role or called[-1].level}"
    if unserved:
        yield no_contact(unserved, nobody=not called)


def span(start: datetime, end: datetime) -> str:
    """A duration in its two largest units: `40 s`, `4 min`, `2 h 5 min`, `3 d 4 h`."""
    seconds = max(0, int((end - start).total_seconds()))
    days, hours, minutes = seconds // 86400, seconds // 3600 % 24, seconds // 60 % 60
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{minutes} min" if minutes else f"{seconds} s"


def _cause(finding: Finding | None) -> str:
    if finding is None:
        return ""
    named = f"{finding.named}: {finding.subject}; {finding.confidence.value}"
    return f"{named}. {_sentence(finding.explanation)}" if finding.explanation else named


def _because(report: Report, finding: Finding | None, numbers: Mapping[str, int]) -> Iterable[Line]:
    """What supports the finding; without one, what was seen. Of a resolved incident, how that was verified."""
    if report.verification is not None:
        yield from (_checked(check, numbers) for check in report.verification.checks)
    if finding is not None and finding.because:
        yield from (_line(because.text, because.evidence, numbers) for because in finding.because)
        return
    # a follow-up that met nothing tells the reader nothing
    answers = [item for item in report.evidence if item.answered and item.summary]
    shown = [item for item in answers if not (item.asked_because and item.status is EvidenceStatus.EMPTY)]
    if finding is not None:
        shown = [evidence for evidence in shown if evidence.id in finding.evidence]
    for evidence in sorted(shown, key=lambda seen: not seen.breached):
        yield _line(evidence.summary, (evidence.id,), numbers)


def _also_unhealthy(report: Report, numbers: Mapping[str, int]) -> tuple[Line, ...]:
    """What is unwell and has nothing to do with what the alert names."""
    others = report.also_unhealthy[:ALSO_UNHEALTHY]
    return tuple(_line(finding.headline, finding.evidence, numbers) for finding in others)


def _checked(check: Check, numbers: Mapping[str, int]) -> Line:
    verdict = {True: "verified", False: "not as it should be", None: "not verified"}[check.passed]
    seen = f" ({check.seen})" if check.seen else ""
    return _line(f"{verdict}: {check.text}{seen}", check.evidence, numbers)


def _next_steps(report: Report, finding: Finding | None) -> list[str]:
    """Actions that fit the finding, then its own steps; nothing once it is resolved and verified."""
    if _settled(report):
        return []
    offered = [f"{line.title} ({words})" for line in report.actions if (words := _offer(line))]
    steps = [*offered, *(finding.next_steps if finding else ())]
    return list(dict.fromkeys(step for step in steps if step.strip()))[:STEPS]


def _advice(report: Report, finding: Finding | None) -> list[str]:
    """What the runbook advises whatever the cause is, as far as the finding does not say it too."""
    if _settled(report):
        return []
    known = finding.next_steps if finding else ()
    advised = [step for advice in report.advice if advice.when == "immediate" for step in advice.steps]
    return list(dict.fromkeys(step for step in advised if step.strip() and step not in known))[:STEPS]


def _settled(report: Report) -> bool:
    unfixed = report.verification is not None and report.verification.passed is False
    return report.status is IncidentStatus.RESOLVED and not unfixed


def _pictures(report: Report, finding: Finding | None, addresses: Addresses | None) -> list[Picture]:
    """Those that the finding rests on first, then those past their threshold."""
    based_on = (
        {*finding.evidence, *(name for because in finding.because for name in because.evidence)} if finding else set()
    )

    def rank(evidence: Evidence) -> tuple[bool, bool]:
        return evidence.id not in based_on, not evidence.breached

    return [
        Picture(
            title=_sentence(evidence.title or chart.query),
            chart=chart,
            started_at=report.began_at,
            url=addresses.picture(report, evidence.id) if addresses else "",
        )
        for evidence in sorted(report.evidence, key=rank)
        if (chart := evidence.read(Chart)) is not None and chart.series
    ][:CHARTS]


def _texts(texts: Iterable[str]) -> tuple[Line, ...]:
    return tuple(Line(text=_sentence(text)) for text in texts)


def _lines(items: Sequence[Cleared] | Sequence[Unseen], numbers: Mapping[str, int], limit: int) -> tuple[Line, ...]:
    return tuple(_line(item.text, item.evidence, numbers) for item in items[:limit])


def _line(text: str, evidence: Sequence[str], numbers: Mapping[str, int]) -> Line:
    references = {numbers[name] for name in evidence if name in numbers}
    return Line(text=_sentence(text), references=tuple(sorted(references)))


def _sentence(text: str) -> str:
    """On one line, and not too long."""
    line = " ".join(text.split())
    return line if len(line) <= TEXT else line[: TEXT - 1] + "…"


def digest_of(message: Message, standing: Sequence[str] = ()) -> str:
    """Of what is shown; what moves by itself is left out: pictures, times, and the values that rules write."""
    left_out = {"digest", "since", "started_at", "updated_at", "resolved_at", "acknowledged_by", "summary"}
    shown = message.model_dump(mode="json", exclude={*left_out, "labels", "pictures", "buttons", "report"})
    shown["standing"] = list(standing)
    return hashlib.blake2b(json.dumps(shown, sort_keys=True).encode(), digest_size=16).hexdigest()
