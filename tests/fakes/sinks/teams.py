"""A workflow of Teams: answers 202 to what it queues; whether the card appears is decided later."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from responder.sinks import Sink
from responder.sinks.teams import Teams
from tests import fakes
from tests.fakes.sinks import document

SIGNATURE = "s3cr3t%2Fsignature-of-the-flow"
PATH = f"/workflows/abc/triggers/manual/paths/invoke?api-version=1&sp=%2Ftriggers%2Fmanual%2Frun&sig={SIGNATURE}"
LARGEST = 28 * 1000
_ELEMENTS = {
    "Container": {"type", "style", "bleed", "items"},
    "RichTextBlock": {"type", "inlines", "spacing"},
    "Image": {"type", "url", "altText", "size"},
    "ActionSet": {"type", "actions"},
}


class Fake(fakes.sinks.Fake):
    """`status`: what it answers."""

    exactly_once = False
    shows_pictures = True

    def __init__(self) -> None:
        super().__init__()
        self.cards: list[dict[str, Any]] = []
        self.sizes: list[int] = []
        self.status = 202

    @property
    def secrets(self) -> tuple[str, ...]:
        return (SIGNATURE, unquote(SIGNATURE))

    def sink(self, **options: Any) -> Sink:
        given = {"name": "teams", "url": f"{self.url}{PATH}", "timeout": fakes.sinks.TIMEOUT, **options}
        return Teams.model_validate(given)

    def things(self) -> list[fakes.sinks.Thing]:
        return [
            fakes.sinks.Thing(
                text="\n".join(_texts(card["body"])),
                pictures=sum(element["type"] == "Image" for element in card["body"]),
                open="resolved after" not in card["fallbackText"],
            )
            for card in self.cards
        ]

    async def answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        if request.method != "POST" or request.raw_path != PATH or request.content_type != "application/json":
            self.refuse(f"{request.method} {request.raw_path} {request.content_type}")
        if self.status != 202:
            return web.Response(status=self.status, text=f'{{"error": "{SIGNATURE}"}}')
        self.sizes.append(len(body))
        if len(body) > LARGEST:
            self.refuse(f"the flow fails: {len(body)} bytes")
        given = document(body)
        [attachment] = given["attachments"]
        if set(given) != {"type", "attachments"} or given["type"] != "message":
            self.refuse("envelope")
        if (set(attachment), attachment["contentType"]) != (
            {"contentType", "contentUrl", "content"},
            "application/vnd.microsoft.card.adaptive",
        ):
            self.refuse("attachment")
        self._check(attachment["content"])
        self.cards.append(attachment["content"])
        return web.Response(status=202)

    def _check(self, card: dict[str, Any]) -> None:
        if set(card) != {"$schema", "type", "version", "fallbackText", "msteams", "body", "actions"}:
            self.refuse(f"card has {sorted(card)}")
        if (card["type"], card["version"], card["msteams"]) != ("AdaptiveCard", "1.5", {"width": "full"}):
            self.refuse("card")
        for element in card["body"]:
            self._check_element(element)
        for action in card["actions"]:
            self._check_action(action)
        for text in [*_texts(card["body"]), card["fallbackText"]]:
            if not text.strip() or "{{" in text or "<at" in text:
                self.refuse(f"text {text[:80]!r}")

    def _check_element(self, element: dict[str, Any]) -> None:
        if set(element) - _ELEMENTS.get(element["type"], set()):
            self.refuse(f"{element['type']} {sorted(element)}")
        for inner in element.get("items", ()):
            self._check_element(inner)
        for run in element.get("inlines", ()):
            if set(run) - {"type", "text", "weight", "size", "isSubtle", "color"} or run["type"] != "TextRun":
                self.refuse(f"run {sorted(run)}")
        for action in element.get("actions", ()):
            self._check_action(action)
        if element["type"] == "Image" and not element["url"].startswith("https://"):
            self.refuse("picture")

    def _check_action(self, action: dict[str, Any]) -> None:
        if set(action) != {"type", "title", "url"} or action["type"] != "Action.OpenUrl":
            self.refuse(f"action {action}")
        if not action["url"].startswith(("https://", "http://")) or not action["title"]:
            self.refuse(f"action {action}")


def _texts(elements: list[dict[str, Any]]) -> Iterator[str]:
    for element in elements:
        yield from _texts(element.get("items", []))
        yield from (run["text"] for run in element.get("inlines", ()))
        yield from (action["title"] for action in element.get("actions", ()))
