"""A day of escalation through the whole service, with a clock that is turned: webhook in, sinks told level by level."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest

from responder.app import serving
from responder.errors import ConfigError
from responder.settings import Settings
from tests.clock import TurnedClock
from tests.servers import Recorder, Servers, route
from tests.service import PATIENCE, Running, Starter, alert

pytestmark = pytest.mark.integration

WEDNESDAY = datetime(2026, 3, 4, 3, 0, tzinfo=UTC)
CHAIN = {"level_1": ["pager"], "level_2": ["manager"], "level_3": ["vp"], "level_4": ["cto"]}
NAMES = ("chat", "pager", "manager", "vp", "cto")


class People:
    """What each sink was told of."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self.url = recorder.url

    def sinks(self) -> list[dict[str, str]]:
        return [{"name": name, "kind": "webhook", "url": f"{self.url}/{name}"} for name in NAMES]


async def settle(service: Running, clock: TurnedClock, by: timedelta) -> dict[str, Any]:
    """Turn the clock, and wait until nothing that is due waits any more."""
    clock.turn(by)
    async with asyncio.timeout(PATIENCE):
        while True:
            await asyncio.sleep(0.05)
            (incident,) = await service.incidents()
            whole: dict[str, Any] = await service.get(f"incidents/{incident['id']}")
            due = [step for step in whole["escalation"] if not step["told_at"]]
            late = [step for step in due if datetime.fromisoformat(step["due_at"]) <= clock.now()]
            if not late or whole["acknowledged_at"] or whole["status"] == "resolved":
                return whole


async def told(service: Running) -> Sequence[str]:
    """The sinks to which something was delivered, by our own metrics."""
    return [
        name
        for name in NAMES
        if await service.metric("responder_sink_deliveries_total", sink=name, outcome="delivered")
    ]


async def delivered(service: Running, *names: str) -> None:
    """Wait until these sinks, and no others, were told."""
    async with asyncio.timeout(PATIENCE):
        while True:
            if set(await told(service)) == set(names):
                return
            await asyncio.sleep(0.05)


@pytest.fixture
async def people(servers: Servers) -> People:
    return People(await servers.webhook())


async def started(start_service: Starter, people: People, clock: TurnedClock) -> Running:
    return await start_service(clock=clock, sinks=people.sinks(), escalation={"policy": "kubechat", "contacts": CHAIN})


async def test_a_day_without_an_answer_reaches_every_level_in_its_time_and_each_once(
    start_service: Starter, people: People
) -> None:
    clock = TurnedClock(WEDNESDAY)
    service = await started(start_service, people, clock)
    await service.post(alert(priority="P0"))
    incident = await service.incident()
    assert incident["levels"] == ["level_1", "level_2"]
    await delivered(service, "chat", "pager", "manager")
    await settle(service, clock, timedelta(minutes=29))
    assert set(await told(service)) == {"chat", "pager", "manager"}
    incident = await settle(service, clock, timedelta(minutes=1))
    assert incident["levels"] == ["level_1", "level_2", "level_3"]
    await delivered(service, "chat", "pager", "manager", "vp")
    for _ in range(24):
        incident = await settle(service, clock, timedelta(hours=1))
    assert incident["levels"] == ["level_1", "level_2", "level_3", "level_4"]
    await delivered(service, *NAMES)
    async with asyncio.timeout(PATIENCE):
        while not all(step["reached_at"] for step in incident["escalation"]):
            await asyncio.sleep(0.05)
            incident = await service.get(f"incidents/{incident['id']}")
    said = [entry["text"] for entry in incident["timeline"]]
    assert sum("response time of P0" in text for text in said) == 1
    assert sum("CTO (level_4) through cto" in text for text in said) == 1
    assert sum("was notified through" in text for text in said) == 4
    assert await service.metric("responder_escalations_total") == 4
    assert await service.metric("responder_responses_missed_total", severity="P0") == 1


async def test_who_takes_it_stops_the_escalation_and_who_gives_it_back_starts_it_anew(
    start_service: Starter, people: People
) -> None:
    clock = TurnedClock(WEDNESDAY)
    service = await started(start_service, people, clock)
    await service.post(alert(priority="P1"))
    incident = await service.incident()
    assert incident["levels"] == []
    await settle(service, clock, timedelta(minutes=14))
    await service.say(f"incidents/{incident['id']}/acknowledge", by="Ada")
    taken = await settle(service, clock, timedelta(hours=3))
    assert taken["levels"] == []
    free = await service.say(f"incidents/{incident['id']}/unacknowledge", by="Ada")
    assert free["acknowledged_at"] is None
    again = await settle(service, clock, timedelta(minutes=15))
    assert again["levels"] == ["level_1"]
    asked = await service.say(f"incidents/{incident['id']}/escalate", by="Ben")
    assert asked["levels"] == ["level_1", "level_2"]
    assert asked["escalation"][1]["by"] == "Ben"
    await delivered(service, "chat", "pager", "manager")


