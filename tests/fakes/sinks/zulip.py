"""Zulip's API for bots: one channel with its topics. What is longer than allowed is cut there: here it is refused."""

import base64
import json
import re
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from responder.sinks import Sink
from responder.sinks.zulip import Zulip
from tests import fakes
from tests.fakes.sinks._forms import multipart

EMAIL = "responder-bot@chat.example"
KEY = "s3cr3tApiKeyOfTheBot"
LOGIN = base64.b64encode(f"{EMAIL}:{KEY}".encode()).decode()
CHANNEL = "alerts"
_CALLS = re.compile(r"@_?\*|#\*\*|(?<!`)`{1,3}|\$\$|<time:")


@dataclass
class Sent:
    """A message of the channel."""

    id: int
    topic: str
    text: str


class Fake(fakes.sinks.Fake):
    """`refuses`: an answer of 400, by method and first part of the path."""

    shows_pictures = True

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[Sent] = []
        self.uploads: list[str] = []
        self.refuses: dict[tuple[str, str], str] = {}

    @property
    def secrets(self) -> tuple[str, ...]:
        return (KEY, LOGIN)

    def sink(self, **options: Any) -> Sink:
        given = {"name": "zulip", "url": self.url, "email": EMAIL, "token": KEY, "channel": CHANNEL}
        return Zulip.model_validate({**given, "timeout": fakes.sinks.TIMEOUT, **options})

    def things(self) -> list[fakes.sinks.Thing]:
        """The first message of each topic, and what looks like it: others are replies."""
        topics: dict[str, list[Sent]] = {}
        for sent in self.sent:
            topics.setdefault(sent.topic, []).append(sent)
        found = []
        for told in topics.values():
            roots = [sent for sent in told if "\n" in sent.text]
            replies = [sent.text for sent in told if "\n" not in sent.text]
            found += [
                fakes.sinks.Thing(
                    sent.text,
                    pictures=sum(url in sent.text for url in self.uploads),
                    open="resolved after" not in sent.text,
                    replies=replies,
                )
                for sent in roots
            ]
        return found

    def too_many_requests(self) -> web.Response:
        wait = fakes.sinks.RETRY_AFTER
        told = {
            "result": "error",
            "msg": "API usage exceeded rate limit",
            "code": "RATE_LIMIT_HIT",
            "retry-after": wait,
        }
        return web.json_response(told, status=429, headers={"Retry-After": f"{wait:g}"})

    def unauthorized(self) -> web.Response:
        return self._no(f"Invalid API key {KEY}", "INVALID_API_KEY", 401)

    def _no(self, message: str, code: str = "BAD_REQUEST", status: int = 400) -> web.Response:
        return web.json_response({"result": "error", "msg": message, "code": code}, status=status)

    def _yes(self, **more: Any) -> web.Response:
        return web.json_response({"result": "success", "msg": "", **more})

    async def answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Basic {LOGIN}":
            self.refuse("no login")
        path = request.path.removeprefix("/api/v1/").split("/")
        if message := self.refuses.get((request.method, path[0])):
            return self._no(message)
        if request.method == "POST" and path == ["user_uploads"]:
            return self._upload(request, body)
        if request.method == "GET" and path == ["messages"]:
            return self._search(dict(request.query))
        if request.content_type != "application/x-www-form-urlencoded":
            self.refuse(f"content type {request.content_type}")
        given = {name: str(value) for name, value in (await request.post()).items()}
        if request.method == "POST" and path == ["messages"]:
            return self._post(given)
        if request.method == "PATCH" and len(path) == 2:
            return self._edit(int(path[1]), given)
        self.refuse(f"{request.method} {request.path}")
        return self._no("not found", status=404)

    def _check(self, text: str) -> None:
        if not text.strip() or len(text) > 10_000:
            self.refuse(f"{len(text)} characters")
        if found := _CALLS.search(text):
            self.refuse(f"markup {found.group()!r}")
        if text.count("*") % 4:
            self.refuse("asterisks that are not ours")

    def _post(self, given: dict[str, str]) -> web.Response:
        if set(given) != {"type", "to", "topic", "content"} or (given["type"], given["to"]) != ("stream", CHANNEL):
            self.refuse(f"fields {sorted(given)}")
        if not 1 <= len(given["topic"]) <= 60:
            self.refuse(f"topic {given['topic']}")
        self._check(given["content"])
        self.sent.append(Sent(len(self.sent) + 1, given["topic"], given["content"]))
        return self._yes(id=len(self.sent))

    def _edit(self, number: int, given: dict[str, str]) -> web.Response:
        found = [sent for sent in self.sent if sent.id == number]
        if not found:
            return self._no("Invalid message(s)")
        if set(given) != {"content"}:
            self.refuse(f"fields {sorted(given)}")
        self._check(given["content"])
        found[0].text = given["content"]
        return self._yes()

    def _search(self, query: dict[str, str]) -> web.Response:
        narrow = {term["operator"]: term["operand"] for term in json.loads(query.pop("narrow"))}
        if query != {"anchor": "oldest", "num_before": "0", "num_after": "1"}:
            self.refuse(f"query {query}")
        if (narrow.pop("stream"), narrow.pop("sender")) != (CHANNEL, EMAIL) or set(narrow) != {"topic"}:
            self.refuse(f"narrow {narrow}")
        found = [{"id": sent.id} for sent in self.sent if sent.topic == narrow["topic"]]
        return self._yes(messages=found[:1])

    def _upload(self, request: web.Request, body: bytes) -> web.Response:
        [file] = multipart(request, body)
        if not file.file or not file.content:
            self.refuse("file")
        url = f"/user_uploads/2/a{len(self.uploads)}/chart.png"
        self.uploads.append(url)
        return self._yes(url=url)
