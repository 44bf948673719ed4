"""Responder itself, in this process: on a free port, over a recorded cluster, with a store of its own."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from responder.app import serving
from responder.clock import Clock
from responder.demo.clusters import Recording
from responder.settings import Settings

PATIENCE = 20.0


@dataclass
class Running:
    """A running service, as its users meet it."""

    url: str
    session: aiohttp.ClientSession
    database: Path = Path()

    async def post(self, *alerts: Mapping[str, Any], **more: Any) -> None:
        """Deliver alerts that fire, as Alertmanager does."""
        body = {"receiver": "responder", "status": "firing", "alerts": [*alerts], **more}
        async with self.session.post(f"{self.url}/api/v1/alertmanager", json=body) as answer:
            assert answer.status == 200, await answer.text()

    async def say(self, path: str, status: int = 200, **fields: Any) -> Any:
        """Post something to the JSON API; returns what it says."""
        async with self.session.post(f"{self.url}/api/v1/{path}", json=fields) as answer:
            assert answer.status == status, await answer.text()
            return await answer.json()

    async def metric(self, name: str, **labels: str) -> float:
        """The value of one of our own metrics; 0 where there is none."""
        async with self.session.get(f"{self.url}/metrics") as answer:
            families = text_string_to_metric_families(await answer.text())
        wanted = labels.items()
        samples = [sample for family in families for sample in family.samples if sample.name == name]
        return sum(sample.value for sample in samples if wanted <= sample.labels.items())

    async def get(self, path: str) -> Any:
        """What the JSON API says."""
        async with self.session.get(f"{self.url}/api/v1/{path}") as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def incidents(self) -> list[dict[str, Any]]:
        """The list of incidents."""
        found: list[dict[str, Any]] = await self.get("incidents")
        return found

    async def incident(self, fits: Callable[[dict[str, Any]], bool] | None = None) -> dict[str, Any]:
        """The first incident that is as wanted (else: investigated), whole, as soon as it is."""
        wanted = fits or (lambda incident: incident["investigation"]["status"] == "finished")
        async with asyncio.timeout(PATIENCE):
            while True:
                for incident in await self.incidents():
                    if wanted(incident):
                        whole: dict[str, Any] = await self.get(f"incidents/{incident['id']}")
                        return whole
                await asyncio.sleep(0.02)

    async def healthy(self) -> bool:
        """Whether it says that it is ready."""
        async with self.session.get(f"{self.url}/-/ready") as answer:
            return answer.status == 200


class Starter:
    """Starts services for one test."""

    def __init__(self, folder: Path, stack: AsyncExitStack) -> None:
        self.folder = folder
        self._stack = stack

    async def __call__(
        self, recording: str = "", state: Any = "faulty", clock: Clock | None = None, **settings: Any
    ) -> Running:
        """A service; `recording` is the fault whose cluster it looks at."""
        if recording:
            snapshot = self.folder / recording
            Recording(recording).tell(state, snapshot, datetime.now(UTC))
            settings["kubernetes"] = {"snapshot": str(snapshot)}
        given = {"listen": "127.0.0.1:0", "database": f"sqlite:///{self.folder}/r.db", "sinks": [], **settings}
        host, port = await self._stack.enter_async_context(
            serving(Settings(**json.loads(json.dumps(given, default=str))), clock)
        )
        session = await self._stack.enter_async_context(aiohttp.ClientSession())
        return Running(f"http://{host}:{port}", session, self.folder / "r.db")


@pytest.fixture
async def start_service(tmp_path: Path) -> AsyncIterator[Starter]:
    """Starts services; they end with the test."""
    async with AsyncExitStack() as stack:
        yield Starter(tmp_path, stack)


def alert(name: str = "KubePodCrashLooping", since: timedelta = timedelta(minutes=3), **labels: str) -> dict[str, Any]:
    """An alert that fires, as a webhook tells it."""
    return {
        "status": "firing",
        "labels": {"alertname": name, "namespace": "kubechat-system", "severity": "critical", **labels},
        "annotations": {"summary": f"{name} fires"},
        "startsAt": (datetime.now(UTC) - since).isoformat(),
        "generatorURL": "http://prometheus.example:9090/graph?g0.expr=up+%3D%3D+0&g0.tab=1",
    }
