"""Message: a report cut down to what a person reads first, in the same order everywhere.

Pure. The digest covers what is shown, without the times that move by themselves.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from responder.model.action import ActionLine, ActionState, Attempt
from responder.model.evidence import Chart, Evidence
from responder.model.finding import Cleared, Finding, Unseen
from responder.model.incident import AlertState, IncidentStatus, TrackedAlert
from responder.model.message import Button, Command, Line, Link, Message, Picture, Stage
from responder.model.report import Check, InvestigationStatus, Report
from responder.signing import Signer

REASONS = 6
CLEARED = 8
UNSEEN = 6
STEPS = 5
NAMES = 12
CHARTS = 3
TEXT = 400
"""Characters of one sentence."""
SIGNED_FOR = timedelta(days=30)
"""How long after an incident opened its buttons and pictures can be used."""
BUTTON = "button"
PICTURE = "picture"
"""The purposes of signed addresses."""
_LABELS: Mapping[Command, str] = {"acknowledge": "Acknowledge", "useful": "Useful", "not_useful": "Not useful"}
APPROVALS = 3
"""Buttons that approve actions."""


@dataclass(frozen=True)
class Addresses:
    """Where buttons and pictures of a message lead to."""

    base_url: str
    signer: Signer

    def button(self, report: Report, command: Command) -> str:
        """The page on which somebody confirms the command."""
        token = self.signer.sign(BUTTON, report.id, command, until=report.opened_at + SIGNED_FOR)
        return f"{self.base_url}/say/{token}"

    def approval(self, report: Report, line: ActionLine, attempt: Attempt) -> str:
        """The page on which somebody reads what an action would do, and approves it: once, until it expires."""
        until = attempt.expires_at
        token = self.signer.sign(BUTTON, report.id, "approve", line.id, str(attempt.number), until=until)
        return f"{self.base_url}/say/{token}"

    def picture(self, report: Report, evidence: str) -> str:
        """The chart of an evidence as PNG."""
        token = self.signer.sign(PICTURE, report.id, evidence, until=report.opened_at + SIGNED_FOR)
        return f"{self.base_url}/pictures/{token}.png"


def compose(report: Report, *, links: Sequence[Link] = (), addresses: Addresses | None = None) -> Message:
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
        cause=_cause(best),
        because=tuple(_because(report, best, numbers))[:REASONS],
        not_it=_lines(report.cleared, numbers, CLEARED),
        not_seen=_lines(report.unseen, numbers, UNSEEN),
        next_steps=tuple(Line(text=text) for text in _next_steps(report, best)),
        alerts=tuple(_alerts(report)),
        labels=common_labels(report.alerts),
        url=report.url,
        links=tuple(links),
        pictures=tuple(_pictures(report, best, addresses)),
        buttons=tuple(_buttons(report, addresses)) if addresses else (),
        public=report.public if report.public_approved else None,
        report=report,
    )
    offered = [f"{line.id} {attempt.number}" for line, attempt in approvable(report)]
    return message.model_copy(update={"digest": digest_of(message, [*_standing(report), *offered])})


def _headline(report: Report) -> str:
    said = "Marked as a false alarm: " if report.false_alarm == "said" else ""
    return _sentence(f"{said}{report.headline}")


def common_labels(alerts: Sequence[TrackedAlert]) -> Mapping[str, str]:
    """The labels that all of the alerts have with the same value."""
    common = set(alerts[0].labels.items()) if alerts else set()
    for alert in alerts[1:]:
        common &= set(alert.labels.items())
    return dict(sorted(common))


def _buttons(report: Report, addresses: Addresses) -> Iterable[Button]:
    wanted: list[Command] = []
    if report.status is not IncidentStatus.RESOLVED and report.acknowledged_at is None:
        wanted.append("acknowledge")
    if report.findings:
        wanted += ["useful", "not_useful"]
    for command in wanted:
        yield Button(command=command, label=_LABELS[command], url=addresses.button(report, command))
    if report.status is not IncidentStatus.RESOLVED:
        for line, attempt in approvable(report)[:APPROVALS]:
            url = addresses.approval(report, line, attempt)
            yield Button(command="approve", label=f"Approve: {_sentence(line.title)}", url=url, action=line.id)


def approvable(report: Report) -> list[tuple[ActionLine, Attempt]]:
    """The actions that somebody may approve."""
    found = [(line, line.attempt) for line in report.actions if line.attempt is not None and not line.hindrance]
    return [(line, attempt) for line, attempt in found if attempt.state.waits and line.fits]


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
        IncidentStatus.UNKNOWN: f"not heard of lately, began {lasted} ago",
        IncidentStatus.RESOLVED: f"resolved after {lasted}",
    }
    return ", ".join([words[report.status], *_standing(report)])


def _standing(report: Report) -> list[str]:
    """What else there is to know of the incident's state."""
    standing = [f"flapped {report.flaps}×"] if report.flaps else []
    if report.acknowledged_at:
        standing.append(_sentence(f"acknowledged by {report.acknowledged_by or 'somebody'}"))
    elif report.levels and report.status is not IncidentStatus.RESOLVED:
        roles = {step.level: step.role for step in report.escalation}
        standing.append(_sentence(f"escalated to {roles.get(report.levels[-1], report.levels[-1])}"))
    return standing


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
    named = f"{finding.cause.replace('-', ' ')}: {finding.subject}; {finding.confidence.value}"
    return f"{named}. {_sentence(finding.explanation)}" if finding.explanation else named


