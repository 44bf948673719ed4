"""What chats share: the mark and the colour of an incident, what can be clicked, and a message cut to what fits."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from responder.model.incident import IncidentStatus, Severity
from responder.model.links import web_address
from responder.model.message import Button, Line, Link, Member, Message
from responder.sinks import Block
from responder.sinks._text import Part, clean, cut, first_line, parts

RESENT = "re-sent: an earlier try may have arrived too"
"""Says so where nobody can tell whether an earlier try got through."""
NO_HEADLINE = "nothing is known yet"
RESOLVED_COLOUR = 0x2E7D32
_MARKS = {Severity.P0: "🔴", Severity.P1: "🟠", Severity.P2: "🟡", Severity.P3: "🔵"}
_COLOURS = {Severity.P0: 0xD32F2F, Severity.P1: 0xF57C00, Severity.P2: 0xFBC02D, Severity.P3: 0x1976D2}


@dataclass(frozen=True)
class Size:
    """How much of a message is shown: characters of a line, lines of a part, characters of an address."""

    text: int
    lines: int
    address: int


SIZES = (Size(400, 12, 1000), Size(300, 8, 600), Size(200, 6, 400), Size(120, 4, 300), Size(80, 2, 300), Size(60, 1, 0))
"""From all that there is to what fits into any medium."""


@dataclass(frozen=True)
class Markup:
    """How a medium writes things. `escape` makes text of strangers mean itself."""

    escape: Callable[[str], str]
    bold: Callable[[str], str]
    link: Callable[[str, str], str]
    bullet: str = "- "


def mark(message: Message) -> str:
    """A coloured circle; the severity and the state are always said in words as well."""
    return "🟢" if message.status is IncidentStatus.RESOLVED else _MARKS[message.severity]


def colour(message: Message) -> int:
    """As 0xRRGGBB: red, orange, yellow or blue by severity, green when it is over."""
    return RESOLVED_COLOUR if message.status is IncidentStatus.RESOLVED else _COLOURS[message.severity]


def title(message: Message) -> str:
    """`🟠 P1 · firing 4 min · shop`."""
    return f"{mark(message)} {first_line(message)}"


def turn(message: Message) -> str:
    """The line that tells those who follow an incident of its end, or that it began anew."""
    said = title(sized(message, SIZES[0]))
    return said if message.status is IncidentStatus.RESOLVED else f"{said}: it fires again"


def fitted(message: Message, fits: Callable[[Message], bool], *, longest_address: int = 1000) -> Message:
    """The most of the message that fits: on single lines, without control characters, cut, saying what is left out."""
    smaller = message
    for size in SIZES:
        smaller = sized(message, replace(size, address=min(size.address, longest_address)))
        if fits(smaller):
            break
    return smaller


def sized(message: Message, size: Size) -> Message:
    """The message cut to a size."""

    def text(given: str) -> str:
        return cut(" ".join(clean(given).split()), size.text)

    def lines(given: Sequence[Line]) -> tuple[Line, ...]:
        kept = [line.model_copy(update={"text": short}) for line in given if (short := text(line.text))]
        more = (Line(text=f"… and {len(kept) - size.lines} more"),) if len(kept) > size.lines else ()
        return (*kept[: size.lines], *more)

    def member(given: Member) -> Member:
        return given.model_copy(
            update={
                "place": text(given.place),
                "headline": text(given.headline) or NO_HEADLINE,
                "url": _address(given.url, size),
            }
        )

    alerts = [short for alert in message.alerts if (short := text(alert))]
    more_alerts = (f"… and {len(alerts) - size.lines} more",) if len(alerts) > size.lines else ()
    left_out = len(message.members) - len(message.members[: size.lines])
    return message.model_copy(
        update={
            "place": cut(text(message.place), 120),
            "since": cut(text(message.since), 120),
            "headline": text(message.headline) or NO_HEADLINE,
            "summary": lines(message.summary),
            "differences": lines(message.differences),
            "cause": text(message.cause),
            "because": lines(message.because),
            "not_it": lines(message.not_it),
            "also_unhealthy": lines(message.also_unhealthy),
            "not_seen": lines(message.not_seen),
            "next_steps": lines(message.next_steps),
            "advice": lines(message.advice),
            "alerts": (*alerts[: size.lines], *more_alerts),
            "members": tuple(map(member, message.members[: size.lines])),
            "more_members": message.more_members + left_out,
            "links": tuple(_links(message, size)),
            "buttons": tuple(_buttons(message, size)),
            "pictures": tuple(
                picture.model_copy(update={"title": text(picture.title) or "chart"}) for picture in message.pictures
            ),
            "url": web_address(message.url),
        }
    )


def written(message: Message, markup: Markup, *, heading: bool = True, note: str = "") -> str:
    """The message as text with light markup, for media without structure. It must be `fitted`."""
    head = [markup.bold(markup.escape(title(message)))] if heading else []
    blocks = ["\n".join([*head, markup.bold(markup.escape(message.headline))])]
    blocks += paragraphs(message, markup)
    if found := addresses(message):
        blocks.append(" · ".join(markup.link(name, url) for name, url in found))
    if note:
        blocks.append(markup.escape(note))
    return "\n\n".join(blocks)


def paragraphs(message: Message, markup: Markup) -> list[str]:
    """The parts of a `fitted` message: each a sentence or a list."""
    return [_paragraph(part, markup) for part in parts(message)]


def _paragraph(part: Part, markup: Markup) -> str:
    name = markup.bold(markup.escape(part.title))
    if len(part.lines) == 1 and not part.numbered:
        return f"{name}: {markup.escape(part.lines[0])}"
    bullets = (f"{number}. " if part.numbered else markup.bullet for number in range(1, len(part.lines) + 1))
    lines = (f"{bullet}{markup.escape(line)}" for bullet, line in zip(bullets, part.lines, strict=True))
    return "\n".join([name, *lines])


def outline(message: Message, *, note: str = "") -> tuple[Block, ...]:
    """What `written` says, as blocks for the preview."""
    return (
        Block(kind="heading", text=title(message)),
        Block(kind="text", text=message.headline),
        *(Block(kind="list", text=part.title, items=part.lines) for part in parts(message)),
        *named("buttons", [name for name, _ in addresses(message)]),
        *([Block(kind="context", text=note)] if note else []),
    )


def addresses(message: Message) -> list[tuple[str, str]]:
    """The links and the buttons that have an address, by name."""
    buttons = [(button.label, button.url) for button in message.buttons if button.url]
    return [(link.title, link.url) for link in message.links] + buttons


def named(kind: str, items: Sequence[str]) -> Iterable[Block]:
    """A block of items, unless there are none."""
    return [Block.model_validate({"kind": kind, "items": tuple(items)})] if items else []


def _links(message: Message, size: Size) -> Iterable[Link]:
    for link in message.links:
        if url := _address(link.url, size):
            yield Link(title=" ".join(clean(cut(link.title, 60)).split()) or "link", url=url)


def _buttons(message: Message, size: Size) -> Iterable[Button]:
    """All of them; without their address where it cannot be shown: media that call back need none."""
    for button in message.buttons:
        yield button.model_copy(update={"label": cut(clean(button.label), 60), "url": _address(button.url, size)})


def _address(url: str, size: Size) -> str:
    found = web_address(url)
    return found if len(found) <= size.address else ""
