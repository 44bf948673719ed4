"""incident.io: alert events of an HTTP source (api-docs.incident.io, "Alert Events V2")."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr

from responder.errors import Reason, Temporary
from responder.model.links import web_address
from responder.model.message import Message
from responder.model.runbook import Duration
from responder.sinks import Medium, Preview, Sink
from responder.sinks import _credentials as credentials
from responder.sinks._http import Address, send
from responder.sinks._issue_markdown import finding, links
from responder.sinks._paging import Standing, blocks, headline, text, wanted, words
from responder.sinks._text import clean, cut, first_line

LONGEST_TITLE = 255
LONGEST_DESCRIPTION = 16_000
LONGEST_VALUE = 1000


class IncidentIo(Sink):
    """An alert of incident.io, which its alert routes turn into a page or an incident."""

    url: Address = Field(
        description="address of the HTTP alert source: `https://api.incident.io/v2/alert_events/http/ID`"
    )
    token: SecretStr | None = Field(None, description="the alert source's token")
    token_file: Path | None = Field(None, description="a file that holds it")
    timeout: Duration = Field(timedelta(seconds=10), description="the longest that one request may take")

    async def deliver(self, message: Message, receipt: str, medium: Medium) -> str:
        """Post what is new; the receipt is the deduplication key and what it was told last."""
        standing, over = Standing.read(receipt, key(message)), wanted(message) == "resolved"
        if standing.late(message) or (over and standing.state == "resolved"):
            return str(standing)
        if over or not standing.open or standing.words != words(message):
            await medium.keep(str(standing.ending(message) if over else standing.opening(message)))
            await self._post(medium, _event(message))
        return str(standing.told("resolved" if over else "triggered", message))

    def preview(self, message: Message) -> Preview:
        """The event that would be posted."""
        event = _event(message)
        return Preview(
            blocks=blocks(event["title"], {"status": event["status"], **event["metadata"]}, text(message), {}),
            payload=json.dumps(event, ensure_ascii=False, indent=2),
        )

    async def _post(self, medium: Medium, event: dict[str, Any]) -> None:
        token = await credentials.read(self.token, self.token_file, "token")
        answer = await send(
            medium.http,
            "POST",
            self.url,
            headers={"Authorization": f"Bearer {token}"},
            document=event,
            timeout=self.timeout.total_seconds(),
            secrets=[token],
        )
        said = answer.json()
        if not isinstance(said, dict) or said.get("status") != "success":
            raise Temporary(f"{answer.host} answered {answer.status}: {answer.text}", Reason.BAD_ANSWER)


def key(message: Message) -> str:
    """The same for all of an incident."""
    return f"responder/{message.key}"


def _event(message: Message) -> dict[str, Any]:
    event = {
        "title": cut(headline(message), LONGEST_TITLE),
        "status": "resolved" if wanted(message) == "resolved" else "firing",
        "deduplication_key": key(message),
        "description": _description(message),
        "source_url": web_address(message.url),
        "metadata": _metadata(message),
    }
    return {name: value for name, value in event.items() if value}


def _description(message: Message) -> str:
    where = links(message)
    said = finding(message, LONGEST_DESCRIPTION - len(where) - 2)
    return f"{said}\n\n{where}" if where else said


def _metadata(message: Message) -> dict[str, str]:
    """What alert routes can be made of."""
    report = message.report
    best = report.findings[0] if report and report.findings else None
    found = {
        "severity": message.severity.value,
        "state": first_line(message),
        "place": message.place,
        "subject": message.subject,
        "cluster": report.target.cluster if report else "",
        "namespace": report.target.namespace if report else "",
        "cause": best.cause if best else "",
        "confidence": best.confidence.value if best else "",
        "runbook": report.runbook if report else "",
        "team": message.labels.get("team", ""),
    }
    return {name: cut(clean(value), LONGEST_VALUE) for name, value in found.items() if clean(value)}
