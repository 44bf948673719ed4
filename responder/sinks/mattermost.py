"""Mattermost through a bot: one post for each incident, edited in place; details and charts are replies to it.

Contract: https://developers.mattermost.com/api-documentation. It takes no key, so a try of which nobody heard the
answer is looked for by the properties of its post.
"""

from collections.abc import Mapping
from datetime import timedelta
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
from responder.sinks import Medium, Preview, Sink
from responder.sinks import _credentials as credentials
from responder.sinks import _receipt as receipts
from responder.sinks._chat import turn
from responder.sinks._http import Address, Answer, send
from responder.sinks._mattermost import details, escape, preview, root

log = structlog.get_logger(__name__)

PROPERTY = "responder"
SKEW = timedelta(minutes=5)
FILES = 5


class Posted(Record):
    """What is shown so far: the receipt. `details` is the id of the reply with details and charts."""

    id: str = ""
    digest: str = ""
    details: str = ""
    told: str = ""
    over: bool = False


class Mattermost(Sink):
    """Posts to a channel as a bot. Its buttons open a page that asks first."""

    gathers = True

    url: Address = Field(description="where Mattermost is, such as `https://chat.example`")
    token: SecretStr | None = Field(None, description="the access token of the bot")
    token_file: Path | None = Field(None, description="a file that holds it")
    channel: str = Field(pattern=r"^[a-z0-9]{26}$", description="the ID of the channel (26 letters and digits)")
    charts: bool = Field(True, description="whether charts are uploaded into the thread")
    timeout: Duration = Field(timedelta(seconds=10), description="the longest that one request may take")

    async def deliver(self, message: Message, receipt: str, medium: Medium) -> str:
        """Post or edit the root, then the reply with details and charts, then tell of an end. Returns JSON."""
        posted = await self._root(message, receipts.read(Posted, receipt) or Posted(), medium)
        posted = await self._details(message, posted, medium)
        over = message.status is IncidentStatus.RESOLVED
        if over != posted.over:
            kind = "resolved" if over else "again"
            if not (medium.doubtful and await self._last_change(message, medium) == kind):
                await self._post(message, kind, escape(turn(message)), medium, parent=posted.id)
            posted = await receipts.kept(posted, medium, over=over)
        return posted.model_dump_json()

    def preview(self, message: Message) -> Preview:
        """The post, and the details that follow it."""
        return preview(message, threaded=True)

    async def _root(self, message: Message, posted: Posted, medium: Medium) -> Posted:
        resent = False
        if not posted.id and medium.doubtful:
            found = await self._find(message, medium)
            resent = found is None
            posted = Posted(id=found.get("root", ""), details=found.get("details", "")) if found else posted
        if (
            posted.id
            and posted.digest != message.digest
            and not await self._patch(posted.id, root(message, resent=resent), medium)
        ):
            posted = Posted()
        if not posted.id:
            number = await self._post(message, "root", root(message, resent=resent), medium)
            posted = Posted(id=number, over=message.status is IncidentStatus.RESOLVED)
        return await receipts.kept(posted, medium, digest=message.digest)

    async def _details(self, message: Message, posted: Posted, medium: Medium) -> Posted:
        if message.stage == "announced":
            return posted
        text, number = details(message), posted.details
        if not number and medium.doubtful:
            number = (await self._find(message, medium) or {}).get("details", "")
        if number and text != posted.told and not await self._patch(number, text, medium):
            number = ""
        if not number:
            files = await self._upload(message, medium) if self.charts else []
            if text or files:
                number = await self._post(message, "details", text, medium, parent=posted.id, files=files)
        return await receipts.kept(posted, medium, details=number, told=text)

    async def _post(
        self,
        message: Message,
        kind: str,
        text: str,
        medium: Medium,
        *,
        parent: str = "",
        files: list[str] | None = None,
    ) -> str:
        document: dict[str, Any] = {
            "channel_id": self.channel,
            "message": text,
            "props": {PROPERTY: {"key": message.key, "kind": kind}},
        }
        document |= {"root_id": parent} if parent else {}
        document |= {"file_ids": files} if files else {}
        answer = (await self._ask("POST", "posts", medium, document=document)).json()
        number = answer.get("id") if isinstance(answer, dict) else None
        if not isinstance(number, str) or not number.isalnum():
            raise Temporary("Mattermost answered without the id of the post", Reason.BAD_ANSWER)
        return number

    async def _patch(self, number: str, text: str, medium: Medium) -> bool:
        """False where the post is gone."""
        try:
            await self._ask("PUT", f"posts/{number}/patch", medium, document={"message": text})
        except Permanent as refused:
            if refused.reason is Reason.NOT_FOUND:
                return False
            raise
        return True

    async def _upload(self, message: Message, medium: Medium) -> list[str]:
        """Ids of the charts; none where they are refused: the words are what counts."""
        charts = [png for picture in message.pictures[:FILES] if (png := await medium.draw(picture))]
        if not charts:
            return []
        form = aiohttp.FormData()
        form.add_field("channel_id", self.channel)
        for number, png in enumerate(charts, start=1):
            form.add_field("files", png, filename=f"chart-{number}.png", content_type="image/png")
        try:
            answer = (await self._ask("POST", "files", medium, body=form)).json()
        except Permanent as refused:
            log.warning("mattermost.chart_refused", incident=message.key, error=str(refused))
            return []
        told = answer.get("file_infos") if isinstance(answer, dict) else None
        return [str(file["id"]) for file in told or () if isinstance(file, dict) and "id" in file]

    async def _find(self, message: Message, medium: Medium) -> dict[str, str] | None:
        """The ids of our posts for this incident by kind, the newest last; None where the channel cannot be read."""
        since = int((message.started_at - SKEW).timestamp() * 1000)
        try:
            answer = await self._ask("GET", f"channels/{self.channel}/posts?since={since}", medium)
        except Permanent as refused:
            if refused.reason in (Reason.FORBIDDEN, Reason.NOT_FOUND):
                return None
            raise
        document = answer.json()
        posts = document.get("posts") if isinstance(document, dict) else None
        ours = [post for post in (posts or {}).values() if isinstance(post, dict) and _is_ours(post, message.key)]
        ours.sort(key=lambda post: int(post.get("create_at") or 0))
        found: dict[str, str] = {}
        for post in ours:
            kind = str(post["props"][PROPERTY].get("kind"))
            found.pop(kind, None)
            found[kind] = str(post["id"])
        return found

    async def _last_change(self, message: Message, medium: Medium) -> str:
        found = await self._find(message, medium) or {}
        return next((kind for kind in reversed(found) if kind in ("resolved", "again")), "")

    async def _ask(self, method: str, path: str, medium: Medium, **given: Any) -> Answer:
        token = await credentials.read(self.token, self.token_file, "token")
        return await send(
            medium.http,
            method,
            f"{self.url}/api/v4/{path}",
            headers={"Authorization": f"Bearer {token}"},
            timeout=self.timeout.total_seconds(),
            secrets=(token,),
            **given,
        )


def _is_ours(post: Mapping[str, Any], key: str) -> bool:
    props = post.get("props")
    told = props.get(PROPERTY) if isinstance(props, dict) else None
    return isinstance(told, dict) and told.get("key") == key and not post.get("delete_at")
