"""An incoming webhook of Slack: takes messages and answers `ok`, in plain text."""

from typing import Any

from aiohttp import web

from responder.sinks import Sink
from responder.sinks.slack_webhook import SlackWebhook
from tests import fakes
from tests.fakes.sinks import document
from tests.fakes.sinks._slack_blocks import faults_of_blocks, faults_of_text, text_of

PATH = "/services/T000/B000/s3cr3t-of-the-hook"


class Fake(fakes.sinks.Fake):
    """`fetches`: whether Slack can fetch pictures by their address. `says`: what it answers in place of taking."""

    exactly_once = False
    shows_pictures = True

    def __init__(self) -> None:
        super().__init__()
        self.posted: list[dict[str, Any]] = []
        self.fetches = True
        self.says: tuple[int, str] | None = None

    @property
    def secrets(self) -> tuple[str, ...]:
        return ("s3cr3t-of-the-hook",)

    def sink(self, **options: Any) -> Sink:
        given = {"name": "hook", "url": f"{self.url}{PATH}", "timeout": fakes.sinks.TIMEOUT, **options}
        return SlackWebhook.model_validate(given)

    def things(self) -> list[fakes.sinks.Thing]:
        return [
            fakes.sinks.Thing(
                text=f"{message['text']}\n{text_of(message['blocks'])}",
                pictures=sum(block["type"] == "image" for block in message["blocks"]),
                open="resolved after" not in message["text"],
            )
            for message in self.posted
        ]

    def too_many_requests(self) -> web.Response:
        return web.Response(status=429, text="rate_limited", headers={"Retry-After": f"{fakes.sinks.RETRY_AFTER:g}"})

    def unauthorized(self) -> web.Response:
        return web.Response(status=403, text=f"action_prohibited {self.secrets[0]}")

    async def answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        if request.method != "POST" or request.path_qs != PATH or request.content_type != "application/json":
            self.refuse(f"{request.method} {request.path_qs} {request.content_type}")
        if self.says is not None:
            return web.Response(status=self.says[0], text=self.says[1])
        message = document(body)
        faults = faults_of_text(message.get("text")) + faults_of_blocks(message.get("blocks"))
        if set(message) != {"text", "blocks"}:
            faults.append(f"fields {sorted(message)}")
        for fault in faults:
            self.refuse(fault)
        if faults or (not self.fetches and any(block["type"] == "image" for block in message["blocks"])):
            return web.Response(status=400, text="invalid_blocks")
        self.posted.append(message)
        return web.Response(text="ok")
