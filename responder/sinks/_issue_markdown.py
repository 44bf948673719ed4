"""Markdown for issues of GitHub and GitLab: what strangers wrote stays text.

References (`@user`, `#1`, `!1`, `~label`, `GH-1`) are found in the text after Markdown was read, so that a backslash
does not help: a zero width space after the sign does. GitLab runs lines that begin with a slash: no line here
begins with anything that a stranger wrote.
"""

import re
from collections.abc import Callable, Iterator

from responder.model.links import web_address
from responder.model.message import Message
from responder.sinks._paging import addresses, headline
from responder.sinks._text import clean, first_line, parts

GAP = "\u200b"
_REFERENCE = re.compile(r"([@#!~%$^&\[])(?=\S)")
_GITHUB = re.compile(r"\b(GH-)(?=\d)", re.IGNORECASE)
_ADDRESS = re.compile(r"(://|\bwww(?=\.))", re.IGNORECASE)
_SPECIAL = re.compile(r"([\\`*_\[\]()|~$#{}])")
_FIRST = re.compile(r"^(\d{1,9})([.)])|^([-+=:/])")
MORE = "…"


def neutral(text: str) -> str:
    """On one line, without references: fit for a title."""
    line = " ".join(clean(text).split())
    for pattern in (_REFERENCE, _GITHUB):
        line = pattern.sub(rf"\1{GAP}", line)
    return line


def escaped(text: str) -> str:
    """On one line, and text whatever it contains."""
    line = _ADDRESS.sub(lambda found: _broken(found[1]), neutral(text))
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    line = _SPECIAL.sub(r"\\\1", line)
    return _FIRST.sub(lambda found: rf"{found[1]}\{found[2]}" if found[1] else rf"\{found[3]}", line)


def body(message: Message, mark: str, most: int, measure: Callable[[str], int] = len) -> str:
    """The text of an issue: the parts of the finding, links, charts, and the mark. As many lines as fit."""
    end = "\n".join(_end(message, mark))
    return f"{finding(message, most - measure(end) - 2, measure)}\n\n{end}"


def finding(message: Message, most: int, measure: Callable[[str], int] = len) -> str:
    """The parts of the finding: as many lines as fit."""
    left = most - measure(f"\n\n{MORE}")
    lines: list[str] = []
    for line in _lines(message):
        left -= measure(line) + 1
        if left < 0:
            lines += ["", MORE]
            break
        lines.append(line)
    return "\n".join(lines)


def news(message: Message) -> str:
    """The text of a comment."""
    said = [f"**{escaped(first_line(message))}**: {escaped(headline(message))}"]
    if message.cause and message.stage == "diagnosed":
        said.append(f"**Cause**: {escaped(message.cause)}")
    if message.stage == "resolved":
        said += [f"- {escaped(line.text)}" for line in message.because[:6]]
    return "\n\n".join(said[:2]) + "".join(f"\n{line}" for line in said[2:])


def marked(mark: str) -> str:
    """The mark as it stands in the text, where nobody sees it."""
    return f"<!-- responder:{mark} -->"


def _lines(message: Message) -> Iterator[str]:
    yield f"**{escaped(first_line(message))}**"
    yield ""
    yield f"**Verdict**: {escaped(headline(message))}"
    for part in parts(message):
        yield ""
        yield f"### {part.title}"
        yield ""
        for number, line in enumerate(part.lines, start=1):
            yield f"{number}. {escaped(line)}" if part.numbered else f"- {escaped(line)}"


def links(message: Message) -> str:
    """The addresses on one line."""
    return " · ".join(f"[{escaped(title)}](<{url}>)" for title, url in addresses(message).items() if len(url) <= 2000)


def _end(message: Message, mark: str) -> Iterator[str]:
    if where := links(message):
        yield where
        yield ""
    charts = [(escaped(picture.title), picture.url) for picture in message.pictures if web_address(picture.url)]
    for title, url in charts[:3]:
        yield f"![{title}](<{url}>)"
        yield ""
    yield marked(mark)


def _broken(sign: str) -> str:
    return f":{GAP}//" if sign == "://" else sign + GAP
