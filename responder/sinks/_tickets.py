"""What issue trackers share: when there is a ticket, how it follows its incident, how it is found again.

None of them takes a key. A ticket therefore carries a mark, and where a try may have got through unheard, it is looked
for before another one is opened.
"""

import hashlib
import re
from abc import abstractmethod
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal, cast, get_args

from pydantic import Field

from responder.model.incident import IncidentStatus, Severity
from responder.model.message import Message, Stage
from responder.model.runbook import Duration
from responder.sinks import Medium, Sink
from responder.sinks._paging import words

LABEL = "responder"
"""The label that all of our tickets have."""
State = Literal["open", "closed", "kept", "moving"]
"""`kept` is a ticket that was opened when all was over: it is for what is left to do, and never closed by us.

`moving`: it is being closed or reopened, and nobody heard yet whether that was done.
"""
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True)
class Filed:
    """A ticket as its receipt remembers it: what it was told last, and at which stage."""

    name: str
    state: State = "open"
    stage: str = "-"
    words: str = "-"

    @classmethod
    def read(cls, receipt: str) -> "Filed | None":
        """Of a receipt; None where it is empty or another sink's."""
        fields = receipt.split(" ")
        if len(fields) != 4 or not _NAME.fullmatch(fields[0]) or fields[1] not in get_args(State):
            return None
        return cls(fields[0], cast(State, fields[1]), fields[2], fields[3])

    def __str__(self) -> str:
        return f"{self.name} {self.state} {self.stage} {self.words}"


class Tickets(Sink):
    """A ticket for an incident that needs follow-up."""

    when: tuple[Stage, ...] = Field(
        ("diagnosed",), description="stages at which a ticket is opened: `announced`, `diagnosed`, `resolved`"
    )
    severities: tuple[Severity, ...] = Field(tuple(Severity), description="incidents that get one")
    labels: tuple[str, ...] = Field((), description="labels of the ticket, besides `responder`")
    close: bool = Field(True, description="whether the end of the incident closes a ticket that was opened before it")
    timeout: Duration = Field(timedelta(seconds=10), description="the longest that one request may take")

    async def deliver(self, message: Message, receipt: str, medium: Medium) -> str:
        """Open the ticket or bring it up to date; the receipt is its name and what it was told last."""
        filed = Filed.read(receipt)
        if filed is None and medium.doubtful and (found := await self._find(message, medium)):
            filed = Filed(found, "open" if set(self.when) - {"resolved"} else "kept", message.stage)
        if filed is None:
            if message.stage not in self.when or message.severity not in self.severities:
                return ""
            name = await self._open(message, medium)
            return str(Filed(name, "kept" if message.stage == "resolved" else "open", message.stage, words(message)))
        return str(await self._follow(message, filed, medium))

    @abstractmethod
    async def _find(self, message: Message, medium: Medium) -> str:
        """The name of a ticket with the incident's mark, or empty."""

    @abstractmethod
    async def _open(self, message: Message, medium: Medium) -> str:
        """Open a ticket; its name."""

    @abstractmethod
    async def _change(self, message: Message, name: str, state: State, medium: Medium) -> None:
        """Bring title and text up to date; close or reopen it, unless the state is `kept`."""

    @abstractmethod
    async def _comment(self, message: Message, name: str, medium: Medium) -> None:
        """Say what is new, so that those who watch hear of it."""

    async def _follow(self, message: Message, filed: Filed, medium: Medium) -> Filed:
        over = message.status is IncidentStatus.RESOLVED
        state = filed.state
        if state != "kept":
            state = "closed" if over and self.close else "open" if not over or state == "moving" else state
        told = replace(filed, state=state, stage=message.stage, words=words(message))
        if told == filed:
            return filed
        if state == filed.state:
            # people's own closing stands: the state is sent only where ours changes
            await self._change(message, filed.name, "kept", medium)
        else:
            await medium.keep(str(replace(filed, state="moving")))
            await self._change(message, filed.name, state, medium)
        if told.stage != filed.stage:
            await self._comment(message, filed.name, medium)
        return told


def mark(message: Message) -> str:
    """What a ticket is found again by, the same for all of an incident."""
    return hashlib.blake2b(message.key.encode(), digest_size=8).hexdigest()
