"""What goes wrong around us: servers that are down, slow or say no; kills; a disk that is full."""

import asyncio
import io
import json
import resource
import secrets
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from responder.demo.clusters import RECORDINGS
from tests.fakes.apiserver import FakeApiServer, serving, status
from tests.servers import free_port
from tests.service import Starter, alert

pytestmark = pytest.mark.integration

SNAPSHOT = str(RECORDINGS / "crash_loop" / "faulty")


@asynccontextmanager
async def api_server(otherwise: Any, folder: Path) -> AsyncIterator[Path]:
    """An API server that answers everything alike; yields a kubeconfig for it."""
    async with serving(FakeApiServer(otherwise=otherwise)) as fake:
        yield fake.kubeconfig(folder)


@pytest.mark.parametrize(
    ("code", "reason", "said"),
    [
        (401, "Unauthorized", "check the token"),
        (403, "Forbidden", "grant the permission"),
        (404, "NotFound", "not found"),
        (429, "TooManyRequests", "429"),
        (500, "InternalError", "500"),
    ],
)
async def test_an_api_server_that_says_no_is_told_of_and_no_cause_is_made_up(
    start_service: Starter, tmp_path: Path, code: int, reason: str, said: str
) -> None:
    async with api_server(status(code, reason, f"{reason.lower()} {code}: not found"), tmp_path) as kubeconfig:
        service = await start_service(kubernetes={"kubeconfig": str(kubeconfig), "timeout": "2s"})
        await service.post(alert())
        incident = await service.incident()
        assert incident["findings"] == []
        assert any(said in item["text"] for item in incident["unseen"]), incident["unseen"]
        assert await service.healthy()


async def test_servers_that_are_down_are_told_of(start_service: Starter) -> None:
    service = await start_service("crash_loop", prometheus={"url": f"http://127.0.0.1:{free_port()}"})
    await service.post(alert("KubeChatPodCrashLooping", pod="api-gateway-547ccb84b6-llcn9"))
    incident = await service.incident()
    assert incident["findings"][0]["cause"] == "oom-killed"
    assert any("Memory in use" in item["text"] for item in incident["unseen"])


async def test_a_cluster_that_hangs_delays_no_other(start_service: Starter, tmp_path: Path) -> None:
    async with api_server(3600.0, tmp_path) as kubeconfig:
        service = await start_service(
            clusters=[
                {"name": "stuck", "kubernetes": {"kubeconfig": str(kubeconfig), "timeout": "4s"}},
                {"name": "good", "kubernetes": {"snapshot": SNAPSHOT}},
            ]
        )
        for number in range(30):
            await service.post(alert(f"Stuck{number}", cluster="stuck", namespace=f"ns-{number}"))
        await service.post(alert(cluster="good"))
        done = await service.incident(
            lambda one: one["investigation"]["status"] == "finished" and one["findings"] != []
        )
        assert done["target"]["cluster"] == "good"
        stuck = [one for one in await service.incidents() if one["alerts"][0]["labels"]["cluster"] == "stuck"]
        assert len(stuck) == 30
        assert not any(one["investigation"]["status"] == "finished" for one in stuck)


async def test_a_pod_that_vanishes_between_list_and_log_is_a_gap_not_an_end(start_service: Starter) -> None:
    service = await start_service("crash_loop")
    for log in (start_service.folder / "crash_loop").rglob("*.log"):
        log.unlink()
    await service.post(alert("KubeChatPodCrashLooping", pod="api-gateway-547ccb84b6-llcn9"))
    incident = await service.incident()
    assert incident["findings"][0]["cause"] == "oom-killed"
    (logs,) = [item for item in incident["evidence"] if item["probe"] == "kubernetes.logs"]
    assert all(gap["reason"] == "not_found" for gap in logs["gaps"])


HOSTILE = (
    b"",
    b"null",
    b"[" * 100_000,
    b'{"alerts": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    b'{"alerts": [{"labels": {"alertname": 5}}]}',
    b'{"alerts": [{"status": "firing", "labels": {"a": "\\u0000"}, "startsAt": "yesterday"}]}',
    b"\xff\xfe\x00" * 1000,
    json.dumps({"alerts": [{"labels": {"alertname": "X", "n": str(n)}} for n in range(10_000)]}).encode(),
    json.dumps({"alerts": [{"labels": {"alertname": "X"}, "annotations": {"a": "x" * 5_000_000}}]}).encode(),
    json.dumps(
        {"alerts": [{"labels": {"alertname": "{{ 1/0 }}", "namespace": "'; rm -rf / #", "pod": 'a"} or vector(1)'}}]}
    ).encode(),
)


