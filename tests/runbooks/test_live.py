"""From a real Prometheus to the finding: probes, queries and rules of the shipped runbooks together."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import yaml
from aiohttp import web

from responder import settings
from responder.cli._once import investigating
from responder.clock import SystemClock
from responder.model.alert import Notification
from responder.model.report import Report
from responder.runbooks.loading import shipped
from tests.makers import alert
from tests.servers import Process, Servers, free_port
from tests.waiting import LONG, eventually

pytestmark = pytest.mark.integration

METRICS = """\
node_md_disks_required{{device="md0"}} 2
node_md_disks{{device="md0",state="active"}} 1
node_md_disks{{device="md0",state="failed"}} 1
alertmanager_notifications_failed_total{{integration="webhook",reason="serverError"}} {count}
alertmanager_notifications_total{{integration="webhook"}} {count}
responder_notifications_total{{outcome="unavailable"}} {count}
"""
KUBECHAT = """\
pg_up{{namespace="kubechat-system"}} 0
redis_up{{namespace="kubechat-system"}} 0
pg_settings_max_connections{{namespace="kubechat-system"}} 100
pg_stat_activity_count{{namespace="kubechat-system",application_name="audit-service",state="idle"}} 97
pg_stat_activity_max_tx_duration{{namespace="kubechat-system",datname="kubechat",state="active"}} 300
pg_database_size_bytes{{namespace="kubechat-system",datname="kubechat"}} 90
kubelet_volume_stats_used_bytes{{namespace="kubechat-system",persistentvolumeclaim="data-postgres-0"}} 95
kubelet_volume_stats_available_bytes{{namespace="kubechat-system",persistentvolumeclaim="data-postgres-0"}} 5
container_cpu_cfs_periods_total{{{gateway}}} {count}
container_cpu_cfs_throttled_periods_total{{{gateway}}} {count}
nlp_processing_duration_seconds_bucket{{namespace="kubechat-system",le="2"}} 0
nlp_processing_duration_seconds_bucket{{namespace="kubechat-system",le="4"}} {count}
nlp_processing_duration_seconds_bucket{{namespace="kubechat-system",le="+Inf"}} {count}
"""
GATEWAY = 'namespace="kubechat-system",pod="api-gateway-7d4b9c6f5d-x2x4z",container="api"'
RECORDED = [
    rule
    for group in yaml.safe_load((shipped() / "alerts/kubechat.yaml").read_text())["groups"]
    for rule in group["rules"]
    if "record" in rule
]
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
        return web.Response(text=(METRICS + KUBECHAT).format(count=count, gateway=GATEWAY))

    application = web.Application()
    application.router.add_get("/metrics", metrics)
    runner = web.AppRunner(application)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()

    async def address(times: int) -> str:
        async with asyncio.timeout(LONG), scraped:
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


async def quorum_lost(prometheus: Process) -> Report | None:
    """The report on etcd, once Prometheus has stored what it scraped."""
    found = await report(prometheus, "etcdInsufficientMembers", job="etcd", severity="critical")
    return found if found.findings and "1 members" in found.findings[0].headline else None


async def named(prometheus: Process, cause: str, name: str, **labels: str) -> Report | None:
    """The report on an alert, once its best finding is of that cause."""
    found = await report(prometheus, name, **labels)
    return found if found.findings and found.findings[0].cause == cause else None


async def test_quorums_arrays_and_our_own_refusals_are_named(servers: Servers, exporter: Exporter) -> None:
    there = await exporter(0)
    dead = [f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"]
    prometheus = await servers.prometheus(scrape={"etcd": [there, *dead], "node-exporter": [there]})
    await exporter(10)
    quorum = await eventually(lambda: quorum_lost(prometheus))
    assert quorum.runbook == "etcd-quorum"
    assert quorum.findings[0].cause == "etcd-quorum-lost"
    assert "1 members of 3 members answer" in quorum.findings[0].headline

    raid = {"job": "node-exporter", "instance": there, "device": "md0"}
    array = await eventually(lambda: named(prometheus, "raid-degraded", "NodeRAIDDegraded", **raid))
    assert array.findings[0].subject.name == "127.0.0.1"

    refused = {"integration": "webhook", "reason": "serverError"}
    ours = await eventually(
        lambda: named(prometheus, "own-intake-refuses", "AlertmanagerFailedToSendAlerts", **refused)
    )
    assert "unavailable" in ours.findings[0].headline
    assert all(item.text for item in ours.findings[0].because)


async def test_an_etcd_that_is_whole_is_not_accused(servers: Servers, exporter: Exporter) -> None:
    prometheus = await servers.prometheus(scrape={"etcd": [await exporter(0)]})
    await exporter(3)
    await asyncio.sleep(1)
    found = await report(prometheus, "etcdInsufficientMembers", job="etcd")
    assert found.findings == ()


@pytest.mark.parametrize(
    ("name", "causes"),
    [
        (
            "KubeChatDatabaseConnectionsHigh",
            {"db-connection-exhaustion", "database-disk-full", "database-slow-queries", "database-down"},
        ),
        ("KubeChatAuditIngestionFailing", {"kubechat-audit-database-full", "db-connection-exhaustion"}),
        ("KubeChatWebSocketFailures", {"kubechat-session-store-unreachable"}),
        (
            "KubeChatHighResponseTime",
            {
                "cpu-throttling",
                "kubechat-database-slows-gateway",
                "kubechat-nlp-slows-gateway",
                "kubechat-session-store-down",
            },
        ),
    ],
)
async def test_each_rule_about_kubechats_databases_fires_on_what_prometheus_answers(
    servers: Servers, exporter: Exporter, name: str, causes: set[str]
) -> None:
    prometheus = await servers.prometheus(rules=RECORDED, scrape={"kubechat": [await exporter(0)]})

    async def named() -> bool:
        found = await report(prometheus, name, namespace="kubechat-system")
        return causes <= {finding.cause for finding in (*found.findings, *found.also_unhealthy)}

    await eventually(named, pause=1)
