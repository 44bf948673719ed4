"""Publish: bring every sink to the incident's present state, in order, until it shows it.

The outbox holds no messages: a delivery is a job that composes the newest message when it runs, and sends
it only if it differs from what the sink shows. A sink that was away gets the latest state once.
"""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from responder.errors import Permanent, Reason, Temporary
from responder.flow.message import compose
from responder.flow.reports import Reports
from responder.flow.world import World
from responder.model.incident import IncidentStatus, TimelineEntry, TimelineKind
from responder.model.message import Link, Message
from responder.model.report import InvestigationStatus, Report
from responder.sinks import Sink
from responder.store import deliveries, incidents, jobs
from responder.store.deliveries import Shown

log = structlog.get_logger(__name__)

KIND = "deliver"
TIMEOUT = 15.0
QUIET = timedelta(seconds=1)
"""How long alerts that join an announced incident are gathered before the sinks are told."""


def request(connection: Connection, incident_id: str, sinks: Iterable[str], due_at: datetime, now: datetime) -> None:
    """Have every sink brought up to date, in the transaction that changed the incident."""
    for sink in sinks:
        jobs.defer(connection, KIND, f"{incident_id}/{sink}", due_at, now, lane=sink)


class Outbox:
    """Delivers to sinks."""

    def __init__(self, world: World, reports: Reports) -> None:
        self._world = world
        self._reports = reports

    async def deliver(self, key: str) -> None:
        """Bring one sink up to date on one incident (`INCIDENT/SINK`)."""
        incident_id, _, name = key.partition("/")
        sink = self._world.sinks.get(name)
        if sink is None:
            raise Permanent(f"there is no sink {name!r} any more", Reason.NOT_CONFIGURED)
        report = await self._reports.get(incident_id)
        if report is None or self._world.runbook(report.runbook).quiet:
            return
        shown = await self._world.database.read(lambda connection: deliveries.get(connection, incident_id, name))
        message = compose(report, links=self._links(report))
        if message.digest == shown.digest or not _worth_showing(sink, report, shown):
            return
        await self._send(sink, message, shown)

    async def _send(self, sink: Sink, message: Message, shown: Shown) -> None:
        metrics = self._world.metrics
        started = time.perf_counter()
        try:
            receipt = await self._within_time(sink, message, shown.receipt)
        except Temporary as trouble:
            metrics.deliveries.labels(sink.name, "retried").inc()
            await self._remember(replace(shown, trouble=str(trouble)[:256]), told=shown.trouble)
            raise
        except Permanent as trouble:
            metrics.deliveries.labels(sink.name, "refused").inc()
            log.error("publish.refused", sink=sink.name, incident=message.key, error=str(trouble))
            await self._remember(replace(shown, trouble=str(trouble)[:256], dead=True), told=shown.trouble)
            return
        metrics.deliveries.labels(sink.name, "delivered").inc()
        metrics.delivery_seconds.labels(sink.name).observe(time.perf_counter() - started)
        now = self._world.clock.now()
        if not shown.digest:
            waited = (now - message.report.opened_at).total_seconds()
            metrics.first_word_seconds.observe(max(0.0, waited))
        done = Shown(shown.incident_id, shown.sink, message.digest, receipt, message.stage, now)
        await self._remember(done, told="")

    async def _within_time(self, sink: Sink, message: Message, receipt: str) -> str:
        try:
            async with asyncio.timeout(TIMEOUT):
                return await sink.deliver(message, receipt, self._world.session)
        except TimeoutError:
            raise Temporary(f"no answer within {TIMEOUT:g} s", Reason.TIMEOUT) from None

    async def _remember(self, shown: Shown, told: str) -> None:
        """Keep what the sink shows; new trouble also goes into the timeline, once."""
        now = self._world.clock.now()

        def keep(connection: Connection) -> None:
            deliveries.save(connection, shown)
            if shown.trouble and shown.trouble != told:
                text = f"{shown.sink} could not be told: {shown.trouble}"
                incidents.tell(
                    connection, shown.incident_id, TimelineEntry(at=now, kind=TimelineKind.TROUBLE, text=text)
                )

        await self._world.database.write(keep)

    def _links(self, report: Report) -> list[Link]:
        links = [Link(title="Incident", url=report.url)]
        for alert in report.alerts[:1]:
            if alert.generator_url.startswith(("http://", "https://")):
                links.append(Link(title="Prometheus", url=alert.generator_url))
            for annotation, title in (("runbook_url", "Runbook"), ("dashboard_url", "Dashboard")):
                url = alert.annotations.get(annotation, "")
                if url.startswith(("http://", "https://")):
                    links.append(Link(title=title, url=url))
        return links


def _worth_showing(sink: Sink, report: Report, shown: Shown) -> bool:
    """Nobody is told of an end who was not told of a beginning, unless something was found out."""
    if report.status is not IncidentStatus.RESOLVED:
        return True
    if not sink.send_resolved:
        return False
    return bool(shown.digest) or report.investigation.status is not InvestigationStatus.PENDING
