"""Webex through a bot: one message for each incident, edited in place; charts and the end are replies to it.

Contract: https://developer.webex.com/messaging/docs/api/v1/messages. A message can be edited ten times, and not with a
file. Without key and without search: a try of which nobody heard the answer may be shown twice.
"""

import re
from datetime import timedelta
from html import escape as escape_html
from pathlib import Path
from typing import Any

import aiohttp
import structlog
from pydantic import Field, SecretStr

from responder.errors import Permanent, Reason, Temporary
from responder.model.incident import IncidentStatus
from responder.model.message import Message
from responder.model.record import Record
from responder.model.runbook import Duration
from responder.sinks import Block, Medium, Preview, Sink
from responder.sinks import _credentials as credentials
from responder.sinks import _receipt as receipts
from responder.sinks._chat import RESENT, Markup, fitted, outline, turn, written
from responder.sinks._http import Address, Answer, judge, send
from responder.sinks._text import clean, cut, escape_markdown, utf8

log = structlog.get_logger(__name__)

LONGEST = 7439
"""Bytes of a message."""
LOCKED = 423
_MARKS = r"\*_~`|[]"


class Posted(Record):
    """What is shown so far: the receipt. `charts`: whether they were sent. `replaced` is still to be deleted."""

    id: str = ""
    replaced: str = ""
    digest: str = ""
    charts: bool = False
    over: bool = False


class Webex(Sink):
    """Posts to a space as a bot. Its buttons open a page that asks first.

    Webex allows ten edits of a message: then it is replaced by a new one.
    """

    gathers = True

    token: SecretStr | None = Field(None, description="the access token of the bot")
    token_file: Path | None = Field(None, description="a file that holds it")
    room: str = Field(pattern=r"^[-_=A-Za-z0-9]+$", description="the ID of the space")
    charts: bool = Field(True, description="whether charts are sent as replies")
    api_url: Address = Field("https://webexapis.com/v1", description="where the API is")
    timeout: Duration = Field(timedelta(seconds=10), description="the longest that one request may take")

    async def deliver(self, message: Message, receipt: str, medium: Medium) -> str:
        """Post or edit the message, reply with its charts, then tell of an end. Returns JSON."""
        posted = await self._root(message, receipts.read(Posted, receipt) or Posted(), medium)
        if self.charts and not posted.charts and message.stage != "announced":
            for picture in message.pictures:
                await self._chart(cut(clean(picture.title), 200), await medium.draw(picture), posted.id, medium)
            posted = await receipts.kept(posted, medium, charts=True)
        over = message.status is IncidentStatus.RESOLVED
        if over != posted.over:
            await self._call("POST", "messages", medium, {**self._text(_escape(turn(message))), "parentId": posted.id})
            posted = await receipts.kept(posted, medium, over=over)
        return posted.model_dump_json()

    def preview(self, message: Message) -> Preview:
        """The message, and its charts."""
        smaller = _fitted(message)
        charts = [Block(kind="picture", text=picture.title) for picture in smaller.pictures] if self.charts else []
        return Preview(blocks=(*outline(smaller), *charts), payload=render(message))

    async def _root(self, message: Message, posted: Posted, medium: Medium) -> Posted:
        if posted.id and posted.digest != message.digest:
            text = self._text(render(message))
            posted = posted if await self._edit(posted.id, text, medium) else Posted(replaced=posted.id)
        if not posted.id:
            text = self._text(render(message, resent=medium.doubtful and not posted.replaced))
            number = await self._call("POST", "messages", medium, text)
            posted = posted.model_copy(update={"id": number, "over": message.status is IncidentStatus.RESOLVED})
        posted = await receipts.kept(posted, medium, digest=message.digest)
        if posted.replaced:
            await self._delete(posted.replaced, medium)
            posted = await receipts.kept(posted, medium, replaced="")
        return posted

    async def _edit(self, number: str, text: dict[str, str], medium: Medium) -> bool:
        """False where the message is gone, or was edited too often."""
        try:
            await self._call("PUT", f"messages/{number}", medium, text)
        except Permanent as refused:
            if refused.reason in (Reason.NOT_FOUND, Reason.BAD_REQUEST):
                return False
            raise
        return True

    async def _delete(self, number: str, medium: Medium) -> None:
        """One that cannot be deleted stays: what is new was said."""
        try:
            await self._ask("DELETE", f"messages/{number}", medium)
        except Permanent as refused:
            if refused.reason is not Reason.NOT_FOUND:
                log.warning("webex.not_deleted", error=str(refused))

    async def _chart(self, caption: str, png: bytes, parent: str, medium: Medium) -> None:
        """A chart that Webex refuses is left out: the words are there already."""
        if not png:
            return
        form = aiohttp.FormData()
        for name, value in {"roomId": self.room, "parentId": parent, "text": caption or "chart"}.items():
            form.add_field(name, value)
        form.add_field("files", png, filename="chart.png", content_type="image/png")
        try:
            await self._call("POST", "messages", medium, form)
        except Permanent as refused:
            log.warning("webex.chart_refused", error=str(refused))

    async def _call(self, method: str, path: str, medium: Medium, given: dict[str, str] | aiohttp.FormData) -> str:
        """The id of the message."""
        body: dict[str, Any] = {"body": given} if isinstance(given, aiohttp.FormData) else {"document": given}
        document = (await self._ask(method, path, medium, **body)).json()
        number = document.get("id") if isinstance(document, dict) else None
        if not isinstance(number, str) or not re.fullmatch(r"[-_=A-Za-z0-9]+", number):
            raise Temporary("Webex answered without the id of the message", Reason.BAD_ANSWER)
        return number

    async def _ask(self, method: str, path: str, medium: Medium, **body: Any) -> Answer:
        token = await credentials.read(self.token, self.token_file, "token")
        answer = await send(
            medium.http,
            method,
            f"{self.api_url}/{path}",
            headers={"Authorization": f"Bearer {token}"},
            timeout=self.timeout.total_seconds(),
            secrets=(token,),
            accept=(LOCKED,),
            **body,
        )
        if answer.status == LOCKED:
            # the space is locked for a moment; Webex says for how long
            raise judge(429, answer.headers.get("Retry-After", ""), f"{answer.host} answered {LOCKED}", answer.text)
        return answer

    def _text(self, markdown: str) -> dict[str, str]:
        return {"roomId": self.room, "markdown": markdown}


def render(message: Message, *, resent: bool = False) -> str:
    """The text, as Markdown of Webex."""
    return _written(_fitted(message), resent)


def _fitted(message: Message) -> Message:
    return fitted(message, lambda tried: utf8(_written(tried, resent=True)) <= LONGEST)


def _written(message: Message, resent: bool) -> str:
    # a line break needs two spaces before it
    return written(message, _MARKUP, note=RESENT if resent else "").replace("**\n**", "**  \n**")


def _escape(text: str) -> str:
    """Markdown and HTML of strangers mean themselves; `<@all>` and `<@personEmail:…>` call nobody."""
    return escape_html(escape_markdown(text, _MARKS), quote=False).replace("@", "@\u200b")


def _bold(text: str) -> str:
    return f"**{text}**"


def _link(name: str, url: str) -> str:
    return f"[{_escape(name)}]({url.replace('(', '%28').replace(')', '%29')})"


_MARKUP = Markup(escape=_escape, bold=_bold, link=_link)
