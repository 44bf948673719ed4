"""`kill -9` at random moments under load: what was acknowledged is there after the restart, once.

python -m benchmarks.bench_kill [ROUNDS]
"""

import asyncio
import contextlib
import json
import random
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from benchmarks.harness import Running, configuration, free_port, request, running
from benchmarks.payloads import alert, body, now

WEBHOOKS = 200
CONNECTIONS = 16


async def send_until_dead(server: Running, requests: dict[int, bytes], kill_after: float) -> set[int]:
    """Post all requests, kill the server meanwhile; returns the numbers that were acknowledged."""
    acknowledged: set[int] = set()
    waiting = iter(requests.items())

    async def connection() -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            for number, sent in waiting:
                writer.write(sent)
                head = await reader.readuntil(b"\r\n\r\n")
                if head.startswith(b"HTTP/1.1 200"):
                    acknowledged.add(number)
                length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                await reader.readexactly(length)
            writer.close()

    async def killer() -> None:
        await asyncio.sleep(kill_after)
        server.kill()

    async with asyncio.TaskGroup() as group:
        group.create_task(killer())
        for _ in range(CONNECTIONS):
            group.create_task(connection())
    return acknowledged


def incidents(port: int) -> dict[str, int]:
    """How often each alert's pod stands in an incident."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/incidents?limit=1000", timeout=10) as answer:
        found = json.load(answer)
    counted: dict[str, int] = {}
    for incident in found:
        for item in incident["alerts"]:
            pod = item["labels"]["pod"]
            counted[pod] = counted.get(pod, 0) + 1
    return counted


def after_restart(command: list[str], port: int, expected: set[str]) -> dict[str, int]:
    """Start again; returns how often each alert is there once all are, or after ten seconds."""
    with running(command, port) as server:
        deadline = time.monotonic() + 10
        while True:
            counted = incidents(server.port)
            if expected <= set(counted) or time.monotonic() > deadline:
                return counted
            time.sleep(0.1)


def main(rounds: int) -> None:
    """Print the totals over all rounds."""
    totals = {"acknowledged": 0, "lost": 0, "doubled": 0}
    for number in range(rounds):
        with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
            port = free_port()
            command = configuration(Path(folder), port)
            started = now()
            requests = {
                n: request("/api/v1/alertmanager", body([alert("PodDown", n, started)])) for n in range(WEBHOOKS)
            }
            with running(command, port) as server:
                kill_after = random.uniform(0.005, 0.25)
                acknowledged = asyncio.run(send_until_dead(server, requests, kill_after))
            pods = {f"api-gateway-7d9c5b6f4-{n:05d}" for n in acknowledged}
            counted = after_restart(command, port, pods)
            lost = len(pods - set(counted))
            doubled = sum(1 for count in counted.values() if count > 1)
            print(
                f"  {number + 1:2}: killed after {kill_after * 1000:5.0f} ms, acknowledged {len(pods):3}, "
                f"lost {lost}, doubled {doubled}"
            )
            totals["acknowledged"] += len(pods)
            totals["lost"] += lost
            totals["doubled"] += doubled
    print("  total:", ", ".join(f"{what} {count}" for what, count in totals.items()))
    if totals["lost"] or totals["doubled"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
