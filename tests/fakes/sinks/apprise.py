"""What Apprise's own plugin `json://` speaks to: an endpoint with a password, that keeps what it is told."""

import base64
from typing import Any

from aiohttp import web

from responder.sinks import Sink
from responder.sinks.apprise import Apprise
from tests import fakes
from tests.fakes.sinks import document

PATIENCE = "1s"
"""Longer than for others: threads have to start, and it is still less than a fake hangs."""
USER, PASSWORD = "responder", "pa55-of-apprise"
TYPES = {"failure": True, "warning": True, "success": False}
MENTIONS = ("@everyone", "@here", "@channel", "@all", "<!", "<@")


class Fake(fakes.sinks.Fake):
    """Keeps every message: the service has no key, so that what comes twice is there twice."""

    exactly_once = False
    shows_pictures = True
    form = "text"

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[dict[str, Any]] = []

    @property
    def secrets(self) -> tuple[str, ...]:
        return (PASSWORD,)

    @property
    def address(self) -> str:
        """As Apprise writes it."""
        return self.url.replace("http://", f"json://{USER}:{PASSWORD}@") + f"/hook?format={self.form}"

    def sink(self, **options: Any) -> Sink:
        given = {"name": "others", "urls": [self.address], "timeout": PATIENCE, **options}
        return Apprise.model_validate(given)

    def things(self) -> list[fakes.sinks.Thing]:
        return [
            fakes.sinks.Thing(f"{one['title']}\n{one['message']}", len(one["attachments"]), TYPES[one["type"]])
            for one in self.messages
        ]

    async def answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        expected = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {expected}":
            return web.json_response({"message": "who?"}, status=401)
        given = document(body)
        if request.method != "POST" or set(given) != {"version", "title", "message", "attachments", "type"}:
            self.refuse(f"{request.method} {set(given)}")
        if len(given["title"]) > 250 or len(given["message"]) > 32_768:
            self.refuse("too long")
        for attachment in given["attachments"]:
            if not base64.b64decode(attachment["base64"]).startswith(b"\x89PNG"):
                self.refuse("an attachment that is no picture")
        if found := [mention for mention in MENTIONS if mention in given["title"] + given["message"]]:
            self.refuse(f"calls {found}")
        self.messages.append(given)
        return web.json_response({})
