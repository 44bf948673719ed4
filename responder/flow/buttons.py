"""Buttons: what a reader may say from where they read, behind signed addresses."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from responder.model.action import ActionLine, Attempt
from responder.model.incident import IncidentStatus
from responder.model.message import Button, Command
from responder.model.report import Report
from responder.signing import Signer

SIGNED_FOR = timedelta(days=30)
"""How long after an incident opened its buttons and pictures can be used."""
BUTTON = "button"
PICTURE = "picture"
"""The purposes of signed addresses."""
APPROVALS = 3
"""Buttons that approve actions."""
_LABELS: Mapping[Command, str] = {"acknowledge": "Acknowledge", "useful": "Useful", "not_useful": "Not useful"}


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


def buttons(report: Report, addresses: Addresses) -> Iterable[Button]:
    """Those that make sense as the incident stands."""
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
            yield Button(command="approve", label=f"Approve: {line.title}", url=url, action=line.id)


def approvable(report: Report) -> list[tuple[ActionLine, Attempt]]:
    """The actions that somebody may approve."""
    found = [(line, line.attempt) for line in report.actions if line.attempt is not None and not line.hindrance]
    return [(line, attempt) for line, attempt in found if attempt.state.waits and line.fits]
