"""A webhook of a space in Google Chat. It does not know repetitions: that it would is not documented."""

import re
from typing import Any

from aiohttp import web

from responder.sinks import Sink
from responder.sinks.google_chat import GoogleChat
from tests import fakes
from tests.fakes.sinks import document

KEY = "AIzaKeyOfTheSpace123"
TOKEN = "s3cr3t-token_of%3D"
PATH = "/v1/spaces/AAAA/messages"
_TAG = re.compile(r"</?b>|<br>")


class Fake(fakes.sinks.Fake):
    """Keeps what was posted, with the ID of the request."""

    exactly_once = False
    shows_pictures = True

    def __init__(self) -> None:
        super().__init__()
        self.posted: list[dict[str, Any]] = []
        self.numbers: list[str] = []

    @property
    def secrets(self) -> tuple[str, ...]:
        return (KEY, "s3cr3t-token_of=", TOKEN)

    def sink(self, **options: Any) -> Sink:
        given = {"name": "gchat", "url": f"{self.url}{PATH}?key={KEY}&token={TOKEN}"}
        return GoogleChat.model_validate({**given, "timeout": fakes.sinks.TIMEOUT, **options})

    def things(self) -> list[fakes.sinks.Thing]:
        return [
            fakes.sinks.Thing(
                "\n".join(widget["textParagraph"]["text"] for widget in widgets if "textParagraph" in widget),
                pictures=sum("image" in widget for widget in widgets),
                open="resolved after" not in post["fallbackText"],
            )
            for post in self.posted
            for widgets in [post["cardsV2"][0]["card"]["sections"][0]["widgets"]]
        ]

    def unauthorized(self) -> web.Response:
        error = {"code": 403, "message": f"denied {TOKEN}", "status": "PERMISSION_DENIED"}
        return web.json_response({"error": error}, status=403)

    async def answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        if request.method != "POST" or request.path != PATH or request.content_type != "application/json":
            self.refuse(f"{request.method} {request.path}")
        query = dict(request.query)
        if (query.pop("key"), query.pop("token")) != (KEY, "s3cr3t-token_of="):
            self.refuse("credentials")
        self.numbers.append(query.pop("requestId"))
        if query != {"messageReplyOption": "REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD"}:
            self.refuse(f"query {query}")
        if len(body) > 32_000:
            self.refuse(f"{len(body)} bytes")
        given = document(body)
        if set(given) != {"cardsV2", "fallbackText", "thread"} or set(given["thread"]) != {"threadKey"}:
            self.refuse(f"fields {sorted(given)}")
        [card] = given["cardsV2"]
        [section] = card["card"]["sections"]
        if not 1 <= len(section["widgets"]) <= 100 or "<users/" in body.decode():
            self.refuse("widgets")
        for widget in section["widgets"]:
            self._check(widget)
        self.posted.append(given)
        thread = {"name": f"spaces/AAAA/threads/{given['thread']['threadKey']}"}
        return web.json_response({"name": f"spaces/AAAA/messages/{len(self.posted)}", "thread": thread})

    def _check(self, widget: dict[str, Any]) -> None:
        match widget:
            case {"textParagraph": {"text": text}} if len(widget) == 1:
                rest = _TAG.sub("", text)
                if not rest.strip() or re.search(r"[<>]|&(?!amp;|lt;|gt;)", rest):
                    self.refuse(f"text {text[:80]!r}")
            case {"image": {"imageUrl": url, "altText": str()}} if len(widget) == 1:
                if not url.startswith("https://"):
                    self.refuse("picture")
            case {"buttonList": {"buttons": [*buttons]}} if len(widget) == 1:
                for button in buttons:
                    if set(button) != {"text", "onClick"} or not button["onClick"]["openLink"]["url"].startswith(
                        "http"
                    ):
                        self.refuse(f"button {button}")
            case _:
                self.refuse(f"widget {sorted(widget)}")
