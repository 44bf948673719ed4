"""Google Chat through a webhook: a card for each state, in one thread for each incident.

Contract: https://developers.google.com/workspace/chat/api/reference/rest/v1/spaces.messages/create. A webhook cannot
edit. Each request has an ID by which Google knows a repetition; that it does so for webhooks is not documented.
"""

import hashlib
import json
from collections.abc import Iterable
from datetime import timedelta
from html import escape as escape_html
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr
from yarl import URL

from responder.errors import Reason, Temporary
from responder.model.links import web_address
from responder.model.message import Message
from responder.model.runbook import Duration
from responder.sinks import Block, Medium, Preview, Sink
from responder.sinks import _credentials as credentials
from responder.sinks._chat import RESENT, Markup, addresses, fitted, outline, paragraphs, title
from responder.sinks._http import send
from responder.sinks._text import clean, cut, utf8

MOST = 30_000
"""Bytes of the request; Google takes 32,000 of text and cards."""
FALLBACK = 400


class GoogleChat(Sink):
    """Posts to the space that the webhook belongs to; its buttons open a page that asks first."""

    gathers = True
    edits = False

    url: SecretStr | None = Field(None, description="the webhook, whole, with its `key` and `token`: a secret")
    url_file: Path | None = Field(None, description="a file that holds it")
    timeout: Duration = Field(timedelta(seconds=10), description="the longest that one request may take")

    async def deliver(self, message: Message, receipt: str, medium: Medium) -> str:
        """Post a card into the incident's thread, unless it is what was posted last."""
        if receipt == message.digest:
            return receipt
        given = await credentials.read_address(self.url, self.url_file)
        seed = f"{message.key}\n{receipt}\n{message.digest}"
        number = "responder-" + hashlib.blake2b(seed.encode(), digest_size=16).hexdigest()
        target = URL(given).update_query(
            {"requestId": number, "messageReplyOption": "REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD"}
        )
        answer = await send(
            medium.http,
            "POST",
            target,
            document=request(message, resent=medium.doubtful),
            timeout=self.timeout.total_seconds(),
            secrets=credentials.pieces(given),
        )
        document = answer.json()
        if not isinstance(document, dict) or not isinstance(document.get("name"), str):
            raise Temporary("Google Chat answered without the name of the message", Reason.BAD_ANSWER)
        return message.digest

    def preview(self, message: Message) -> Preview:
        """The card."""
        smaller = _fitted(message)
        document = request(message)
        widgets = document["cardsV2"][0]["card"]["sections"][0]["widgets"]
        shown = [Block(kind="picture", text=widget["image"]["altText"]) for widget in widgets if "image" in widget]
        written_out = json.dumps(document, ensure_ascii=False, indent=2)
        return Preview(blocks=(*outline(smaller), *shown), payload=written_out)


def request(message: Message, *, resent: bool = False) -> dict[str, Any]:
    """What is posted: one card, within the limit."""
    return _request(_fitted(message), resent)


def _fitted(message: Message) -> Message:
    return fitted(message, lambda tried: utf8(json.dumps(_request(tried, resent=True), ensure_ascii=False)) <= MOST)


def _request(message: Message, resent: bool) -> dict[str, Any]:
    card = {"sections": [{"widgets": list(_widgets(message, resent))}]}
    return {
        "cardsV2": [{"cardId": "incident", "card": card}],
        "fallbackText": _apart(cut(f"{title(message)}: {message.headline}", FALLBACK)),
        "thread": {"threadKey": clean(message.key)},
    }


def _widgets(message: Message, resent: bool) -> Iterable[dict[str, Any]]:
    yield _text(f"{_bold(_escape(title(message)))}\n{_bold(_escape(message.headline))}")
    for paragraph in paragraphs(message, _MARKUP):
        yield _text(paragraph)
    for picture in message.pictures:
        if (url := web_address(picture.url)).startswith("https://"):
            yield {"image": {"imageUrl": url, "altText": picture.title}}
    if buttons := [{"text": name, "onClick": {"openLink": {"url": url}}} for name, url in addresses(message)]:
        yield {"buttonList": {"buttons": buttons}}
    yield _text(_escape(f"incident {clean(message.key)}" + (f" · {RESENT}" if resent else "")))


def _text(html: str) -> dict[str, Any]:
    return {"textParagraph": {"text": html.replace("\n", "<br>")}}


def _escape(text: str) -> str:
    return escape_html(_apart(text), quote=False)


def _apart(text: str) -> str:
    """Nobody is called by `<users/all>`."""
    return text.replace("<users/", "<\u200busers/")


def _bold(text: str) -> str:
    return f"<b>{text}</b>"


def _link(name: str, url: str) -> str:
    return f'<a href="{escape_html(url)}">{_escape(name)}</a>'


_MARKUP = Markup(escape=_escape, bold=_bold, link=_link, bullet="• ")
