"""A server of ntfy: publishes JSON; replaces what has the same sequence ID, unless it is `old`."""

import re
from typing import Any

from aiohttp import web

from responder.sinks import Sink
from responder.sinks.ntfy import Ntfy
from tests import fakes
from tests.fakes.sinks import document

TOKEN = "tk_s3cr3ttokenofthesink"
TOPIC = "alerts-of-the-shop"
_KNOWN = {"topic", "title", "message", "priority", "sequence_id", "click", "attach", "filename", "actions"}


class Fake(fakes.sinks.Fake):
    """`old`: before 2.16, without sequences. `refuses`: the code of an error."""

    shows_pictures = True

    def __init__(self) -> None:
        super().__init__()
        self.shown: dict[str, dict[str, Any]] = {}
        self.old = False
        self.refuses = 0

    @property
    def secrets(self) -> tuple[str, ...]:
        return (TOKEN,)

    def sink(self, **options: Any) -> Sink:
        given = {"name": "ntfy", "url": self.url, "topic": TOPIC, "token": TOKEN, "timeout": fakes.sinks.TIMEOUT}
        return Ntfy.model_validate(given | options)

    def things(self) -> list[fakes.sinks.Thing]:
        return [
            fakes.sinks.Thing(
                f"{shown['title']}\n{shown['message']}",
                pictures=int("attach" in shown),
                open="resolved after" not in shown["title"],
            )
            for shown in self.shown.values()
        ]

    def too_many_requests(self) -> web.Response:
        headers = {"Retry-After": f"{fakes.sinks.RETRY_AFTER:g}"}
        return web.json_response({"code": 42901, "http": 429, "error": "limit reached"}, status=429, headers=headers)

    def unauthorized(self) -> web.Response:
        return self._no(40101)

    def _no(self, code: int) -> web.Response:
        status = code // 100
        error = {"code": code, "http": status, "error": f"no {TOKEN}", "link": "https://ntfy.sh/docs"}
        return web.json_response(error, status=status)

    async def answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        if self.refuses:
            return self._no(self.refuses)
        if request.method != "POST" or request.path_qs != "/":
            self.refuse(f"{request.method} {request.path_qs}")
        if request.headers.get("Authorization") not in (f"Bearer {TOKEN}", None):
            self.refuse("authorization")
        given = document(body)
        if set(given) - _KNOWN or not re.fullmatch(r"[-_A-Za-z0-9]{1,64}", given["topic"]):
            self.refuse(f"fields {sorted(given)}")
        if not given["message"].strip() or len(given["message"].encode()) > 4096:
            self.refuse(f"a message of {len(given['message'].encode())} bytes becomes an attachment")
        if not 1 <= given["priority"] <= 5 or "\n" in given["title"]:
            self.refuse("priority or title")
        if not re.fullmatch(r"[-_A-Za-z0-9]{1,64}", given["sequence_id"]):
            self.refuse("sequence_id")
        for action in given.get("actions", ()):
            if set(action) != {"action", "label", "url"} or action["action"] != "view" or not action["label"]:
                self.refuse(f"action {action}")
        if len(given.get("actions", ())) > 3 or not given.get("attach", "https://").startswith("https://"):
            self.refuse("actions or attachment")
        number = f"m{self.requests}"
        self.shown[number if self.old else given["sequence_id"]] = given
        told = {"id": number, "event": "message", "topic": given["topic"], "message": given["message"]}
        return web.json_response(told | ({} if self.old else {"sequence_id": given["sequence_id"]}))