async def test_an_escalation_goes_on_where_it_stood_after_a_restart(start_service: Starter, people: People) -> None:
    clock = TurnedClock(WEDNESDAY)
    given: dict[str, Any] = {
        "listen": "127.0.0.1:0",
        "database": f"sqlite:///{start_service.folder}/again.db",
        "sinks": people.sinks(),
        "escalation": {"policy": "kubechat", "contacts": CHAIN},
    }
    async with aiohttp.ClientSession() as session:
        async with serving(Settings(**given), clock) as (host, port):
            service = Running(f"http://{host}:{port}", session)
            await service.post(alert(priority="P0"))
            await service.incident()
            await delivered(service, "chat", "pager", "manager")
        clock.turn(timedelta(hours=2))
        async with serving(Settings(**given), clock) as (host, port):
            service = Running(f"http://{host}:{port}", session)
            incident = await service.incident(lambda found: len(found["alerts"]) > 0)
            incident = await settle(service, clock, timedelta(seconds=1))
            assert incident["levels"] == ["level_1", "level_2", "level_3", "level_4"]
            await delivered(service, *NAMES)


async def test_what_is_silenced_in_alertmanager_wakes_nobody_until_the_silence_ends(
    start_service: Starter, people: People, servers: Servers
) -> None:
    alertmanager = await servers.alertmanager(route(people.url))
    clock = TurnedClock()
    service = await start_service(
        clock=clock,
        sinks=people.sinks(),
        escalation={"policy": "kubechat", "contacts": CHAIN},
        alertmanager={"url": alertmanager.url, "warm_up": "0s", "cache": "0s"},
    )
    labels = {"alertname": "Outage", "namespace": "shop", "priority": "P1"}
    await alertmanager.post({"labels": labels, "endsAt": "2099-01-01T00:00:00Z"})
    number = await alertmanager.silence(alertname="Outage")
    await service.post({**alert("Outage"), "labels": labels})
    await service.incident()
    clock.turn(timedelta(minutes=2))
    incident = await service.incident(lambda found: any(known["suppressed"] for known in found["alerts"]))
    clock.turn(timedelta(minutes=20))
    await asyncio.sleep(0.3)
    assert (await service.get(f"incidents/{incident['id']}"))["levels"] == []
    async with service.session.delete(f"{alertmanager.url}/api/v2/silence/{number}") as answer:
        assert answer.status == 200
    async with asyncio.timeout(PATIENCE):
        while True:
            clock.turn(timedelta(seconds=30))
            await asyncio.sleep(0.1)
            if (await service.get(f"incidents/{incident['id']}"))["levels"]:
                break


@pytest.mark.parametrize(
    ("escalation", "complaint"),
    [
        ({"policy": "kubechatt"}, "unknown 'kubechatt', did you mean 'kubechat'"),
        ({"policy": "kubechat", "contacts": {"level_9": []}}, "has no level 'level_9', did you mean"),
        ({"policy": "kubechat", "contacts": {"level_1": ["nobody"]}}, "level_1: there is no sink 'nobody'"),
    ],
)
async def test_settings_that_name_nobody_are_refused_at_the_start(
    start_service: Starter, escalation: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        await start_service(escalation=escalation)


async def test_routes_keep_nothing_from_a_level_that_is_reached_and_replays_tell_nobody_before(
    start_service: Starter, people: People
) -> None:
    clock = TurnedClock(WEDNESDAY)
    service = await start_service(
        clock=clock,
        sinks=people.sinks(),
        escalation={"policy": "kubechat", "contacts": CHAIN},
        routes=[{"match": ['team="payments"'], "sinks": ["vp", "cto"]}, {"sinks": ["chat"]}],
    )
    await service.post(alert(priority="P1", team="payments"))
    incident = await service.incident()
    await settle(service, clock, timedelta(minutes=14))
    assert set(await told(service)) == set()
    await settle(service, clock, timedelta(minutes=1))
    await delivered(service, "pager")
    await service.say(f"incidents/{incident['id']}/acknowledge", by="Ada")
    await settle(service, clock, timedelta(hours=5))
    assert set(await told(service)) == {"pager"}
