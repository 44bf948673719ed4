"""Telegram's Bot API: reads HTML as Telegram does, counts in UTF-16 units, keeps one chat."""

import json
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any

from aiohttp import web

from responder.sinks import Sink
from responder.sinks.telegram import Telegram
from tests import fakes
from tests.fakes.sinks import document
from tests.fakes.sinks._forms import multipart

TOKEN = "123456:s3cr3t-token-of-the-bot"
CHAT = "-1001234"
_SEND = {"chat_id", "text", "parse_mode", "link_preview_options", "message_thread_id", "reply_parameters"}
_EDIT = {"chat_id", "message_id", "text", "parse_mode", "link_preview_options"}
_PHOTO = {"chat_id", "caption", "parse_mode", "reply_parameters", "message_thread_id", "photo"}


class Reader(HTMLParser):
    """Text of Telegram's HTML; other tags, and entities that it does not know, are faults."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.text = ""
        self.faults: list[str] = []
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("b", "i", "code", "pre", "a") or {name for name, _ in attrs} - {"href"}:
            self.faults.append(f"unsupported start tag {tag}")
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.faults.append(f"unexpected end tag {tag}")

    def handle_data(self, data: str) -> None:
        if "<" in data or "&" in data:
            self.faults.append("can't parse entities")
        self.text += data

    def handle_entityref(self, name: str) -> None:
        if name not in ("lt", "gt", "amp", "quot"):
            self.faults.append(f"entity {name}")
        self.text += {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}.get(name, "")


def read(text: str, most: int) -> tuple[str, list[str]]:
    """What people see, and what Telegram would refuse."""
    reader = Reader()
    reader.feed(text)
    reader.close()
    size = len(reader.text.encode("utf-16-le")) // 2
    if not reader.text.strip() or size > most:
        reader.faults.append(f"{size} units, {most} are allowed")
    if "@" in reader.text.replace("@\u2060", ""):
        reader.faults.append("calls people")
    return reader.text, reader.faults


@dataclass
class Sent:
    """A message of the chat."""

    id: int
    text: str
    reply_to: int = 0
    photo: bool = False
    topic: int = 0


class Fake(fakes.sinks.Fake):
    """`refuses`: status and description, by method."""

    exactly_once = False
    shows_pictures = True

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[Sent] = []
        self.refuses: dict[str, tuple[int, str]] = {}

    @property
    def secrets(self) -> tuple[str, ...]:
        return (TOKEN,)

    def sink(self, **options: Any) -> Sink:
        given = {"name": "tg", "api_url": self.url, "token": TOKEN, "chat": CHAT, "timeout": fakes.sinks.TIMEOUT}
        return Telegram.model_validate(given | options)

    def things(self) -> list[fakes.sinks.Thing]:
        return [
            fakes.sinks.Thing(
                root.text,
                pictures=sum(sent.photo for sent in self.sent if sent.reply_to == root.id),
                open="resolved after" not in root.text,
                replies=[sent.text for sent in self.sent if sent.reply_to == root.id],
            )
            for root in self.sent
            if not root.reply_to
        ]

    def too_many_requests(self) -> web.Response:
        return self._no(429, "Too Many Requests: retry after 1", parameters={"retry_after": fakes.sinks.RETRY_AFTER})

    def unauthorized(self) -> web.Response:
        return self._no(401, f"Unauthorized {TOKEN}")

    def _no(self, status: int, description: str, **more: Any) -> web.Response:
        return web.json_response({"ok": False, "error_code": status, "description": description, **more}, status=status)

    async def answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        start = f"/bot{TOKEN}/"
        if request.method != "POST" or not request.path.startswith(start) or request.query_string:
            self.refuse(f"{request.method} {request.path_qs}")
        method = request.path.removeprefix(start)
        if method in self.refuses:
            return self._no(*self.refuses[method])
        if method == "sendPhoto":
            return self._photo(request, body)
        given = document(body)
        if method == "sendMessage":
            return self._send(given)
        if method == "editMessageText":
            return self._edit(given)
        self.refuse(method)
        return self._no(404, "Not Found")

    def _checked(self, text: str, most: int) -> str:
        seen, faults = read(text, most)
        for fault in faults:
            self.refuse(fault)
        return seen

    def _add(self, given: dict[str, Any], text: str, *, photo: bool = False) -> web.Response:
        if given["chat_id"] != CHAT or given["parse_mode"] != "HTML":
            self.refuse("chat or parse_mode")
        reply = given.get("reply_parameters", {})
        if set(reply) - {"message_id", "allow_sending_without_reply"}:
            self.refuse(f"reply {sorted(reply)}")
        sent = Sent(len(self.sent) + 1, text, reply.get("message_id", 0), photo, given.get("message_thread_id", 0))
        self.sent.append(sent)
        return web.json_response({"ok": True, "result": {"message_id": sent.id}})

    def _send(self, given: dict[str, Any]) -> web.Response:
        if set(given) - _SEND or given["link_preview_options"] != {"is_disabled": True}:
            self.refuse(f"fields {sorted(given)}")
        return self._add(given, self._checked(given["text"], 4096))

    def _edit(self, given: dict[str, Any]) -> web.Response:
        if set(given) != _EDIT or given["chat_id"] != CHAT:
            self.refuse(f"fields {sorted(given)}")
        found = [sent for sent in self.sent if sent.id == given["message_id"]]
        if not found:
            return self._no(400, "Bad Request: message to edit not found")
        text = self._checked(given["text"], 4096)
        if text == found[0].text:
            return self._no(400, "Bad Request: message is not modified: specified new message content is the same")
        found[0].text = text
        return web.json_response({"ok": True, "result": {"message_id": found[0].id}})

    def _photo(self, request: web.Request, body: bytes) -> web.Response:
        fields = {part.name: part for part in multipart(request, body)}
        photo = fields.pop("photo")
        if set(fields) - _PHOTO:
            self.refuse(f"fields {sorted(fields)}")
        if not photo.file or not photo.content.startswith(b"\x89PNG"):
            self.refuse("photo")
        given = {name: part.content.decode() for name, part in fields.items()}
        told: dict[str, Any] = {**given, "reply_parameters": json.loads(given["reply_parameters"])}
        told["message_thread_id"] = int(given.get("message_thread_id", 0))
        return self._add(told, self._checked(given["caption"], 1024), photo=True)
