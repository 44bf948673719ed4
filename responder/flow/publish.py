"""Publish: bring every sink to the incident's present state, in order, until it shows it.

The outbox holds no messages: a delivery is a job that composes the newest message when it runs, and sends
it only if it differs from what the sink shows. A sink that was away gets the latest state once. Incidents that
come too fast for a chat share one message there: a storm, which is delivered like an incident, under its own key.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from responder.clients import Clients
from responder.clients.sharing import UNANSWERED, Breaker
from responder.errors import Permanent, Reason, Temporary
from responder.flow import storms
from responder.flow.announce import audience, called
from responder.flow.escalate import reach
from responder.flow.message import compose
from responder.flow.reports import Reports
from responder.flow.routing import Routing
from responder.flow.series import DELIVERED, REFUSED, RETRIED
from responder.flow.world import World
from responder.model.incident import IncidentStatus, TimelineEntry, TimelineKind
from responder.model.message import Message
from responder.model.report import InvestigationStatus, Report
from responder.pictures import Gallery
from responder.sinks import Medium, Sink
from responder.store import deliveries, incidents
from responder.store.deliveries import STORM, Shown, request

log = structlog.get_logger(__name__)

TIMEOUT = 30.0
QUIET = timedelta(seconds=1)
"""How long alerts that join an announced incident are gathered before the sinks are told."""
GATHERED = timedelta(seconds=2)
"""How long the incidents of a storm are gathered before its message is changed."""
SETTLED = timedelta(seconds=15)
"""A medium that cannot edit is told of a storm once nothing joined it for so long."""
PATIENCE = timedelta(seconds=30)
"""A medium that cannot edit is told without a finding only if there is none after so long."""
AT_ONCE = 8
"""Deliveries to one sink at the same time; chats get one after the other."""


class _Pace:
    """How a sink may be used now: a breaker, the pause that it asked for, and how many at once."""

    def __init__(self, world: World, sink: Sink) -> None:
        self.breaker = Breaker(world.clock)
        self.places = asyncio.Semaphore(1 if sink.gathers else AT_ONCE)
        self._clock = world.clock
        self._open_at = 0.0

    def enter(self, name: str) -> None:
        """Raise Temporary while the sink is not to be asked."""
        wait = self._open_at - self._clock.now().timestamp()
        if wait > 0:
            raise Temporary(f"{name} asked for a pause", Reason.OVERLOADED, after=wait)
        self.breaker.enter(name)

    def heard(self, trouble: Temporary | Permanent | None) -> None:
        """What came of a delivery."""
        if isinstance(trouble, Temporary) and trouble.after is not None:
            self._open_at = self._clock.now().timestamp() + trouble.after
        if trouble is not None and trouble.reason in (*UNANSWERED, Reason.SERVER_ERROR):
            self.breaker.failed(str(trouble))
        else:
            self.breaker.succeeded()


class Outbox:
    """Delivers to sinks."""

    def __init__(self, world: World, reports: Reports, routing: Routing, gallery: Gallery) -> None:
        self._world = world
        self._reports = reports
        self._routing = routing
        self._gallery = gallery
        self._paces = {name: _Pace(world, sink) for name, sink in world.sinks.items()}

    async def deliver(self, key: str) -> datetime | None:
        """Bring one sink up to date on one incident or storm (`INCIDENT/SINK`); returns when to look again, if so."""
        incident_id, _, name = key.partition("/")
        sink = self._world.sinks.get(name)
        if sink is None:
            raise Permanent(f"there is no sink {name!r} any more", Reason.NOT_CONFIGURED)
        if incident_id.startswith(STORM):
            return await self._deliver_storm(incident_id, sink)
        report = await self._reports.get(incident_id)
        if report is None or self._world.runbook(report.runbook).quiet:
            return None
        shown = await self._world.database.read(lambda connection: deliveries.get(connection, incident_id, name))
        if name not in audience(self._world, report.levels) or not _worth_showing(sink, report, shown):
            return None
        message = compose(report, addresses=self._world.addresses)
        if message.digest == shown.digest:
            return None
        later = self._not_yet(sink, report, message, shown)
        if later is None or later > self._world.clock.now():
            return later
        if sink.gathers:
            shown = await self._claimed(shown)
        if shown.storm:
            await self._stir(shown.storm, name)
            return None
        if await self._send(sink, message, shown):
            await self._reached(sink, [incident_id])
        return None

    def _not_yet(self, sink: Sink, report: Report, message: Message, shown: Shown) -> datetime | None:
        """When the sink is to be told: now, later, or (None) not of this."""
        now = self._world.clock.now()
        known = shown.digest or shown.storm or sink.name in called(self._world, report.levels)
        told = now if known else self._routing.told(report, sink.name, now)
        if told is None or sink.edits or shown.storm:
            return told
        if message.stage == "announced" and not shown.digest:
            return max(told, report.opened_at + PATIENCE)
        return told if _news(message, shown) else None

    async def _claimed(self, shown: Shown) -> Shown:
        rules = self._world.settings.storms
        now = self._world.clock.now()
        return await self._world.database.write(
            lambda connection: deliveries.claim(connection, shown, now, rules.after, rules.within)
        )

    async def _stir(self, storm_id: str, sink: str) -> None:
        """Have the message of a storm brought up to date soon, once for all that happens until then."""
        now = self._world.clock.now()
        await self._world.database.write(lambda connection: request(connection, storm_id, [sink], now + GATHERED, now))

    async def _deliver_storm(self, storm_id: str, sink: Sink) -> datetime | None:
        storm = await self._world.database.read(lambda connection: deliveries.storm(connection, storm_id))
        if storm is None:
            return None
        reports = await self._reports.of_storm(storm_id)
        shown = await self._world.database.read(lambda connection: deliveries.get(connection, storm_id, sink.name))
        if not reports or (not sink.send_resolved and all(one.status is IncidentStatus.RESOLVED for one in reports)):
            return None
        message = storms.compose(storm, reports, self._world.settings.base_url)
        if message.digest == shown.digest or (not sink.edits and shown.digest and not _news(message, shown)):
            return None
        settled = storm.joined_at + SETTLED
        if not sink.edits and not shown.digest and settled > self._world.clock.now():
            return settled
        if await self._send(sink, message, shown):
            await self._reached(sink, [report.id for report in reports])
        return None

    async def _reached(self, sink: Sink, incident_ids: Sequence[str]) -> None:
        """The levels of escalation that were called through the sink are reached, once it took the incidents."""
        if not any(sink.name in names for names in self._world.settings.escalation.contacts.values()):
            return

        def reached(connection: Connection) -> None:
            for incident_id in incident_ids:
                reach(self._world, connection, incident_id, sink.name)

        await self._world.database.write(reached)

    async def _send(self, sink: Sink, message: Message, shown: Shown) -> bool:
        """Whether the sink took it; raises what is worth another try."""
        metrics = self._world.metrics
        pace = self._paces[sink.name]
        async with pace.places:
            pace.enter(sink.name)
            started = time.perf_counter()
            sent = replace(shown, doubtful=True)
            if not shown.doubtful:
                await self._remember(sent, told=shown.trouble)
            try:
                receipt = await self._within_time(sink, message, shown)
            except (Temporary, Permanent) as trouble:
                pace.heard(trouble)
                await self._note(sink, message, sent, trouble)
                return False
            pace.heard(None)
        metrics.deliveries.labels(sink.name, DELIVERED).inc()
        metrics.delivery_seconds.labels(sink.name).observe(time.perf_counter() - started)
        now = self._world.clock.now()
        if not shown.digest and message.report is not None:
            waited = (now - message.report.opened_at).total_seconds()
            metrics.first_word_seconds.observe(max(0.0, waited))
        done = replace(
            shown,
            digest=message.digest,
            receipt=receipt,
            stage=_standing(message),
            delivered_at=now,
            trouble="",
            dead=False,
            doubtful=False,
        )
        await self._remember(done, told="")
        return True

    async def _note(self, sink: Sink, message: Message, shown: Shown, trouble: Temporary | Permanent) -> None:
        """Remember what went wrong, with what the sink kept meanwhile; raises what is worth another try."""
        kept = await self._world.database.read(
            lambda connection: deliveries.get(connection, shown.incident_id, sink.name)
        )
        dead = isinstance(trouble, Permanent)
        self._world.metrics.deliveries.labels(sink.name, REFUSED if dead else RETRIED).inc()
        await self._remember(replace(kept, trouble=str(trouble)[:256], dead=dead), told=shown.trouble)
        if not dead:
            raise trouble
        log.error("publish.refused", sink=sink.name, incident=message.key, error=str(trouble))

    async def _within_time(self, sink: Sink, message: Message, shown: Shown) -> str:
        async def keep(receipt: str) -> None:
            await self._remember(replace(shown, receipt=receipt, doubtful=True), told=shown.trouble)

        medium = Medium(
            http=self._world.session,
            now=self._world.clock.now(),
            doubtful=shown.doubtful,
            keep=keep,
            draw=self._gallery.draw,
            cluster=self._cluster,
        )
        try:
            async with asyncio.timeout(TIMEOUT):
                return await sink.deliver(message, shown.receipt, medium)
        except TimeoutError:
            raise Temporary(f"no answer within {TIMEOUT:g} s", Reason.TIMEOUT) from None

    def _cluster(self, message: Message) -> Clients:
        return self._world.clients(message.report.target.cluster if message.report else "")

    async def _remember(self, shown: Shown, told: str) -> None:
        """Keep what the sink shows; new trouble also goes into the timeline, once."""
        now = self._world.clock.now()

        def keep(connection: Connection) -> None:
            deliveries.save(connection, shown)
            if shown.trouble and shown.trouble != told and not shown.incident_id.startswith(STORM):
                text = f"Delivery to {shown.sink} failed: {shown.trouble}"
                incidents.tell(
                    connection, shown.incident_id, TimelineEntry(at=now, kind=TimelineKind.TROUBLE, text=text)
                )

        await self._world.database.write(keep)


def _standing(message: Message) -> str:
    """What a medium that cannot edit is told of anew when it changes."""
    false_alarm = " false alarm" if message.report and message.report.false_alarm == "said" else ""
    return f"{message.stage} {message.severity.value}{false_alarm}"


def _news(message: Message, shown: Shown) -> bool:
    """Whether a message that cannot be changed is worth another one."""
    return not shown.digest or shown.stage != _standing(message)


def _worth_showing(sink: Sink, report: Report, shown: Shown) -> bool:
    """Nobody is told of an end who was not told of a beginning, unless something was found out."""
    if report.status is not IncidentStatus.RESOLVED:
        return True
    if not sink.send_resolved:
        return False
    return bool(shown.digest or shown.storm) or report.investigation.status is not InvestigationStatus.PENDING
