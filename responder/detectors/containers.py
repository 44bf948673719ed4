"""Containers that end: killed for memory, or by themselves, with the last thing they said.

Exit codes: 128 + n is the signal n (bash(1)); 125 to 127 are the runtime's and the shell's.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from responder.detectors import Case
from responder.detectors._commands import log_of, memory_limit, rollout
from responder.detectors._scene import Scene
from responder.detectors._writing import CERTAIN, LIKELY, POSSIBLE, because, found, listed, plural, quote
from responder.detectors.permissions import PERMISSION, VOLUME, mounted_paths, speaks_of_mount
from responder.detectors.ports import PORT, SIDECAR_PORT, shares_network
from responder.model.failures import Failure, FailureKind, failure
from responder.model.finding import Because, Cause, Cleared, Confidence, Finding
from responder.model.kubernetes import Container, Object, Pod, mapping, time, whole
from responder.model.subject import Subject

RECENT = timedelta(hours=1)
"""A container that ended longer ago and runs since is no trouble of now. Events live as long."""


def _cause(slug: str, title: str, meaning: str, fix: str, *, generic: bool = False) -> Cause:
    return Cause(
        slug=slug,
        title=title,
        meaning=meaning,
        confirm="kubectl logs --previous; kubectl describe pod",
        fix=fix,
        reference="https://kubernetes.io/docs/tasks/debug/debug-application/debug-pods/",
        generic=generic,
    )


OOM = Cause(
    slug="oom-killed",
    title="Killed for using more memory than its limit",
    meaning="The kernel killed the container because it reached its memory limit.",
    confirm="kubectl describe pod: Last State OOMKilled; compare the working set with the limit",
    fix="Raise the memory limit or find what uses the memory; roll back if it came with a rollout",
    reference="https://kubernetes.io/docs/tasks/configure-pod-container/assign-memory-resource/",
)
HEAP = _cause(
    "heap-exhausted",
    "The runtime's own heap is exhausted",
    "The process reports that it is out of memory below the container's limit.",
    "Raise the heap's maximum together with the memory limit, or find the leak",
)
SETTING = _cause(
    "missing-setting",
    "A setting that it needs is missing",
    "The process ends because an environment variable or a key of its configuration is not set.",
    "Set it in the template, ConfigMap or Secret",
)
FILE = _cause(
    "missing-file",
    "A file or module that it needs is missing",
    "The process ends because something is not in the image or not mounted.",
    "Correct the image, the mount or the path",
)
DISK = _cause("disk-full", "Its disk is full", "Writing fails: no space is left.", "Free space, or enlarge the volume")
ARCHITECTURE = _cause(
    "wrong-architecture",
    "The image is built for another architecture",
    "The kernel cannot execute the binary.",
    "Build the image for the node's architecture",
)
NOT_FOUND = _cause(
    "command-not-found",
    "Its command does not exist or may not be executed",
    "The shell or the runtime ended with 126 or 127.",
    "Correct command and args, or the image",
)
ENDS = _cause(
    "process-ends",
    "The process ends without an error",
    "Exit code 0 in a pod that is to run for ever: the command returns.",
    "Correct the command, or make it a Job",
    generic=True,
)
CRASH = _cause(
    "crash-loop",
    "It crashes again and again",
    "The process ends with an error; the kubelet restarts it with growing delay.",
    "Read the last error; roll back if it came with a rollout",
    generic=True,
)
FAILED = _cause(
    "container-failed",
    "It ended with an error",
    "The process ended with an error, and the kubelet does not start it again: the pod is over.",
    "Read the last error; correct it before a new pod is made",
    generic=True,
)
CAUSES = (
    OOM, HEAP, SETTING, FILE, DISK, ARCHITECTURE, NOT_FOUND,
    ENDS, CRASH, FAILED,
)  # fmt: skip

_BY_FAILURE: Mapping[FailureKind, Cause] = {
    FailureKind.OUT_OF_MEMORY: HEAP,
    FailureKind.MISSING_SETTING: SETTING,
    FailureKind.MISSING_FILE: FILE,
    FailureKind.DISK_FULL: DISK,
    FailureKind.EXEC_FORMAT: ARCHITECTURE,
}
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


START = timedelta(minutes=2)
WELL = timedelta(minutes=5)
"""The kubelet waits five minutes at most before a restart: who runs longer has not only just been restarted."""

_AT_START = re.compile(r"init was OOM-killed|memory limit too low")


@dataclass(frozen=True)
class Ended:
    """A container that ended not long ago, and why it matters: it is down, or was restarted."""

    pod: Pod
    container: Container
    code: int | None
    reason: str


def detect(case: Case) -> Iterator[Finding | Cleared]:
    scene = case.scene
    told: set[tuple[str, str]] = set()
    for pod in scene.pods:
        findings = [_explained(scene, ended) for ended in _ended(scene, pod)]
        if not pod.ready and (killed := _killed_at_start(scene, pod)) is not None:
            findings.append(killed)
        for finding in findings:
            key = (finding.cause, str(finding.subject))
            if key not in told:
                told.add(key)
                yield finding
    if not told and scene.pods:
        restarts = sum(container.restarts for pod in scene.pods for container in pod.containers)
        yield Cleared(
            text=f"crashes ({plural(len(scene.pods), 'pod')}, {plural(restarts, 'restart')}, none of late)",
            evidence=scene.pods[0].evidence,
        )


def _ended(scene: Scene, pod: Pod) -> Iterator[Ended]:
    for container in pod.containers:
        last = container.terminated
        code = whole(last.get("exitCode"))
        down = container.waiting.get("reason") == "CrashLoopBackOff" or bool(
            mapping(mapping(container.status.get("state")).get("terminated"))
        )
        if code == 0 and (container.init or pod.spec.get("restartPolicy") in ("Never", "OnFailure")):
            continue
        finished = time(last.get("finishedAt"))
        late = finished is not None and scene.now - finished < RECENT
        over = container.ready and (_recovered(scene, pod) or _while_starting(pod, last))
        if over and last.get("reason") != "OOMKilled":
            continue
        if (last or down) and (down or (container.restarts and (late or not container.ready))):
            yield Ended(pod, container, code, str(last.get("reason") or ""))


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


def _killed_at_start(scene: Scene, pod: Pod) -> Finding | None:
    """A limit too low even for what starts the container: the runtime says so (runc, libcontainer/process_linux.go)."""
    subject = scene.responsible(pod)
    states = [state for container in pod.containers for state in (container.waiting, container.terminated)]
    said: list[tuple[str, Object]] = [(str(state.get("message") or ""), pod) for state in states]
    said += [(event.message, event) for event in scene.picture.events(pod) if event.warning]
    for text, source in said:
        if _AT_START.search(text):
            limits = [limit for container in pod.containers if (limit := container.limit("memory"))]
            headline = f"{subject} is killed for its memory limit of {listed(limits)} before its container has started"
            steps = memory_limit(subject)
            reasons = [because(f"pod/{pod.name}: {quote(text)}", source)]
            return found(OOM, subject, CERTAIN, headline, reasons, next_steps=steps, since=pod.created)
    return None


def _explained(scene: Scene, ended: Ended) -> Finding:
    pod, container = ended.pod, ended.container
    subject = scene.responsible(pod)
    reasons = [because(_how(ended), pod)]
    if ended.reason == "OOMKilled":
        return _oom(scene, ended, subject, reasons)
    error, source = _last_words(scene, ended)
    if error:
        reasons.append(because(f"last error: {quote(error)}", source))
    cause, sure = _cause_of(ended, failure(error) if error else None)
    about = f" ({quote(error)})" if error else f" ({_meaning(ended.code)})"
    which = f"init container {container.name}" if container.init else f"container {container.name}"
    return found(
        cause,
        subject,
        sure,
        f"{which} of {subject} ended{_code(ended)}, {plural(container.restarts, 'restart')}: "
        f"{cause.title[0].lower()}{cause.title[1:]}{about}",
        reasons,
        next_steps=[
            log_of(pod, container),
            *rollout("history", subject),
        ],
        since=scene.since(pod) or time(container.terminated.get("finishedAt")),
        container=container.name,
    )


def _how(ended: Ended) -> str:
    container = ended.container
    when = str(container.terminated.get("finishedAt") or "")
    return (
        f"pod/{ended.pod.name}: container {container.name} ended{_code(ended)} ({_meaning(ended.code)})"
        f"{f', {ended.reason}' if ended.reason else ''}, {plural(container.restarts, 'restart')}"
        f"{f', last at {when}' if when else ''}"
    )


def _code(ended: Ended) -> str:
    return "" if ended.code is None else f" with exit code {ended.code}"


def _meaning(code: int | None) -> str:
    if code is None:
        return "no exit code is known"
    if code == 0:
        return "it ended without an error"
    return _EXIT.get(code, f"signal {code - 128}" if 128 < code < 160 else "the program's own code")


def _oom(scene: Scene, ended: Ended, subject: Subject, reasons: list[Because]) -> Finding:
    pod, container = ended.pod, ended.container
    limit = container.limit("memory")
    alike = [item for item in scene.pods if scene.responsible(item) == subject]
    hit = [item for item in alike if any(other.terminated.get("reason") == "OOMKilled" for other in item.containers)]
    at = f" of {limit}" if limit else ""
    return found(
        OOM,
        subject,
        CERTAIN,
        f"{subject} is killed for using more memory than its limit{at} (OOMKilled), "
        f"{len(hit)} of {plural(len(alike), 'pod')}",
        reasons,
        next_steps=[
            f"kubectl -n {pod.namespace} top pod {pod.name} --containers",
            *rollout("history", subject),
            *memory_limit(subject, container.name),
        ],
        since=time(container.terminated.get("finishedAt")),
        container=container.name,
    )


def _last_words(scene: Scene, ended: Ended) -> tuple[str, str]:
    """What the container said last of its failure, with its evidence: the log before the restart first."""
    pod, container = ended.pod, ended.container
    for evidence, log in scene.logs_of(pod.name, container.name):
        if log.last_error:
            return log.last_error, evidence
    message = str(container.terminated.get("message") or "")
    if message:
        return message, pod.evidence[-1] if pod.evidence else ""
    for evidence, log in scene.logs_of(pod.name, container.name):
        if log.lines and ended.code not in (0, 137, 143):
            return log.lines[-1], evidence
    return "", ""


def _cause_of(ended: Ended, failed: Failure | None) -> tuple[Cause, Confidence]:
    if failed and failed.kind is FailureKind.ADDRESS_IN_USE:
        return (SIDECAR_PORT, CERTAIN) if shares_network(ended.pod) else (PORT, CERTAIN)
    if failed and failed.kind in (FailureKind.PERMISSION, FailureKind.READ_ONLY_FILES):
        of_mount = speaks_of_mount(ended.pod, ended.container, failed.text) or (
            # where the last words name no path, what is mounted is the first suspect
            "/" not in failed.text and bool(mounted_paths(ended.pod, ended.container))
        )
        return (VOLUME if of_mount else PERMISSION), LIKELY
    if failed and failed.kind in _BY_FAILURE:
        return _BY_FAILURE[failed.kind], LIKELY
    if ended.code in (126, 127):
        return NOT_FOUND, LIKELY
    if ended.code == 0:
        return ENDS, LIKELY
    again = CRASH if ended.container.restarts or ended.pod.phase == "Running" else FAILED
    return again, LIKELY if ended.code not in (137, 143) else POSSIBLE
