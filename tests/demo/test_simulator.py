"""The simulated KubeChat exports metrics that move as real ones do."""

import re
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client.parser import text_string_to_metric_families

from responder.demo.behaviour import BUCKETS, Latency, Totals
from responder.demo.clusters import Recording, State
from responder.demo.faults import FAULTS
from responder.demo.rules import shipped
from responder.demo.scene import EXPORTERS
from responder.demo.simulator import Simulator

Client = TestClient[web.Request, web.Application]
Values = dict[str, dict[tuple[tuple[str, str], ...], float]]


@pytest.fixture
async def kubechat() -> AsyncIterator[Client]:
    async def nobody(state: State) -> None:
        return None

    async with TestClient(TestServer(Simulator(Recording("crash_loop"), nobody).application())) as client:
        yield client


async def scraped(client: Client) -> Values:
    found: Values = {}
    for exporter in EXPORTERS:
        answer = await client.get(f"/{exporter}")
        for family in text_string_to_metric_families(await answer.text()):
            for sample in family.samples:
                found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def total(values: Values, name: str, **labels: str) -> float:
    return sum(value for key, value in values[name].items() if labels.items() <= dict(key).items())


NOT_IN_THE_DEMO = (
    "probe_",
    "nginx_ingress_",
    "certmanager_",
    "controller_runtime_",
    "workqueue_",
    "kube_job_",
    "kube_cronjob_",
)
"""What exporters have that the demo does without: there is no ingress to call, and no export job."""


async def test_it_exports_every_metric_that_the_alerts_use(kubechat: Client) -> None:
    await kubechat.post("/fault/crash_loop")
    known = set(await scraped(kubechat))
    for group in shipped()["groups"]:
        for rule in group["rules"]:
            for name in re.findall(r"\b([a-z][a-z0-9_:]*_[a-z0-9_:]+)\s*[{\[]", rule["expr"]):
                assert name in known or ":" in name or name.startswith(NOT_IN_THE_DEMO), f"{rule}: {name}"


async def test_counters_never_go_back_when_it_breaks_and_heals(kubechat: Client) -> None:
    before = await scraped(kubechat)
    for path in ("/fault/crash_loop", "/heal"):
        assert (await kubechat.post(path)).status == 200
        after = await scraped(kubechat)
        for name in (name for name in before if name.endswith(("_total", "_bucket", "_count"))):
            for key, value in before[name].items():
                assert after[name].get(key, value) >= value
        before = after


async def test_a_crash_loop_shows_in_the_metrics_of_the_cluster(kubechat: Client) -> None:
    name = "kube_pod_container_status_last_terminated_reason"
    assert name not in await scraped(kubechat)
    await kubechat.post("/fault/crash_loop")
    broken = await scraped(kubechat)
    assert total(broken, name, reason="OOMKilled", container="api-gateway") == 3
    assert total(broken, "kube_deployment_status_replicas_available", deployment="api-gateway") == 1


async def test_it_names_the_faults_there_are_when_asked_for_another(kubechat: Client) -> None:
    answer = await kubechat.post("/fault/flood")
    assert answer.status == 404
    text = await answer.text()
    assert all(fault in text for fault in FAULTS)


def test_histograms_are_cumulative_and_bounded_by_their_count() -> None:
    totals = Totals()
    totals.advance(60)
    for name, within in totals.within.items():
        assert within == sorted(within)
        assert within[-1] <= totals.counts[name]
        assert len(within) == len(BUCKETS)


def test_half_of_the_requests_are_faster_than_the_median() -> None:
    latency = Latency(0.2)
    assert latency.share_within(0.2) == 0.5
    assert latency.share_within(0.1) < 0.5 < latency.share_within(0.4)
    assert latency.mean > latency.median
