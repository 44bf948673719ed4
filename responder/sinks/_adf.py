"""The Atlassian Document Format (developer.atlassian.com, "Atlassian Document Format"): text nodes hold no markup."""

import json
from collections.abc import Iterator
from typing import Any

from responder.model.links import web_address
from responder.model.message import Message
from responder.sinks._paging import addresses, headline
from responder.sinks._text import clean, first_line, parts

Node = dict[str, Any]


def document(*content: Node) -> Node:
    """A document of these blocks."""
    return {"type": "doc", "version": 1, "content": list(content)}


def description(message: Message, most: int) -> Node:
    """The parts of the finding, charts and links: as many blocks as the JSON of the document has room for."""
    end = list(_end(message))
    left = most - size(document(*end, paragraph("…")))
    content: list[Node] = []
    for block in _blocks(message):
        left -= size(block) + 1
        if left < 0:
            content.append(paragraph("…"))
            break
        content.append(block)
    return document(*content, *end)


def news(message: Message) -> Node:
    """The text of a comment."""
    content = [paragraph(f"{first_line(message)}: {headline(message)}", strong=True)]
    if message.cause and message.stage == "diagnosed":
        content.append(paragraph(f"Cause: {message.cause}"))
    if message.stage == "resolved" and message.because:
        content.append(_list("bulletList", [line.text for line in message.because[:6]]))
    return document(*content)


def paragraph(said: str, *, strong: bool = False) -> Node:
    """One paragraph; an empty one where there is nothing to say, since text nodes must not be empty."""
    found = clean(said).strip()
    node: Node = {"type": "text", "text": found}
    if strong:
        node["marks"] = [{"type": "strong"}]
    return {"type": "paragraph", "content": [node]} if found else {"type": "paragraph", "content": []}


def size(node: Node) -> int:
    """The characters of its JSON."""
    return len(json.dumps(node, ensure_ascii=False))


def _blocks(message: Message) -> Iterator[Node]:
    yield paragraph(first_line(message), strong=True)
    yield paragraph(headline(message))
    for part in parts(message):
        yield {"type": "heading", "attrs": {"level": 3}, "content": [{"type": "text", "text": part.title}]}
        yield _list("orderedList" if part.numbered else "bulletList", part.lines)


def _list(kind: str, lines: Any) -> Node:
    return {"type": kind, "content": [{"type": "listItem", "content": [paragraph(line)]} for line in lines]}


def _end(message: Message) -> Iterator[Node]:
    found = [(title, url) for title, url in addresses(message).items() if len(url) <= 2000]
    found += [(clean(chart.title) or "chart", chart.url) for chart in message.pictures if web_address(chart.url)][:3]
    if not found:
        return
    items = [{"type": "paragraph", "content": [_link(" ".join(title.split()) or url, url)]} for title, url in found]
    yield {"type": "rule"}
    yield {"type": "bulletList", "content": [{"type": "listItem", "content": [item]} for item in items]}


def _link(title: str, url: str) -> Node:
    return {"type": "text", "text": title, "marks": [{"type": "link", "attrs": {"href": url}}]}
