"""The messages of one incident in Slack: post, edit, upload, and find them again by their metadata."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import aiohttp

from responder.errors import Permanent, Reason, Temporary
from responder.model.links import web_address
from responder.sinks._http import send
from responder.sinks._slack_api import Refused, SlackApi
from responder.sinks._slack_blocks import Rendered, escape
from responder.sinks._text import clean, cut

EVENT = "responder_incident"
PAGES = 3
PER_PAGE = 200
SKEW = timedelta(minutes=5)
"""How far our clock and Slack's may be apart."""
_CANNOT_LOOK = (Reason.FORBIDDEN, Reason.NOT_FOUND, Reason.BAD_REQUEST)

Kind = Literal["root", "details", "resolved", "again"]


@dataclass(frozen=True)
class Place:
    """Where a message is; `ts` is empty where it was looked for and is not there."""

    channel: str
    ts: str = ""


@dataclass(frozen=True)
class Replies:
    """What a thread holds of ours: the ts of the details, the names of files, the last change of state."""

    details: str = ""
    files: frozenset[str] = frozenset()
    last_change: str = ""


class SlackThread:
    """Root and replies of one incident."""

    def __init__(self, api: SlackApi, http: aiohttp.ClientSession, channel: str, key: str, timeout: float) -> None:
        self._api = api
        self._http = http
        self._channel = channel
        self._key = key
        self._timeout = timeout

    async def post(self, kind: Kind, channel: str, parent: str, rendered: Rendered, digest: str) -> tuple[str, str]:
        """A message, or a reply to `parent`; returns channel (as an ID) and ts."""
        answer = await self._api.call(
            "chat.postMessage",
            {
                "channel": channel,
                "text": rendered.text,
                "blocks": rendered.blocks,
                "metadata": self._metadata(kind, digest),
                "unfurl_links": False,
                "unfurl_media": False,
                **({"thread_ts": parent} if parent else {}),
            },
        )
        found, ts = answer.get("channel"), answer.get("ts")
        if not (isinstance(found, str) and isinstance(ts, str)):
            raise Temporary("Slack answered chat.postMessage without channel and ts", Reason.BAD_ANSWER)
        return found, ts

    async def update(self, kind: Kind, channel: str, ts: str, rendered: Rendered, digest: str) -> None:
        """Edit one of our messages."""
        document = {"channel": channel, "ts": ts, "text": rendered.text, "blocks": rendered.blocks, "parse": "none"}
        await self._api.call("chat.update", {**document, "metadata": self._metadata(kind, digest)})

    async def upload(self, channel: str, parent: str, name: str, title: str, png: bytes) -> None:
        """A picture as a reply, in Slack's three steps."""
        shown = cut(clean(title), 200) or "chart"
        document = {"filename": name, "length": str(len(png)), "alt_txt": cut(shown, 1000)}
        answer = await self._api.call("files.getUploadURLExternal", document, form=True)
        url, number = web_address(str(answer.get("upload_url") or "")), answer.get("file_id")
        if not url or not isinstance(number, str):
            raise Temporary("Slack answered files.getUploadURLExternal without an address", Reason.BAD_ANSWER)
        headers = {"Content-Type": "application/octet-stream"}
        await send(self._http, "POST", url, headers=headers, body=png, timeout=self._timeout, secrets=(url,))
        files = [{"id": number, "title": escape(shown)}]
        await self._api.call(
            "files.completeUploadExternal", {"files": files, "channel_id": channel, "thread_ts": parent}
        )

    async def find_root(self, since: datetime) -> Place | None:
        """Our root for this incident. None where nobody can tell: the scope to look is missing, or it was too long ago.

        The newest counts.
        """
        oldest = f"{(since - SKEW).timestamp():.6f}"
        cursor = ""
        for _ in range(PAGES):
            try:
                answer = await self._page("conversations.history", {"channel": self._channel, "oldest": oldest}, cursor)
            except Refused as refused:
                if refused.reason in _CANNOT_LOOK:
                    return None
                raise
            for message, metadata in self._ours(answer):
                if metadata.get("kind") == "root" and isinstance(message.get("ts"), str):
                    return Place(self._channel, message["ts"])
            cursor = _next(answer)
            if not cursor:
                return Place(self._channel)
        return None

    async def replies(self, channel: str, parent: str) -> Replies:
        """What the thread holds; nothing where it cannot be read."""
        found = Replies()
        cursor = ""
        for _ in range(PAGES):
            try:
                answer = await self._page("conversations.replies", {"channel": channel, "ts": parent}, cursor)
            except Permanent as trouble:
                if trouble.reason in _CANNOT_LOOK:
                    return found
                raise
            found = self._add(found, answer)
            cursor = _next(answer)
            if not cursor:
                break
        return found

    def _add(self, found: Replies, answer: Mapping[str, Any]) -> Replies:
        files = {str(file.get("name")) for message in _messages(answer) for file in message.get("files") or ()}
        details, change = found.details, found.last_change
        for message, metadata in self._ours(answer):
            kind = metadata.get("kind")
            if kind == "details":
                details = str(message.get("ts") or "")
            elif kind in ("resolved", "again"):
                change = str(kind)
        return Replies(details, found.files | files, change)

    async def _page(self, method: str, document: Mapping[str, str], cursor: str) -> dict[str, Any]:
        more = {"limit": str(PER_PAGE), "include_all_metadata": "true", **({"cursor": cursor} if cursor else {})}
        return await self._api.call(method, {**document, **more}, form=True)

    def _ours(self, answer: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        for message in _messages(answer):
            metadata = message.get("metadata")
            if not isinstance(metadata, dict) or metadata.get("event_type") != EVENT:
                continue
            payload = metadata.get("event_payload")
            if isinstance(payload, dict) and payload.get("key") == self._key:
                yield message, payload

    def _metadata(self, kind: Kind, digest: str) -> dict[str, Any]:
        return {"event_type": EVENT, "event_payload": {"key": self._key, "kind": kind, "digest": digest}}


def _messages(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = answer.get("messages")
    return [message for message in found if isinstance(message, dict)] if isinstance(found, list) else []


def _next(answer: Mapping[str, Any]) -> str:
    metadata = answer.get("response_metadata")
    return str(metadata.get("next_cursor") or "") if isinstance(metadata, dict) else ""
