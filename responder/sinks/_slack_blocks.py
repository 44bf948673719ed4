"""A message as Slack's blocks. What strangers wrote stands in plain and rich text only, where Slack reads no markup.

Limits: https://docs.slack.dev/reference/block-kit. A root is short; details and evidence are replies to it.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from responder.model.links import web_address
from responder.model.message import Message
from responder.model.report import Report
from responder.sinks import Block, Preview
from responder.sinks._chat import RESENT, addresses, fitted, title, turn
from responder.sinks._text import clean, cut, parts

HEADER = 150
SECTION = 3000
FALLBACK = 3000
BLOCKS = 50
BUTTON = 75
MOST = 10_000
"""Characters of all blocks as JSON: Slack refuses at a length that it does not publish, seen from about 11,300."""
EVIDENCE = 12
_IN_ROOT = ("Summary", "Labels", "Cause", "Because", "Next", "Runbook advice", "Incidents")
_IN_DETAILS = ("Ruled out", "Also unhealthy", "Not seen")


@dataclass(frozen=True)
class Rendered:
    """What one message of Slack says; `text` is for notifications."""

    text: str
    blocks: list[dict[str, Any]]


def escape(text: str) -> str:
    """For `text`: without it `<!here>` would call everybody."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def root(message: Message, *, calls_back: bool, resent: bool = False) -> Rendered:
    """Verdict, why, what to do, buttons. With `calls_back` a click comes to us, else buttons open a page."""

    def blocks(smaller: Message) -> list[dict[str, Any]]:
        return list(_root(smaller, calls_back=calls_back, resent=resent))

    smaller = fitted(message, lambda tried: _fits(blocks(tried)))
    return Rendered(_fallback(smaller), blocks(smaller))


def whole(message: Message, *, pictures: bool, resent: bool = False) -> Rendered:
    """All in one message, for where nothing can be added later; Slack fetches pictures by their address."""

    def blocks(smaller: Message) -> list[dict[str, Any]]:
        shown = list(_root(smaller, calls_back=False, resent=resent, shown=(*_IN_ROOT, *_IN_DETAILS)))
        return [*shown, *(_images(smaller) if pictures else ())]

    smaller = fitted(message, lambda tried: _fits(blocks(tried)))
    return Rendered(_fallback(smaller), blocks(smaller))


def details(message: Message) -> Rendered | None:
    """What it is not, what could not be seen, and the evidence that the references count; None without any."""

    def blocks(smaller: Message) -> list[dict[str, Any]]:
        evidence = _evidence(message.report) if message.report and message.stage != "announced" else []
        return [*_parts(smaller, _IN_DETAILS), *evidence]

    smaller = fitted(message, lambda tried: _fits(blocks(tried)))
    shown = blocks(smaller)
    return Rendered(escape(f"Evidence: {smaller.headline}"), shown) if shown else None


def change(message: Message) -> Rendered:
    """The reply that tells followers of an end, or that it began anew."""
    text = cut(turn(message), SECTION)
    block = {"type": "section", "text": {"type": "plain_text", "text": text, "emoji": False}}
    return Rendered(escape(text), [block])


def preview(*messages: Rendered) -> Preview:
    """Reads back what would be sent."""
    blocks = [block for message in messages for block in _read_back(message.blocks)]
    payload = [{"text": message.text, "blocks": message.blocks} for message in messages]
    return Preview(
        blocks=tuple(blocks),
        payload=json.dumps(payload if len(payload) > 1 else payload[0], ensure_ascii=False, indent=2),
    )


def _fallback(message: Message) -> str:
    return escape(cut(f"{title(message)}: {message.headline}", FALLBACK))


def _fits(blocks: list[dict[str, Any]]) -> bool:
    return len(blocks) <= BLOCKS and len(json.dumps(blocks, ensure_ascii=False)) <= MOST


def _root(
    message: Message, *, calls_back: bool, resent: bool, shown: Sequence[str] = _IN_ROOT
) -> Iterable[dict[str, Any]]:
    yield {"type": "header", "text": {"type": "plain_text", "text": cut(title(message), HEADER), "emoji": False}}
    yield _rich(_section(_text(message.headline, bold=True)))
    yield from _parts(message, shown)
    links = addresses(message.model_copy(update={"buttons": ()}))
    if links:
        yield _rich(_section(*_joined([{"type": "link", "url": url, "text": name} for name, url in links])))
    buttons = [
        _button(
            button.label,
            "_".join(filter(None, (button.command, button.action))),
            message.key,
            button.url,
            calls_back and not button.action,
        )
        for button in message.buttons
    ]
    if elements := [button for button in buttons if button]:
        yield {"type": "actions", "block_id": "commands", "elements": elements}
    footer = [", ".join(message.alerts), f"incident {clean(message.key)}", RESENT if resent else ""]
    text = cut(" · ".join(part for part in footer if part), SECTION)
    yield {"type": "context", "elements": [{"type": "plain_text", "text": text, "emoji": False}]}