@pytest.mark.parametrize("body", HOSTILE, ids=range(len(HOSTILE)))
async def test_hostile_bodies_are_answered_and_the_service_goes_on(start_service: Starter, body: bytes) -> None:
    service = await start_service("crash_loop")
    async with service.session.post(f"{service.url}/api/v1/alertmanager", data=io.BytesIO(body)) as answer:
        assert answer.status in (200, 400, 413)
    assert await service.healthy()
    await service.post(alert("KubeChatPodCrashLooping", pod="api-gateway-547ccb84b6-llcn9"))
    found = await service.incident(lambda one: bool(one["findings"]))
    assert found["findings"][0]["cause"] == "oom-killed"


class Program:
    """Responder as a process of its own, that can be killed."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.port = free_port()
        self.config = folder / "responder.yaml"
        given = {"listen": f"127.0.0.1:{self.port}", "database": f"sqlite:///{folder}/r.db", "sinks": [], **settings}
        self.config.write_text(yaml.safe_dump(given))
        self.process: asyncio.subprocess.Process | None = None

    async def start(self, most_bytes: int = 0) -> None:
        def limit() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))

        command = [sys.executable, "-m", "responder", "serve", "--config", str(self.config)]
        self.process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
            preexec_fn=limit if most_bytes else None,
        )  # fmt: skip
        async with asyncio.timeout(20):
            while True:
                with socket.socket() as tried:
                    if tried.connect_ex(("127.0.0.1", self.port)) == 0:
                        return
                await asyncio.sleep(0.05)

    async def stop(self, how: signal.Signals) -> int:
        assert self.process
        self.process.send_signal(how)
        async with asyncio.timeout(30):
            return await self.process.wait()

    async def post(self, *alerts: dict[str, Any]) -> int:
        url = f"http://127.0.0.1:{self.port}/api/v1/alertmanager"
        async with aiohttp.ClientSession() as session, session.post(url, json={"alerts": [*alerts]}) as answer:
            return answer.status

    async def investigated(self) -> list[dict[str, Any]]:
        url = f"http://127.0.0.1:{self.port}/api/v1/incidents"
        async with asyncio.timeout(20), aiohttp.ClientSession() as session:
            while True:
                async with session.get(url) as answer:
                    found: list[dict[str, Any]] = await answer.json()
                if found and all(one["investigation"]["status"] == "finished" for one in found):
                    return found
                await asyncio.sleep(0.05)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["SIGKILL", "SIGTERM"])
async def test_what_was_acknowledged_is_investigated_after_the_next_start(tmp_path: Path, how: signal.Signals) -> None:
    async with api_server(3600.0, tmp_path) as kubeconfig:
        stuck = {"kubernetes": {"kubeconfig": str(kubeconfig), "timeout": "3s"}, "drain": "1s"}
        program = Program(tmp_path, **stuck)
        await program.start()
        assert await program.post(alert(pod="api-0"), alert("KubePodNotReady", namespace="other")) == 200
        await asyncio.sleep(0.3)
        code = await program.stop(how)
        assert code == (0 if how is signal.SIGTERM else -signal.SIGKILL)
    again = Program(tmp_path, kubernetes={"snapshot": SNAPSHOT})
    await again.start()
    found = await again.investigated()
    assert sorted(one["alerts"][0]["labels"]["namespace"] for one in found) == ["kubechat-system", "other"]
    assert await again.stop(signal.SIGTERM) == 0


async def test_a_full_disk_is_a_503_and_nothing_that_was_acknowledged_is_lost(tmp_path: Path) -> None:
    program = Program(tmp_path, kubernetes={"snapshot": SNAPSHOT})
    await program.start()
    assert await program.post(alert("First")) == 200
    await program.investigated()
    await program.stop(signal.SIGTERM)
    await program.start(most_bytes=(tmp_path / "r.db").stat().st_size + 64 * 1024)
    answers = [
        await program.post({**alert(f"More{n}"), "annotations": {"text": secrets.token_hex(40_000)}}) for n in range(8)
    ]
    assert 503 in answers
    assert set(answers) <= {200, 503}
    await program.stop(signal.SIGTERM)
    await program.start()
    found = {one["alerts"][0]["labels"]["alertname"] for one in await program.investigated()}
    taken = {f"More{n}" for n, answer in enumerate(answers) if answer == 200}
    assert found == {"First", *taken}
    await program.stop(signal.SIGTERM)
