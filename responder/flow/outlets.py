"""Outlets: what people see and do of the sinks: their state, previews, dead letters, and what media call back."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from secrets import token_hex

import structlog
from sqlalchemy import Connection

from responder.errors import Permanent, Reason
from responder.flow.buttons import BUTTON, PICTURE, Addresses, approvable
from responder.flow.message import compose
from responder.flow.reports import Reports
from responder.flow.sample import stages
from responder.flow.world import World
from responder.model.action import ActionLine
from responder.model.evidence import Chart
from responder.model.message import Command, Message, Picture
from responder.pictures import Gallery
from responder.signing import Signer
from responder.sinks import Call, Click, Heard, Preview, Sink
from responder.store import deliveries
from responder.store.deliveries import STORM, Shown

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Outlet:
    """A sink and how it fares. `letters` are the deliveries that do not get through, the dead ones first."""

    name: str
    kind: str
    last: datetime | None = None
    waiting: int = 0
    letters: Sequence[Shown] = ()

    @property
    def dead(self) -> int:
        """How many deliveries it refused for good."""
        return sum(letter.dead for letter in self.letters)


@dataclass(frozen=True)
class Said:
    """What a signed button stands for."""

    incident_id: str
    command: Command
    headline: str = ""
    open: bool = True
    action: ActionLine | None = None
    number: int = 0


class Outlets:
    """The sinks, as the pages and the API show them."""

    def __init__(self, world: World, reports: Reports, gallery: Gallery) -> None:
        self._world = world
        self._reports = reports
        self._gallery = gallery

    async def list(self) -> Sequence[Outlet]:
        """All sinks in the order of the settings."""

        def read(connection: Connection) -> Sequence[Outlet]:
            waiting = deliveries.waiting(connection)
            latest = deliveries.latest(connection)
            troubled = deliveries.troubled(connection)
            return [
                Outlet(
                    name=name,
                    kind=sink.kind,
                    last=latest.get(name),
                    waiting=waiting.get(name, 0),
                    letters=tuple(letter for letter in troubled if letter.sink == name),
                )
                for name, sink in self._world.sinks.items()
            ]

        return await self._world.database.read(read)

    def sink(self, name: str) -> Sink | None:
        """A sink by its name."""
        return self._world.sinks.get(name)

    async def preview(self, name: str, incident_id: str = "") -> Mapping[str, Preview] | None:
        """How a sink would show an incident now, or the sample in its stages; None where there is none."""
        sink = self.sink(name)
        if sink is None:
            return None
        # whoever reads the pages sees a preview: its buttons lead nowhere
        addresses = Addresses(self._world.addresses.base_url, Signer(token_hex(32)))
        messages: dict[str, Message]
        if incident_id:
            report = await self._reports.get(incident_id)
            if report is None:
                return None
            messages = {incident_id: compose(report, addresses=addresses)}
        else:
            samples = stages(self._world.clock.now(), addresses)
            messages = {str(stage): message for stage, message in samples.items()}
        return await asyncio.to_thread(lambda: {stage: sink.preview(message) for stage, message in messages.items()})

    async def replay(self, name: str, incident_id: str = "") -> int:
        """Send what a sink refused once more, all or of one incident; how many there were."""
        now = self._world.clock.now()

        def again(connection: Connection) -> int:
            found = deliveries.revive(connection, name, incident_id)
            for each in found:
                deliveries.request(connection, each, [name], now, now)
            return len(found)

        return await self._world.database.write(again)

    async def hear(self, name: str, call: Call) -> Heard:
        """Take what a medium calls back with. Raises Permanent: NOT_FOUND, UNAUTHORIZED, BAD_REQUEST."""
        sink = self.sink(name)
        if sink is None:
            raise Permanent(f"there is no sink {name!r}", Reason.NOT_FOUND)
        heard = await sink.hear(call)
        for click in heard.clicks:
            log.info("outlets.click", sink=name, incident=click.key, command=click.command)
            await self._apply(click)
        return heard

    async def said(self, token: str) -> Said | None:
        """What a signed button stands for; None where the token is none, or the incident forgotten."""
        found = self._world.addresses.signer.read(BUTTON, token, self._world.clock.now())
        if found is not None and len(found) == 4 and found[1] == "approve":
            return await self._approval(found[0], found[2], int(found[3]))
        if found is None or len(found) != 2:
            return None
        report = await self._reports.get(found[0])
        command = _COMMANDS.get(found[1])
        if report is None or command is None:
            return None
        return Said(report.id, command, report.headline, report.acknowledged_at is None)

    async def _approval(self, incident_id: str, action: str, number: int) -> Said | None:
        """The one attempt that a button is about, as long as it can be approved; None afterwards."""
        report = await self._reports.get(incident_id)
        for line, attempt in approvable(report) if report else ():
            if report and (line.id, attempt.number) == (action, number):
                return Said(report.id, "approve", report.headline, action=line, number=number)
        return None

    async def say(self, said: Said, by: str) -> None:
        """Do what the button says."""
        await self._apply(Click(said.incident_id, said.command, by))

    async def picture(self, token: str) -> bytes | None:
        """The chart that a signed address names, as PNG; None where there is none."""
        found = self._world.addresses.signer.read(PICTURE, token, self._world.clock.now())
        if found is None or len(found) != 2:
            return None
        report = await self._reports.get(found[0])
        evidence = next((each for each in report.evidence if each.id == found[1]), None) if report else None
        chart = evidence.read(Chart) if evidence else None
        if report is None or evidence is None or chart is None:
            return None
        picture = Picture(title=evidence.title or chart.query, chart=chart, started_at=report.began_at)
        return await self._gallery.draw(picture) or None

    async def _apply(self, click: Click) -> None:
        """Acknowledging twice is acknowledging once; of a storm it is each of its incidents."""
        keys = [click.key]
        if click.key.startswith(STORM):
            keys = [report.id for report in await self._reports.of_storm(click.key)]
        for key in keys:
            match click.command:
                case "acknowledge":
                    await self._reports.acknowledge(key, click.by)
                case "useful" | "not_useful":
                    await self._reports.feedback(key, click.command == "useful", click.by)


_COMMANDS: Mapping[str, Command] = {"acknowledge": "acknowledge", "useful": "useful", "not_useful": "not_useful"}
