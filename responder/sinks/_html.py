"""A message in the little HTML that many services let through: bold, line breaks and links, all else escaped."""

from collections.abc import Sequence
from html import escape

from responder.model.links import web_address
from responder.model.message import Link, Message
from responder.sinks._text import clean, cut, first_line, parts

LONGEST_LINE = 800
"""Of one line, escaped."""
LONGEST_TITLE = 60
LINKS = 10
BREAK = "<br>"


def short_html(message: Message, most: int) -> str:
    """The message, at most that many characters (at least 160); whole lines only, so that no entity is cut."""
    longest = min(LONGEST_LINE, most // 4)
    lines = [f"<b>{_line(message.headline, longest)}</b>", _line(first_line(message), longest)]
    for part in parts(message):
        for number, line in enumerate(part.lines):
            before = f"{number + 1}. " if part.numbered else ""
            title = f"<b>{part.title}</b> " if number == 0 else ""
            lines.append(f"{title}{before}{_line(line, longest)}")
    end = " · ".join(_fitting([_link(link) for link in links(message)], most // 2, " · "))
    kept = _fitting(lines, most - len(BREAK) - len(end), BREAK)
    return BREAK.join([*kept, end] if end else kept)


def links(message: Message) -> list[Link]:
    """Where to look: the incident first; only what is an address of the web."""
    found = [Link(title="Incident", url=message.url), *message.links]
    by_url = {link.url: link for link in reversed(found) if web_address(link.url)}
    return list(reversed(by_url.values()))[:LINKS]


def _link(link: Link) -> str:
    return f'<a href="{escape(link.url)}">{escape(cut(clean(link.title), LONGEST_TITLE))}</a>'


def _line(text: str, most: int) -> str:
    return escape(cut(" ".join(clean(text).split()), most, lambda shown: len(escape(shown))))


def _fitting(pieces: Sequence[str], most: int, between: str) -> list[str]:
    """The first pieces, as many as fit."""
    kept: list[str] = []
    for piece in pieces:
        most -= len(piece) + (len(between) if kept else 0)
        if most < 0:
            break
        kept.append(piece)
    return kept
