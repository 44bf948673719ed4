"""Answers: one module per kind of sink. This is their contract.

A sink shows the incident as it stands now. The outbox (`flow/publish.py`) owns order, retries, breaker, routing,
storms and metrics; it hands the sink the last receipt it returned for this incident, so that the sink edits or
threads where its medium can. Rendering is pure and shared with the preview: what is previewed is what is sent.
"""

from abc import abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal

import aiohttp
from pydantic import Field

from responder.clients import Clients
from responder.errors import Permanent, Reason
from responder.model.message import Command, Message, Picture
from responder.model.record import Record
from responder.plugins import Plugin


@dataclass(frozen=True)
class Medium:
    """What a sink may use while it delivers.

    `doubtful`: an earlier try of this or an earlier state may have got through though nobody heard the answer (a
    crash, a timeout); a sink whose service has no idempotency key then looks for its own message first.
    `keep` remembers a receipt at once, so that a delivery of several requests goes on where it stopped.
    `draw` makes a PNG of at most 800×400 pixels, empty where pictures cannot be drawn.
    `cluster` gives the clients of the incident's cluster.
    """

    http: aiohttp.ClientSession
    now: datetime
    doubtful: bool
    keep: Callable[[str], Awaitable[None]]
    draw: Callable[[Picture], Awaitable[bytes]]
    cluster: Callable[[Message], Clients]


class Block(Record):
    """A part of a preview. `text` is the plain text of it; `items` are fields, buttons, or lines of a list.

    `picture` has the title of a chart as text; `html` is a whole document, shown in a frame without scripts.
    """

    kind: Literal["heading", "text", "fields", "list", "code", "context", "picture", "buttons", "html"]
    text: str = ""
    items: tuple[str, ...] = ()


class Preview(Record):
    """How a message looks in the medium (read back from what would be sent), and the payload itself."""

    blocks: tuple[Block, ...]
    payload: str


@dataclass(frozen=True)
class Call:
    """A request that the medium made to us at `/api/v1/sinks/NAME/events`; nothing of it is trusted yet."""

    headers: Mapping[str, str]
    body: bytes
    now: datetime


@dataclass(frozen=True)
class Click:
    """What somebody told the medium about an incident (the `key` of its messages). Applying it twice does no harm."""

    key: str
    command: Command
    by: str


@dataclass(frozen=True)
class Heard:
    """The clicks of a call, and what the medium is answered."""

    clicks: tuple[Click, ...] = ()
    answer: str = ""
    content_type: str = "text/plain"


class Sink(Plugin):
    """A place where incidents are shown.

    `gathers`: people read it as a stream, so a storm of incidents is one message there. `edits`: a message that
    was sent can be changed; where it cannot, only a finding, an end or an escalation is worth another one.
    """

    gathers: ClassVar[bool] = False
    edits: ClassVar[bool] = True

    name: str = Field(description="what logs, metrics and the page call it")
    send_resolved: bool = Field(True, description="whether it is told when an incident is over")

    @abstractmethod
    async def deliver(self, message: Message, receipt: str, medium: Medium) -> str:
        """Show the message; `receipt` is what the last delivery for this incident returned or kept, or empty.

        Returns the medium's own id of the message. Raises Temporary (tried again) or Permanent.
        """

    @abstractmethod
    def preview(self, message: Message) -> Preview:
        """What would be sent as a first message. Pure; needs no credentials."""

    async def hear(self, call: Call) -> Heard:
        """Check who calls, and read what they say. Raises Permanent: UNAUTHORIZED, or BAD_REQUEST."""
        raise Permanent(f"sinks of kind {self.kind!r} are not called back", Reason.NOT_FOUND)
