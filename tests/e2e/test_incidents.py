"""Posted alerts become the right incidents, each looked into where its alerts say."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from responder.model.labels import fingerprint
from tests.clock import TurnedClock
from tests.service import Starter, alert

pytestmark = pytest.mark.integration

BEHIND = {
    "job": "kube-state-metrics",
    "service": "ksm-kube-state-metrics",
    "namespace": "monitoring",
    "pod": "ksm-kube-state-metrics-6f8b9c7d5f-2xk4p",
}


def finished(number: int) -> Any:
    return lambda incident: (
        incident["investigation"]["status"] == "finished" and incident["investigation"]["number"] == number
    )


def investigated_in(namespace: str) -> Any:
    return lambda incident: finished(1)(incident) and incident["subject"]["namespace"] == namespace


async def test_namespaces_behind_kube_state_metrics_are_looked_into_one_by_one(start_service: Starter) -> None:
    service = await start_service("crash_loop")
    namespaces = ("kubechat-system", "ingress-nginx")
    await service.post(*(alert(**BEHIND, exported_namespace=namespace) for namespace in namespaces))
    for namespace in namespaces:
        found = await service.incident(investigated_in(namespace))
        assert found["target"]["namespace"] == namespace
    assert len(await service.incidents()) == 2


async def test_an_incident_about_two_namespaces_says_what_it_saw_of_each(start_service: Starter, tmp_path: Any) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "slow.yaml").write_text(
        "{apiVersion: responder/v1, kind: Runbook, metadata: {name: slow, title: Slow}, match: ['alertname=Slow'],\n"
        " group_by: [alertname], diagnose: [{use: all}], verify: [{step: workload, expect: value > 0.0}],\n"
        " investigate: [{id: workload, title: The workload, probe: kubernetes.workload}]}\n",
        encoding="utf-8",
    )
    service = await start_service("crash_loop", rules=[str(tmp_path / "rules")])
    await service.post(
        alert("Slow", deployment="audit-service"),
        alert("Slow", namespace="ingress-nginx", deployment="ingress-nginx-controller"),
    )
    found = await service.incident(finished(1))
    titles = {item["title"] for item in found["evidence"]}
    assert "The workload (deployment/audit-service in kubechat-system)" in titles
    assert "The workload (deployment/ingress-nginx-controller in ingress-nginx)" in titles
    assert {aim["target"]["namespace"] for aim in found["aims"]} == {"kubechat-system", "ingress-nginx"}


async def test_the_severity_follows_the_alerts_that_fire(start_service: Starter) -> None:
    service = await start_service()
    warning = alert("ReplicationLag", severity="warning")
    critical = alert("ReplicationLag", severity="critical")
    await service.post(warning, critical)
    assert (await service.incident())["severity"] == "P1"
    await service.post({**critical, "status": "resolved", "endsAt": warning["startsAt"]}, warning)
    found = await service.incident(lambda one: one["severity"] == "P2")
    assert "Lowered from P1 to P2" in str(found["timeline"])


@asynccontextmanager
async def alertmanager(*known: dict[str, Any]) -> AsyncIterator[str]:
    """What speaks Alertmanager's API and knows these alerts; yields its address."""

    async def alerts(_request: web.Request) -> web.Response:
        return web.json_response(known)

    async def status(_request: web.Request) -> web.Response:
        return web.json_response({"uptime": "2020-01-01T00:00:00Z"})

    application = web.Application()
    application.add_routes([web.get("/api/v2/alerts", alerts), web.get("/api/v2/status", status)])
    server = TestServer(application)
    await server.start_server()
    try:
        yield str(server.make_url("")).rstrip("/")
    finally:
        await server.close()


async def test_each_cluster_is_reconciled_with_its_own_alertmanager(start_service: Starter) -> None:
    clock = TurnedClock()
    here, there = alert(cluster="main", environment="prod"), alert(cluster="main", environment="staging")
    known = {**here, "fingerprint": fingerprint(here["labels"]), "status": {"state": "active"}}
    async with alertmanager(known) as prod, alertmanager() as staging:
        service = await start_service(
            clock=clock,
            cluster_label=["cluster", "environment"],
            clusters=[
                {"name": name, "labels": {"environment": name}, "alertmanager": {"url": url, "reconcile_every": "1s"}}
                for name, url in (("prod", prod), ("staging", staging))
            ],
        )
        await service.post(here, there)
        for name in ("prod", "staging"):
            await service.incident(lambda one, place=name: finished(1)(one) and place in str(one["alerts"]))  # type: ignore[misc]
        clock.turn(timedelta(minutes=2))
        over = await service.incident(lambda incident: incident["status"] == "resolved")
        assert over["target"]["cluster"] == "staging"
        assert "Gone from Alertmanager" in str(over["timeline"])
        assert [one["status"] for one in await service.incidents()].count("firing") == 1


def ended(fired: dict[str, Any]) -> dict[str, Any]:
    return {**fired, "status": "resolved", "endsAt": datetime.now(UTC).isoformat()}


async def test_what_ends_as_the_pipeline_breaks_is_not_taken_for_recovered(start_service: Starter) -> None:
    service = await start_service()
    watchdog = {**alert("Watchdog", severity="none"), "startsAt": "2026-01-01T00:00:00Z"}
    crashing = alert(namespace="shop", pod="api-0")
    await service.post(watchdog)
    await service.post(crashing)
    await service.incident(lambda incident: incident["runbook"] == "kubernetes-pod")
    await service.post(ended(watchdog))
    await service.incident(lambda incident: incident["runbook"] == "watchdog")
    await service.post(ended(crashing))
    found = await service.incident(lambda one: one["runbook"] == "kubernetes-pod" and one["status"] != "firing")
    assert found["status"] == "unknown"
    assert "not a recovery" in str(found["timeline"])
