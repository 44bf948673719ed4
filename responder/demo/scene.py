"""Everything that the demo runs: simulator, Prometheus, Alertmanager and Responder on free loopback ports."""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from aiohttp import web

from responder.demo import processes, rules
from responder.demo.clusters import Recording, State
from responder.demo.simulator import Simulator

EXPORTERS = (
    *("api-gateway", "nlp-service", "audit-service", "postgres-exporter", "redis-exporter"),
    *("kube-state-metrics", "cadvisor"),
)
Say = Callable[[str], None]


@dataclass(frozen=True)
class Scene:
    """Where everything listens, and the HTTP session to ask it with."""

    simulator: Simulator
    http: aiohttp.ClientSession
    simulator_url: str
    prometheus_url: str
    alertmanager_url: str
    responder_url: str

    async def get(self, url: str) -> Any:
        """JSON from one of the servers."""
        async with self.http.get(url) as response:
            response.raise_for_status()
            return await response.json()


@asynccontextmanager
async def stage(fault: str, say: Say) -> AsyncIterator[Scene]:
    """Start it all; on the way out everything is ended and removed. Raises ConfigError if something is missing."""
    prometheus = processes.find("prometheus", package="prometheus")
    alertmanager = processes.find("prometheus-alertmanager", "alertmanager", package="prometheus-alertmanager")
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="responder-demo-")))
        timeout = aiohttp.ClientTimeout(total=10)
        http = await stack.enter_async_context(aiohttp.ClientSession(timeout=timeout))
        cluster = ToldCluster(Recording(fault), folder)
        simulator = Simulator(Recording(fault), cluster.tell)
        await cluster.tell("healthy")
        ports = {name: processes.free_port() for name in ("simulator", "prometheus", "alertmanager", "responder")}
        urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
        await asyncio.to_thread(_configure, folder, ports, urls)

        say("KubeChat")
        await stack.enter_async_context(_served(simulator.application(), ports["simulator"]))
        say("Alertmanager")
        command = [
            alertmanager,
            f"--config.file={folder}/alertmanager.yml",
            f"--storage.path={folder}/alertmanager",
            f"--web.listen-address=127.0.0.1:{ports['alertmanager']}",
            "--cluster.listen-address=",
        ]
        await processes.start(stack, "alertmanager", command, f"{urls['alertmanager']}/-/ready", http, folder)
        say("Responder")
        command = [sys.executable, "-m", "responder", "serve"]
        command += ["--config", str(folder / "responder.yml")]
        await processes.start(stack, "responder", command, f"{urls['responder']}/-/ready", http, folder)
        say("Prometheus")
        command = [
            prometheus,
            f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={folder}/prometheus",
            f"--web.listen-address=127.0.0.1:{ports['prometheus']}",
            f"--web.external-url={urls['prometheus']}/",
        ]
        await processes.start(stack, "prometheus", command, f"{urls['prometheus']}/-/ready", http, folder)
        yield Scene(simulator, http, *(urls[f"{name}"] for name in ports))


class ToldCluster:
    """The recorded cluster as a snapshot directory that follows the state of the simulator."""

    def __init__(self, recording: Recording, folder: Path) -> None:
        self._recording, self._folder, self._number = recording, folder, 0
        self.link = folder / "cluster"

    async def tell(self, state: State) -> None:
        """Replace the snapshot by the state as of now: all at once, so that no reader sees half of it."""
        await asyncio.to_thread(self._tell, state)

    def _tell(self, state: State) -> None:
        self._number += 1
        told = self._folder / f"cluster-{self._number}"
        self._recording.tell(state, told, datetime.now(UTC))
        fresh = self._folder / "cluster.new"
        fresh.symlink_to(told)
        fresh.replace(self.link)


@asynccontextmanager
async def _served(application: web.Application, port: int) -> AsyncIterator[None]:
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield
    finally:
        await runner.cleanup()


def _configure(folder: Path, ports: dict[str, int], urls: dict[str, str]) -> None:
    _save(folder / "rules.yml", rules.hastened(rules.shipped()))
    _save(folder / "prometheus.yml", prometheus_config(folder, ports))
    _save(folder / "alertmanager.yml", alertmanager_config(urls["responder"]))
    _save(folder / "responder.yml", responder_config(folder, ports, urls))


def _save(path: Path, content: dict[str, Any]) -> None:
    path.write_text(yaml.safe_dump(content, sort_keys=False))


def prometheus_config(folder: Path, ports: dict[str, int]) -> dict[str, Any]:
    """Scrapes every exporter and evaluates the rules every second."""
    target = f"127.0.0.1:{ports['simulator']}"
    return {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(folder / "rules.yml")],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{ports['alertmanager']}"]}]}]},
        "scrape_configs": [
            {
                "job_name": name,
                "metrics_path": f"/{name}",
                "honor_labels": True,
                "static_configs": [{"targets": [target]}],
            }
            for name in EXPORTERS
        ],
    }


def alertmanager_config(responder: str) -> dict[str, Any]:
    """Sends everything to Responder, quickly."""
    webhook = {"url": f"{responder}/api/v1/alertmanager", "send_resolved": True, "max_alerts": 0}
    return {
        "route": {
            "receiver": "responder",
            "group_by": ["alertname", "namespace"],
            "group_wait": "0s",
            "group_interval": "5s",
            "repeat_interval": "1h",
        },
        "receivers": [{"name": "responder", "webhook_configs": [webhook]}],
    }


def responder_config(folder: Path, ports: dict[str, int], urls: dict[str, str]) -> dict[str, Any]:
    """Responder's settings, as `responder serve --config` reads them."""
    return {
        "listen": f"127.0.0.1:{ports['responder']}",
        "database": f"sqlite:///{folder}/responder.db",
        "kubernetes": {"snapshot": str(folder / "cluster"), "cache": "1s"},
        "prometheus": {"url": urls["prometheus"], "cache": "1s"},
        "alertmanager": {
            "url": urls["alertmanager"],
            "group_interval": "5s",
            "reconcile_every": "10s",
            "warm_up": "5s",
        },
    }
