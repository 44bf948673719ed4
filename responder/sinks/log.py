"""The terminal: every incident as a readable block, in colour where a person watches."""

import asyncio
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, TextIO

from pydantic import Field
from rich.console import Console
from rich.text import Text

from responder.model.incident import IncidentStatus
from responder.model.message import Line, Message
from responder.sinks import Block, Medium, Preview, Sink

WIDTH = 96
MARGIN = 10
LONGEST_LINK = 160
"""Characters; the expression of an alert as a link fills a screen, and the incident's page has it."""

_STATUS = {
    IncidentStatus.FIRING: "bold red",
    IncidentStatus.UNKNOWN: "bold yellow",
    IncidentStatus.RESOLVED: "bold green",
}


class Log(Sink):
    """Writes to standard output or standard error, once for each thing there is to say."""

    stream: Literal["stdout", "stderr"] = Field("stdout", description="where to write")

    async def deliver(self, message: Message, receipt: str, medium: Medium) -> str:
        """Print the message, unless it is what was printed last."""
        if receipt != message.digest:
            out = sys.stdout if self.stream == "stdout" else sys.stderr
            await asyncio.to_thread(write, out, message)
        return message.digest

    def preview(self, message: Message) -> Preview:
        """The block, without colours."""
        payload = "\n".join(render(message))
        return Preview(blocks=(Block(kind="code", text=payload),), payload=payload)


def write(out: TextIO, message: Message) -> None:
    """Print the block; in colour on a terminal."""
    block = render(message)
    if out.isatty():
        Console(file=out, highlight=False, soft_wrap=True).print(_coloured(block, message))
        return
    text = "".join(f"{line}\n" for line in ("", *block))
    encoding = out.encoding or "utf-8"
    out.write(text.encode(encoding, "replace").decode(encoding))
    out.flush()


def render(message: Message) -> list[str]:
    """The lines of the block, in the order of all messages."""
    left = f"{message.severity.value} · {message.since} · {message.place}"
    right = f"incident {message.key}"
    lines = [f"{left}{' ' * max(2, WIDTH - len(left) - len(right))}{right}", message.headline]
    lines += _part("Summary", map(_with_references, message.summary))
    lines += _part("Labels", map(_with_references, message.differences))
    lines += _part("Cause", [message.cause] if message.cause else [])
    lines += _part("Because", map(_with_references, message.because))
    lines += _part("Ruled out", _joined(message.not_it))
    lines += _part("Also unhealthy", map(_with_references, message.also_unhealthy))
    lines += _part("Not seen", map(_with_references, message.not_seen))
    lines += _part("Next", (f"{number}. {step.text}" for number, step in enumerate(message.next_steps, start=1)))
    lines += _part("Advice", map(_with_references, message.advice))
    lines += _part("Alerts", [", ".join(message.alerts)] if message.alerts else [])
    lines += _part("See", (f"{link.title}: {link.url}" for link in message.links if len(link.url) <= LONGEST_LINK))
    return [printable(line) for line in lines]


def printable(text: str) -> str:
    """On one line, with what could steer a terminal or turn the text around made visible."""
    return "".join(_visible(character) for character in text)


def _visible(character: str) -> str:
    if character.isprintable():
        return character
    if character in "\t\n\r":
        return " "
    return f"\\u{{{ord(character):x}}}" if unicodedata.category(character) != "Zs" else " "


def _part(title: str, lines: Iterable[str]) -> Iterator[str]:
    for position, line in enumerate(lines):
        label = f"{title if position == 0 else '':<{MARGIN}}"
        yield f"{label}{' ' * (len(label) > MARGIN)}{line}"


def _joined(lines: Sequence[Line]) -> list[str]:
    return [" · ".join(_with_references(line) for line in lines)] if lines else []


def _with_references(line: Line) -> str:
    return f"{line.text}  {''.join(f'[{number}]' for number in line.references)}" if line.references else line.text


def _coloured(block: Sequence[str], message: Message) -> Text:
    """Built from plain texts, never from markup."""
    text = Text("\n")
    text.append(block[0], style=_STATUS[message.status]).append("\n")
    text.append(block[1], style="bold").append("\n")
    for line in block[2:]:
        text.append(line[:MARGIN], style="dim").append(line[MARGIN:]).append("\n")
    text.rstrip()
    return text
