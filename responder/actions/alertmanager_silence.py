"""`alertmanager.silence`: no more notifications about the incident's alerts for a while."""

import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from pydantic import Field

from responder.actions import Action, Gate, Inquiry, Preview, open_gate
from responder.clients import Clients
from responder.errors import Permanent, Temporary
from responder.model.action import Change
from responder.model.alert import AlertStatus
from responder.model.runbook import Duration
from responder.model.silencing import selections
from responder.templating import Plain

MARK = "an action of Responder"
"""In the comment of a silence: asking for the same again prolongs it."""


class AlertmanagerSilence(Action):
    """Silences the incident's alerts that fire, by the labels that those of one rule share.

    The comment of the silence says who approved it, and `reason`.
    """

    duration: Duration = Field(timedelta(hours=1), ge=timedelta(minutes=1), le=timedelta(days=7))
    reason: Plain = Field("", max_length=500)

    async def preview(self, inquiry: Inquiry, clients: Clients, gate: Gate = open_gate) -> Preview:
        text = "Silence the incident's alerts"
        try:
            place = clients.alertmanager.url
            found = selections(alert.labels for alert in inquiry.alerts if alert.status is AlertStatus.FIRING)
        except Permanent as trouble:
            return Preview(text=text, refusal=str(trouble))
        names = ", ".join(sorted({labels.get("alertname") or "an alert without a name" for labels in found}))
        until = (inquiry.now + self.duration).isoformat()
        lasts = f"{self.duration.total_seconds() / 60:g}m"
        return Preview(
            text=f"Silence {names} for {lasts}",
            objects=tuple(f"alertmanager/{'/'.join(labels.values())}"[:200] for labels in found),
            commands=tuple(_command(place, labels, lasts, self._reason) for labels in found),
            undo=shlex.join(["amtool", f"--alertmanager.url={place}", "silence", "expire", "ID"]),
            changes=tuple(Change(verb="silence", body={"labels": dict(labels), "until": until}) for labels in found),
        )

    async def apply(self, preview: Preview, clients: Clients, by: str) -> str:
        made: list[str] = []
        for change in preview.changes:
            labels, until = change.body["labels"], datetime.fromisoformat(change.body["until"])
            try:
                number = await clients.alertmanager.silence(
                    labels, until=until, reason=self._reason, by=by or "Responder", mark=MARK
                )
            except Temporary as trouble:
                raise Temporary(f"{_made(made)}; then: {trouble}" if made else str(trouble), trouble.reason) from None
            made.append(number)
        return _made(made)

    @property
    def _reason(self) -> str:
        return " ".join(self.reason.split()) or "an action of the runbook"


def _made(numbers: Sequence[str]) -> str:
    return f"made the silence{'s' if len(numbers) > 1 else ''} {', '.join(numbers)}"


def _command(place: str, labels: Mapping[str, str], lasts: str, reason: str) -> str:
    matchers = [f"{name}={_quoted(value)}" for name, value in labels.items()]
    words = ["amtool", f"--alertmanager.url={place}", "silence", "add", f"--duration={lasts}", f"--comment={reason}"]
    return shlex.join([*words, *matchers])


def _quoted(value: str) -> str:
    """A value as Alertmanager's matchers have it."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
