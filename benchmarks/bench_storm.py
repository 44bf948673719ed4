"""An alert storm: 500 alerts of one deployment; and one API server that hangs beside one that answers.

python -m benchmarks.bench_storm
"""

import asyncio
import json
import sys
import tempfile
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import yaml

from benchmarks.harness import Running, configuration, free_port, post_all, request, running
from benchmarks.payloads import alert, body, now

ALERTS = 500
A_WEBHOOK = 10


def get(port: int, path: str) -> Any:
    """JSON from a server on this machine."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return json.load(answer)


def kubeconfig(folder: Path, name: str, port: int) -> Path:
    """A kubeconfig for a fake cluster."""
    file = folder / f"{name}.kubeconfig"
    file.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": name,
                "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
                "clusters": [{"name": name, "cluster": {"server": f"http://127.0.0.1:{port}"}}],
                "users": [{"name": name, "user": {}}],
            }
        )
    )
    return file


def cluster(stack: ExitStack, pods: int, delay: float) -> int:
    """Start a fake cluster; returns its port."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.fake_cluster", str(port), str(pods), str(delay)]
    stack.enter_context(running(command, port, "/_count"))
    return port


def messages(port: int) -> list[dict[str, Any]]:
    """What the receiving end of the webhook sink got."""
    found: list[dict[str, Any]] = get(port, "/_messages")
    return found


def wait_for(server: Running, finished: int, seconds: float = 60) -> list[dict[str, Any]]:
    """The incidents, once so many are investigated."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found: list[dict[str, Any]] = get(server.port, "/api/v1/incidents?limit=1000")
        if sum(1 for incident in found if incident["investigation"]["status"] == "finished") >= finished:
            return found
        time.sleep(0.02)
    raise SystemExit("no finding in time")


def storm() -> None:
    """500 alerts of one deployment in 50 webhooks."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=Path.cwd())))
        kubernetes, sink = cluster(stack, ALERTS, 0.02), free_port()
        stack.enter_context(running([sys.executable, "-m", "benchmarks.fake_sink", str(sink)], sink, "/_messages"))
        port = free_port()
        command = configuration(
            folder,
            port,
            kubernetes={"kubeconfig": str(kubeconfig(folder, "shop", kubernetes))},
            sinks=[{"name": "chat", "kind": "webhook", "url": f"http://127.0.0.1:{sink}/"}],
        )
        server = stack.enter_context(running(command, port))
        began = now()
        alerts = [alert("KubePodCrashLooping", n, began, deployment="api-gateway") for n in range(ALERTS)]
        groups = [alerts[n : n + A_WEBHOOK] for n in range(0, ALERTS, A_WEBHOOK)]
        requests = [request("/api/v1/alertmanager", body(group)) for group in groups]
        started = time.perf_counter()
        asyncio.run(post_all(port, requests, 8))
        final = None
        while final is None and time.perf_counter() - started < 60:
            told = messages(sink)
            if told and told[-1]["alerts"] == ALERTS and told[-1]["findings"]:
                final = time.perf_counter() - started
            time.sleep(0.02)
        told = messages(sink)
        asked = get(kubernetes, "/_count")["requests"]
        incidents = get(server.port, "/api/v1/incidents?limit=1000")
        print(
            f"  storm: {ALERTS} alerts in {len(requests)} webhooks: {len(incidents)} incident, "
            f"{len({message['id'] for message in told})} message ({len(told)} deliveries of it), "
            f"final after {final or float('nan'):.2f} s, {asked} Kubernetes requests ({asked / ALERTS:.3f} an alert)"
        )


def hanging() -> None:
    """One cluster hangs, one answers: the second's incident must not wait."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=Path.cwd())))
        healthy, stuck = cluster(stack, 3, 0.02), cluster(stack, 3, -1)
        port = free_port()
        clusters = [
            {"name": name, "kubernetes": {"kubeconfig": str(kubeconfig(folder, name, fake))}}
            for name, fake in (("good", healthy), ("stuck", stuck))
        ]
        server = stack.enter_context(running(configuration(folder, port, clusters=clusters), port))
        for crowd in (0, 50):
            began = now()
            stuck_alerts = [
                alert("KubePodNotReady", 1000 + crowd + n, began, cluster="stuck", namespace=f"ns-{n}")
                for n in range(crowd)
            ]
            requests = [request("/api/v1/alertmanager", body([item])) for item in stuck_alerts]
            if requests:
                asyncio.run(post_all(port, requests, 8))
                time.sleep(0.5)
            one = alert("KubePodNotReady", 5000 + crowd, began, cluster="good", namespace=f"shop-{crowd}")
            started = time.perf_counter()
            asyncio.run(post_all(port, [request("/api/v1/alertmanager", body([one]))], 1))
            while True:
                found = get(server.port, "/api/v1/incidents?limit=1000")
                mine = [i for i in found if i["alerts"][0]["labels"]["namespace"] == f"shop-{crowd}"]
                if mine and mine[0]["investigation"]["status"] == "finished":
                    break
                time.sleep(0.01)
            waited = time.perf_counter() - started
            print(
                f"  hanging: with {crowd:2} incidents of a cluster that hangs, another's finding after {waited:.2f} s"
            )


if __name__ == "__main__":
    storm()
    hanging()
