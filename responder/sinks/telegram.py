"""Telegram through a bot: one message for each incident, edited in place; charts are replies to it.

Contract: https://core.telegram.org/bots/api. Without key and without search: a try of which nobody heard the answer
may be shown twice.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import timedelta
from html import escape as escape_html
from pathlib import Path
from typing import Any

import aiohttp
import structlog
from pydantic import Field, SecretStr
from yarl import URL

from responder.errors import Permanent, Reason, Temporary
from responder.model.incident import IncidentStatus
from responder.model.message import Message, Picture
from responder.model.record import Record
from responder.model.runbook import Duration
from responder.sinks import Block, Medium, Preview, Sink
from responder.sinks import _credentials as credentials
from responder.sinks import _receipt as receipts
from responder.sinks._chat import RESENT, Markup, fitted, outline, turn, written
from responder.sinks._http import Address, judge, send
from responder.sinks._text import clean, cut, utf16

log = structlog.get_logger(__name__)

API = "https://api.telegram.org"
LONGEST = 4096
CAPTION = 1024
"""Both in UTF-16 units, after the markup was read; ours are measured with it, which is never less."""
_SAYS_WHY = (400, 401, 403, 404, 429)


class Posted(Record):
    """What is shown so far: the receipt. `charts` names the pictures that were sent."""

    id: int = 0
    digest: str = ""
    charts: tuple[str, ...] = ()
    over: bool = False


class Telegram(Sink):
    """Posts to a chat, a channel, or a topic of a group. Its buttons open a page that asks first."""

    gathers = True

    token: SecretStr | None = Field(None, description="the token of the bot")
    token_file: Path | None = Field(None, description="a file that holds it")
    chat: str = Field(pattern=r"^(-?\d+|@\w+)$", description="the ID of the chat, or `@name` of a public channel")
    topic: int | None = Field(None, ge=1, description="the topic of a group that has them")
    charts: bool = Field(True, description="whether charts are sent as replies")
    api_url: Address = Field(API, description="where the Bot API is")
    timeout: Duration = Field(timedelta(seconds=10), description="the longest that one request may take")

    async def deliver(self, message: Message, receipt: str, medium: Medium) -> str:
        """Post or edit the message, reply with charts that are new, then tell of an end. Returns JSON."""
        posted = receipts.read(Posted, receipt) or Posted()
        over = message.status is IncidentStatus.RESOLVED
        if posted.id and posted.digest != message.digest and not await self._edit(message, posted.id, medium):
            posted = Posted()
        if not posted.id:
            text = render(message, resent=medium.doubtful)
            number = await self._call("sendMessage", medium, {**_text(text), **self._topic})
            posted = Posted(id=number, over=over)
        posted = await receipts.kept(posted, medium, digest=message.digest)
        if self.charts:
            posted = await self._charts(message, posted, medium)
        if over != posted.over:
            await self._call("sendMessage", medium, {**_text(_escape(turn(message))), **self._reply(posted.id)})
            posted = await receipts.kept(posted, medium, over=over)
        return posted.model_dump_json()

    def preview(self, message: Message) -> Preview:
        """The message, and its charts."""
        smaller = _fitted(message)
        charts = [Block(kind="picture", text=picture.title) for picture in smaller.pictures] if self.charts else []
        return Preview(blocks=(*outline(smaller), *charts), payload=render(message))

    @property
    def _topic(self) -> dict[str, Any]:
        return {"message_thread_id": self.topic} if self.topic is not None else {}

    def _reply(self, number: int) -> dict[str, Any]:
        reply = {"message_id": number, "allow_sending_without_reply": True}
        return {"reply_parameters": reply, **self._topic}

    async def _edit(self, message: Message, number: int, medium: Medium) -> bool:
        """False where the message is gone, or too old to be edited."""
        try:
            await self._call("editMessageText", medium, {"message_id": number, **_text(render(message))})
        except Permanent as refused:
            told = str(refused)
            if "message is not modified" in told:
                return True
            if "message to edit not found" in told or "message can't be edited" in told:
                return False
            raise
        return True

    async def _charts(self, message: Message, posted: Posted, medium: Medium) -> Posted:
        """Send what was not sent. A chart that Telegram refuses is left out: the words are there already."""
        for picture in message.pictures:
            name = _name(picture)
            if name in posted.charts or not (png := await medium.draw(picture)):
                continue
            form = aiohttp.FormData()
            caption = _escape(cut(clean(picture.title), CAPTION // 4))
            fields = {"caption": caption, "parse_mode": "HTML", **self._reply(posted.id)}
            for field, value in {"chat_id": self.chat, **fields}.items():
                form.add_field(field, value if isinstance(value, str) else json.dumps(value))
            form.add_field("photo", png, filename="chart.png", content_type="image/png")
            try:
                await self._call("sendPhoto", medium, form)
            except Permanent as refused:
                log.warning("telegram.chart_refused", incident=message.key, error=str(refused))
            posted = await receipts.kept(posted, medium, charts=(*posted.charts, name))
        return posted

    async def _call(self, method: str, medium: Medium, given: Mapping[str, Any] | aiohttp.FormData) -> int:
        """The id of the message that was sent or edited."""
        token = await credentials.read(self.token, self.token_file, "token")
        body: dict[str, Any] = (
            {"body": given} if isinstance(given, aiohttp.FormData) else {"document": {"chat_id": self.chat, **given}}
        )
        answer = await send(
            medium.http,
            "POST",
            URL(f"{self.api_url}/bot{token}/{method}", encoded=True),
            timeout=self.timeout.total_seconds(),
            secrets=(token,),
            accept=_SAYS_WHY,
            **body,
        )
        if answer.status in _SAYS_WHY:
            raise judge(answer.status, _retry_after(answer.body), f"Telegram refused {method}", answer.text)
        document = answer.json()
        result = document.get("result") if isinstance(document, dict) else None
        number = result.get("message_id") if isinstance(result, dict) else None
        if not isinstance(number, int):
            raise Temporary(f"Telegram answered {method} without a message", Reason.BAD_ANSWER)
        return number


def render(message: Message, *, resent: bool = False) -> str:
    """The text, as HTML of Telegram."""
    return _written(_fitted(message), resent)


def _fitted(message: Message) -> Message:
    return fitted(message, lambda tried: utf16(_written(tried, resent=True)) <= LONGEST)


def _written(message: Message, resent: bool) -> str:
    return written(message, _MARKUP, note=RESENT if resent else "")


def _escape(text: str) -> str:
    """Nobody is called by `@name`, no command is offered as a link."""
    return escape_html(text, quote=False).replace("@", "@\u2060")


_MARKUP = Markup(
    escape=_escape,
    bold=lambda text: f"<b>{text}</b>",
    link=lambda name, url: f'<a href="{escape_html(url)}">{_escape(name)}</a>',
    bullet="• ",
)


def _text(text: str) -> dict[str, Any]:
    return {"text": text, "parse_mode": "HTML", "link_preview_options": {"is_disabled": True}}


def _retry_after(body: bytes) -> str:
    try:
        return str(json.loads(body)["parameters"]["retry_after"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""


def _name(picture: Picture) -> str:
    said = f"{picture.title}\n{picture.chart.query}"
    return hashlib.blake2b(said.encode(), digest_size=6).hexdigest()
