"""Housekeeping: what is old is forgotten, and gauges that only the store knows are set."""

import asyncio
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from responder.errors import Temporary
from responder.flow.world import World
from responder.store import deliveries, incidents, jobs, notifications

log = structlog.get_logger(__name__)

EVERY = timedelta(hours=1)
GAUGES_EVERY = 5.0


class Housekeeper:
    """Keeps the database small and the gauges true."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._known: set[tuple[str, str, str]] = set()

    async def tidy(self, _key: str) -> datetime:
        """Forget what is older than the settings keep; returns when next."""
        now = self._world.clock.now()
        settings = self._world.settings

        def forget(connection: Connection) -> None:
            notifications.forget(connection, now - settings.intake.keep_bodies)
            incidents.forget(connection, now - settings.incidents.keep)
            deliveries.forget(connection, now - settings.incidents.keep)

        await self._world.database.write(forget)
        return now + EVERY

    async def watch(self) -> None:
        """Set the gauges now and then, until cancelled."""
        while True:
            try:
                await self._world.database.read(self._gauge)
            except Temporary as trouble:
                log.warning("housekeeping.unreadable", error=str(trouble))
            await asyncio.sleep(GAUGES_EVERY)

    def _gauge(self, connection: Connection) -> None:
        metrics, now = self._world.metrics, self._world.clock.now()
        counted = {row[:3]: row[3] for row in incidents.census(connection)}
        for labels in self._known | set(counted):
            metrics.incidents.labels(*labels).set(counted.get(labels, 0))
        self._known |= set(counted)
        depth = deliveries.waiting(connection)
        for sink in self._world.sinks:
            metrics.outbox_depth.labels(sink).set(depth.get(sink, 0))
        oldest = jobs.oldest_due(connection, now)
        metrics.jobs_oldest.set(max(0.0, (now - oldest).total_seconds()) if oldest else 0)
