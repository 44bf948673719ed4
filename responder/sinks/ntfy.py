"""ntfy: a notification on phones and desktops for each incident, replaced as it goes on.

Contract: https://docs.ntfy.sh/publish. The incident's ID is the sequence ID: from version 2.16 on the server replaces
what has the same, so that nothing is shown twice; older servers show each state anew.
"""

import hashlib
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr

from responder.errors import Reason, Temporary
from responder.model.incident import IncidentStatus, Severity
from responder.model.links import web_address
from responder.model.message import Message
from responder.model.runbook import Duration
from responder.sinks import Block, Medium, Preview, Sink
from responder.sinks import _credentials as credentials
from responder.sinks._chat import Markup, fitted, named, paragraphs, title
from responder.sinks._http import Address, send
from responder.sinks._text import cut, parts, utf8

LONGEST = 4096
"""Bytes of the message; what is longer becomes an attachment."""
TITLE = 250
ACTIONS = 3
_PRIORITIES = {Severity.P0: 5, Severity.P1: 4, Severity.P2: 3, Severity.P3: 2}
_PLAIN = Markup(escape=str, bold=str, link=lambda name, url: f"{name}: {url}", bullet="• ")


class Ntfy(Sink):
    """Publishes to a topic; its buttons open a page that asks first."""

    gathers = True

    url: Address = Field("https://ntfy.sh", description="where the server is")
    topic: str = Field(pattern=r"^[-_A-Za-z0-9]{1,64}$", description="the topic; without access control, a secret")
    token: SecretStr | None = Field(None, description="an access token, `tk_…`; none where anybody may publish")
    token_file: Path | None = Field(None, description="a file that holds it")
    timeout: Duration = Field(timedelta(seconds=10), description="the longest that one request may take")

    async def deliver(self, message: Message, receipt: str, medium: Medium) -> str:
        """Publish the state, unless it is what was published last."""
        if receipt == message.digest:
            return receipt
        wanted = self.token is not None or self.token_file is not None
        token = await credentials.read(self.token, self.token_file, "token") if wanted else ""
        answer = await send(
            medium.http,
            "POST",
            f"{self.url}/",
            headers={"Authorization": f"Bearer {token}"} if token else {},
            document=self._request(message),
            timeout=self.timeout.total_seconds(),
            secrets=(token, self.topic),
        )
        document = answer.json()
        if not isinstance(document, dict) or document.get("event") != "message":
            raise Temporary("ntfy answered without a message", Reason.BAD_ANSWER)
        return message.digest

    def preview(self, message: Message) -> Preview:
        """The notification."""
        smaller, document = _fitted(message), self._request(message)
        pictures = [Block(kind="picture", text=smaller.pictures[0].title)] if "attach" in document else []
        blocks = (
            Block(kind="heading", text=document["title"]),
            Block(kind="text", text=smaller.headline),
            *(Block(kind="list", text=part.title, items=part.lines) for part in parts(smaller)),
            *pictures,
            *named("buttons", [action["label"] for action in document.get("actions", ())]),
        )
        written_out = json.dumps({**document, "topic": "…"}, ensure_ascii=False, indent=2)
        return Preview(blocks=blocks, payload=written_out)

    def _request(self, message: Message) -> dict[str, Any]:
        smaller = _fitted(message)
        over = message.status is IncidentStatus.RESOLVED
        document: dict[str, Any] = {
            "topic": self.topic,
            "title": cut(title(smaller), TITLE),
            "message": _text(smaller),
            "priority": 3 if over else _PRIORITIES[message.severity],
            "sequence_id": hashlib.blake2b(message.key.encode(), digest_size=12).hexdigest(),
        }
        if smaller.url:
            document["click"] = smaller.url
        if charts := [url for picture in message.pictures if (url := web_address(picture.url)).startswith("https://")]:
            document |= {"attach": charts[0], "filename": "chart.png"}
        buttons = [button for button in smaller.buttons if button.url][:ACTIONS]
        if actions := [{"action": "view", "label": button.label, "url": button.url} for button in buttons]:
            document["actions"] = actions
        return document


def _fitted(message: Message) -> Message:
    return fitted(message, lambda tried: utf8(_text(tried)) <= LONGEST)


def _text(message: Message) -> str:
    links = "\n".join(f"{link.title}: {link.url}" for link in message.links if link.url != message.url)
    return "\n\n".join([message.headline, *paragraphs(message, _PLAIN), *([links] if links else [])])
