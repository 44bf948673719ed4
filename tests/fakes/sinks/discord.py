"""A webhook of Discord: keeps messages by id, with what is attached to them."""

import json
import re
from typing import Any

from aiohttp import web

from responder.sinks import Sink
from responder.sinks.discord import Discord
from tests import fakes
from tests.fakes.sinks import document
from tests.fakes.sinks._forms import multipart

TOKEN = "s3cr3t-token-of-the-webhook"
PATH = f"/api/webhooks/123456789012345678/{TOKEN}"
THREAD = "42"
_EMBED = {"title", "description", "color", "footer", "timestamp", "url", "image"}
_MENTION = re.compile(r"(?<!\\)<[@#]|@everyone|@here|(?<!\\)```")


class Fake(fakes.sinks.Fake):
    """`refuses`: status and JSON that it answers in place of taking."""

    exactly_once = False
    shows_pictures = True

    def __init__(self) -> None:
        super().__init__()
        self.messages: dict[str, dict[str, Any]] = {}
        self.refuses: tuple[int, dict[str, Any]] | None = None
        self.posted = 0
        self.threads: set[str] = set()

    @property
    def secrets(self) -> tuple[str, ...]:
        return (TOKEN,)

    def sink(self, **options: Any) -> Sink:
        given = {"name": "discord", "url": f"{self.url}{PATH}", "timeout": fakes.sinks.TIMEOUT, **options}
        return Discord.model_validate(given)

    def things(self) -> list[fakes.sinks.Thing]:
        return [
            fakes.sinks.Thing(
                text="\n".join(
                    [
                        message["embeds"][0]["title"],
                        message["embeds"][0]["description"],
                        message["embeds"][0]["footer"]["text"],
                    ]
                ),
                pictures=sum("image" in embed for embed in message["embeds"]),
                open="resolved after" not in message["embeds"][0]["title"],
            )
            for message in self.messages.values()
        ]

    def too_many_requests(self) -> web.Response:
        wait = fakes.sinks.RETRY_AFTER
        headers = {"Retry-After": f"{wait:g}", "X-RateLimit-Reset-After": f"{wait:g}", "X-RateLimit-Scope": "user"}
        return web.json_response({"message": "slow", "retry_after": wait, "global": False}, status=429, headers=headers)

    def unauthorized(self) -> web.Response:
        return web.json_response({"message": f"Invalid Webhook Token {TOKEN}", "code": 50027}, status=401)

    async def answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        if self.refuses is not None:
            return web.json_response(self.refuses[1], status=self.refuses[0])
        message, files = self._read(request, body)
        self.threads.add(request.query.get("thread_id", ""))
        self._check(message, files)
        if request.method == "POST" and request.path == PATH:
            if request.query.get("wait") != "true" or set(request.query) - {"wait", "thread_id"}:
                self.refuse(f"query {request.query_string}")
            self.posted += 1
            number = str(1000 + self.posted)
            self.messages[number] = message
            return web.json_response({"id": number, "attachments": []})
        if request.method == "PATCH" and request.path.startswith(f"{PATH}/messages/"):
            number = request.path.rpartition("/")[2]
            if number not in self.messages:
                return web.json_response({"message": "Unknown Message", "code": 10008}, status=404)
            if "attachments" not in message:
                self.refuse("an edit has to say what stays attached")
            self.messages[number] = message
            return web.json_response({"id": number})
        self.refuse(f"{request.method} {request.path}")
        return web.json_response({"message": "Unknown Webhook", "code": 10015}, status=404)

    def _read(self, request: web.Request, body: bytes) -> tuple[dict[str, Any], dict[str, bytes]]:
        if request.content_type == "application/json":
            return document(body), {}
        if request.content_type != "multipart/form-data":
            self.refuse(request.content_type)
        fields = multipart(request, body)
        [message] = [json.loads(part.content) for part in fields if part.name == "payload_json"]
        files = {f"{part.name} {part.file}": part.content for part in fields if part.file}
        return message, files

    def _check(self, message: dict[str, Any], files: dict[str, bytes]) -> None:
        if set(message) - {"embeds", "attachments", "allowed_mentions"}:
            self.refuse(f"fields {sorted(message)}")
        if message["allowed_mentions"] != {"parse": []}:
            self.refuse("mentions would ping")
        attached = {f"files[{file['id']}] {file['filename']}" for file in message.get("attachments", ())}
        if attached != set(files) or not all(files.values()):
            self.refuse(f"attachments {attached} and files {set(files)}")
        names = {f"attachment://{file['filename']}" for file in message.get("attachments", ())}
        embeds = message["embeds"]
        if {embed["image"]["url"] for embed in embeds if "image" in embed} != names or not 1 <= len(embeds) <= 10:
            self.refuse("pictures")
        total = 0
        for embed in embeds:
            total += self._check_embed(embed)
        if total > 6000:
            self.refuse(f"{total} characters in all")

    def _check_embed(self, embed: dict[str, Any]) -> int:
        if set(embed) - _EMBED or not (embed.get("title") or embed.get("image")):
            self.refuse(f"embed {sorted(embed)}")
        texts = [embed.get("title", ""), embed.get("description", ""), embed.get("footer", {}).get("text", "")]
        for text, most in zip(texts, (256, 4096, 2048), strict=True):
            if len(text) > most:
                self.refuse(f"{len(text)} characters, {most} are allowed")
        if found := _MENTION.search(texts[0] + texts[1]):
            self.refuse(f"not escaped: {found.group()}")
        if not 0 <= embed.get("color", 0) <= 0xFFFFFF:
            self.refuse("colour")
        return sum(len(text.strip()) for text in texts)
