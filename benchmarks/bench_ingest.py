"""How much of a bare HTTP server's rate is left when every webhook is on disk before it is answered.

The alternative is an aiohttp handler that answers 200 without reading. Both are driven by the same client,
in turn; the ratio is that of each pair, the median is quoted.

    python -m benchmarks.bench_ingest [ROUNDS]
"""

import asyncio
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.harness import Load, configuration, free_port, post_all, request, running
from benchmarks.payloads import alert, body, now

CONNECTIONS = 32
BARE = """
import sys
from aiohttp import web
async def answer(request): return web.Response()
app = web.Application(client_max_size=0)
app.router.add_route("*", "/{tail:.*}", answer)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)
"""


def bodies(count: int, alerts: int) -> list[bytes]:
    """Requests whose alerts are all different."""
    started = now()
    return [
        request(
            "/api/v1/alertmanager", body([alert("KubePodNotReady", n * alerts + i, started) for i in range(alerts)])
        )
        for n in range(count)
    ]


def measure(alerts: int, count: int, rounds: int) -> None:
    """Print rate, p99 and ratio for webhooks of so many alerts."""
    ratios: list[float] = []
    for _ in range(rounds):
        requests = bodies(count, alerts)
        bare, ours = against_bare(requests), against_responder(requests)
        if set(ours.statuses) != {200}:
            raise SystemExit(f"not all webhooks were accepted: {ours.statuses}")
        ratios.append(ours.rate / bare.rate)
        print(
            f"  {alerts:4} alerts a webhook: bare {bare.rate:7.0f}/s p99 {bare.p99 * 1000:6.1f} ms"
            f"   responder {ours.rate:7.0f}/s p99 {ours.p99 * 1000:6.1f} ms   ratio {ratios[-1]:.2f}"
        )
    print(f"  {alerts:4} alerts a webhook: median ratio {statistics.median(ratios):.2f}")


def against_bare(requests: list[bytes]) -> Load:
    """Drive the handler that reads nothing."""
    port = free_port()
    with running([sys.executable, "-c", BARE, str(port)], port):
        return asyncio.run(post_all(port, requests, CONNECTIONS))


def against_responder(requests: list[bytes]) -> Load:
    """Drive Responder, with a new database on disk."""
    port = free_port()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder, running(configuration(Path(folder), port), port):
        return asyncio.run(post_all(port, requests, CONNECTIONS))


if __name__ == "__main__":
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    measure(1, 6000, rounds)
    measure(100, 1500, rounds)
