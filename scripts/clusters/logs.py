"""The logs of the containers, made from `logs.yaml`, with the times of the story."""

import random
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from scripts.clusters.kubelet import Json
from scripts.clusters.story import NOW

WORDS = yaml.safe_load(Path(__file__).with_name("logs.yaml").read_text())
SPAN = timedelta(minutes=3)
RANGE = re.compile(r"\{(\d+)-(\d+)\}")


def write(folder: Path, pods: list[Json], fault: str, redis: str) -> None:
    """The logs of all running or ended containers, as NAMESPACE/POD/CONTAINER.log and .previous.log."""
    for pod in pods:
        meta = pod["metadata"]
        labels = meta["labels"]
        app = labels.get("app") or labels["app.kubernetes.io/name"]
        said = WORDS.get(fault, {}).get(app) or WORDS["healthy"][app]
        for status in pod["status"].get("containerStatuses", []):
            path = folder / meta["namespace"] / meta["name"] / f"{status['name']}.log"
            chance = random.Random(path.name + meta["name"])  # noqa: S311
            last = (status["lastState"] or {}).get("terminated")
            started = (status["state"].get("running") or {}).get("startedAt")
            if last and "previous" in said:
                _save(path.with_suffix(".previous.log"), _until(last["finishedAt"], said["previous"], chance), redis)
            if started:
                _save(path, _since(started, said, chance), redis)
            elif last:
                _save(path, _until(last["finishedAt"], said["previous"], chance), redis)


def _since(started: str, said: dict[str, Any], chance: random.Random) -> Iterator[tuple[datetime, str]]:
    begun = datetime.fromisoformat(started)
    at = max(begun, NOW - SPAN) + timedelta(milliseconds=chance.randrange(1000))
    for number in range(1000):
        if at >= NOW or (said.get("once") and number >= len(said["lines"])):
            return
        yield at, _filled(said["lines"][number % len(said["lines"])], chance)
        at += timedelta(seconds=said["every"] * chance.uniform(0.6, 1.4))


def _until(finished: str, said: dict[str, Any], chance: random.Random) -> Iterator[tuple[datetime, str]]:
    end, count = datetime.fromisoformat(finished), len(said["lines"])
    for number, line in enumerate(said["lines"]):
        at = end - timedelta(seconds=said["every"] * (count - number), milliseconds=chance.randrange(900))
        yield at, _filled(line, chance)


def _filled(line: str, chance: random.Random) -> str:
    return RANGE.sub(lambda found: str(chance.randint(int(found[1]), int(found[2]))), line)


def _save(path: Path, lines: Iterator[tuple[datetime, str]], redis: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = [f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond:06d}000Z {line.replace('{REDIS}', redis)}\n" for at, line in lines]
    path.write_text("".join(text))
