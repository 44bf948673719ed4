"""A message in the little HTML that many services let through: bold, line breaks and links, all else escaped."""

from html import escape

from responder.model.message import Link, Message
from responder.sinks._text import clean, cut, first_line, parts, web_address

LONGEST_LINE = 400
LONGEST_LINK = 600
"""Characters; the expression of an alert as a link would take the place of the finding."""
LINKS = 4
BREAK = "<br>"


def short_html(message: Message, most: int) -> str:
    """The message, at most that many characters (at least 4,000); whole lines only, so that no entity is cut."""
    end = " · ".join(
        f'<a href="{escape(link.url)}">{escape(cut(clean(link.title), 60))}</a>'
        for link in links(message)
        if len(escape(link.url)) <= LONGEST_LINK
    )
    lines = [f"<b>{_line(message.headline)}</b>", _line(first_line(message))]
    for part in parts(message):
        for number, line in enumerate(part.lines):
            before = f"{number + 1}. " if part.numbered else ""
            title = f"<b>{part.title}</b> " if number == 0 else ""
            lines.append(f"{title}{before}{_line(line)}")
    left = most - len(BREAK) - len(end)
    kept: list[str] = []
    for line in lines:
        if len(line) + len(BREAK) > left:
            break
        left -= len(line) + len(BREAK)
        kept.append(line)
    return BREAK.join([*kept, end] if end else kept)


def links(message: Message) -> list[Link]:
    """Where to look: the incident first; only what is an address of the web."""
    found = [Link(title="Incident", url=message.url), *message.links]
    by_url = {link.url: link for link in reversed(found) if web_address(link.url)}
    return list(reversed(by_url.values()))[:LINKS]


def _line(text: str) -> str:
    return escape(cut(" ".join(clean(text).split()), LONGEST_LINE))
