"""Plays cases in this process, through what `responder investigate --snapshot` goes through."""

import json
import re
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from responder.cli._once import investigating
from responder.clients import Listing
from responder.clients.snapshot import SnapshotKubernetes
from responder.flow.once import Once
from responder.intake.payload import parse
from responder.model.evidence import Sample, Series
from responder.model.finding import Diagnosis
from responder.settings import Settings
from tests.exam.build import build
from tests.exam.description import Description, Raw
from tests.exam.scoring import Result, verdict

_STAMP = re.compile(r"\b(20(?:19|20)-\d\d-\d\d)([T ])(\d\d:\d\d:\d\d)")
"""A moment of a packed case: they are of the turn from 2019 to 2020."""


class CountedKubernetes(SnapshotKubernetes):
    """A cluster of files that counts what it is asked."""

    requests = 0

    async def list(self, resource: str, **options: Any) -> Listing:
        """List, and count it; `get` lists, too."""
        self.requests += 1
        return await super().list(resource, **options)

    async def log(self, *names: str, **options: Any) -> str:
        """A log, counted."""
        self.requests += 1
        return await super().log(*names, **options)


class WrittenPrometheus:
    """Answers what a truth says under `prom`: the first entry all of whose words are in the query."""

    name = ""
    url = "http://prometheus.example"

    def __init__(self, answers: Sequence[Raw]) -> None:
        self._answers = answers

    async def query(self, expression: str, *, at: datetime | None = None) -> Sequence[Sample]:
        """One sample, or none."""
        return [Sample(labels=item["labels"], value=float(item["value"])) for item in self._fitting(expression)]

    async def range(self, expression: str, *, start: datetime, end: datetime, step: timedelta) -> Sequence[Series]:
        """One flat line, or none."""
        count = int((end - start) / step) + 1
        times = [(start + step * number).timestamp() for number in range(count)]
        return [
            Series(labels=item["labels"], points=tuple((at, float(item["value"])) for at in times))
            for item in self._fitting(expression)
        ]

    def _fitting(self, expression: str) -> list[Raw]:
        return [item for item in self._answers if all(word in expression for word in item["has"])][:1]

    async def rules(self) -> Sequence[Mapping[str, Any]]:
        """No rules."""
        return []

    async def targets(self) -> Sequence[Mapping[str, Any]]:
        """No targets."""
        return []

    def link(self, expression: str, *, at: datetime | None = None, hours: float = 1) -> str:
        """A page that is not there."""
        return f"{self.url}/graph"

    async def close(self) -> None:
        """Nothing to close."""


class Player:
    """Shows folders of cases to one service, one after the other."""

    def __init__(self, once: Once) -> None:
        self._once = once

    async def play(self, folder: Path) -> Result:
        """The answer to a case as it lies in a folder."""
        truth = json.loads((folder / "truth.json").read_text())
        kubernetes = CountedKubernetes("", folder / "snapshot")
        prometheus = WrittenPrometheus(truth["prom"]) if truth.get("prom") else None
        clients = replace(self._once.clients(""), kubernetes_client=kubernetes, prometheus_client=prometheus)
        moments: list[float] = []

        async def show(_diagnosis: Diagnosis) -> None:
            moments.append(time.perf_counter())

        once = replace(self._once, clients=lambda cluster: clients, show=show)
        body = json.dumps({"alerts": [json.loads((folder / "alert.json").read_text())]}).encode()
        notification = parse(body, id=1, received_at=datetime.now(UTC))
        used, begun = time.process_time(), time.perf_counter()
        reports = await once.answer(notification)
        took, processor = time.perf_counter() - begun, time.process_time() - used
        findings = reports[0].findings if reports else ()
        return Result(
            case=folder.name,
            verdict=verdict(truth, findings),
            findings=findings,
            expected=truth.get("expected", ""),
            processor=processor,
            first=moments[0] - begun if moments else took,
            last=took,
            requests=kubernetes.requests,
            healthy=truth["nothing"],
        )

    async def play_described(self, cases: Iterable[Description]) -> list[Result]:
        """The answers to cases that are built for it."""
        results = []
        for case in cases:
            with tempfile.TemporaryDirectory(prefix="exam-") as folder:
                build(case, Path(folder, case.name), datetime.now(UTC).replace(microsecond=0))
                results.append(await self.play(Path(folder, case.name)))
        return results


def moved(folder: Path, now: datetime) -> None:
    """Move the times in a packed case, so that what was its now is now."""
    by = now - datetime.fromisoformat(json.loads((folder / "truth.json").read_text())["now"])

    def later(match: re.Match[str]) -> str:
        return (datetime.fromisoformat(f"{match[1]}T{match[3]}+00:00") + by).strftime(f"%Y-%m-%d{match[2]}%H:%M:%S")

    for file in (folder / "alert.json", *(folder / "snapshot").rglob("*")):
        if file.is_file():
            file.write_text(_STAMP.sub(later, file.read_text()))


@asynccontextmanager
async def player() -> AsyncIterator[Player]:
    """A service with the rules that ship, and no cluster of its own."""
    async with investigating(Settings()) as once:
        yield Player(once)
