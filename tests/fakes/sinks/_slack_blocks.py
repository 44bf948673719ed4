"""The rules of Slack's blocks, as docs.slack.dev has them: what is unknown is refused."""

import re
from collections.abc import Iterator
from typing import Any

TEXT_TOTAL = 11_000
_RICH_ELEMENTS = {"rich_text_section", "rich_text_list", "rich_text_preformatted", "rich_text_quote"}
_STYLES = {"bold", "italic", "strike", "code"}


def faults_of_text(text: Any) -> list[str]:
    """Of a `text` that Slack reads as mrkdwn."""
    if not isinstance(text, str) or not text.strip():
        return ["no_text"]
    found = [] if len(text) <= 4000 else ["text is longer than 4000"]
    if re.search(r"[<>]|&(?!amp;|lt;|gt;)", text):
        found.append(f"text is not escaped: {text[:80]!r}")
    return found


def faults_of_blocks(blocks: Any) -> list[str]:
    """What Slack would say about a message's blocks."""
    if not isinstance(blocks, list) or not 1 <= len(blocks) <= 50:
        return ["blocks are not 1 to 50"]
    found = [fault for block in blocks for fault in _block(block)]
    numbers = [block["block_id"] for block in blocks if "block_id" in block]
    if len(set(numbers)) != len(numbers):
        found.append("block_id is not unique")
    if sum(len(text) for text in _texts(blocks)) > TEXT_TOTAL:
        found.append("msg_blocks_too_long")
    return found


def text_of(blocks: list[dict[str, Any]]) -> str:
    """All that people read in them."""
    return "\n".join(_texts(blocks))


def _texts(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for item in node:
            yield from _texts(item)
    elif isinstance(node, dict):
        for name, value in node.items():
            if name == "text" and isinstance(value, str):
                yield value
            else:
                yield from _texts(value)


def _block(block: dict[str, Any]) -> Iterator[str]:
    if not 1 <= len(block.get("block_id", "x")) <= 255:
        yield "block_id"
    match block.get("type"):
        case "header":
            yield from _fields(block, {"type", "text", "block_id"})
            yield from _plain(block["text"], 150)
        case "section":
            yield from _fields(block, {"type", "text", "block_id"})
            yield from _plain(block["text"], 3000)
        case "context":
            yield from _fields(block, {"type", "elements", "block_id"})
            if not 1 <= len(block["elements"]) <= 10:
                yield "context elements"
            for element in block["elements"]:
                yield from _plain(element, 3000)
        case "actions":
            yield from _fields(block, {"type", "elements", "block_id"})
            yield from _actions(block["elements"])
        case "image":
            yield from _image(block)
        case "rich_text":
            yield from _fields(block, {"type", "elements", "block_id"})
            for element in block["elements"]:
                yield from _rich(element)
        case other:
            yield f"unknown block {other}"


def _image(block: dict[str, Any]) -> Iterator[str]:
    yield from _fields(block, {"type", "image_url", "alt_text", "title", "block_id"})
    yield from _plain(block["title"], 2000)
    if not block["image_url"].startswith("https://") or len(block["image_url"]) > 3000:
        yield "image_url"
    if not 1 <= len(block["alt_text"]) <= 2000:
        yield "alt_text"


def _actions(elements: list[dict[str, Any]]) -> Iterator[str]:
    if not 1 <= len(elements) <= 25:
        yield "actions elements"
    if len({element["action_id"] for element in elements}) != len(elements):
        yield "action_id is not unique"
    for element in elements:
        yield from _fields(element, {"type", "action_id", "text", "value", "url"})
        if element["type"] != "button":
            yield f"unknown element {element['type']}"
        if (
            len(element["action_id"]) > 255
            or len(element.get("value", "")) > 2000
            or len(element.get("url", "")) > 3000
        ):
            yield "button is too long"
        if "url" in element and not element["url"].startswith(("https://", "http://")):
            yield "button url"
        yield from _plain(element["text"], 75)


def _plain(text: dict[str, Any], most: int) -> Iterator[str]:
    yield from _fields(text, {"type", "text", "emoji"})
    if text["type"] != "plain_text":
        yield "only plain_text holds what strangers wrote"
    if not 1 <= len(text["text"]) <= most or not text["text"].strip():
        yield f"text of {len(text['text'])} characters, {most} are allowed"


def _rich(element: dict[str, Any]) -> Iterator[str]:
    kind = element.get("type")
    if kind not in _RICH_ELEMENTS:
        yield f"unknown rich text {kind}"
        return
    if kind == "rich_text_list":
        yield from _fields(element, {"type", "style", "elements", "indent", "border", "offset"})
        if element["style"] not in ("bullet", "ordered") or not element["elements"]:
            yield "list"
        for line in element["elements"]:
            if line["type"] != "rich_text_section":
                yield "a list holds sections"
            yield from _rich(line)
        return
    yield from _fields(element, {"type", "elements"})
    if not element["elements"]:
        yield "empty section"
    for part in element["elements"]:
        yield from _inline(part)


def _inline(part: dict[str, Any]) -> Iterator[str]:
    if part["type"] == "text":
        yield from _fields(part, {"type", "text", "style"})
    elif part["type"] == "link":
        yield from _fields(part, {"type", "text", "style", "url"})
        if not part["url"].startswith(("https://", "http://")):
            yield "link"
    else:
        yield f"unknown element {part['type']}"
    if not part["text"] or len(part["text"]) > 3000:
        yield "text of an element"
    if set(part.get("style", {})) - _STYLES:
        yield "style"


def _fields(given: dict[str, Any], known: set[str]) -> Iterator[str]:
    if unknown := set(given) - known:
        yield f"unknown fields {sorted(unknown)}"
