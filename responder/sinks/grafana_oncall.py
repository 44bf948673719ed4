"""Grafana OnCall and Cloud IRM: the formatted webhook (grafana.com/docs/oncall, "Inbound webhook integrations")."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, field_validator

from responder.model.links import web_address
from responder.model.message import Message
from responder.model.runbook import Duration
from responder.sinks import Medium, Preview, Sink
from responder.sinks import _credentials as credentials
from responder.sinks._http import send
from responder.sinks._paging import Standing, addresses, blocks, headline, text, wanted, words
from responder.sinks._text import cut, first_line

LONGEST_TITLE = 500
LONGEST_MESSAGE = 16_000


class GrafanaOncall(Sink):
    """An alert group of Grafana OnCall, which the formatted webhook opens and resolves."""

    url: SecretStr | None = Field(None, description="the integration's address; it is a secret")
    url_file: Path | None = Field(None, description="a file that holds it")
    timeout: Duration = Field(timedelta(seconds=10), description="the longest that one request may take")

    _http = field_validator("url")(credentials.web_secret)

    async def deliver(self, message: Message, receipt: str, medium: Medium) -> str:
        """Post what is new; the receipt is the `alert_uid` and what it was told last."""
        standing, goal = Standing.read(receipt, alert_uid(message)), wanted(message)
        over = goal == "resolved"
        if standing.late(message) or (over and standing.state == "resolved"):
            return str(standing)
        if over or not standing.open or standing.words != words(message):
            await medium.keep(str(standing.ending(message) if over else standing.opening(message)))
            await self._post(medium, payload(message))
        return str(standing.told("resolved" if over else "triggered", message))

    def preview(self, message: Message) -> Preview:
        """The alert that would be posted."""
        alert = payload(message)
        return Preview(
            blocks=blocks(alert["title"], {"state": alert["state"]}, alert["message"], {}),
            payload=json.dumps(alert, ensure_ascii=False, indent=2),
        )

    async def _post(self, medium: Medium, alert: dict[str, Any]) -> None:
        url = await credentials.read_address(self.url, self.url_file)
        hidden = credentials.pieces(url)
        seconds = self.timeout.total_seconds()
        await send(medium.http, "POST", url, document=alert, timeout=seconds, secrets=hidden)


def alert_uid(message: Message) -> str:
    """The same for all of an incident."""
    return f"responder-{message.key}"


def payload(message: Message) -> dict[str, Any]:
    """The fields that a formatted webhook knows."""
    links = "\n".join(f"{title}: {url}" for title, url in addresses(message).items())
    said = "\n\n".join(part for part in (first_line(message), text(message), links) if part)
    picture = next((picture.url for picture in message.pictures if web_address(picture.url)), "")
    found = {
        "alert_uid": alert_uid(message),
        "title": cut(f"{message.severity.value} {headline(message)}", LONGEST_TITLE),
        "state": "ok" if wanted(message) == "resolved" else "alerting",
        "message": cut(said, LONGEST_MESSAGE),
        "link_to_upstream_details": web_address(message.url),
        "image_url": picture,
    }
    return {name: value for name, value in found.items() if value}
