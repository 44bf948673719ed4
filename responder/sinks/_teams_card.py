"""A message as Adaptive Card 1.5 for Teams.

What strangers wrote stands in text runs, where Teams reads no Markdown; what it reads even there (`{{DATE(…)}}`,
`<at>`) is broken by a space of no width. https://adaptivecards.io/explorer.
"""

import json
import re
from collections.abc import Iterable
from typing import Any

from responder.model.incident import IncidentStatus, Severity
from responder.model.links import web_address
from responder.model.message import Message
from responder.sinks import Block, Preview
from responder.sinks._chat import RESENT, fitted, named, title
from responder.sinks._text import clean, parts

MOST = 24 * 1024
"""Bytes of the whole request. Teams takes about 28 KB, and says nothing when it is more: the card does not appear."""
ACTIONS = 6
_STYLES = {Severity.P0: "attention", Severity.P1: "warning", Severity.P2: "warning", Severity.P3: "accent"}
_READ_BY_TEAMS = re.compile(r"\{(?=\{)|<(?=/?at\b)", re.IGNORECASE)


def request(message: Message, *, resent: bool = False) -> dict[str, Any]:
    """What is posted: an envelope with one card, within the limit."""
    smaller = fitted(message, lambda tried: _size(_request(tried, resent)) <= MOST)
    return _request(smaller, resent)


def preview(document: dict[str, Any]) -> Preview:
    """Reads the card back."""
    card = document["attachments"][0]["content"]
    return Preview(
        blocks=tuple(_read_back(card["body"], card["actions"])),
        payload=json.dumps(document, ensure_ascii=False, indent=2),
    )


def _size(document: dict[str, Any]) -> int:
    return len(json.dumps(document, ensure_ascii=False).encode())


def _request(message: Message, resent: bool) -> dict[str, Any]:
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.5",
        "fallbackText": _broken(f"{title(message)}: {message.headline}"),
        "msteams": {"width": "full"},
        "body": list(_body(message, resent)),
        "actions": _actions((button.label, button.url) for button in message.buttons),
    }
    attachment = {
        "contentType": "application/vnd.microsoft.card.adaptive",
        "contentUrl": None,
        "content": card,
    }
    return {"type": "message", "attachments": [attachment]}


def _body(message: Message, resent: bool) -> Iterable[dict[str, Any]]:
    over = message.status is IncidentStatus.RESOLVED
    yield {
        "type": "Container",
        "style": "good" if over else _STYLES[message.severity],
        "bleed": True,
        "items": [
            _rich(_run(title(message), weight="Bolder")),
            _rich(_run(message.headline, weight="Bolder", size="Medium")),
        ],
    }
    for part in parts(message):
        yield {**_rich(_run(part.title, weight="Bolder")), "spacing": "Medium"}
        for number, line in enumerate(part.lines, start=1):
            bullet = f"{number}. " if part.numbered else "• " if len(part.lines) > 1 else ""
            yield {**_rich(_run(f"{bullet}{line}")), "spacing": "Small"}
    for picture in message.pictures:
        if (url := web_address(picture.url)).startswith("https://"):
            yield {"type": "Image", "url": url, "altText": _broken(picture.title), "size": "Stretch"}
    if links := _actions((link.title, link.url) for link in message.links):
        yield {"type": "ActionSet", "actions": links}
    footer = f"incident {clean(message.key)}" + (f" · {RESENT}" if resent else "")
    yield _rich(_run(footer, size="Small", isSubtle=True))


def _actions(addresses: Iterable[tuple[str, str]]) -> list[dict[str, Any]]:
    shown = [{"type": "Action.OpenUrl", "title": _broken(name), "url": url} for name, url in addresses if url]
    return shown[:ACTIONS]


def _rich(run: dict[str, Any]) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": [run]}


def _run(text: str, **style: Any) -> dict[str, Any]:
    return {"type": "TextRun", "text": _broken(text), **style}


def _broken(text: str) -> str:
    return _READ_BY_TEAMS.sub(lambda found: f"{found.group()}\u200b", text)


def _read_back(body: list[dict[str, Any]], actions: list[dict[str, Any]]) -> Iterable[Block]:
    heading, *rest = body
    yield Block(kind="heading", text=_said(heading["items"][0]))
    yield Block(kind="text", text=_said(heading["items"][1]))
    for element in rest:
        match element["type"]:
            case "RichTextBlock":
                subtle = element["inlines"][0].get("isSubtle")
                yield Block(kind="context" if subtle else "text", text=_said(element))
            case "Image":
                yield Block(kind="picture", text=element["altText"])
            case "ActionSet":
                yield from named("buttons", [action["title"] for action in element["actions"]])
    yield from named("buttons", [action["title"] for action in actions])


def _said(element: dict[str, Any]) -> str:
    return "".join(run["text"] for run in element["inlines"])
