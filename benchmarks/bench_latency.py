"""How soon people hear of it: the first word after the webhook, the finding after the slowest probe.

python -m benchmarks.bench_latency [ROUNDS]
"""

import asyncio
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.bench_storm import cluster, kubeconfig, messages
from benchmarks.harness import configuration, free_port, post_all, request, running
from benchmarks.payloads import alert, body, now

SLOW = 0.3


def main(rounds: int) -> None:
    """Print medians and worst over the rounds."""
    first_words: list[float] = []
    after_probe: list[float] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=Path.cwd())))
        kubernetes, sink = cluster(stack, 5, SLOW), free_port()
        stack.enter_context(running([sys.executable, "-m", "benchmarks.fake_sink", str(sink)], sink, "/_messages"))
        port = free_port()
        command = configuration(
            folder,
            port,
            kubernetes={"kubeconfig": str(kubeconfig(folder, "shop", kubernetes))},
            sinks=[{"name": "chat", "kind": "webhook", "url": f"http://127.0.0.1:{sink}/"}],
        )
        stack.enter_context(running(command, port))
        for number in range(rounds):
            sent = request("/api/v1/alertmanager", body([alert("PodDown", number, now(), namespace=f"shop-{number}")]))
            posted = time.time()
            asyncio.run(post_all(port, [sent], 1))
            told: list[dict[str, Any]] = []
            while not any(message["investigation"]["status"] == "finished" for message in told):
                time.sleep(0.02)
                told = [message for message in messages(sink) if message["at"] >= posted]
            final = next(message for message in told if message["investigation"]["status"] == "finished")
            began = datetime.fromisoformat(final["investigation"]["started_at"]).timestamp()
            first_words.append(told[0]["at"] - posted)
            after_probe.append(final["at"] - began - final["slowest"])
    for what, seconds in (
        ("first word after the webhook", first_words),
        ("finding after the slowest probe", after_probe),
    ):
        print(f"  {what}: median {statistics.median(seconds) * 1000:.0f} ms, worst {max(seconds) * 1000:.0f} ms")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
