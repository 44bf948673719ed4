"""Splunk On-Call (VictorOps): the generic REST endpoint (help.splunk.com, "REST Endpoint integration")."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, field_validator

from responder.errors import Permanent, Reason, Temporary
from responder.model.incident import Severity
from responder.model.message import Message
from responder.model.runbook import Duration
from responder.sinks import Medium, Preview, Sink
from responder.sinks import _credentials as credentials
from responder.sinks._http import send
from responder.sinks._paging import Standing, addresses, blocks, headline, text, wanted, words
from responder.sinks._text import clean, cut, first_line

LONGEST_NAME = 512
LONGEST_MESSAGE = 20_480
_TYPES = {Severity.P0: "CRITICAL", Severity.P1: "CRITICAL", Severity.P2: "WARNING", Severity.P3: "WARNING"}


class SplunkOncall(Sink):
    """An incident of Splunk On-Call: opened, acknowledged and recovered as the incident is here."""

    url: SecretStr | None = Field(None, description="the REST endpoint's address with its routing key; it is a secret")
    url_file: Path | None = Field(None, description="a file that holds it")
    timeout: Duration = Field(timedelta(seconds=10), description="the longest that one request may take")

    _http = field_validator("url")(credentials.web_secret)

    async def deliver(self, message: Message, receipt: str, medium: Medium) -> str:
        """Post what is new; the receipt is the `entity_id` and what it was told last."""
        standing, goal = Standing.read(receipt, entity_id(message)), wanted(message)
        if standing.late(message):
            return str(standing)
        if goal == "resolved":
            if standing.state != "resolved":
                await medium.keep(str(standing.ending(message)))
                await self._post(medium, _alert(message, "RECOVERY"))
            return str(standing.told("resolved", message))
        if not standing.open or standing.words != words(message):
            if not standing.open:
                await medium.keep(str(standing.opening(message)))
            await self._post(medium, _alert(message, _TYPES[message.severity]))
            standing = standing.told("triggered", message)
            await medium.keep(str(standing))
        if goal == "acknowledged" and standing.state != "acknowledged":
            # news of an alert that was acknowledged open it again there, so that this follows each of them
            by = {"ack_author": cut(clean(message.acknowledged_by), LONGEST_NAME)}
            await self._post(medium, {**_alert(message, "ACKNOWLEDGEMENT"), **by})
            standing = standing.told("acknowledged", message)
        return str(standing)

    def preview(self, message: Message) -> Preview:
        """The alert that would be posted."""
        alert = _alert(message, "RECOVERY" if wanted(message) == "resolved" else _TYPES[message.severity])
        return Preview(
            blocks=blocks(alert["entity_display_name"], {"type": alert["message_type"]}, alert["state_message"], {}),
            payload=json.dumps(alert, ensure_ascii=False, indent=2),
        )

    async def _post(self, medium: Medium, alert: dict[str, Any]) -> None:
        url = await credentials.read_address(self.url, self.url_file)
        hidden = credentials.pieces(url)
        seconds = self.timeout.total_seconds()
        answer = await send(medium.http, "POST", url, document=alert, timeout=seconds, secrets=hidden)
        said = answer.json()
        result = said.get("result") if isinstance(said, dict) else None
        if result == "failure":
            raise Permanent(f"{answer.host} did not take it: {answer.text}", Reason.BAD_REQUEST)
        if result != "success":
            raise Temporary(f"{answer.host} answered {answer.status}: {answer.text}", Reason.BAD_ANSWER)


def entity_id(message: Message) -> str:
    """The same for all of an incident."""
    return f"responder/{message.key}"


def _alert(message: Message, kind: str) -> dict[str, Any]:
    links = "\n".join(f"{title}: {url}" for title, url in addresses(message).items())
    said = "\n\n".join(part for part in (first_line(message), headline(message), links, text(message)) if part)
    return {
        "message_type": kind,
        "entity_id": entity_id(message),
        "entity_display_name": cut(f"{message.severity.value} {headline(message)}", LONGEST_NAME),
        "state_message": cut(said, LONGEST_MESSAGE),
        "state_start_time": int(message.started_at.timestamp()),
        "monitoring_tool": "Responder",
    }
