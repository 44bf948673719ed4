"""How our own sources are: the store, the rules, the webhook, the sinks, and every server that probes ask."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection, func, select

from responder.clients.reachability import Ask, questions
from responder.errors import ResponderError, Temporary
from responder.flow.world import World
from responder.model.incident import IncidentStatus
from responder.store import deliveries as outbox
from responder.store import notifications
from responder.store.tables import deliveries, incidents
from responder.web.site import Source

ASK_EVERY = timedelta(seconds=15)
TIMEOUT = 5.0


log = structlog.get_logger(__name__)


class Sources:
    """Reads the store at once; asks the outside in the background when somebody looks, at most every 15 s."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._asks = dict(questions(world.clusters))
        self._known: dict[str, Source] = {name: Source(name, None) for name in self._asks}
        self._asked_at: datetime | None = None
        self._asking: asyncio.Task[None] | None = None

    async def ready(self) -> Sequence[Source]:
        """What is known now; never waits for the outside."""
        self._ask_again()
        return [*await self._store(), self._rules(), self._escalation(), *self._known.values()]

    def begin(self) -> None:
        """Ask everybody now, and warn in the log of those that do not answer."""
        self._ask_again()
        if self._asking is not None:
            self._asking.add_done_callback(self._warn)

    def _warn(self, asked: asyncio.Task[None]) -> None:
        if asked.cancelled():
            return
        for source in self._known.values():
            if source.fine is False:
                log.warning("source.unanswered", source=source.what, trouble=source.detail)

    async def close(self) -> None:
        """Stop asking."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)

    def _ask_again(self) -> None:
        now = self._world.clock.now()
        idle = self._asking is None or self._asking.done()
        if idle and (self._asked_at is None or now - self._asked_at >= ASK_EVERY):
            self._asked_at = now
            self._asking = asyncio.create_task(self._ask_all(), name="health")

    async def _ask_all(self) -> None:
        async with asyncio.TaskGroup() as group:
            for name, ask in self._asks.items():
                group.create_task(self._ask(name, ask))

    async def _ask(self, name: str, ask: Ask) -> None:
        try:
            async with asyncio.timeout(TIMEOUT):
                self._known[name] = Source(name, True, (await ask()).version, self._world.clock.now())
        except TimeoutError:
            self._known[name] = Source(name, False, f"no answer within {TIMEOUT:g} s")
        except ResponderError as trouble:
            self._known[name] = Source(name, False, str(trouble))

    async def _store(self) -> list[Source]:
        try:
            last, waiting, troubles, reached = await self._world.database.read(_told)
        except Temporary as trouble:
            return [Source("store", False, str(trouble), essential=True)]
        webhook = Source("webhook", True if last else None, "" if last else "nothing received yet", last)
        sinks = [
            _sink(name, waiting.get(name, 0), troubles.get(name, 0), reached.get(name)) for name in self._world.sinks
        ]
        return [Source("store", True, essential=True), webhook, *sinks]

    def _rules(self) -> Source:
        rules = self._world.rules
        if rules.problems:
            count = len(rules.problems)
            return Source(
                "runbooks", False, f"the newest set has {count} problem{'s' * (count > 1)}, the old one is used"
            )
        return Source("runbooks", True, str(len(rules.current.runbooks)))

    def _escalation(self) -> Source:
        escalation = self._world.settings.escalation
        policy = self._world.rules.current.escalations.get(escalation.policy)
        unserved = policy.unserved(escalation.contacts) if policy else f"there is no policy {escalation.policy!r}"
        return Source("escalation", not unserved, unserved)


def _told(
    connection: Connection,
) -> tuple[datetime | None, Mapping[str, int], Mapping[str, int], Mapping[str, datetime]]:
    """The last webhook, what waits for each sink, how many open incidents each missed, and when each was reached."""
    untold = (
        select(deliveries.c.sink, func.count())
        .join(incidents, incidents.c.id == deliveries.c.incident_id)
        .where(deliveries.c.trouble != "", incidents.c.status != IncidentStatus.RESOLVED)
        .group_by(deliveries.c.sink)
    )
    troubles = {row[0]: row[1] for row in connection.execute(untold)}
    latest = select(deliveries.c.sink, func.max(deliveries.c.delivered_at)).group_by(deliveries.c.sink)
    reached = {row[0]: row[1] for row in connection.execute(latest) if row[1]}
    return notifications.latest(connection), outbox.waiting(connection), troubles, reached


def _sink(name: str, waiting: int, untold: int, reached: datetime | None) -> Source:
    if not untold:
        return Source(f"sink {name}", True if reached else None, "" if reached else "nothing sent yet", reached)
    return Source(f"sink {name}", False, f"{untold} open incident{'s' * (untold > 1)} not told, {waiting} waiting")
