"""Recorded cluster faults through the real service: webhook in, finding out; scored against the truth.

    python -m benchmarks.bench_diagnosis CASES [--truth FILE] [--results FILE] [--only FILE] [--lanes 2] [--no-metrics]

CASES is a folder of gzipped JSON files. Beside it are `kubesnap.py`, which serves a case as a Kubernetes API,
`metrics.py`, which writes its series for a real Prometheus, and `score.py`. Times are moved so that the recording ends
now. The alert says as little as the recorded question does: a symptom and the namespace.
"""

import argparse
import asyncio
import gzip
import json
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.bench_storm import get, kubeconfig
from benchmarks.harness import Running, configuration, free_port, post_all, request, running
from benchmarks.payloads import alert, body

PATIENCE = 60.0
SETTLED = 2.0
"""Seconds of silence after which a service that has started has asked every cluster whether it is there."""
PROGRAMS = ("prometheus", "promtool")


@dataclass(frozen=True)
class Recording:
    """One case: its name, what the alert says, where it happened."""

    file: Path
    name: str
    symptom: str
    namespace: str

    @property
    def cluster(self) -> str:
        """The case as the name of a cluster."""
        return self.name.replace("/", "-")


class Lane:
    """A service of its own, that is shown one case after the other."""

    def __init__(self, stack: ExitStack, tools: Path, cases: Path, recordings: Sequence[str], metrics: bool) -> None:
        self._tools = tools
        self._folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=Path.cwd())))
        self._kubernetes, self._prometheus = free_port(), free_port()
        self._metrics = metrics
        command = [sys.executable, str(tools / "kubesnap.py"), str(cases), "--port", str(self._kubernetes)]
        stack.enter_context(running(command, self._kubernetes, "/_cases"))
        prometheus = {"url": f"http://127.0.0.1:{self._prometheus}"} if metrics else {}
        kubernetes = {"kubeconfig": str(kubeconfig(self._folder, "case", self._kubernetes))}
        clusters = [{"name": name, "kubernetes": kubernetes, "prometheus": prometheus} for name in recordings]
        port = free_port()
        self._service: Running = stack.enter_context(
            running(configuration(self._folder, port, clusters=clusters), port, log=self._folder / "log")
        )

    def answer(self, recording: Recording) -> dict[str, Any]:
        """What Responder says of a case, and what that took."""
        self._choose(recording)
        with self._series(recording):
            told = alert(
                "NamespaceUnhealthy",
                zlib.crc32(recording.name.encode()),
                datetime.now(UTC).isoformat(),
                namespace=recording.namespace,
            )
            told["labels"] = {
                "alertname": "NamespaceUnhealthy",
                "namespace": recording.namespace,
                "cluster": recording.cluster,
            }
            told["annotations"] = {"summary": recording.symptom}
            asyncio.run(post_all(self._service.port, [request("/api/v1/alertmanager", body([told]))], 1))
            report = self._finding(recording)
        asked = get(self._kubernetes, "/_stats").get("requests", 0)
        seconds = _moment(report["investigation"]["finished_at"]) - _moment(report["opened_at"])
        return {
            "case": recording.name,
            "findings": [
                {key: found[key] for key in ("cause", "subject", "confidence", "headline")}
                for found in report["findings"]
            ],
            "unseen": [item["text"] for item in report["unseen"]],
            "cleared": [item["text"] for item in report["cleared"]],
            "remarks": report["remarks"],
            "seconds": round(seconds, 3),
            "requests": asked,
        }

    @property
    def cpu_seconds(self) -> float:
        """Processor time that the service has used."""
        return self._service.cpu_seconds()

    def settle(self, first: Recording) -> None:
        """Wait until nothing is asked any more: what a service asks at its start is not part of any case."""
        self._choose(first)
        asked, deadline = -1, time.monotonic() + PATIENCE
        while asked != (asked := get(self._kubernetes, "/_stats").get("requests", 0)) and time.monotonic() < deadline:
            time.sleep(SETTLED)

    def _choose(self, recording: Recording) -> None:
        chosen = json.dumps({"case": recording.name, "now": True}).encode()
        url = f"http://127.0.0.1:{self._kubernetes}/_case"
        urllib.request.urlopen(urllib.request.Request(url, chosen, method="PUT"), timeout=20).close()

    def _finding(self, recording: Recording) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for incident in get(self._service.port, "/api/v1/incidents?limit=1000"):
                labels = incident["alerts"][0]["labels"]
                if labels["cluster"] == recording.cluster and incident["investigation"]["status"] == "finished":
                    found: dict[str, Any] = get(self._service.port, f"/api/v1/incidents/{incident['id']}")
                    return found
            time.sleep(0.02)
        raise SystemExit(f"{recording.name}: no answer within {PATIENCE:g} s")

    @contextmanager
    def _series(self, recording: Recording) -> Iterator[None]:
        """A Prometheus with the series of the case."""
        if not self._metrics:
            yield
            return
        data, text = self._folder / "tsdb", self._folder / "series.om"
        shutil.rmtree(data, ignore_errors=True)
        end = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        written = [sys.executable, str(self._tools / "metrics.py"), str(recording.file), "--end", end]
        with text.open("wb") as output:
            subprocess.run(written, stdout=output, check=True)
        promtool = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(text), str(data)]
        subprocess.run(promtool, stdout=subprocess.DEVNULL, check=True)
        config = self._folder / "prometheus.yml"
        config.write_text("{}")
        command = [
            "prometheus",
            f"--config.file={config}",
            f"--storage.tsdb.path={data}",
            f"--web.listen-address=127.0.0.1:{self._prometheus}",
            "--storage.tsdb.retention.time=10y",
        ]
        with running(command, self._prometheus):
            yield


