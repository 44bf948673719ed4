"""The outbox over every sink: whatever a service does meanwhile, in the end it shows the final state, once."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from responder import app
from responder.clock import Clock
from responder.flow.publish import Outbox
from responder.flow.reports import Reports
from responder.flow.routing import Routing
from responder.flow.world import World
from responder.metrics import Metrics
from responder.model.communication import StatusDraft
from responder.model.incident import AlertState, Incident, IncidentStatus, Severity, TrackedAlert
from responder.model.report import Investigation, InvestigationStatus
from responder.model.subject import Subject
from responder.pictures import Gallery
from responder.queue.embedded import EmbeddedQueue
from responder.settings import Settings
from responder.sinks import Sink
from responder.store import deliveries, incidents, investigations, jobs, updates
from tests.conformance.test_sinks import REMOTE
from tests.fakes.sinks import Fake, Mode, Thing, find
from tests.makers import NOW

SPEED = 100
"""How much faster than ours the outbox's time goes by: its pauses are seconds and minutes."""
FLAPPING: tuple[tuple[Mode, int], ...] = (
    ("ok", 60),
    ("broken", 15),
    ("broken after", 15),
    ("hang", 5),
    ("hang after", 5),
)
PAST = timedelta(hours=12)
PATIENCE = 100.0


class FastClock:
    """Time that goes by faster, in the past of the services, and not at all before it is told to."""

    def __init__(self, speed: float = SPEED) -> None:
        self._speed = speed
        self._begun = datetime.now(UTC)
        self._stands_at: datetime | None = None

    def now(self) -> datetime:
        return self._stands_at or NOW - PAST + (datetime.now(UTC) - self._begun) * self._speed

    def stop(self) -> None:
        """Have everything happen at one moment."""
        self._stands_at = self.now()

    def go_on(self) -> None:
        """Let time go by again."""
        self._stands_at = None

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self._speed)