def _because(report: Report, finding: Finding | None, numbers: Mapping[str, int]) -> Iterable[Line]:
    """What supports the finding; without one, what was seen. Of a resolved incident, how that was verified."""
    if report.verification is not None:
        yield from (_checked(check, numbers) for check in report.verification.checks)
    if finding is not None and finding.because:
        yield from (_line(because.text, because.evidence, numbers) for because in finding.because)
        return
    shown = [evidence for evidence in report.evidence if evidence.answered and evidence.summary]
    if finding is not None:
        shown = [evidence for evidence in shown if evidence.id in finding.evidence]
    for evidence in sorted(shown, key=lambda seen: not seen.breached):
        yield _line(evidence.summary, (evidence.id,), numbers)


def _checked(check: Check, numbers: Mapping[str, int]) -> Line:
    verdict = {True: "verified", False: "not as it should be", None: "not verified"}[check.passed]
    seen = f" ({check.seen})" if check.seen else ""
    return _line(f"{verdict}: {check.text}{seen}", check.evidence, numbers)


def _next_steps(report: Report, finding: Finding | None) -> list[str]:
    """Those of the finding, then the runbook's immediate advice; nothing once it is resolved and verified."""
    if report.status is IncidentStatus.RESOLVED and not (report.verification and report.verification.passed is False):
        return []
    advised = [step for advice in report.advice if advice.when == "immediate" for step in advice.steps]
    offered = [f"{line.title} ({words})" for line in report.actions if (words := _offer(line))]
    steps = [_sentence(step) for step in (*offered, *(finding.next_steps if finding else ()), *advised)]
    return list(dict.fromkeys(step for step in steps if step))[:STEPS]


def _alerts(report: Report) -> list[str]:
    """`KubePodNotReady ×3`, most frequent first, with how many of them no longer fire."""
    told = Counter(_name(alert) for alert in report.alerts)
    over = Counter(_name(alert) for alert in report.alerts if alert.state is AlertState.RESOLVED)
    shown = [_counted(name, told[name], over[name], report.status) for name, _ in told.most_common(NAMES)]
    if len(told) > NAMES:
        shown.append(f"{len(told) - NAMES} other names")
    if report.alerts_truncated:
        shown.append(f"{report.alerts_truncated} more that the sender left out")
    return shown


def _counted(name: str, told: int, over: int, status: IncidentStatus) -> str:
    times = f" ×{told}" if told > 1 else ""
    if not over or status is IncidentStatus.RESOLVED:
        return name + times
    return f"{name}{times} ({f'{over} ' if over < told else ''}resolved)"


def _name(alert: TrackedAlert) -> str:
    return _sentence(alert.name) or "alert without a name"


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


def _lines(items: Sequence[Cleared] | Sequence[Unseen], numbers: Mapping[str, int], limit: int) -> tuple[Line, ...]:
    return tuple(_line(item.text, item.evidence, numbers) for item in items[:limit])


def _line(text: str, evidence: Sequence[str], numbers: Mapping[str, int]) -> Line:
    references = dict.fromkeys(numbers[name] for name in evidence if name in numbers)
    return Line(text=_sentence(text), references=tuple(references))


def _sentence(text: str) -> str:
    """On one line, and not too long."""
    line = " ".join(text.split())
    return line if len(line) <= TEXT else line[: TEXT - 1] + "…"


def digest_of(message: Message, standing: Sequence[str] = ()) -> str:
    """Of what is shown; pictures and times move by themselves and are left out."""
    left_out = {"digest", "since", "started_at", "updated_at", "resolved_at", "acknowledged_by"}
    shown = message.model_dump(mode="json", exclude={*left_out, "labels", "pictures", "buttons", "report"})
    shown["standing"] = list(standing)
    return hashlib.blake2b(json.dumps(shown, sort_keys=True).encode(), digest_size=16).hexdigest()
