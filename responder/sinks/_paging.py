"""What pagers share: where an incident stands with them, as the receipt remembers it, and the words they show.

A pager that was told of an end opens anew with whatever comes next. What was written before that end and comes late
is therefore not sent: `Standing.late`.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, cast, get_args

from responder.model.incident import IncidentStatus
from responder.model.links import web_address
from responder.model.message import Message
from responder.sinks import Block
from responder.sinks._text import clean, parts

State = Literal["none", "opening", "triggered", "acknowledged", "resolving", "resolved"]
"""`opening` and `resolving`: this was sent, and nobody heard yet whether it arrived."""


@dataclass(frozen=True)
class Standing:
    """What the pager was told last: `revision` of the incident, and a digest of the words."""

    key: str
    state: State = "none"
    revision: int = 0
    words: str = ""

    @classmethod
    def read(cls, receipt: str, key: str) -> "Standing":
        """Of a receipt; nothing was told where it is empty or another sink's."""
        fields = receipt.split(" ")
        if len(fields) != 4 or fields[0] != key or fields[1] not in get_args(State) or not fields[2].isdecimal():
            return cls(key)
        return cls(key, cast(State, fields[1]), int(fields[2]), fields[3])

    def __str__(self) -> str:
        return f"{self.key} {self.state} {self.revision} {self.words or '-'}"

    def told(self, state: State, message: Message) -> "Standing":
        """After this was told."""
        return replace(self, state=state, revision=max(self.revision, revision(message)), words=words(message))

    def opening(self, message: Message) -> "Standing":
        """Before it is told that it burns: an end that comes next has to be told, whether this arrived or not."""
        return replace(self, state="opening", revision=max(self.revision, revision(message)))

    def ending(self, message: Message) -> "Standing":
        """Before an end is sent: what burns again afterwards has to be told anew, whether the end arrived or not."""
        return replace(self, state="resolving", revision=max(self.revision, revision(message)))

    def late(self, message: Message) -> bool:
        """Whether the message is older than the end that was told."""
        return (
            self.state in ("resolving", "resolved")
            and wanted(message) != "resolved"
            and revision(message) <= self.revision
        )

    @property
    def open(self) -> bool:
        """Whether it burns there."""
        return self.state in ("triggered", "acknowledged")


def wanted(message: Message) -> State:
    """How it should stand."""
    if message.status is IncidentStatus.RESOLVED:
        return "resolved"
    return "acknowledged" if message.acknowledged_by else "triggered"


def revision(message: Message) -> int:
    """It grows with every change of the incident."""
    return message.report.revision if message.report else 0


def words(message: Message) -> str:
    """A digest of what is worth telling again: alerts that join say nothing new."""
    said = message.model_dump(
        mode="json", include={"severity", "headline", "cause", "because", "not_it", "not_seen", "next_steps"}
    )
    return hashlib.blake2b(json.dumps(said, sort_keys=True).encode(), digest_size=8).hexdigest()


def headline(message: Message) -> str:
    """The headline on one line, never empty."""
    return " ".join(clean(message.headline).split()) or "Incident"


def text(message: Message) -> str:
    """All parts as plain text."""
    said = [f"{part.title}\n{lines(part.lines, numbered=part.numbered)}" for part in parts(message)]
    return "\n\n".join(said)


def lines(texts: Sequence[str], *, numbered: bool = False) -> str:
    """One a line; steps with their numbers."""
    marks = (f"{number}. " if numbered else "- " if len(texts) > 1 else "" for number in range(1, len(texts) + 1))
    return "\n".join(f"{mark}{line}" for mark, line in zip(marks, texts, strict=True))


def addresses(message: Message) -> Mapping[str, str]:
    """The links by title, the incident's page first."""
    every = [("Incident", message.url), *((link.title, link.url) for link in message.links)]
    found: dict[str, str] = {}
    for title, url in every:
        if web_address(url) and url not in found.values():
            found[clean(title) or url] = url
    return found


def blocks(title: str, fields: Mapping[str, str], body: str, links: Mapping[str, str]) -> tuple[Block, ...]:
    """A page or a ticket as a preview shows it."""
    shown = [Block(kind="heading", text=title)]
    if fields:
        shown.append(Block(kind="fields", items=tuple(f"{name}: {value}" for name, value in fields.items())))
    shown.append(Block(kind="text", text=body))
    if links:
        shown.append(Block(kind="list", items=tuple(f"{name}: {url}" for name, url in links.items())))
    return tuple(shown)