class Office:
    """An outbox at work, over a store with incidents that a test changes as it likes."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.clock: Clock = world.clock
        self.updates = 0

    async def change(self, number: int, **fields: Any) -> None:
        """One incident becomes something else; every sink is to be told."""
        now = self.clock.now()
        self.updates += 1

        def write(connection: Connection) -> None:
            known = incidents.get(connection, f"{number:012x}")
            began = known.opened_at if known else now
            incident = Incident(
                id=f"{number:012x}",
                identity=str(number),
                runbook="triage",
                title=f"incident {number}",
                subject=Subject(kind="Service", name=f"service-{number}", namespace="shop"),
                severity=Severity.P1,
                status=IncidentStatus.FIRING,
                opened_at=began,
                started_at=began,
                updated_at=now,
                revision=known.revision + 1 if known else 1,
            ).model_copy(update=fields)
            incidents.save(connection, incident)
            _tell_the_public(connection, incident, self.updates)
            if known is None:
                finished = Investigation(status=InvestigationStatus.FINISHED, number=1, started_at=now, finished_at=now)
                investigations.save(connection, incident.id, finished)
                _alert(connection, incident, now)
            deliveries.request(connection, incident.id, self.world.sinks, now, now)

        await self.world.database.write(write)

    async def done(self) -> None:
        """Wait until nothing is left to deliver."""
        async with asyncio.timeout(PATIENCE):
            while True:
                left = await self.world.database.read(jobs.depth)
                if not left.get("deliver"):
                    return
                await asyncio.sleep(0.02)


def _tell_the_public(connection: Connection, incident: Incident, number: int) -> None:
    """Words for the public, which somebody let out."""
    state = "investigating" if incident.open else "resolved"
    words = {"state": state, "title": incident.title, "body": incident.title, "at": incident.updated_at}
    draft = {"number": number, "update": words, "approved_at": incident.updated_at, "approved_by": "Ada"}
    updates.save(connection, incident.id, StatusDraft.model_validate(draft))


def _alert(connection: Connection, incident: Incident, now: datetime) -> None:
    from sqlalchemy import insert

    from responder.store.tables import alerts

    tracked = TrackedAlert(
        incident_id=incident.id,
        key=incident.id,
        fingerprint=incident.id,
        state=AlertState.FIRING,
        labels={"alertname": "Down", "namespace": "shop"},
        starts_at=now - timedelta(minutes=1),
        first_seen=now,
        last_seen=now,
    )
    row = {"incident_id": incident.id, "key": tracked.key, "state": tracked.state, "last_seen": now}
    connection.execute(insert(alerts), [{**row, "document": tracked.model_dump_json()}])


class Opener:
    """Opens offices for one test."""

    def __init__(self, folder: Path, stack: AsyncExitStack) -> None:
        self._folder = folder
        self._stack = stack

    async def __call__(self, *sinks: Sink, clock: Clock | None = None, **settings: Any) -> Office:
        given = Settings(
            database=f"sqlite:///{self._folder}/outbox.db",
            sinks=(),
            external_url="https://responder.example",
            **settings,
        )
        found = await self._stack.enter_async_context(app.world(given, Metrics(), clock or FastClock()))
        found.sinks.update({sink.name: sink for sink in sinks})  # type: ignore[attr-defined]
        outbox = Outbox(found, Reports(found), Routing(given.routes, found.sinks), Gallery())
        queue = EmbeddedQueue(found.database, found.clock, found.metrics, workers=64, lane=16)
        running = asyncio.create_task(queue.run({"deliver": outbox.deliver}))

        async def end() -> None:
            queue.drain()
            await asyncio.wait_for(running, 20)

        self._stack.push_async_callback(end)
        return Office(found)


@pytest.fixture
async def open_office(tmp_path: Path) -> AsyncIterator[Opener]:
    """Opens outboxes; they end with the test."""
    async with AsyncExitStack() as stack:
        yield Opener(tmp_path, stack)


@pytest.fixture(params=REMOTE)
async def fake(request: pytest.FixtureRequest) -> AsyncIterator[Fake]:
    """The service of one kind of sink; it must have had nothing to complain of in the end."""
    async with find(request.param)() as running:
        yield running
    assert running.complaints == []


@pytest.mark.integration
async def test_a_thousand_updates_through_a_flapping_service_end_with_the_final_state(
    fake: Fake, open_office: Opener
) -> None:
    chance = random.Random(7)
    fake.choose = lambda: chance.choices([mode for mode, _ in FLAPPING], [weight for _, weight in FLAPPING])[0]
    office = await open_office(fake.sink())
    for number in range(250):
        await asyncio.gather(*(office.change(incident, title=f"state {number} of {incident}") for incident in range(4)))
    await office.done()
    sink = next(iter(office.world.sinks.values()))

    def shown(incident: int) -> list[Thing]:
        return [thing for thing in fake.things() if f"of {incident}" in thing.text]

    for incident in range(4):
        assert "state 249" in shown(incident)[-1].text or not sink.edits
        assert shown(incident)[-1].open
        if fake.exactly_once and sink.edits:
            assert len(shown(incident)) == 1
        over = {"status": IncidentStatus.RESOLVED, "resolved_at": office.clock.now()}
        await office.change(incident, title=f"the end of {incident}", **over)
    await office.done()
    assert office.updates >= 1000
    assert not any(shown(incident)[-1].open for incident in range(4))


@pytest.mark.integration
async def test_what_was_away_for_long_gets_the_latest_state_once(fake: Fake, open_office: Opener) -> None:
    fake.mode = "broken"
    office = await open_office(fake.sink())
    for number in range(50):
        await office.change(1, title=f"state {number}")
        await asyncio.sleep(0.01)
    asked = fake.requests
    # a try that was under way with an earlier state has to come to its end first
    await asyncio.sleep(1)
    fake.mode = "ok"
    await office.done()
    assert "state 49" in fake.things()[-1].text
    assert len(fake.things()) == 1
    assert asked < 50, "a breaker spares what is down"


@pytest.mark.integration
async def test_a_storm_of_500_incidents_is_at_most_five_chat_messages(fake: Fake, open_office: Opener) -> None:
    sink = fake.sink()
    if not sink.gathers:
        pytest.skip("each incident is a thing of its own there")
    # what a storm gathers is told by its time: a busy machine must not take longer than that to work through it
    clock = FastClock(speed=SPEED / 10)
    office = await open_office(sink, clock=clock)
    clock.stop()
    await asyncio.gather(*map(office.change, range(500)))
    clock.go_on()
    await office.done()
    assert len(fake.things()) <= 5
    everything = " ".join(thing.text for thing in fake.things())
    assert "more incidents within" in everything
    over = {"status": IncidentStatus.RESOLVED, "resolved_at": office.clock.now()}
    await asyncio.gather(*(office.change(number, **over) for number in range(500)))
    await office.done()
    assert len(fake.things()) <= (5 if sink.edits else 10)
    assert not fake.things()[-1].open