def _images(message: Message) -> Iterable[dict[str, Any]]:
    for picture in message.pictures:
        url = web_address(picture.url)
        if url.startswith("https://") and len(url) <= SECTION:
            caption = {"type": "plain_text", "text": picture.title, "emoji": False}
            yield {"type": "image", "image_url": url, "alt_text": picture.title, "title": caption}


def _button(label: str, command: str, key: str, url: str, calls_back: bool) -> dict[str, Any] | None:
    text = {"type": "plain_text", "text": cut(label, BUTTON), "emoji": False}
    if calls_back:
        return {"type": "button", "action_id": command, "value": key, "text": text}
    return {"type": "button", "action_id": f"open_{command}", "url": url, "text": text} if url else None


def _parts(message: Message, shown: Sequence[str]) -> Iterable[dict[str, Any]]:
    for part in parts(message):
        if part.title not in shown:
            continue
        if part.title == "Incidents":
            yield _rich(_section(_text(part.title, bold=True)), _list("bullet", _members(message)))
        elif len(part.lines) == 1 and not part.numbered:
            yield _rich(_section(_text(f"{part.title}: ", bold=True), _text(part.lines[0])))
        else:
            style = "ordered" if part.numbered else "bullet"
            lines = [_section(_text(line)) for line in part.lines]
            yield _rich(_section(_text(part.title, bold=True)), _list(style, lines))


def _members(message: Message) -> list[dict[str, Any]]:
    lines = []
    for member in message.members:
        said = f"{member.severity.value} {member.place}: {member.headline}"
        said_element = {"type": "link", "url": member.url, "text": said} if member.url else _text(said)
        lines.append(_section(said_element, _text(f" ({member.status.value})")))
    return [*lines, _section(_text(f"and {message.more_members} more"))] if message.more_members else lines


def _evidence(report: Report) -> list[dict[str, Any]]:
    """Numbered as the references count; each with the command that shows it again."""
    lines = []
    for number, evidence in enumerate(report.evidence[:EVIDENCE], start=1):
        said = " ".join(clean(f"[{number}] {evidence.title or evidence.id}: {evidence.summary}").split())
        elements = [_text(cut(said, 200))]
        command = next((shown.command for shown in evidence.reproduce if shown.command), "")
        if short := cut(" ".join(clean(command).split()), 200):
            elements += [_text("\n"), _text(short, code=True)]
        lines.append(_section(*elements))
    if left := len(report.evidence) - EVIDENCE:
        lines += [_section(_text(f"… and {left} more"))] if left > 0 else []
    return [_rich(_section(_text("Evidence", bold=True)), _list("bullet", lines))] if lines else []


def _rich(*elements: dict[str, Any]) -> dict[str, Any]:
    return {"type": "rich_text", "elements": list(elements)}


def _section(*elements: dict[str, Any]) -> dict[str, Any]:
    return {"type": "rich_text_section", "elements": list(elements)}


def _list(style: str, lines: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "rich_text_list", "style": style, "elements": lines}


def _text(text: str, **style: bool) -> dict[str, Any]:
    return {"type": "text", "text": text, **({"style": style} if style else {})}


def _joined(elements: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """With a dot between each two."""
    return [part for element in elements for part in (_text(" · "), element)][1:]


def _read_back(blocks: Iterable[dict[str, Any]]) -> Iterable[Block]:
    for block in blocks:
        match block["type"]:
            case "header":
                yield Block(kind="heading", text=block["text"]["text"])
            case "section":
                yield Block(kind="text", text=block["text"]["text"])
            case "context":
                yield Block(kind="context", text=" ".join(element["text"] for element in block["elements"]))
            case "actions":
                yield Block(kind="buttons", items=tuple(element["text"]["text"] for element in block["elements"]))
            case "image":
                yield Block(kind="picture", text=block["alt_text"])
            case "rich_text":
                first, *rest = block["elements"]
                lines = tuple(_said(line) for listed in rest for line in listed["elements"])
                yield Block(kind="list" if lines else "text", text=_said(first), items=lines)


def _said(section: dict[str, Any]) -> str:
    return "".join(element["text"] for element in section["elements"])
