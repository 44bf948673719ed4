"""What sinks share of a message's words: its parts in their order, clean and cut to what a medium takes."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from responder.model.message import Line, Message

ELLIPSIS = "…"
_STARTS = re.compile(r"^[-+#=]", re.MULTILINE)
_NUMBERED = re.compile(r"^(\d+)(?=[.)])", re.MULTILINE)
_STEERING = frozenset(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C)))
"""What turns the direction of text around: it could show one thing and mean another."""


@dataclass(frozen=True)
class Part:
    """One part of a message: `Summary`, `Labels`, `Cause`, `Because`, `Ruled out`, `Not seen`, `Next`,
    `Runbook advice`, `Incidents`, `Alerts`.

    `numbered` lines are steps in their order.
    """

    title: str
    lines: tuple[str, ...]
    numbered: bool = False


def parts(message: Message) -> list[Part]:
    """The parts that have something to say, in the order that is the same everywhere. Lines are clean, not escaped."""
    found = [
        Part("Summary", _lines(message.summary)),
        Part("Labels", _lines(message.differences)),
        Part("Cause", (message.cause,) if message.cause else ()),
        Part("Because", _lines(message.because)),
        Part("Ruled out", _lines(message.not_it)),
        Part("Also unhealthy", _lines(message.also_unhealthy)),
        Part("Not seen", _lines(message.not_seen)),
        Part("Next", _lines(message.next_steps), numbered=True),
        Part("Runbook advice", _lines(message.advice)),
        Part("Incidents", _members(message)),
        Part("Alerts", (", ".join(message.alerts),) if message.alerts else ()),
    ]
    return [Part(part.title, tuple(map(clean, part.lines)), part.numbered) for part in found if part.lines]


def first_line(message: Message) -> str:
    """`P1 · firing 4 min · shop`: what there is to know before the headline."""
    return clean(f"{message.severity.value} · {message.since} · {message.place}")


def clean(text: str) -> str:
    """Without control characters (line breaks and tabs stay) and without what turns the text's direction around."""
    return "".join(character for character in text if character in "\n\t" or _fit(character))


def cut(text: str, most: int, measure: Callable[[str], int] = len) -> str:
    """At most that long by the medium's measure (code points; see `utf16` and `utf8`), with an ellipsis if cut."""
    if measure(text) <= most:
        return text
    if measure(ELLIPSIS) > most:
        return ""
    least, largest = 0, len(text)
    while least < largest:
        middle = (least + largest + 1) // 2
        if measure(text[:middle] + ELLIPSIS) <= most:
            least = middle
        else:
            largest = middle - 1
    return text[:least].rstrip() + ELLIPSIS


def escape_markdown(text: str, marks: str) -> str:
    """Markdown that means itself: a backslash before each of the marks, and before what makes a list or a title."""
    escaped = "".join(f"\\{character}" if character in marks else character for character in text)
    return _NUMBERED.sub(r"\1\\", _STARTS.sub(r"\\\g<0>", escaped))


def utf16(text: str) -> int:
    """The length in UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def utf8(text: str) -> int:
    """The length in bytes of UTF-8."""
    return len(text.encode("utf-8", "surrogatepass"))


def _fit(character: str) -> bool:
    return unicodedata.category(character) not in ("Cc", "Cs") and character not in _STEERING


def _lines(lines: Sequence[Line]) -> tuple[str, ...]:
    return tuple(
        f"{line.text} {''.join(f'[{number}]' for number in line.references)}" if line.references else line.text
        for line in lines
    )


def _members(message: Message) -> tuple[str, ...]:
    shown = [
        f"{member.severity.value} {member.place}: {member.headline} ({member.status.value})"
        for member in message.members
    ]
    return (*shown, f"and {message.more_members} more") if message.more_members else tuple(shown)
