"""Containers that end: killed for memory, or by themselves, and why: by the weightiest thing that was said."""

import re
from collections.abc import Iterator

from responder.detectors import Case
from responder.detectors._commands import log_of, memory_limit, rollout
from responder.detectors._endings import Ended, code, ended, how, meaning
from responder.detectors._scene import Scene
from responder.detectors._statements import about, cause_of, causes, confidence, statements, weightiest
from responder.detectors._writing import CERTAIN, LIKELY, POSSIBLE, because, found, listed, plural, quote
from responder.model.finding import Because, Cause, Cleared, Confidence, Finding
from responder.model.kubernetes import Object, Pod, time
from responder.model.subject import Subject

CAUSES: tuple[Cause, ...] = ()

_AT_START = re.compile(r"init was OOM-killed|memory limit too low")


def detect(case: Case) -> Iterator[Finding | Cleared]:
    scene = case.scene
    told: set[tuple[str, str]] = set()
    for pod in scene.pods:
        findings = [_explained(scene, end) for end in ended(scene, pod)]
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
            return found(
                causes()["oom-killed"], subject, CERTAIN, headline, reasons, next_steps=steps, since=pod.created
            )
    return None


def _explained(scene: Scene, end: Ended) -> Finding:
    pod, container = end.pod, end.container
    workload = scene.responsible(pod)
    reasons = [because(how(end), pod)]
    if end.reason == "OOMKilled":
        return _oom(scene, end, workload, reasons)
    said = [item for item in statements(scene, pod) if item.end == end]
    telling = weightiest(said)
    named = cause_of(telling) if telling else None
    if telling and named:
        cause, sure, subject = named, confidence(telling, said), about(scene, workload, telling)
        reasons.append(because(f"{container.name} said: {quote(telling.text)}", telling.source))
        words = f" ({quote(telling.text)})"
    else:
        error, source = _last_words(scene, end)
        cause, sure = _by_code(end)
        subject, words = workload, f" ({quote(error) if error else meaning(end.code)})"
        reasons += [because(f"last error: {quote(error)}", source)] if error else []
    which = f"init container {container.name}" if container.init else f"container {container.name}"
    return found(
        cause,
        subject,
        sure,
        f"{which} of {workload} ended{code(end)}, {plural(container.restarts, 'restart')}: "
        f"{cause.title[0].lower()}{cause.title[1:]}{words}",
        reasons,
        next_steps=[
            log_of(pod, container),
            *rollout("history", workload),
        ],
        suffering=[workload],
        since=scene.since(pod) or time(container.terminated.get("finishedAt")),
        container=container.name,
    )


def _oom(scene: Scene, end: Ended, subject: Subject, reasons: list[Because]) -> Finding:
    pod, container = end.pod, end.container
    limit = container.limit("memory")
    alike = [item for item in scene.pods if scene.responsible(item) == subject]
    hit = [item for item in alike if any(other.terminated.get("reason") == "OOMKilled" for other in item.containers)]
    at = f" of {limit}" if limit else ""
    return found(
        causes()["oom-killed"],
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


def _last_words(scene: Scene, end: Ended) -> tuple[str, str]:
    """What the container said last of its failure, with its evidence: the log before the restart first."""
    pod, container = end.pod, end.container
    for evidence, log in scene.logs_of(pod.name, container.name):
        if log.last_error:
            return log.last_error, evidence
    message = str(container.terminated.get("message") or "")
    if message:
        return message, pod.evidence[-1] if pod.evidence else ""
    for evidence, log in scene.logs_of(pod.name, container.name):
        if log.lines and end.code not in (0, 137, 143):
            return log.lines[-1], evidence
    return "", ""


def _by_code(end: Ended) -> tuple[Cause, Confidence]:
    """The cause where nothing is said that would tell more."""
    if end.code in (126, 127):
        return causes()["command-not-found"], LIKELY
    if end.code == 0:
        return causes()["process-ends"], LIKELY
    again = end.container.restarts or end.pod.phase == "Running"
    return causes()["crash-loop" if again else "container-failed"], LIKELY if end.code not in (137, 143) else POSSIBLE
