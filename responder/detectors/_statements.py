"""What was said about a pod, by its programs, the kubelet and the runtime, as far as the table of signatures knows it.

Of all statements the weightiest counts: who explains why something is down before who only complains, the specific
before the vague, who knows best before who guesses, what came last before what came earlier.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from functools import cache

from responder.detectors import load
from responder.detectors._endings import Ended, ended
from responder.detectors._scene import STALE, Scene
from responder.detectors._writing import CERTAIN, LIKELY, POSSIBLE
from responder.detectors.permissions import mounted_paths, speaks_of_mount
from responder.detectors.ports import shares_network
from responder.model.evidence import ContainerLog, LogGroup
from responder.model.finding import Cause, Confidence
from responder.model.kubernetes import Container, Event, Object, Pod, time
from responder.model.logs import records, template
from responder.model.peers import peer
from responder.model.signatures import Hit, Signature, Where, shipped_signatures
from responder.model.subject import Subject

SPECIFIC = 5
"""From here on a signature names a cause, below it only a kind of failure."""
OFTEN = 3
AFTER_START = ("FailedPostStartHook", "FailedPreStopHook")
"""Events of a container that has started: the next start does not make them past."""
NEAR = 40
"""Lines before the end in which a program tells why it ends."""


class Speaker(IntEnum):
    """Who says it, the one who knows best last."""

    ASIDE = 0
    WARNING = 1
    ERROR = 2
    FATAL = 3
    KUBELET = 4


_SPEAKERS = {"warning": Speaker.WARNING, "error": Speaker.ERROR, "fatal": Speaker.FATAL}


@dataclass(frozen=True)
class Statement:
    """Something said about a pod. `end` is how its container ended, where the statement explains that."""

    signature: Signature
    text: str
    host: str
    pod: Pod
    container: Container | None
    source: Object | str
    speaker: Speaker
    place: int
    end: Ended | None = None
    count: int = 1
    last: datetime | None = None

    @property
    def explains(self) -> bool:
        """Whether it tells why its pod or container is down."""
        return self.end is not None or (self.speaker is Speaker.KUBELET and not self.pod.ready)

    @property
    def weight(self) -> tuple[bool, bool, int, int, int]:
        """What counts first stands first."""
        known = bool(self.signature.cause)
        return self.explains, known and self.signature.fatal, self.signature.specificity, self.speaker, self.place


@cache
def causes() -> Mapping[str, Cause]:
    """The catalogue of causes, by slug."""
    return load().causes


def cause_of(statement: Statement) -> Cause | None:
    """The cause that a statement names; ports and files are told apart by what the pod has."""
    slug, pod, container = statement.signature.cause, statement.pod, statement.container
    if slug == "port-conflict" and shares_network(pod):
        slug = "service-sidecar-port-conflict"
    if slug == "permission-denied" and container is not None:
        unnamed = "/" not in statement.text and bool(mounted_paths(pod, container))
        if speaks_of_mount(pod, container, statement.text) or unnamed:
            slug = "volume-mount-permission-denied"
    return causes().get(slug)


def about(scene: Scene, workload: Subject, said: Statement) -> Subject:
    """Whose fault it is: the peer that is named, the node, or the workload itself."""
    if said.signature.about == "node" and said.pod.node:
        return Subject(kind="Node", name=said.pod.node)
    if said.signature.about == "peer":
        host = said.host or peer(said.text)[0]
        service = scene.graph.service(host) if host else None
        behind = scene.graph.workloads_behind(service) if service else ()
        return behind[0].subject if len(behind) == 1 else workload
    return workload


def weightiest(statements: Iterable[Statement]) -> Statement | None:
    """The statement that counts."""
    return max(statements, key=lambda item: item.weight, default=None)


def confidence(statement: Statement, others: Sequence[Statement]) -> Confidence:
    """How sure a statement makes: `certain` where who ended says what ended it, and nothing else was said."""
    own, end = cause_of(statement), statement.end
    weight = statement.signature.specificity
    rivals = [
        item
        for item in others
        if item.explains == statement.explains
        and item.signature.specificity >= min(weight, SPECIFIC)
        and (found := cause_of(item)) is not None
        and found != own
    ]
    if weight < SPECIFIC:
        return LIKELY if statement.explains else POSSIBLE
    if statement.explains and statement.signature.fatal and statement.signature.about == "self" and not rivals:
        forced = end is not None and (end.code in (None, 0, 137, 143) or statement.speaker < Speaker.ERROR)
        return LIKELY if forced else CERTAIN
    if statement.explains:
        return LIKELY
    return LIKELY if not rivals and (not statement.pod.ready or statement.count >= OFTEN) else POSSIBLE


def named_by(text: str) -> Cause | None:
    """The cause that a message of any object names in words that the table knows, where it names one."""
    fitting = [item for item in shipped_signatures().within(text) if item.cause and item.specificity >= SPECIFIC]
    heaviest = max(fitting, key=lambda item: item.specificity, default=None)
    return causes().get(heaviest.cause) if heaviest else None


def statements(scene: Scene, pod: Pod) -> Iterator[Statement]:
    """All that was said about a pod, of which its past is left out."""
    ends = {item.container.name: item for item in ended(scene, pod)}
    by_name = {container.name: container for container in pod.containers}
    for evidence, log in scene.logs_of(pod.name):
        if log.namespace == pod.namespace and (container := by_name.get(log.container)):
            end = ends.get(container.name)
            of_end = end is not None and (log.previous or not container.running)
            yield from _logged(scene, pod, container, evidence, log, end if of_end else None)
    yield from _by_kubelet(scene, pod)


def _logged(
    scene: Scene, pod: Pod, container: Container, evidence: str, log: ContainerLog, end: Ended | None
) -> Iterator[Statement]:
    """What a log says; what a killed container says does not explain its end."""
    groups = {group.template: group for group in log.groups}
    killed = end is not None and end.reason == "OOMKilled"
    for hit in _hits(log):
        record = next(records([hit.text]), None)
        if record is None:
            continue
        group = groups.get(template(record.text))
        level = record.level or (group.level if group else "")
        if level in ("debug", "info") and not hit.signature.fatal:
            continue
        before_end = len(log.lines) - 1 - hit.place
        said = Statement(
            hit.signature,
            record.text,
            hit.groups.get("host", ""),
            pod,
            container,
            evidence,
            _SPEAKERS.get(level, Speaker.ASIDE),
            -before_end,
            end if before_end < NEAR and not killed else None,
            group.count if group else 1,
            group.last if group else None,
        )
        if said.explains or _matters(scene, said, group):
            yield said


def _hits(log: ContainerLog) -> Iterator[Hit]:
    """Those among its last lines, and among the lines of trouble before these."""
    table = shipped_signatures()
    yield from table.hits(log.lines)
    shown = {template(line) for line in log.lines} if len(log.lines) < sum(group.count for group in log.groups) else ()
    earlier = [group.example for group in log.groups if group.template not in shown] if shown else []
    for hit in table.hits(earlier):
        yield Hit(hit.signature, hit.place - len(earlier), hit.text, hit.groups)


def _matters(scene: Scene, said: Statement, group: LogGroup | None) -> bool:
    """Whether a complaint of what runs is of now, and more than a single word."""
    if said.signature.specificity < SPECIFIC or said.speaker < Speaker.WARNING or said.end is not None:
        return False
    if group is None or (group.last is not None and scene.now - group.last > STALE):
        return False
    return not said.pod.ready or group.count >= OFTEN or group.late == group.count


def _by_kubelet(scene: Scene, pod: Pod) -> Iterator[Statement]:
    """Messages of the containers' states, and of events since the last start."""
    for container in pod.containers:
        state = container.waiting or ({} if pod.ready else container.terminated)
        if state.get("reason") != "CrashLoopBackOff":
            message = str(state.get("message") or "")
            yield from _of_kubelet("container", str(state.get("reason") or ""), message, pod, container, pod)
    for event in scene.picture.events(pod):
        if event.warning and not _past(pod, event):
            yield from _of_kubelet("event", event.reason, event.message, pod, None, event)


def _of_kubelet(
    where: Where, reason: str, message: str, pod: Pod, container: Container | None, source: Object
) -> Iterator[Statement]:
    for signature in shipped_signatures().within(f"{reason}: {message}"):
        if where in signature.where:
            yield Statement(signature, message or reason, "", pod, container, source, Speaker.KUBELET, 0)


def _past(pod: Pod, event: Event) -> bool:
    """Whether a container was started after the event."""
    if event.reason in AFTER_START and not pod.ready:
        return False
    started = [at for container in pod.containers if (at := time(container.running.get("startedAt")))]
    return event.last is not None and any(at > event.last for at in started)
