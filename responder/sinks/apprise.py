"""Apprise: a hundred services that have no sink of their own."""

import asyncio
import importlib.util
from datetime import timedelta
from pathlib import Path

from pydantic import Field, SecretStr, ValidationError, model_validator

from responder.errors import Reason, Temporary, Trouble
from responder.model.message import Message
from responder.model.record import Record
from responder.model.runbook import Duration
from responder.sinks import Block, Medium, Preview, Sink
from responder.sinks import _apprise as library
from responder.sinks import _credentials as credentials
from responder.sinks._text import first_line

PICTURES = 1


class _Receipt(Record):
    """Which services have been told the state with this digest, by their place in the list."""

    digest: str = ""
    told: tuple[int, ...] = ()


class Apprise(Sink):
    """Sends findings and ends through the library Apprise, to any service that it knows.

    It says neither which message it made nor, often, why it failed: nothing is edited, and a message may come twice.
    Needs `pip install 'responder[apprise]'`.
    """

    gathers = True
    edits = False

    urls: tuple[SecretStr, ...] = Field((), description="the services as Apprise writes them, `tgram://TOKEN/CHAT`")
    urls_file: Path | None = Field(None, description="a file of such addresses, one a line")
    pictures: bool = Field(True, description="whether a chart is attached, where the service takes it")
    timeout: Duration = Field(timedelta(seconds=10), description="the longest that one service may take")

    @model_validator(mode="after")
    def _possible(self) -> "Apprise":
        if importlib.util.find_spec("apprise") is None:
            raise ValueError("the library Apprise is not installed: pip install 'responder[apprise]'")
        if not self.urls and self.urls_file is None:
            raise ValueError("urls or urls_file is needed")
        return self

    async def deliver(self, message: Message, receipt: str, medium: Medium) -> str:
        """Tell every service that has not been told of this state; raises the first trouble after trying all."""
        last = _read(receipt)
        done = list(last.told) if last.digest == message.digest else []
        known = await asyncio.to_thread(library.services, await self._addresses(), self.timeout.total_seconds())
        left = [place for place in range(len(known)) if place not in done]
        pictures = await self._drawn(message, [known[place] for place in left], medium)
        troubles: list[Trouble] = []
        for place in left:
            trouble = await self._tell(known[place], message, pictures)
            if trouble is not None:
                troubles.append(trouble)
                continue
            done.append(place)
            await medium.keep(_Receipt(digest=message.digest, told=tuple(done)).model_dump_json())
        if troubles:
            raise min(troubles, key=lambda trouble: not isinstance(trouble, Temporary))
        return _Receipt(digest=message.digest, told=tuple(done)).model_dump_json()

    def preview(self, message: Message) -> Preview:
        """The text, as services get it that take nothing richer."""
        subject = library.title(message, 0)
        text = library.body(message, "text", library.LONGEST)
        blocks = (
            Block(kind="heading", text=subject),
            Block(kind="context", text=first_line(message)),
            Block(kind="code", text=text),
        )
        return Preview(blocks=blocks, payload=f"{subject}\n\n{text}")

    async def _tell(self, service: library.Service, message: Message, pictures: list[bytes]) -> Trouble | None:
        seconds = self.timeout.total_seconds()
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.to_thread(library.notify, service, message, pictures)
        except TimeoutError:
            return Temporary(f"{service.name} did not answer within {seconds:g} s", Reason.TIMEOUT)

    async def _addresses(self) -> list[str]:
        lines = (await credentials.reveal(None, self.urls_file)).splitlines()
        return [url.get_secret_value() for url in self.urls] + [line.strip() for line in lines if line.strip()]

    async def _drawn(self, message: Message, known: list[library.Service], medium: Medium) -> list[bytes]:
        if not self.pictures or not any(service.takes_pictures for service in known):
            return []
        return [await medium.draw(picture) for picture in message.pictures[:PICTURES]]


def _read(receipt: str) -> _Receipt:
    try:
        return _Receipt.model_validate_json(receipt) if receipt else _Receipt()
    except ValidationError:
        return _Receipt()
