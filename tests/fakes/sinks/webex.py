"""Webex's messages of one space: ten edits each, none with a file."""

import re
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from responder.sinks import Sink
from responder.sinks.webex import Webex
from tests import fakes
from tests.fakes.sinks import document
from tests.fakes.sinks._forms import multipart

TOKEN = "t0ken-of-the-bot-in-webex"
ROOM = "Y2lzY29zcGFyazovL3VzL1JPT00"


@dataclass
class Sent:
    """A message of the space."""

    id: str
    text: str
    parent: str = ""
    file: bool = False
    edits: int = 0


class Fake(fakes.sinks.Fake):
    """`locks`: answers 423. `no_files`: refuses files."""

    exactly_once = False
    shows_pictures = True

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[Sent] = []
        self.locks = False
        self.no_files = False
        self._number = 0

    @property
    def secrets(self) -> tuple[str, ...]:
        return (TOKEN,)

    def sink(self, **options: Any) -> Sink:
        given = {"name": "webex", "api_url": f"{self.url}/v1", "token": TOKEN, "room": ROOM}
        return Webex.model_validate({**given, "timeout": fakes.sinks.TIMEOUT, **options})

    def things(self) -> list[fakes.sinks.Thing]:
        return [
            fakes.sinks.Thing(
                root.text,
                pictures=sum(sent.file for sent in self.sent if sent.parent == root.id),
                open="resolved after" not in root.text,
                replies=[sent.text for sent in self.sent if sent.parent == root.id],
            )
            for root in self.sent
            if not root.parent
        ]

    def _no(self, status: int, message: str) -> web.Response:
        return web.json_response({"message": message, "errors": [], "trackingId": "x"}, status=status)

    async def answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        if self.locks:
            headers = {"Retry-After": f"{fakes.sinks.RETRY_AFTER:g}"}
            return web.json_response({"message": "locked"}, status=423, headers=headers)
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            self.refuse("no bearer token")
        if request.method == "DELETE":
            return self._delete(request.path.rpartition("/")[2])
        if request.content_type == "multipart/form-data":
            return self._file(request, body)
        given = document(body)
        self._check(given)
        if request.method == "POST" and request.path_qs == "/v1/messages":
            return self._add(given["markdown"], given.get("parentId", ""))
        if request.method == "PUT" and request.path.startswith("/v1/messages/"):
            return self._edit(request.path.rpartition("/")[2], given)
        self.refuse(f"{request.method} {request.path_qs}")
        return self._no(404, "not found")

    def _check(self, given: dict[str, Any]) -> None:
        if set(given) - {"roomId", "markdown", "parentId"} or given["roomId"] != ROOM:
            self.refuse(f"fields {sorted(given)}")
        text = given["markdown"]
        if not text.strip() or len(text.encode()) > 7439:
            self.refuse(f"{len(text.encode())} bytes")
        if re.search(r"<[@/a-z]", text.replace("(<http", "")):
            self.refuse("HTML or a mention")

    def _add(self, text: str, parent: str, *, file: bool = False) -> web.Response:
        if parent and parent not in [sent.id for sent in self.sent if not sent.parent]:
            self.refuse("parentId is not a root")
        self._number += 1
        sent = Sent(f"Y2lzY29{self._number}", text, parent, file)
        self.sent.append(sent)
        return web.json_response({"id": sent.id, "roomId": ROOM})

    def _edit(self, number: str, given: dict[str, Any]) -> web.Response:
        found = [sent for sent in self.sent if sent.id == number]
        if set(given) != {"roomId", "markdown"}:
            self.refuse(f"edit {sorted(given)}")
        if not found:
            return self._no(404, "Message not found")
        [sent] = found
        if sent.file:
            self.refuse("a message with a file cannot be edited")
        if sent.file or sent.edits >= 10:
            return self._no(400, "cannot be edited")
        sent.text, sent.edits = given["markdown"], sent.edits + 1
        return web.json_response({"id": sent.id})

    def _delete(self, number: str) -> web.Response:
        if number not in [sent.id for sent in self.sent]:
            return self._no(404, "Message not found")
        self.sent = [sent for sent in self.sent if sent.id != number]
        return web.Response(status=204)

    def _file(self, request: web.Request, body: bytes) -> web.Response:
        if self.no_files:
            return self._no(400, "file type is not allowed")
        fields = {part.name: part for part in multipart(request, body)}
        if set(fields) != {"roomId", "parentId", "text", "files"} or not fields["files"].file:
            self.refuse(f"fields {sorted(fields)}")
        return self._add(fields["text"].content.decode(), fields["parentId"].content.decode(), file=True)
