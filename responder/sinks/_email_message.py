"""A message as a mail: headers that thread it, a text, and HTML with its charts inside."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from functools import cache
from pathlib import Path

from jinja2 import Environment, StrictUndefined, Template

from responder.model.incident import IncidentStatus, Severity
from responder.model.links import web_address
from responder.model.message import Button, Message
from responder.sinks._chat import colour
from responder.sinks._html import links
from responder.sinks._text import clean, cut, first_line, parts

LONGEST_SUBJECT = 200
LONGEST_PLACE = 60
LONGEST_DOMAIN = 40
"""Characters of a domain in an id: longer ones would not fit a line of a header that must not be encoded."""
PICTURES = 700_000
"""Bytes of all pictures: with the rest less than 1 MB when encoded."""
_STATES = {
    IncidentStatus.FIRING: "firing",
    IncidentStatus.UNKNOWN: "stale",
    IncidentStatus.RESOLVED: "resolved",
}
_URGENT = (Severity.P0, Severity.P1)


@dataclass(frozen=True)
class Drawn:
    """A chart as PNG."""

    title: str
    png: bytes


@dataclass(frozen=True)
class _Inline:
    title: str
    cid: str


def message_id(message: Message, before: str, domain: str) -> str:
    """The id of this state: every repeat has the same; a state that comes back after another has a new one."""
    return _id(f"{message.key}\n{before}\n{message.digest}", domain)


def thread_id(message: Message, domain: str) -> str:
    """The id that all mails of an incident refer to. No mail has it: whichever comes first, none is missing."""
    return _id(f"thread\n{message.key}", domain)


def mail(
    message: Message,
    number: str,
    *,
    before: str = "",
    sender: Address,
    to: Sequence[Address],
    title: str,
    reply_to: Address | None = None,
    list_id: str = "",
    pictures: Sequence[Drawn] = (),
    now: datetime,
) -> EmailMessage:
    """The mail with this id, in the thread of its incident; `before` is the id of the mail before it.

    `title` is the subject.
    """
    found = EmailMessage(policy.SMTP)
    root = thread_id(message, sender.domain)
    found["Message-ID"] = number
    found["Date"] = format_datetime(now)
    found["From"] = sender
    found["To"] = to
    if reply_to is not None:
        found["Reply-To"] = reply_to
    found["Subject"] = _one_line(title, LONGEST_SUBJECT)
    found["In-Reply-To"] = before or root
    found["References"] = f"{root} {before}" if before else root
    found["List-Id"] = f"<{list_id or short_domain(f'responder.{sender.domain}')}>"
    found["Auto-Submitted"] = "auto-generated"
    found["X-Auto-Response-Suppress"] = "All"
    found["X-Responder-Incident"] = _one_line(message.key, 64)
    found["X-Responder-Severity"] = message.severity.value
    found["X-Responder-Status"] = message.status.value
    if message.severity in _URGENT and message.status is not IncidentStatus.RESOLVED:
        found["Importance"] = "high"
    shown = fitting(pictures)
    inline = [_Inline(clean(picture.title), f"chart{place}.{number[1:-1]}") for place, picture in enumerate(shown)]
    found.set_content(text(message), cte="quoted-printable")
    found.add_alternative(page(message, inline), subtype="html", cte="quoted-printable")
    *_, document = found.iter_parts()
    for place, (picture, named) in enumerate(zip(shown, inline, strict=True), start=1):
        assert isinstance(document, EmailMessage)
        document.add_related(
            picture.png, "image", "png", cid=f"<{named.cid}>", filename=f"chart{place}.png", disposition="inline"
        )
    return found


def subject(message: Message, prefix: str = "") -> str:
    """`P1 firing: checkout is killed for using more memory than its limit · shop`."""
    place = f" · {cut(message.place, LONGEST_PLACE)}" if message.place else ""
    start = f"{prefix} {message.severity.value} {_STATES[message.status]}: "
    room = LONGEST_SUBJECT - len(place) - len(start)
    return _one_line(f"{start}{_one_line(message.headline, room)}{place}", LONGEST_SUBJECT)


def text(message: Message) -> str:
    """The mail as plain text."""
    lines = [_one_line(message.headline, 400), first_line(message)]
    for part in parts(message):
        lines += ["", part.title]
        for number, line in enumerate(part.lines, start=1):
            lines.append(f"{f'{number}. ' if part.numbered else '- '}{' '.join(line.split())}")
    said = _buttons(message)
    lines += ["", *(f"{button.label}: {button.url}" for button in said)] if said else []
    where = links(message)
    lines += ["", *(f"{_one_line(link.title, 60)}: {link.url}" for link in where)] if where else []
    return "\n".join([*lines, ""])


def page(message: Message, pictures: Sequence[_Inline] = ()) -> str:
    """The mail as HTML, in tables and with styles in place: that is what mail programs understand."""
    return _template().render(
        headline=_one_line(message.headline, 400),
        context=first_line(message),
        colour=f"#{colour(message):06x}",
        buttons=_buttons(message),
        parts=parts(message),
        pictures=pictures,
        links=[link.model_copy(update={"title": _one_line(link.title, 60)}) for link in links(message)],
    )


def fitting(pictures: Sequence[Drawn]) -> list[Drawn]:
    """The first pictures, as many as a mail should carry."""
    kept: list[Drawn] = []
    left = PICTURES
    for picture in pictures:
        if not picture.png or len(picture.png) > left:
            break
        left -= len(picture.png)
        kept.append(picture)
    return kept


def short_domain(domain: str) -> str:
    """The end of a domain, short enough."""
    while len(domain) > LONGEST_DOMAIN and "." in domain:
        domain = domain.partition(".")[2]
    return domain[-LONGEST_DOMAIN:].lstrip("-.")


def _id(seed: str, domain: str) -> str:
    return f"<{hashlib.blake2b(seed.encode(), digest_size=12).hexdigest()}@{short_domain(domain)}>"


def _buttons(message: Message) -> list[Button]:
    return [button for button in message.buttons if web_address(button.url)]


def _one_line(words: str, most: int) -> str:
    return cut(" ".join(clean(words).split()), most)


@cache
def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string((Path(__file__).parent / "email.html.jinja").read_text(encoding="utf-8"))
