"""Zulip through a bot: a topic for each incident, with one message that is edited in place.

Contract: https://zulip.com/api. Zulip takes no key, so a try of which nobody heard the answer is looked for in the
topic.
"""

import base64
import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import structlog
from pydantic import Field, SecretStr
from yarl import URL

from responder.errors import Permanent, Reason, Temporary
from responder.model.incident import IncidentStatus
from responder.model.message import Message
from responder.model.record import Record
from responder.model.runbook import Duration
from responder.sinks import Block, Medium, Preview, Sink
from responder.sinks import _credentials as credentials
from responder.sinks import _receipt as receipts
from responder.sinks._chat import RESENT, Markup, fitted, outline, turn, written
from responder.sinks._http import Address, send
from responder.sinks._text import clean, cut

log = structlog.get_logger(__name__)

LONGEST = 10_000
TOPIC = 60
FOR_CHARTS = 600
"""Characters kept free for the links of charts."""
_APART = re.compile(r"\$(?=\$)|~(?=~)|\](?=\()|<(?=time:)|&(?=\w+;|#)|:(?=\w+:)")
_INSTEAD = str.maketrans({"*": "\u2217", "`": "\u02cb"})
_UPLOADED = re.compile(r"^/user_uploads/[-\w./%]+$")


class Posted(Record):
    """What is shown so far: the receipt. `charts` are addresses within Zulip, None as long as they were not sent."""

    id: int = 0
    digest: str = ""
    topic: str = ""
    charts: tuple[str, ...] | None = None
    over: bool = False


