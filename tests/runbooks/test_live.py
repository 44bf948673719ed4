"""From a real Prometheus to the finding: probes, queries and rules of the shipped runbooks together."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web

from responder import settings
from responder.cli._once import investigating
from responder.clock import SystemClock
from responder.model.alert import Notification
from responder.model.report import Report
from tests.makers import alert
from tests.servers import Process, Servers, free_port

pytestmark = pytest.mark.integration

METRICS = """\
node_md_disks_required{{device="md0"}} 2
node_md_disks{{device="md0",state="active"}} 1
node_md_disks{{device="md0",state="failed"}} 1
alertmanager_notifications_failed_total{{integration="webhook",reason="serverError"}} {count}
alertmanager_notifications_total{{integration="webhook"}} {count}
responder_notifications_total{{outcome="unavailable"}} {count}
"""
Exporter = Callable[[int], Awaitable[str]]


@pytest.fixture
async def exporter() -> AsyncIterator[Exporter]:
    """The address of something to scrape, once it was scraped so often; its counters grow with every scrape."""
    scraped = asyncio.Condition()
    count = 0

    async def metrics(_: web.Request) -> web.Response:
        nonlocal count
        async with scraped:
            count += 1
            scraped.notify_all()
        return web.Response(text=METRICS.format(count=count))

    application = web.Application()
    application.router.add_get("/metrics", metrics)
    runner = web.AppRunner(application)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()

    async def address(times: int) -> str:
        async with asyncio.timeout(30), scraped:
            await scraped.wait_for(lambda: count >= times)
        return f"127.0.0.1:{port}"

    yield address
    await runner.cleanup()


async def report(prometheus: Process, name: str, **labels: str) -> Report:
    """The report on an alert of that name."""
    async with investigating(settings.load(None, prometheus={"url": prometheus.url})) as once:
        now = SystemClock().now()
        firing = alert(name).model_copy(
            update={"labels": {"alertname": name, **labels}, "starts_at": now, "generator_url": ""}
        )
        (found,) = await once.answer(Notification(id=1, received_at=now, alerts=(firing,)))
    assert not found.remarks
    return found


async def test_quorums_arrays_and_our_own_refusals_are_named(servers: Servers, exporter: Exporter) -> None:
    there = await exporter(0)
    dead = [f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"]
    prometheus = await servers.prometheus(scrape={"etcd": [there, *dead], "node-exporter": [there]})
    await exporter(10)
    await asyncio.sleep(1)

    quorum = await report(prometheus, "etcdInsufficientMembers", job="etcd", severity="critical")
    assert quorum.runbook == "etcd-quorum"
    assert quorum.findings[0].cause == "etcd-quorum-lost"
    assert "1 members of 3 members answer" in quorum.findings[0].headline

    array = await report(prometheus, "NodeRAIDDegraded", job="node-exporter", instance=there, device="md0")
    assert array.findings[0].cause == "raid-degraded"
    assert array.findings[0].subject.name == "127.0.0.1"

    ours = await report(prometheus, "AlertmanagerFailedToSendAlerts", integration="webhook", reason="serverError")
    assert ours.findings[0].cause == "own-intake-refuses"
    assert "unavailable" in ours.findings[0].headline
    assert all(item.text for item in ours.findings[0].because)


async def test_an_etcd_that_is_whole_is_not_accused(servers: Servers, exporter: Exporter) -> None:
    prometheus = await servers.prometheus(scrape={"etcd": [await exporter(0)]})
    await exporter(3)
    await asyncio.sleep(1)
    found = await report(prometheus, "etcdInsufficientMembers", job="etcd")
    assert found.findings == ()
