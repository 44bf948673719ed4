"""Review: the post-incident review of an incident, filled in as far as its record goes. Pure.

What strangers wrote is in it as text: nothing of it is markup.
"""

import re
from datetime import UTC, datetime

from responder.flow.message import span
from responder.model.communication import StatusTemplates
from responder.model.report import Report
from responder.templating import render_text
from responder.templating.escaping import Language

MOST_LINES = 80
LONGEST_LINE = 160
_MARKUP = re.compile(r"([\\`*_{}\[\]()#+!|<>~-])")


def review(templates: StatusTemplates, report: Report, component: str, cause: str, now: datetime) -> str:
    """The review as Markdown; raises ConfigError where the template cannot be filled in."""
    taken = f"{_stamp(report.acknowledged_at)} by {_text(report.acknowledged_by or 'somebody')}"
    lines = [f"- {_stamp(entry.at)} {_text(entry.text)}" for entry in report.timeline]
    left_out = len(lines) - MOST_LINES
    if left_out > 0:
        lines = [*lines[: MOST_LINES // 2], f"- … {left_out} lines left out …", *lines[-MOST_LINES // 2 :]]
    steps = [
        f"- [{'x' if step.state.settled else ' '}] {_text(step.title)}: {step.state.value}"
        + (f" ({_text(step.note)})" if step.note else "")
        for step in report.procedure
    ]
    values = {
        "number": report.id,
        "title": _text(report.title),
        "component": _text(component),
        "place": _text(report.target.namespace),
        "cause": _text(cause),
        "severity": report.severity.value,
        "since": _stamp(report.began_at),
        "began": _began(report),
        "found": _stamp(report.opened_at),
        "acknowledged": taken if report.acknowledged_at else "nobody acknowledged it",
        "ended": _stamp(report.resolved_at) if report.resolved_at else "it is not over",
        "duration": span(report.began_at, report.resolved_at or now) + ("" if report.resolved_at else " so far"),
        "finding": _text(report.headline),
        "timeline": "\n".join(lines) or "- nothing was written down",
        "procedure": "\n".join(steps) or "- no procedure belongs to this runbook",
    }
    return render_text(templates.review, Language.PLAIN, {"incident": values})


def _began(report: Report) -> str:
    fired = f" (the alert fired {_stamp(report.started_at)})" if report.began_at != report.started_at else ""
    return _stamp(report.began_at) + fired


def _stamp(at: datetime | None) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if at else ""


def _text(text: str) -> str:
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    return _MARKUP.sub(r"\\\1", line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE - 1]}…")