def _moment(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def read(folder: Path, only: set[str]) -> list[Recording]:
    """The cases of a folder, in order."""
    found = []
    for file in sorted(folder.glob("*.json.gz")):
        case = json.loads(gzip.decompress(file.read_bytes()))
        if not only or case["case"] in only:
            found.append(Recording(file, case["case"], case["query"], case["namespace"]))
    return found


async def play(recordings: Sequence[Recording], cases: Path, lanes: int, metrics: bool) -> list[dict[str, Any]]:
    """All cases, over some lanes."""
    results: list[dict[str, Any]] = []
    tools = cases.resolve().parent

    async def drive(lane: Lane, share: Sequence[Recording]) -> None:
        for recording in share:
            results.append(await asyncio.to_thread(lane.answer, recording))
            print(f"\r  {len(results)} of {len(recordings)}", end="", file=sys.stderr, flush=True)

    with ExitStack() as stack:
        shares = [recordings[number::lanes] for number in range(lanes)]
        opened = [Lane(stack, tools, cases, [item.cluster for item in share], metrics) for share in shares]
        await asyncio.gather(
            *(asyncio.to_thread(lane.settle, share[0]) for lane, share in zip(opened, shares, strict=True) if share)
        )
        used = sum(lane.cpu_seconds for lane in opened)
        async with asyncio.TaskGroup() as group:
            for lane, share in zip(opened, shares, strict=True):
                group.create_task(drive(lane, share))
        used = sum(lane.cpu_seconds for lane in opened) - used
        print(f"\n  {used / len(recordings):.3f} s of processor time a case", file=sys.stderr)
    print(file=sys.stderr)
    return sorted(results, key=lambda result: str(result["case"]))


def main() -> None:
    """Play the cases, write the results, print the score."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", type=Path)
    parser.add_argument("--truth", type=Path, help="what was broken in each case; truth.json beside the folder")
    parser.add_argument("--results", type=Path, default=Path("diagnosis.jsonl"))
    parser.add_argument("--only", type=Path, help="a file with the names of the cases to take, one a line")
    parser.add_argument("--lanes", type=int, default=2, help="cases at the same time")
    parser.add_argument("--no-metrics", action="store_true", help="without Prometheus")
    options = parser.parse_args()
    if not options.no_metrics and (missing := [name for name in PROGRAMS if not shutil.which(name)]):
        raise SystemExit(f"{' and '.join(missing)} not installed: make setup, or --no-metrics")
    recordings = read(options.cases, set(options.only.read_text().split()) if options.only else set())
    if not recordings:
        raise SystemExit(f"no cases in {options.cases}")
    results = asyncio.run(play(recordings, options.cases, options.lanes, not options.no_metrics))
    options.results.write_text("".join(json.dumps(result) + "\n" for result in results))
    print(f"  {len(results)} cases in {options.results}")
    truth = options.truth or options.cases.resolve().parent / "truth.json"
    if truth.exists():
        score = [sys.executable, str(options.cases.resolve().parent / "score.py"), str(options.results)]
        score += ["--truth", str(truth), "--cases", str(options.cases)]
        subprocess.run([*score, *(("--only", str(options.only)) if options.only else ())], check=True)


if __name__ == "__main__":
    main()