class Zulip(Sink):
    """Posts to a channel as a bot. Its buttons open a page that asks first."""

    gathers = True

    url: Address = Field(description="where Zulip is, such as `https://chat.example`")
    email: str = Field(min_length=3, description="the e-mail address of the bot")
    token: SecretStr | None = Field(None, description="the API key of the bot")
    token_file: Path | None = Field(None, description="a file that holds it")
    channel: str = Field(min_length=1, description="the name of the channel")
    charts: bool = Field(True, description="whether charts are uploaded")
    timeout: Duration = Field(timedelta(seconds=10), description="the longest that one request may take")

    async def deliver(self, message: Message, receipt: str, medium: Medium) -> str:
        """Upload the charts, post or edit the message, then tell of an end. Returns JSON."""
        posted = receipts.read(Posted, receipt) or Posted()
        over = message.status is IncidentStatus.RESOLVED
        if not posted.topic:
            posted = posted.model_copy(update={"topic": topic(message)})
        resent = False
        if not posted.id and medium.doubtful:
            found = await self._find(posted.topic, medium)
            resent = found is None
            posted = posted.model_copy(update={"id": found or 0})
        if self.charts and posted.charts is None and message.stage != "announced" and message.pictures:
            posted = await receipts.kept(posted, medium, charts=await self._upload(message, medium))
        text = render(message, posted.charts or (), resent=resent)
        if posted.id and posted.digest != message.digest and not await self._edit(posted.id, text, medium):
            posted = posted.model_copy(update={"id": 0})
        if not posted.id:
            number = await self._post(posted.topic, text, medium)
            posted = posted.model_copy(update={"id": number, "over": over})
        if posted.digest != message.digest:
            posted = await receipts.kept(posted, medium, digest=message.digest)
        if over != posted.over:
            await self._post(posted.topic, _escape(turn(message)), medium)
            posted = await receipts.kept(posted, medium, over=over)
        return posted.model_dump_json()

    def preview(self, message: Message) -> Preview:
        """The topic and the message."""
        smaller = _fitted(message)
        charts = [Block(kind="picture", text=picture.title) for picture in smaller.pictures] if self.charts else []
        subject = Block(kind="context", text=f"{self.channel} > {topic(message)}")
        return Preview(blocks=(subject, *outline(smaller), *charts), payload=render(message, ()))

    async def _post(self, subject: str, text: str, medium: Medium) -> int:
        form = {"type": "stream", "to": self.channel, "topic": subject, "content": text}
        number = (await self._call("POST", "messages", medium, form)).get("id")
        if not isinstance(number, int):
            raise Temporary("Zulip answered without the id of the message", Reason.BAD_ANSWER)
        return number

    async def _edit(self, number: int, text: str, medium: Medium) -> bool:
        """False where the message is gone, or too old to be edited."""
        try:
            await self._call("PATCH", f"messages/{number}", medium, {"content": text})
        except Permanent as refused:
            if refused.reason in (Reason.BAD_REQUEST, Reason.NOT_FOUND):
                return False
            raise
        return True

    async def _find(self, subject: str, medium: Medium) -> int | None:
        """The first message of ours in the topic, 0 without one; None where the channel cannot be read."""
        narrow = [("stream", self.channel), ("topic", subject), ("sender", self.email)]
        query = {
            "anchor": "oldest",
            "num_before": "0",
            "num_after": "1",
            "narrow": json.dumps([{"operator": operator, "operand": operand} for operator, operand in narrow]),
        }
        try:
            answer = await self._call("GET", "messages", medium, query)
        except Permanent as refused:
            if refused.reason is Reason.UNAUTHORIZED:
                raise
            return None
        told = answer.get("messages")
        first = told[0] if isinstance(told, list) and told else {}
        number = first.get("id") if isinstance(first, dict) else None
        return number if isinstance(number, int) else 0

    async def _upload(self, message: Message, medium: Medium) -> tuple[str, ...]:
        """Addresses of the charts; without those that are refused: the words are what counts."""
        found = []
        for picture in message.pictures:
            if not (png := await medium.draw(picture)):
                continue
            form = aiohttp.FormData()
            form.add_field("filename", png, filename="chart.png", content_type="image/png")
            try:
                answer = await self._call("POST", "user_uploads", medium, form)
            except Permanent as refused:
                log.warning("zulip.chart_refused", incident=message.key, error=str(refused))
                continue
            url = str(answer.get("url") or answer.get("uri") or "")
            found += [url] if _UPLOADED.match(url) else []
        return tuple(found)

    async def _call(
        self, method: str, path: str, medium: Medium, given: dict[str, str] | aiohttp.FormData
    ) -> dict[str, Any]:
        token = await credentials.read(self.token, self.token_file, "token")
        login = "Basic " + base64.b64encode(f"{self.email}:{token}".encode()).decode()
        url = URL(f"{self.url}/api/v1/{path}")
        if isinstance(given, dict) and method == "GET":
            url, body = url.with_query(given), None
        else:
            body = aiohttp.FormData(given) if isinstance(given, dict) else given
        answer = await send(
            medium.http,
            method,
            url,
            headers={"Authorization": login},
            body=body,
            timeout=self.timeout.total_seconds(),
            secrets=(token, login, login.removeprefix("Basic ")),
        )
        document = answer.json()
        if not isinstance(document, dict) or document.get("result") != "success":
            raise Temporary("Zulip did not answer with success", Reason.BAD_ANSWER)
        return document


def topic(message: Message) -> str:
    """Where the incident is told: the object, and the incident's ID, by which it is found again."""
    key = cut(clean(message.key), 36)
    about = cut(" ".join(clean(f"{message.place} {message.subject}").split()), TOPIC - len(key) - 3)
    return f"{about} ({key})"


def render(message: Message, charts: tuple[str, ...], *, resent: bool = False) -> str:
    """The text, as Markdown of Zulip, with charts that were uploaded."""
    links = " ".join(f"[chart {number}]({url})" for number, url in enumerate(charts, start=1))
    text = _written(_fitted(message), resent)
    return f"{text}\n\n{links}" if links and len(links) < FOR_CHARTS else text


def _fitted(message: Message) -> Message:
    return fitted(message, lambda tried: len(_written(tried, resent=True)) <= LONGEST - FOR_CHARTS)


def _written(message: Message, resent: bool) -> str:
    return written(message, _MARKUP, note=RESENT if resent else "")


def _escape(text: str) -> str:
    """Zulip knows no backslash: what would be markup or a call is written with a look-alike, or broken apart."""
    apart = _APART.sub(lambda found: f"{found.group()}\u200b", text.translate(_INSTEAD))
    return apart.replace("@", "@\u200b").replace("#\u2217", "#\u200b\u2217")


_MARKUP = Markup(
    escape=_escape,
    bold=lambda text: f"**{text}**",
    link=lambda name, url: f"[{_escape(name)}]({url.replace('(', '%28').replace(')', '%29')})",
)
