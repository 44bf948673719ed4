"""Runbooks whose incidents nobody is told of."""

import asyncio

import pytest

from tests.servers import Servers
from tests.service import Starter, alert

pytestmark = pytest.mark.integration


async def test_a_quiet_incident_is_kept_and_no_sink_is_told(servers: Servers, start_service: Starter) -> None:
    hook = await servers.webhook()
    service = await start_service("crash_loop", sinks=[{"name": "hook", "kind": "webhook", "url": hook.url}])
    await service.post(alert("InfoInhibitor", severity="none"))
    kept = await service.incident(lambda incident: incident["runbook"] == "info-inhibitor")
    assert kept["severity"] == "P3"
    await service.post(alert("SomethingElse"))
    await service.incident(
        lambda incident: incident["runbook"] == "triage" and incident["investigation"]["status"] == "finished"
    )
    await hook.until(2)
    await asyncio.sleep(0.2)
    assert {body["runbook"] for body in hook.bodies} == {"triage"}
