"""Liveness, readiness and startup probes that ask the wrong way: port, protocol, path, timing.

A probe is judged by its own spec against what the container is known to listen on, by the kubelet's words in
the events (kubernetes/kubernetes, pkg/probe), and by whether another probe of the same container succeeds.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from responder.detectors import Case
from responder.detectors._probing import HANDLERS, KINDS, Suspect, period, suspects
from responder.detectors._writing import CERTAIN, LIKELY, because, found, listed, plural, quote
from responder.model.finding import Because, Cause, Cleared, Confidence, Finding
from responder.model.kubernetes import mapping, time
from responder.model.subject import Subject

_REFERENCE = "https://kubernetes.io/docs/tasks/configure-pod-container/configure-liveness-readiness-startup-probes/"
_EFFECT = {"liveness": "restarts a healthy process", "readiness": "keeps a healthy pod out of its services"}
_EFFECT["startup"] = "kills the process before it has started"
_WRONG = {
    "port": ("asks the wrong port", "Nothing listens on the port that the probe asks.", "Correct the probe's port"),
    "protocol": (
        "speaks the wrong protocol",
        "The port speaks another protocol than the probe.",
        "Use the probe that fits: httpGet with the right scheme, grpc, tcpSocket or exec",
    ),
    "path": ("asks the wrong path", "The server answers that it has no such page.", "Correct the probe's path"),
    "command": ("runs a wrong command", "The probe's command cannot be executed.", "Correct the probe's command"),
    "timing": (
        "is too early or too strict",
        "The process needs longer to start or to answer than the probe allows.",
        "Raise initialDelaySeconds, timeoutSeconds or failureThreshold, or add a startupProbe",
    ),
    "failing": ("fails", "The probe asks rightly and gets no good answer.", "Look at what the process is busy with"),
}


def _cause(kind: str, fault: str) -> Cause:
    does, meaning, fix = _WRONG[fault]
    return Cause(
        slug=f"{kind}-probe-{'failing' if fault == 'failing' else f'incorrect-{fault}'}",
        title=f"The {kind} probe {does}",
        meaning=f"{meaning} The probe {_EFFECT[kind]}." if fault != "failing" else meaning,
        confirm="kubectl describe pod: the Unhealthy event and the probe's line",
        fix=fix,
        reference=_REFERENCE,
        generic=fault == "failing",
    )


_BY_FAULT = {(kind, fault): _cause(kind, fault) for kind in KINDS for fault in _WRONG}
CAUSES = tuple(_BY_FAULT.values())

_NOT_THAT_PROTOCOL = re.compile(
    r"malformed HTTP|HTTP/1\.x transport connection broken|gave HTTP response to HTTPS client|HTTP/0\.9|preface"
    r"|first record does not look like a TLS|frame too large|code = Unimplemented|unknown service grpc\.health"
    r"|server did not implement the grpc health|tls: |x509:|unexpected EOF|: EOF|connection reset|server closed",
    re.IGNORECASE,
)
_NOTHING_LISTENS = re.compile(r"connection refused|failed to connect|no route to host|i/o timeout", re.IGNORECASE)
_STATUS = re.compile(r"HTTP probe failed with statuscode: (\d{3})")
_NO_COMMAND = re.compile(
    r"executable file not found|no such file or directory|not found in \$PATH|exec format", re.IGNORECASE
)
_NO_GRPC = re.compile(r"failed to connect service|code = Unavailable|deadline exceeded", re.IGNORECASE)
START = timedelta(minutes=3)
"""Servers on a virtual machine take minutes until they serve."""
FEW = 3
MOST = 0.8
SLACK = 15.0
"""Seconds that a container's end may be later than its probe's verdict, beside the grace period."""


def detect(case: Case) -> Iterator[Finding | Cleared]:
    scene = case.scene
    told: set[str] = set()
    probed = 0
    for pod in scene.pods:
        subject = scene.responsible(pod)
        for container in pod.containers:
            failing = [] if container.init else list(suspects(scene, pod, container))
            probed += any(container.spec.get(f"{kind}Probe") for kind in KINDS)
            for suspect in failing:
                if str(subject) not in told and (finding := _judged(suspect, subject)):
                    told.add(str(subject))
                    yield finding
    if probed and not told:
        yield Cleared(text=f"probes ({plural(probed, 'container')}, none fails)", evidence=scene.pods[0].evidence)


def _judged(suspect: Suspect, subject: Subject) -> Finding | None:
    fault, why, sure = _fault(suspect)
    if not fault:
        return None
    cause = _BY_FAULT[suspect.kind, fault]
    container, pod = suspect.container, suspect.pod
    reasons = [because(f"{suspect.kind} probe of container {container.name}: {suspect.handler.shown}", pod)]
    reasons += why
    if suspect.events:
        latest = max(suspect.events, key=lambda event: event.last or suspect.scene.started_at)
        reasons.append(because(f"{quote(latest.message)} (×{sum(event.count for event in suspect.events)})", latest))
    if container.restarts:
        reasons.append(because(f"pod/{pod.name} was restarted {plural(container.restarts, 'time')}", pod))
    effect = f"{plural(container.restarts, 'restart')}" if suspect.kind != "readiness" else "the pod never gets ready"
    return found(
        cause,
        subject,
        sure,
        f"{cause.title} of {subject} ({suspect.handler.shown}); {effect}",
        reasons,
        next_steps=[
            f"kubectl -n {pod.namespace} describe pod {pod.name}",
            f"kubectl -n {pod.namespace} edit {subject}   # {suspect.kind}Probe of container {container.name}",
        ],
        since=suspect.scene.since(pod) or pod.created,
    )


def _fault(suspect: Suspect) -> tuple[str, list[Because], Confidence]:
    """Which fault a failing probe has, what shows it, and how sure that is; empty where it cannot be told."""
    handler, words, pod = suspect.handler, suspect.words, suspect.pod
    status = [int(code) for code in _STATUS.findall(words)]
    if handler.kind == "exec":
        fault = "command" if _NO_COMMAND.search(words) else "timing" if _too_early(suspect) else "failing"
        return fault, [], CERTAIN if fault == "command" else LIKELY
    if handler.port is None:
        return "port", [because(f"the container has no port named {handler.name}", pod)], CERTAIN
    if suspect.known and handler.port not in suspect.known and not _answers(suspect, status):
        ports = listed(sorted(suspect.known))
        return "port", [because(f"the container listens on {ports}, not on {handler.port}", pod)], CERTAIN
    if _NOT_THAT_PROTOCOL.search(words):
        return "protocol", _other(suspect), CERTAIN
    unlike = _unlike_siblings(suspect)
    if status and not suspect.rewritten:
        fault, why, sure = _by_status(status)
        return ("protocol", unlike, LIKELY) if unlike and fault == "path" else (fault, why, sure)
    unanswered = suspect.rewritten or (handler.kind == "grpc" and _NO_GRPC.search(words))
    if unlike and unanswered and handler.port in suspect.known:
        return "protocol", unlike, LIKELY
    if _too_early(suspect):
        budget = period(suspect.spec, "initialDelaySeconds", 0) + _patience(suspect.spec)
        return "timing", [because(f"it allows {budget:g} s from the start of the container", pod)], LIKELY
    if _differs(suspect):
        return "protocol", _other(suspect), LIKELY
    return ("failing", [], LIKELY) if suspect.events and not _starting(suspect) else ("", [], LIKELY)


def _starting(suspect: Suspect) -> bool:
    """Whether the container has run for so short a time that it may not have begun to serve."""
    started = time(suspect.container.running.get("startedAt"))
    return started is not None and suspect.scene.now - started < START


def _unlike_siblings(suspect: Suspect) -> list[Because]:
    """What shows that the other workloads are asked in another way, all in the same; empty where they are not."""
    own = suspect.scene.picture.workload(suspect.pod)
    kinds = [
        kind
        for workload in suspect.scene.graph.workloads
        if workload is not own
        for container in workload.template_containers
        for kind in HANDLERS
        if kind in mapping(container.spec.get(f"{suspect.kind}Probe"))
    ]
    usual, count = Counter(kinds).most_common(1)[0] if kinds else ("", 0)
    if count < FEW or suspect.handler.kind in kinds or count < MOST * len(kinds):
        return []
    text = f"the {suspect.kind} probes of {count} other containers ask with {usual}"
    return [because(text, *suspect.scene.graph.workloads[:1])]


def _answers(suspect: Suspect, status: list[int]) -> bool:
    """Whether something does listen on the port: it answered, if not in the words that the probe wants."""
    return (
        not suspect.rewritten
        and bool(status or _NOT_THAT_PROTOCOL.search(suspect.words))
        and not (_NOTHING_LISTENS.search(suspect.words))
    )


def _by_status(status: list[int]) -> tuple[str, list[Because], Confidence]:
    if all(code in (404, 405, 410) for code in status):
        return "path", [], CERTAIN
    if all(code in (400, 426, 505) for code in status):
        return "protocol", [], LIKELY
    return ("path", [], LIKELY) if all(code in (401, 403) for code in status) else ("failing", [], LIKELY)


def _differs(suspect: Suspect) -> bool:
    """Whether a probe of another protocol succeeds on the same port."""
    return any(
        other.port == suspect.handler.port and {other.kind, suspect.handler.kind} in ({"grpc", "httpGet"},)
        for other in suspect.others.values()
    )


def _other(suspect: Suspect) -> list[Because]:
    return [
        because(f"the {kind} probe asks with {handler.shown} and succeeds", suspect.pod)
        for kind, handler in suspect.others.items()
        if handler.port == suspect.handler.port and handler.kind != suspect.handler.kind
    ]


def _too_early(suspect: Suspect) -> bool:
    """Whether the container was killed before it could have started: its whole life was the probe's patience."""
    ended = suspect.container.terminated
    started, finished = time(ended.get("startedAt")), time(ended.get("finishedAt"))
    if suspect.kind == "readiness" or _differs(suspect):
        return False
    patience = _patience(suspect.spec)
    allowed = period(suspect.spec, "initialDelaySeconds", 0) + patience
    if started is None or finished is None:
        return bool(suspect.container.restarts) and allowed <= SLACK
    grace = period(suspect.pod.spec, "terminationGracePeriodSeconds", 30)
    lived = (finished - started).total_seconds()
    return lived <= allowed + grace + SLACK


def _patience(spec: Mapping[str, Any]) -> float:
    """Seconds from the first failure's period to the verdict."""
    return period(spec, "periodSeconds", 10) * period(spec, "failureThreshold", 3) + period(spec, "timeoutSeconds", 1)
