"""Real servers on free loopback ports: Prometheus, Alertmanager alone or as a pair, and a webhook that records.

The fixture `servers` starts them and stops whatever a test started. It skips where a program is missing.
"""

import asyncio
import shutil
import signal
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import pytest
import yaml
from aiohttp import web

READY_WITHIN = 60.0
STOPPED_WITHIN = 30.0


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
        return port


def program(*names: str, package: str) -> str:
    """The first of the programs that is installed; else the test is skipped, naming Debian's package."""
    for name in names:
        if path := shutil.which(name):
            return path
    pytest.skip(f"{names[0]} is not installed: apt-get install --no-install-recommends {package}")


class Process:
    """A server that can be stopped, killed and started again on the same port and data."""

    def __init__(self, name: str, command: Sequence[str], url: str, ready: str, log: Path) -> None:
        self.url = url
        self.log = log
        self._name = name
        self._command = command
        self._ready = f"{url}{ready}"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start, and wait until it is ready."""
        with self.log.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        with suppress(TimeoutError):
            async with asyncio.timeout(READY_WITHIN):
                while self._process.returncode is None:
                    if await self.is_ready():
                        return
                    await asyncio.sleep(0.05)
        end = self.log.read_text(errors="replace")[-2000:]
        await self.stop()
        pytest.fail(f"{self._name} did not become ready:\n{end}")

    async def is_ready(self) -> bool:
        """Whether it answers."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
            with suppress(aiohttp.ClientError, TimeoutError):
                async with session.get(self._ready) as response:
                    return response.status == 200
        return False

    async def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it and wait; what does not listen is killed."""
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        process.send_signal(how)
        try:
            async with asyncio.timeout(STOPPED_WITHIN):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    def send(self, what: signal.Signals) -> None:
        """Send it a signal, and do not wait for what it does."""
        assert self._process is not None
        self._process.send_signal(what)

    async def restart(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it and start it again."""
        await self.stop(how)
        await self.start()


P = TypeVar("P", bound=Process)


class AlertmanagerProcess(Process):
    """A real Alertmanager."""

    async def post(self, *alerts: Mapping[str, Any]) -> None:
        """Tell it of alerts, as Prometheus does."""
        async with aiohttp.ClientSession() as session, session.post(f"{self.url}/api/v2/alerts", json=alerts) as answer:
            assert answer.status == 200, await answer.text()

    async def silence(self, minutes: float = 10, **labels: str) -> str:
        """Silence alerts with these labels; returns the silence's id."""
        now = datetime.now(UTC)
        body = {
            "matchers": [{"name": name, "value": value, "isRegex": False} for name, value in labels.items()],
            "startsAt": now.isoformat(),
            "endsAt": (now + timedelta(minutes=minutes)).isoformat(),
            "createdBy": "test",
            "comment": "test",
        }
        async with aiohttp.ClientSession() as session, session.post(f"{self.url}/api/v2/silences", json=body) as answer:
            assert answer.status == 200, await answer.text()
            said: dict[str, str] = await answer.json()
            return said["silenceID"]


class Recorder:
    """A webhook that keeps what it is told; `answers` are the statuses of the next requests, then 200."""

    def __init__(self) -> None:
        self.url = ""
        self.bodies: list[dict[str, Any]] = []
        self.answers: list[int] = []
        self._came = asyncio.Condition()

    async def take(self, request: web.Request) -> web.Response:
        """Keep one body."""
        body = await request.json()
        async with self._came:
            self.bodies.append(body)
            self._came.notify_all()
        return web.Response(status=self.answers.pop(0) if self.answers else 200)

    async def until(self, count: int, within: float = 30) -> Sequence[dict[str, Any]]:
        """The bodies, once there are so many."""
        async with asyncio.timeout(within), self._came:
            await self._came.wait_for(lambda: len(self.bodies) >= count)
        return self.bodies


