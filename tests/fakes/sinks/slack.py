"""Slack's Web API: answers 200 also where it refuses, keeps messages, threads and files of channels."""

import json
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from responder.sinks import Sink
from responder.sinks.slack import Slack
from tests import fakes
from tests.fakes.sinks import document
from tests.fakes.sinks._slack_blocks import faults_of_blocks, faults_of_text, text_of

TOKEN = "xoxb-1234-the-token"
SIGNING = "the-signing-secret-of-the-app"
CHANNEL = "C0123456789"
NAME = "#alerts"
_POST = {"channel", "text", "blocks", "metadata", "unfurl_links", "unfurl_media", "thread_ts"}
_UPDATE = {"channel", "ts", "text", "blocks", "metadata", "parse"}


@dataclass
class Posted:
    """A message in the channel."""

    ts: str
    text: str
    blocks: list[dict[str, Any]]
    metadata: dict[str, Any]
    parent: str = ""
    files: list[str] = field(default_factory=list)
    edits: int = 0


class Fake(fakes.sinks.Fake):
    """One channel. `deny`: what methods answer instead of doing anything."""

    shows_pictures = True

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[Posted] = []
        self.uploads: dict[str, dict[str, Any]] = {}
        self.deny: dict[str, dict[str, Any]] = {}
        self.calls: list[str] = []

    @property
    def secrets(self) -> tuple[str, ...]:
        return (TOKEN, SIGNING)

    def sink(self, **options: Any) -> Sink:
        given = {"name": "slack", "token": TOKEN, "channel": CHANNEL, "api_url": f"{self.url}/api/"}
        return Slack.model_validate({**given, "signing_secret": SIGNING, "timeout": fakes.sinks.TIMEOUT, **options})

    @property
    def roots(self) -> list[Posted]:
        return [message for message in self.messages if not message.parent]

    def thread(self, root: Posted) -> list[Posted]:
        return [message for message in self.messages if message.parent == root.ts]

    def things(self) -> list[fakes.sinks.Thing]:
        return [
            fakes.sinks.Thing(
                text=f"{root.text}\n{text_of(root.blocks)}",
                pictures=sum(len(reply.files) for reply in self.thread(root)),
                open="resolved after" not in root.text,
                replies=[f"{reply.text}\n{text_of(reply.blocks)}" for reply in self.thread(root)],
            )
            for root in self.roots
        ]

    def too_many_requests(self) -> web.Response:
        headers = {"Retry-After": f"{fakes.sinks.RETRY_AFTER:g}"}
        return web.json_response({"ok": False, "error": "ratelimited"}, status=429, headers=headers)

    def unauthorized(self) -> web.Response:
        return self.no("invalid_auth", response_metadata={"messages": [f"token {TOKEN}"]})

    def no(self, error: str, **more: Any) -> web.Response:
        return web.json_response({"ok": False, "error": error, **more})

    async def answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        if request.path.startswith("/upload/"):
            return self._take_bytes(request, body)
        if request.method != "POST" or not request.path.startswith("/api/") or request.query_string:
            self.refuse(f"{request.method} {request.path_qs}")
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            self.refuse("no bearer token")
            return self.no("not_authed")
        method = request.path.removeprefix("/api/")
        self.calls.append(method)
        if method in self.deny:
            return web.json_response({"ok": False, **self.deny[method]})
        given = document(body) if request.content_type == "application/json" else dict(await request.post())
        match method:
            case "chat.postMessage":
                return self._post(given)
            case "chat.update":
                return self._update(given)
            case "conversations.history":
                found = self.roots if given["channel"] == CHANNEL else []
                newest_first = [message for message in reversed(found) if float(message.ts) >= float(given["oldest"])]
                return self._page(given, newest_first, {"channel", "oldest", "limit", "include_all_metadata", "cursor"})
            case "conversations.replies":
                found = [m for m in self.messages if given["ts"] in (m.ts, m.parent)]
                return self._page(given, found, {"channel", "ts", "limit", "include_all_metadata", "cursor"})
            case "files.getUploadURLExternal":
                return self._reserve(given)
            case "files.completeUploadExternal":
                return self._complete(given)
        self.refuse(f"unknown method {method}")
        return self.no("unknown_method")

    def _check(self, given: dict[str, Any], known: set[str]) -> bool:
        faults = faults_of_text(given.get("text")) + faults_of_blocks(given.get("blocks"))
        if unknown := set(given) - known:
            faults.append(f"unknown fields {unknown}")
        metadata = given["metadata"]
        if set(metadata) != {"event_type", "event_payload"} or not all(
            isinstance(value, str) for value in metadata["event_payload"].values()
        ):
            faults.append("metadata")
        for fault in faults:
            self.refuse(fault)
        return not faults

    def _post(self, given: dict[str, Any]) -> web.Response:
        if given["channel"] not in (CHANNEL, NAME):
            return self.no("channel_not_found")
        if not self._check(given, _POST):
            return self.no("invalid_blocks", response_metadata={"messages": self.complaints[-3:]})
        parent = given.get("thread_ts", "")
        if parent and parent not in [root.ts for root in self.roots]:
            self.refuse("thread_ts is not the ts of a root")
            return self.no("cannot_reply_to_message")
        # far in the future, so that every message is younger than its incident
        ts = f"{4000000000 + len(self.messages)}.000100"
        self.messages.append(Posted(ts, given["text"], given["blocks"], given["metadata"], parent))
        return web.json_response({"ok": True, "channel": CHANNEL, "ts": ts, "message": {"ts": ts}})

    def _update(self, given: dict[str, Any]) -> web.Response:
        found = [message for message in self.messages if message.ts == given["ts"]]
        if given["channel"] != CHANNEL:
            self.refuse("update needs the channel's ID")
        if given.get("parse") != "none":
            self.refuse("update parses links unless told not to")
        if not found:
            return self.no("message_not_found")
        if not self._check(given, _UPDATE):
            return self.no("invalid_blocks", response_metadata={"messages": self.complaints[-3:]})
        [message] = found
        message.text, message.blocks, message.metadata = given["text"], given["blocks"], given["metadata"]
        message.edits += 1
        return web.json_response({"ok": True, "channel": CHANNEL, "ts": message.ts, "text": message.text})

    def _page(self, given: dict[str, Any], found: list[Posted], known: set[str]) -> web.Response:
        if set(given) - known or given.get("include_all_metadata") != "true":
            self.refuse(f"fields {sorted(given)}")
        if given["channel"] != CHANNEL:
            return self.no("channel_not_found")
        start, size = int(given.get("cursor") or 0), int(given["limit"])
        page = [
            {
                "ts": message.ts,
                "text": message.text,
                "metadata": message.metadata,
                "files": [{"name": name} for name in message.files],
            }
            for message in found[start : start + size]
        ]
        cursor = str(start + size) if start + size < len(found) else ""
        return web.json_response({"ok": True, "messages": page, "response_metadata": {"next_cursor": cursor}})

    def _reserve(self, given: dict[str, Any]) -> web.Response:
        if set(given) != {"filename", "length", "alt_txt"} or int(given["length"]) <= 0 or len(given["alt_txt"]) > 1000:
            self.refuse(f"upload {given}")
        number = f"F{len(self.uploads)}"
        self.uploads[number] = {"name": given["filename"], "length": int(given["length"]), "taken": False}
        return web.json_response({"ok": True, "upload_url": f"{self.url}/upload/{number}", "file_id": number})

    def _take_bytes(self, request: web.Request, body: bytes) -> web.Response:
        upload = self.uploads[request.path.removeprefix("/upload/")]
        if request.method != "POST" or len(body) != upload["length"] or "Authorization" in request.headers:
            self.refuse("upload")
        upload["taken"] = True
        return web.Response(text=f"OK - {len(body)}")

    def _complete(self, given: dict[str, Any]) -> web.Response:
        if set(given) != {"files", "channel_id", "thread_ts"} or given["channel_id"] != CHANNEL:
            self.refuse(f"complete {sorted(given)}")
        for file in given["files"]:
            upload = self.uploads.get(file["id"])
            if upload is None or not upload["taken"] or set(file) != {"id", "title"}:
                self.refuse(f"file {json.dumps(file)}")
                return self.no("file_not_found")
            ts = f"{4000000000 + len(self.messages)}.000100"
            self.messages.append(Posted(ts, "", [], {}, given["thread_ts"], [upload["name"]]))
        return web.json_response({"ok": True, "files": given["files"]})
