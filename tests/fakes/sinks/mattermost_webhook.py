"""An incoming webhook of Mattermost."""

from typing import Any

from aiohttp import web

from responder.sinks import Sink
from responder.sinks.mattermost_webhook import MattermostWebhook
from tests import fakes
from tests.fakes.sinks import document
from tests.fakes.sinks.mattermost import faults

KEY = "s3cr3tkeyofthehook12345678"


class Fake(fakes.sinks.Fake):
    """Keeps what was posted."""

    exactly_once = False
    shows_pictures = True

    def __init__(self) -> None:
        super().__init__()
        self.posted: list[dict[str, Any]] = []

    @property
    def secrets(self) -> tuple[str, ...]:
        return (KEY,)

    def sink(self, **options: Any) -> Sink:
        given = {"name": "hook", "url": f"{self.url}/hooks/{KEY}", "timeout": fakes.sinks.TIMEOUT, **options}
        return MattermostWebhook.model_validate(given)

    def things(self) -> list[fakes.sinks.Thing]:
        return [
            fakes.sinks.Thing(
                post["text"], pictures=len(post.get("attachments", ())), open="resolved after" not in post["text"]
            )
            for post in self.posted
        ]

    def unauthorized(self) -> web.Response:
        return web.json_response({"id": "web.incoming_webhook.invalid", "message": KEY, "status_code": 403}, status=403)

    async def answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        if request.method != "POST" or request.path_qs != f"/hooks/{KEY}":
            self.refuse(f"{request.method} {request.path_qs}")
        given = document(body)
        if set(given) - {"text", "attachments"}:
            self.refuse(f"fields {sorted(given)}")
        for fault in faults(given["text"]):
            self.refuse(fault)
        for attachment in given.get("attachments", ()):
            if set(attachment) != {"fallback", "title", "image_url", "color"}:
                self.refuse(f"attachment {sorted(attachment)}")
            if not attachment["image_url"].startswith("https://") or faults(attachment["title"]):
                self.refuse("attachment")
        self.posted.append(given)
        return web.Response(text="ok")
