"""Approving, acting, crashing, stopping in any order: a change is made once for an approval, and never after a stop."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from responder.app import world
from responder.clients import Clients
from responder.errors import Permanent, Reason, Temporary
from responder.flow.act import Actor
from responder.flow.approve import Approver
from responder.flow.matter import propose
from responder.flow.world import World
from responder.metrics import Metrics
from responder.model.action import ActionState
from responder.model.incident import Incident, IncidentStatus, Severity
from responder.model.report import Investigation
from responder.model.subject import Subject, Target
from responder.settings import Settings
from responder.store import actions, incidents, investigations
from tests.clock import TurnedClock
from tests.fakes.clients import DRY, FailingHttp, FakeKubernetes
from tests.fakes.cluster import deployment
from tests.makers import NOW

pytestmark = pytest.mark.integration

CHANGE = "patch deployments.apps/scale"
STEPS = st.lists(
    st.sampled_from(["preview", "approve", "act", "crash", "stop", "resume", "wait", "undone"]), min_size=1, max_size=14
)
RUNBOOK = """
apiVersion: responder/v1
kind: Runbook
metadata: {name: web, title: web}
match: [alertname="Web"]
actions: [{id: more, action: kubernetes.scale, mode: approve, factor: 1.5, max: 1000}]
"""


class Killed(BaseException):
    """The process ends."""


@dataclass
class Mortal(FakeKubernetes):
    """A cluster whose answer to a change may never be read, since we are dead by then."""

    deadly: bool = False
    made: list[int] = field(default_factory=list)

    async def patch(self, resource: str, name: str, body: Any, *, namespace: str = "", dry_run: bool = False) -> Any:
        found = await super().patch(resource, name, body, namespace=namespace, dry_run=dry_run)
        if not dry_run:
            self.made.append(len(self.asked))
            if self.deadly:
                raise Killed
        return found


@dataclass
class Life:
    """A service without its loops: the test says what happens next."""

    world: World
    clock: TurnedClock
    cluster: Mortal
    approvals: int = 0
    stopped: bool = False

    def __post_init__(self) -> None:
        self.approver = Approver(self.world)
        self.actor = Actor(self.world, self.approver)

    async def do(self, step: str) -> None:
        """One step; whatever is declined is declined."""
        made = len(self.cluster.made)
        try:
            match step:
                case "preview":
                    await self.approver.preview("i", "more")
                case "approve":
                    await self.approver.approve("i", "more", known="", claimed="Ada")
                    self.approvals += 1
                case "act" | "crash":
                    self.cluster.deadly = step == "crash"
                    await self.actor.act("i/more")
                case "stop":
                    await self.actor.stop("Ada")
                    self.stopped = True
                case "resume":
                    await self.actor.resume("Ada")
                    self.stopped = False
                case "wait":
                    self.clock.turn(timedelta(minutes=7))
                case "undone":
                    self.cluster.objects[0]["spec"]["replicas"] = 3
        except (Permanent, Temporary, Killed):
            pass
        self.cluster.deadly = False
        assert len(self.cluster.made) <= made + (step in ("act", "crash"))
        assert not (self.stopped and len(self.cluster.made) > made)
        assert len(self.cluster.made) <= self.approvals


@asynccontextmanager
async def life(folder: Path, **policy: Any) -> AsyncIterator[Life]:
    rules = folder / "rules"
    rules.mkdir()
    (rules / "web.yaml").write_text(RUNBOOK)
    given: dict[str, Any] = {"allow": "approve", "namespaces": ["shop"], **policy}
    wanted = Settings(database=f"sqlite:///{folder}/r.db", rules=(rules,), sinks=(), actions=given)  # type: ignore[arg-type]
    clock, cluster = TurnedClock(NOW), Mortal([deployment()])
    async with world(wanted, Metrics(), clock) as made:
        found = replace(made, clusters={"": Clients("", FailingHttp(), cluster)})
        await found.database.write(lambda connection: _open(found, connection))
        yield Life(found, clock, cluster)


def _open(world: World, connection: Connection) -> None:
    subject = Subject(kind="Deployment", name="web", namespace="shop")
    incident = Incident(
        id="i",
        identity="i",
        runbook="web",
        title="web",
        subject=subject,
        severity=Severity.P1,
        status=IncidentStatus.FIRING,
        opened_at=NOW,
        started_at=NOW,
        updated_at=NOW,
    )
    investigation = Investigation(number=1, target=Target(namespace="shop", workload="deployment/web"))
    incidents.save(connection, incident)
    investigations.save(connection, "i", investigation)
    propose(world, connection, incident, investigation)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS)
def test_an_approval_is_one_change_at_most_and_none_after_a_stop(steps: list[str]) -> None:
    async def live() -> None:
        with tempfile.TemporaryDirectory() as folder:
            async with life(Path(folder), hourly_limit=3, cool_down="5m") as alive:
                for step in steps:
                    await alive.do(step)

    asyncio.run(live())


async def test_what_died_on_the_way_is_unknown_and_not_tried_again(tmp_path: Path) -> None:
    async with life(tmp_path) as alive:
        for step in ("approve", "crash", "act", "act", "approve", "act"):
            await alive.do(step)
        assert len(alive.cluster.made) == 1
        found = await alive.world.database.read(lambda connection: actions.latest(connection, "i"))
        assert found["more"].state is ActionState.UNKNOWN
        assert "does not repeat it" in found["more"].outcome


async def test_an_approval_that_is_not_begun_in_time_expires(tmp_path: Path) -> None:
    async with life(tmp_path, expires="10m") as alive:
        for step in ("approve", "wait", "wait", "act", "act"):
            await alive.do(step)
        assert alive.cluster.made == []
        found = await alive.world.database.read(lambda connection: actions.latest(connection, "i"))
        assert found["more"].state is ActionState.EXPIRED


async def test_two_that_approve_at_once_have_one_change_made(tmp_path: Path) -> None:
    async with life(tmp_path) as alive:
        await asyncio.gather(*(alive.do("approve") for _ in range(5)))
        assert alive.approvals == 1
        await alive.do("act")
        await alive.do("act")
        assert len(alive.cluster.made) == 1
        assert alive.cluster.objects[0]["spec"]["replicas"] == 5


async def test_a_cluster_that_is_busy_is_asked_again_later(tmp_path: Path) -> None:
    async with life(tmp_path) as alive:
        await alive.do("approve")
        alive.cluster.troubles["deployments.apps"] = Temporary("busy", Reason.SERVER_ERROR)
        with pytest.raises(Temporary):
            await alive.actor.act("i/more")
        alive.cluster.troubles.clear()
        await alive.do("act")
        assert len(alive.cluster.made) == 1


async def test_every_change_is_tried_first(tmp_path: Path) -> None:
    async with life(tmp_path) as alive:
        await alive.do("approve")
        await alive.do("act")
        asked = [what for what in alive.cluster.asked if what.startswith(CHANGE)]
        assert asked == [CHANGE + DRY, CHANGE + DRY, CHANGE]


async def test_an_incident_that_is_forgotten_takes_its_actions_along(tmp_path: Path) -> None:
    async with life(tmp_path) as alive:
        await alive.do("approve")

        def forget(connection: Connection) -> None:
            incident = incidents.get(connection, "i")
            assert incident
            incidents.save(connection, incident.model_copy(update={"status": IncidentStatus.RESOLVED}))
            incidents.forget(connection, NOW + timedelta(days=1))

        await alive.world.database.write(forget)
        assert await alive.world.database.read(lambda connection: actions.latest(connection, "i")) == {}
        await alive.do("act")
        assert alive.cluster.made == []
