"""A clustered pair of real Alertmanagers posts to a real Responder."""

import asyncio
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from tests.servers import AlertmanagerProcess, Process, Servers, free_port, route

pytestmark = [pytest.mark.e2e, pytest.mark.integration, pytest.mark.timeout(180)]

PEER_TIMEOUT = 5.0
"""Longer than the `group_interval`: the second peer tells what was true before it waited, each time."""


class Pair:
    """Both peers, told the same by one Prometheus."""

    def __init__(self, peers: tuple[AlertmanagerProcess, AlertmanagerProcess]) -> None:
        self.peers = peers
        self._labels = {"alertname": "PodCrashLooping", "namespace": "shop", "pod": "api-0", "severity": "critical"}
        self._starts_at = datetime.now(UTC).isoformat()

    async def fires(self) -> None:
        """The alert fires, or is told again."""
        await self._post({})

    async def ends(self) -> None:
        """The alert is over."""
        await self._post({"endsAt": datetime.now(UTC).isoformat()})

    async def _post(self, more: Mapping[str, str]) -> None:
        alert = {"labels": self._labels, "startsAt": self._starts_at, **more}
        await asyncio.gather(*(peer.post(alert) for peer in self.peers))


class Watch:
    """What Responder's API tells."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self._url = url
        self._session = session
        self.seen: list[tuple[str, int]] = []

    async def incidents(self) -> list[dict[str, Any]]:
        """The incidents of the list."""
        async with self._session.get(f"{self._url}/api/v1/incidents") as response:
            found = await response.json()
        incidents: list[dict[str, Any]] = found["incidents"] if isinstance(found, dict) else found
        return incidents

    async def incident(self) -> dict[str, Any]:
        """The only incident, whole; its status and flaps are remembered."""
        (only,) = await self.incidents()
        async with self._session.get(f"{self._url}/api/v1/incidents/{only['id']}") as response:
            report: dict[str, Any] = await response.json()
        moment = (report["status"], report["flaps"])
        if not self.seen or self.seen[-1] != moment:
            self.seen.append(moment)
        return report

    async def until(self, status: str, within: float = 40) -> dict[str, Any]:
        """The incident, once it has that status."""
        async with asyncio.timeout(within):
            while True:
                if await self.incidents():
                    report = await self.incident()
                    if report["status"] == status:
                        return report
                await asyncio.sleep(0.1)

    async def during(self, seconds: float) -> dict[str, Any]:
        """The incident, after it was watched for a while."""
        for _ in range(int(seconds * 5)):
            await self.incident()
            await asyncio.sleep(0.2)
        return await self.incident()


async def responder(servers: Servers, folder: Path, port: int, **settings: Any) -> Process:
    """A real service with the rules that are shipped."""
    url = f"http://127.0.0.1:{port}"
    config = {
        "listen": f"127.0.0.1:{port}",
        "database": f"sqlite:///{folder}/responder.db",
        "sinks": [],
        **settings,
    }
    (folder / "responder.yaml").write_text(yaml.safe_dump(config))
    command = [sys.executable, "-m", "responder", "serve", "--config", str(folder / "responder.yaml")]
    return await servers.run("responder", command, url, "/-/healthy")


@pytest.mark.parametrize("asked", [False, True], ids=["webhooks alone", "with the API"])
async def test_one_incident_and_no_false_reopening_while_a_peer_restarts(
    servers: Servers, tmp_path: Path, asked: bool
) -> None:
    port = free_port()
    hook = f"http://127.0.0.1:{port}/api/v1/alertmanager"
    pair = Pair(await servers.alertmanagers(route(hook, group_interval="2s"), PEER_TIMEOUT))
    api = {"url": pair.peers[0].url, "warm_up": "0s", "reconcile_every": "1s"} if asked else {}
    process = await responder(servers, tmp_path, port, alertmanager={"group_interval": "2s", **api})
    async with aiohttp.ClientSession() as session:
        watch = Watch(process.url, session)
        await pair.fires()
        await watch.until("firing")
        await pair.peers[1].restart()
        await pair.fires()
        await watch.during(8)
        await pair.ends()
        await watch.until("resolved")
        report = await watch.during(25)
    assert watch.seen == [("firing", 0), ("resolved", 0)]
    assert [alert["state"] for alert in report["alerts"]] == ["resolved"]
    assert report["alerts"][0]["episodes"] == 1


async def test_the_stale_word_of_the_second_peer_does_not_reopen_the_incident(servers: Servers, tmp_path: Path) -> None:
    port = free_port()
    hook = f"http://127.0.0.1:{port}/api/v1/alertmanager"
    pair = Pair(await servers.alertmanagers(route(hook, group_interval="2s"), PEER_TIMEOUT))
    process = await responder(servers, tmp_path, port, alertmanager={"group_interval": "2s"})
    async with aiohttp.ClientSession() as session:
        watch = Watch(process.url, session)
        await pair.fires()
        await watch.until("firing")
        await watch.during(7)
        await pair.ends()
        await watch.until("resolved")
        report = await watch.during(25)
    assert watch.seen == [("firing", 0), ("resolved", 0)]
    told = [entry["text"] for entry in report["timeline"]]
    assert any("held back" in text for text in told), "the second peer told its old news"
    assert any("late duplicate" in text for text in told)