class Servers:
    """Starts servers for one test."""

    def __init__(self, folder: Path, stack: AsyncExitStack) -> None:
        self._folder = folder
        self._stack = stack

    async def alertmanager(self, config: Mapping[str, Any], *options: str) -> AlertmanagerProcess:
        """One Alertmanager that is not clustered, unless the options say otherwise."""
        path = program("prometheus-alertmanager", "alertmanager", package="prometheus-alertmanager")
        port, folder = free_port(), self._new_folder("alertmanager")
        (folder / "config.yml").write_text(yaml.safe_dump(dict(config)))
        command = [
            path,
            f"--config.file={folder}/config.yml",
            f"--storage.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{port}",
            f"--web.external-url=http://127.0.0.1:{port}",
            *(options or ("--cluster.listen-address=",)),
        ]
        url = f"http://127.0.0.1:{port}"
        return await self._run(AlertmanagerProcess("Alertmanager", command, url, "/-/ready", folder / "log"))

    async def alertmanagers(
        self, config: Mapping[str, Any], peer_timeout: float = 2
    ) -> tuple[AlertmanagerProcess, AlertmanagerProcess]:
        """A clustered pair."""
        ports = (free_port(), free_port())

        def options(own: int, other: int) -> tuple[str, ...]:
            return (
                f"--cluster.listen-address=127.0.0.1:{own}",
                f"--cluster.advertise-address=127.0.0.1:{own}",
                f"--cluster.peer=127.0.0.1:{other}",
                f"--cluster.peer-timeout={peer_timeout:g}s",
                "--cluster.settle-timeout=1s",
                "--cluster.gossip-interval=50ms",
                "--cluster.pushpull-interval=1s",
                "--cluster.reconnect-interval=1s",
            )

        first = await self.alertmanager(config, *options(ports[0], ports[1]))
        return first, await self.alertmanager(config, *options(ports[1], ports[0]))

    async def prometheus(
        self,
        rules: Sequence[Mapping[str, Any]] = (),
        scrape: Mapping[str, Sequence[str]] | None = None,
        alertmanagers: Sequence[str] = (),
        interval: str = "1s",
    ) -> Process:
        """A Prometheus: `rules` of one group, `scrape` targets by job, `alertmanagers` as URLs."""
        path = program("prometheus", package="prometheus")
        port, folder = free_port(), self._new_folder("prometheus")
        config = {
            "global": {"scrape_interval": interval, "evaluation_interval": interval},
            "rule_files": [f"{folder}/rules.yml"],
            "alerting": {
                "alertmanagers": [
                    {"static_configs": [{"targets": [url.removeprefix("http://") for url in alertmanagers]}]}
                ]
            },
            "scrape_configs": [
                {"job_name": job, "static_configs": [{"targets": list(targets)}]}
                for job, targets in (scrape or {}).items()
            ],
        }
        (folder / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "test", "rules": list(rules)}]}))
        (folder / "config.yml").write_text(yaml.safe_dump(config))
        command = [
            path,
            f"--config.file={folder}/config.yml",
            f"--storage.tsdb.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{port}",
            f"--web.external-url=http://127.0.0.1:{port}",
            "--rules.alert.resend-delay=1s",
        ]
        return await self._run(Process("Prometheus", command, f"http://127.0.0.1:{port}", "/-/ready", folder / "log"))

    async def webhook(self) -> Recorder:
        """A webhook that records what it is told."""
        recorder = Recorder()
        application = web.Application(client_max_size=64 * 1024 * 1024)
        application.router.add_post("/{path:.*}", recorder.take)
        runner = web.AppRunner(application)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        port = free_port()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        recorder.url = f"http://127.0.0.1:{port}"
        return recorder

    async def run(self, name: str, command: Sequence[str], url: str, ready: str) -> Process:
        """Any other server, whose path `ready` answers 200 once it is ready."""
        return await self._run(Process(name, command, url, ready, self._new_folder(name) / "log"))

    async def _run(self, process: P) -> P:
        self._stack.push_async_callback(process.stop)
        await process.start()
        return process

    def _new_folder(self, name: str) -> Path:
        folder = self._folder / f"{name}-{len(list(self._folder.iterdir()))}"
        folder.mkdir()
        return folder


def route(url: str, **timing: str) -> dict[str, Any]:
    """A configuration of Alertmanager that tells one webhook; `timing` are options of the route."""
    quick = {
        "group_wait": "1s",
        "group_interval": "2s",
        "repeat_interval": "1h",
        "group_by": ["alertname", "namespace"],
    }
    webhook = {"url": url, "send_resolved": True, "http_config": {"follow_redirects": False}}
    return {
        "route": {"receiver": "responder", **quick, **timing},
        "receivers": [{"name": "responder", "webhook_configs": [webhook]}],
    }


@pytest.fixture
async def servers(tmp_path: Path) -> AsyncIterator[Servers]:
    """Starts servers; all are stopped when the test ends."""
    folder = tmp_path / "servers"
    folder.mkdir()
    async with AsyncExitStack() as stack:
        yield Servers(folder, stack)
