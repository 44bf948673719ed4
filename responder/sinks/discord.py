"""Discord through a webhook: one message for each incident, edited in place, with its charts.

Contract: https://docs.discord.com/developers/resources/webhook. Without key and without search: a try of which nobody
heard the answer may be shown twice.
"""

import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
from pydantic import Field, SecretStr
from yarl import URL

from responder.errors import Permanent, Reason, Temporary
from responder.model.message import Message
from responder.model.record import Record
from responder.model.runbook import Duration
from responder.sinks import Block, Medium, Preview, Sink
from responder.sinks import _credentials as credentials
from responder.sinks import _receipt as receipts
from responder.sinks._chat import RESENT, Markup, colour, fitted, outline, title, written
from responder.sinks._http import Answer, send
from responder.sinks._text import clean, cut, escape_markdown

TITLE = 256
DESCRIPTION = 4096
FOOTER = 512
"""Discord takes 2048, and 6000 for all texts together: this way these are never reached."""
ALT = 1024
UNKNOWN_MESSAGE = "10008"
_MARKS = r"\*_~`|<>[]@"


class Posted(Record):
    """The receipt."""

    id: str
    digest: str = ""


class Discord(Sink):
    """Posts to the channel that the webhook belongs to, or to a thread in it. Nobody is pinged."""

    gathers = True

    url: SecretStr | None = Field(None, description="the webhook, `https://discord.com/api/webhooks/…`: a secret")
    url_file: Path | None = Field(None, description="a file that holds it")
    thread_id: str = Field("", pattern=r"^\d*$", description="a thread of the channel to post to")
    timeout: Duration = Field(timedelta(seconds=10), description="the longest that one request may take")

    async def deliver(self, message: Message, receipt: str, medium: Medium) -> str:
        """Post the message or edit it, charts and all; one that was deleted is posted anew. Returns id and digest."""
        url = URL(await credentials.read_address(self.url, self.url_file))
        posted = receipts.read(Posted, receipt)
        if posted is not None and posted.digest == message.digest:
            return receipt
        drawn = [(picture.title, await medium.draw(picture)) for picture in message.pictures]
        charts = [(name, png) for name, png in drawn if png]
        if posted is not None and await self._edit(url, posted.id, message, charts, medium):
            return Posted(id=posted.id, digest=message.digest).model_dump_json()
        document = payload(message, [name for name, _ in charts], resent=medium.doubtful and posted is None)
        answer = (await self._send("POST", url, {"wait": "true"}, document, charts, medium)).json()
        number = answer.get("id") if isinstance(answer, dict) else None
        if not isinstance(number, str) or not number.isdigit():
            raise Temporary("Discord answered without the id of the message", Reason.BAD_ANSWER)
        return Posted(id=number, digest=message.digest).model_dump_json()

    def preview(self, message: Message) -> Preview:
        """The embed."""
        document = payload(message, [picture.title for picture in message.pictures])
        shown = [Block(kind="picture", text=file["description"]) for file in document.get("attachments", ())]
        footer = Block(kind="context", text=document["embeds"][0]["footer"]["text"])
        written_out = json.dumps(document, ensure_ascii=False, indent=2)
        return Preview(blocks=(*outline(_fitted(message)), *shown, footer), payload=written_out)

    async def _edit(
        self, url: URL, number: str, message: Message, charts: list[tuple[str, bytes]], medium: Medium
    ) -> bool:
        """False where the message is gone."""
        # what is not listed is removed from the message
        document = {"attachments": [], **payload(message, [name for name, _ in charts])}
        try:
            await self._send("PATCH", url / "messages" / number, {}, document, charts, medium)
        except Permanent as refused:
            if refused.reason is Reason.NOT_FOUND and UNKNOWN_MESSAGE in str(refused):
                return False
            raise
        return True

    async def _send(
        self,
        method: str,
        url: URL,
        query: dict[str, str],
        document: dict[str, Any],
        charts: list[tuple[str, bytes]],
        medium: Medium,
    ) -> Answer:
        form = aiohttp.FormData()
        form.add_field("payload_json", json.dumps(document, ensure_ascii=False), content_type="application/json")
        for number, (_, png) in enumerate(charts):
            form.add_field(f"files[{number}]", png, filename=_file_name(number), content_type="image/png")
        body: dict[str, Any] = {"body": form} if charts else {"document": document}
        thread = {"thread_id": self.thread_id} if self.thread_id else {}
        target = url.update_query({**query, **thread})
        hidden = credentials.pieces(str(url))
        return await send(medium.http, method, target, timeout=self.timeout.total_seconds(), secrets=hidden, **body)


def payload(message: Message, charts: Sequence[str], *, resent: bool = False) -> dict[str, Any]:
    """The JSON of a message with charts of these titles; embeds of one `url` are shown as one, with all pictures."""
    smaller = _fitted(message)
    footer = f"incident {clean(message.key)}" + (f" · {RESENT}" if resent else "")
    embed: dict[str, Any] = {
        "title": _title(smaller),
        "description": _description(smaller),
        "color": colour(smaller),
        "footer": {"text": cut(footer, FOOTER)},
        "timestamp": message.updated_at.isoformat(),
    }
    address = {"url": smaller.url} if smaller.url else {}
    files = [
        {"id": number, "filename": _file_name(number), "description": cut(clean(name), ALT) or "chart"}
        for number, name in enumerate(charts)
    ]
    pictures = [{"image": {"url": f"attachment://{file['filename']}"}} for file in files] or [{}]
    embeds = [{**embed, **address, **pictures[0]}, *({**address, **picture} for picture in pictures[1:])]
    attachments = {"attachments": files} if files else {}
    return {"embeds": embeds, "allowed_mentions": {"parse": []}, **attachments}


def escape(text: str) -> str:
    """Markdown of strangers means itself; names are not called."""
    return escape_markdown(text, _MARKS).replace("@", "@\u200b")


def _bold(text: str) -> str:
    return f"**{text}**"


def _link(name: str, url: str) -> str:
    return f"[{escape(name)}](<{url.replace(')', '%29').replace('(', '%28')}>)"


_MARKUP = Markup(escape=escape, bold=_bold, link=_link)


def _fitted(message: Message) -> Message:
    return fitted(
        message,
        lambda tried: len(_description(tried)) <= DESCRIPTION,
        longest_address=512,
    )


def _title(message: Message) -> str:
    return escape(cut(title(message), TITLE, lambda text: len(escape(text))))


def _description(message: Message) -> str:
    return written(message, _MARKUP, heading=False)


def _file_name(number: int) -> str:
    return f"chart-{number + 1}.png"
