"""The public is told of an incident from its beginning to its review: drafts, or at once where that is the policy."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from tests.clock import TurnedClock
from tests.servers import Servers
from tests.service import PATIENCE, Running, Starter, alert

pytestmark = pytest.mark.integration


async def updated(service: Running, *states: str) -> dict[str, Any]:
    """The incident, once these states were written."""
    async with asyncio.timeout(PATIENCE):
        while True:
            (line,) = await service.incidents()
            whole: dict[str, Any] = await service.get(f"incidents/{line['id']}")
            if [draft["update"]["state"] for draft in whole["updates"]] == [*states]:
                return whole
            await asyncio.sleep(0.05)


async def newest(service: Running, state: str, clock: TurnedClock) -> dict[str, Any]:
    """The incident, once its newest update tells this state; meanwhile seconds go by."""
    async with asyncio.timeout(PATIENCE):
        while True:
            (line,) = await service.incidents()
            whole: dict[str, Any] = await service.get(f"incidents/{line['id']}")
            if whole["updates"] and whole["updates"][-1]["update"]["state"] == state:
                return whole
            clock.turn(timedelta(seconds=1))
            await asyncio.sleep(0.05)


async def fail(service: Running) -> None:
    await service.post(alert("KubeChatDown"))


async def test_drafts_wait_for_somebody_and_the_newest_published_one_counts(start_service: Starter) -> None:
    clock = TurnedClock()
    service = await start_service("crash_loop", clock=clock)
    await fail(service)
    await service.incident()
    report = await newest(service, "identified", clock)
    assert not report["public_approved"]
    path = f"incidents/{report['id']}/updates"
    number = report["updates"][-1]["number"]
    if number > 1:
        await service.say(f"{path}/1/publish", 409, by="Ada")
    report = await service.say(f"{path}/{number}/publish", by="Ada")
    assert report["public_approved"]
    assert report["public"]["state"] == "identified"
    assert report["updates"][-1]["approved_by"] == "Ada"
    assert await service.metric("responder_public_updates_total", state="identified") == 1


async def test_by_policy_each_update_is_published(start_service: Starter) -> None:
    clock = TurnedClock()
    service = await start_service(clock=clock, communication={"publish": True})
    report = await service.say("incidents", 201, runbook="kubechat-disaster-recovery", by="Ada")
    report = await updated(service, "investigating")
    assert report["public_approved"]
    await service.say(f"incidents/{report['id']}/resolve", by="Ada")
    clock.turn(timedelta(seconds=2))
    report = await updated(service, "investigating", "monitoring")
    assert report["public"]["state"] == "monitoring"
    assert {draft["approved_by"] for draft in report["updates"]} == {"policy"}


async def test_the_end_is_told_once_verified_and_the_review_once_a_person_wrote_it(
    start_service: Starter,
) -> None:
    clock = TurnedClock()
    service = await start_service("crash_loop", state="healthy", clock=clock, communication={"publish": True})
    report = await service.say("incidents", 201, runbook="kubechat-disaster-recovery", by="Ada")
    await service.incident()
    await service.say(f"incidents/{report['id']}/resolve", by="Ada")
    report = await newest(service, "resolved", clock)
    assert report["verification"]
    clock.turn(timedelta(hours=23))
    await asyncio.sleep(0.2)
    assert (await service.get(f"incidents/{report['id']}"))["public"]["state"] == "resolved"
    clock.turn(timedelta(hours=1, minutes=1))
    report = await newest(service, "postmortem", clock)
    assert report["public"]["state"] == "resolved"
    await service.say(f"incidents/{report['id']}/updates/{report['updates'][-1]['number']}/publish", by="Ada")
    assert (await service.get(f"incidents/{report['id']}"))["public"]["state"] == "postmortem"


async def test_a_runbook_that_does_not_ask_for_it_tells_the_public_nothing(start_service: Starter) -> None:
    service = await start_service("crash_loop", communication={"publish": True})
    await service.post(alert("KubeChatPodCrashLooping"))
    assert (await service.incident())["updates"] == []


async def test_a_published_update_reaches_the_sinks_and_a_draft_does_not(
    start_service: Starter, servers: Servers
) -> None:
    recorder = await servers.webhook()
    sink = {"name": "status", "kind": "webhook", "url": recorder.url}
    service = await start_service("crash_loop", sinks=[sink])
    await fail(service)
    await service.incident()
    async with asyncio.timeout(PATIENCE):
        while True:
            (line,) = await service.incidents()
            report = await service.get(f"incidents/{line['id']}")
            if [draft["update"]["state"] for draft in report["updates"]][-1:] == ["identified"]:
                break
            await asyncio.sleep(0.05)
    assert not any(body["public_approved"] for body in recorder.bodies)
    await service.say(f"incidents/{report['id']}/updates/{report['updates'][-1]['number']}/publish", by="Ada")
    async with asyncio.timeout(PATIENCE):
        while True:
            approved = [body["public"] for body in recorder.bodies if body["public_approved"]]
            if approved:
                break
            await asyncio.sleep(0.05)
    assert approved[-1]["state"] == "identified"
    assert "KubeChat" in approved[-1]["title"]
