"""Containers that ended: which of a pod's, how, and whether that still matters.

Exit codes: 128 + n is the signal n (bash(1)); 125 to 127 are the runtime's and the shell's.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from responder.detectors._scene import Scene
from responder.detectors._writing import plural
from responder.model.kubernetes import Container, Pod, mapping, time, whole

RECENT = timedelta(hours=1)
"""A container that ended longer ago and runs since is no trouble of now. Events live as long."""
START = timedelta(minutes=2)
WELL = timedelta(minutes=5)
"""The kubelet waits five minutes at most before a restart: who runs longer has not only just been restarted."""

_EXIT = {
    1: "the program reported an error",
    2: "the program reported an error or was called wrongly",
    125: "the runtime could not start it",
    126: "the command may not be executed",
    127: "the command does not exist",
    128: "the program ended with an invalid exit code",
    130: "interrupted",
    132: "illegal instruction",
    134: "the program aborted itself",
    135: "bus error",
    136: "arithmetic error",
    137: "killed (SIGKILL)",
    139: "segmentation fault",
    143: "asked to end (SIGTERM)",
}


@dataclass(frozen=True)
class Ended:
    """A container that ended not long ago, and why it matters: it is down, or was restarted."""

    pod: Pod
    container: Container
    code: int | None
    reason: str


def ended(scene: Scene, pod: Pod) -> Iterator[Ended]:
    """The containers of a pod that are down, or were restarted of late and are not well again."""
    if _retried(scene, pod):
        return
    for container in pod.containers:
        last = container.terminated
        exit_code = whole(last.get("exitCode"))
        down = container.waiting.get("reason") == "CrashLoopBackOff" or bool(
            mapping(mapping(container.status.get("state")).get("terminated"))
        )
        if exit_code == 0 and (container.init or pod.spec.get("restartPolicy") in ("Never", "OnFailure")):
            continue
        finished = time(last.get("finishedAt"))
        late = finished is not None and scene.now - finished < RECENT
        over = container.ready and (_recovered(scene, pod) or _while_starting(pod, last))
        if over and last.get("reason") != "OOMKilled":
            continue
        if (last or down) and (down or (container.restarts and (late or not container.ready))):
            yield Ended(pod, container, exit_code, str(last.get("reason") or ""))


def _retried(scene: Scene, pod: Pod) -> bool:
    """Whether it was a try of a job that has succeeded since."""
    kind, name = pod.controller or ("", "")
    job = scene.picture.get("Job", pod.namespace, name) if kind == "Job" else None
    return job is not None and mapping(job.conditions.get("Complete")).get("status") == "True"


def _recovered(scene: Scene, pod: Pod) -> bool:
    """Whether a pod is well for so long that its restarts were part of a start: programs end while others come up."""
    since = time(mapping(pod.conditions.get("Ready")).get("lastTransitionTime"))
    return pod.ready and since is not None and scene.now - since > WELL


def _while_starting(pod: Pod, last: Mapping[str, Any]) -> bool:
    """Whether what ended had begun with its pod and ended soon: whom it needed was not up yet."""
    born, began, ended = (
        time(at) for at in (pod.status.get("startTime"), last.get("startedAt"), last.get("finishedAt"))
    )
    return bool(born and began and ended and began - born < START and ended - born < 2 * START)


def how(end: Ended) -> str:
    """How it ended, in a line."""
    container = end.container
    when = str(container.terminated.get("finishedAt") or "")
    return (
        f"pod/{end.pod.name}: container {container.name} ended{code(end)} ({meaning(end.code)})"
        f"{f', {end.reason}' if end.reason else ''}, {plural(container.restarts, 'restart')}"
        f"{f', last at {when}' if when else ''}"
    )


def code(end: Ended) -> str:
    """The exit code as a part of a sentence; empty where it is not known."""
    return "" if end.code is None else f" with exit code {end.code}"


def meaning(number: int | None) -> str:
    """What an exit code says."""
    if number is None:
        return "no exit code is known"
    if number == 0:
        return "it ended without an error"
    return _EXIT.get(number, f"signal {number - 128}" if 128 < number < 160 else "the program's own code")
