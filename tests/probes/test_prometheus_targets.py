"""`prometheus.targets`: who is up, who is down, and in whose words."""

import asyncio
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from responder.clients import Clients
from responder.clients.prometheus import connect
from responder.clock import SystemClock
from responder.detectors import Case, targets
from responder.errors import Permanent
from responder.metrics import Metrics
from responder.model.evidence import Observation
from responder.model.scraping import ScrapeTargets
from responder.model.subject import Target
from responder.probes.prometheus_targets import PrometheusTargets
from responder.settings import PrometheusSettings
from tests.detectors import cases
from tests.fakes.clients import FailingHttp
from tests.fakes.prometheus import FakePrometheus
from tests.makers import NOW, alert, evidence
from tests.probes.prometheus import asking, inquiry
from tests.servers import Servers, free_port


def scraped(job: str, instance: str, health: str = "up", error: str = "", **labels: str) -> dict[str, Any]:
    return {
        "labels": {"job": job, "instance": instance, **labels},
        "scrapeUrl": f"http://{instance}/metrics",
        "lastError": error,
        "lastScrape": "2026-03-04T02:59:50.5Z",
        "health": health,
    }


TARGETS = (
    scraped("web", "10.0.0.1:80"),
    scraped("web", "10.0.0.2:80", "down", "connection refused", namespace="shop"),
    scraped("node", "10.0.0.3:9100"),
    scraped("new", "10.0.0.4:80", "unknown"),
)


async def ask(*found: dict[str, Any], **options: Any) -> Observation:
    return await PrometheusTargets(**options).run(inquiry(), asking(FakePrometheus(scraped=found)))


async def test_targets_are_counted_and_those_that_are_down_told() -> None:
    seen = await ask(*TARGETS)
    assert seen.summary == "4 targets of 2 jobs: 2 up, 1 down, 1 not scraped yet (web 1 of 2)"
    assert seen.facts == ("web 10.0.0.2:80: connection refused",)
    assert (seen.value, seen.breached) == (1, True)


async def test_a_job_or_labels_choose() -> None:
    assert (await ask(*TARGETS, job="node")).summary == "1 target of 1 job: 1 up, 0 down"
    assert (await ask(*TARGETS, labels={"namespace": "shop"})).value == 1
    assert (await ask(*TARGETS, job="absent")).empty


async def test_many_that_are_down_are_cut_and_said_so() -> None:
    seen = await ask(*(scraped("web", f"10.0.0.{n}:80", "down", "x") for n in range(150)))
    assert seen.value == 150
    assert seen.truncated == "50 more targets that are down"


@pytest.mark.parametrize("found", [{"labels": None, "health": "up"}, {"health": "up"}, {"labels": {}}])
async def test_an_answer_that_is_none_is_trouble(found: dict[str, Any]) -> None:
    with pytest.raises(Permanent, match="as it should"):
        await ask(found)


@pytest.mark.integration
async def test_a_real_prometheus_says_why_it_cannot_scrape(servers: Servers) -> None:
    async def answer(request: web.Request) -> web.Response:
        port = int(request.url.port or 0)
        if port == ports["denied"]:
            return web.Response(status=403)
        if port == ports["absent"]:
            return web.Response(status=404)
        if port == ports["broken"]:
            return web.Response(status=500)
        if port == ports["page"]:
            return web.Response(text="<html>login</html>", content_type="text/html")
        return web.Response(text="some_metric 1\n")

    ports = {name: free_port() for name in ("denied", "absent", "broken", "page", "fine")}
    application = web.Application()
    application.router.add_get("/metrics", answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    for port in ports.values():
        await web.TCPSite(runner, "127.0.0.1", port).start()
    scrape = {name: [f"127.0.0.1:{port}"] for name, port in ports.items()}
    scrape |= {"refused": [f"127.0.0.1:{free_port()}"], "lost": ["no-such-host.invalid:80"]}
    prometheus = await servers.prometheus(scrape=scrape)
    async with aiohttp.ClientSession() as session:
        settings = PrometheusSettings(url=prometheus.url, cache="0s")
        client = connect("", settings, session, Metrics(), SystemClock())
        clients = Clients("", FailingHttp(), prometheus_client=client)
        async with asyncio.timeout(20):
            while True:
                seen = await PrometheusTargets().run(inquiry(), clients)
                assert isinstance(seen.data, ScrapeTargets)
                if len(seen.data.failing) + sum(seen.data.up.values()) == len(scrape):
                    break
                await asyncio.sleep(0.3)
        assert client is not None
        await client.close()
    await runner.cleanup()
    found = evidence("targets", seen.data)
    case = Case(Target(), (alert(),), NOW, NOW, {"targets": found})
    causes = {item.because[0].text.split()[1].rstrip(":"): item.cause for item in cases.findings(targets.detect, case)}
    assert causes == {
        "denied": "scrape-target-denied",
        "absent": "scrape-target-wrong-path",
        "broken": "scrape-target-server-error",
        "page": "scrape-target-not-metrics",
        "refused": "scrape-target-refuses-connections",
        "lost": "scrape-target-name-does-not-resolve",
    }
    assert seen.data.up == {"fine": 1}
