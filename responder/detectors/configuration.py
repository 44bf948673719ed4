"""What a pod refers to and does not exist: Secrets, ConfigMaps, keys in them."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from responder.detectors import Case
from responder.detectors._scene import Scene
from responder.detectors._writing import CERTAIN, LIKELY, because, found, quote
from responder.model.finding import Cause, Cleared, Finding
from responder.model.kubernetes import Object, Pod, mapping, mappings
from responder.model.subject import Subject

SECRET = Cause(
    slug="missing-secret-binding",
    title="A Secret that the pod refers to does not exist",
    meaning="A Secret, or a key in it, that the template names as environment or volume is not there.",
    confirm="kubectl get secret NAME; kubectl describe pod",
    fix="Create the Secret or the key, or correct the reference in the template",
    reference="https://kubernetes.io/docs/concepts/configuration/secret/",
)
CONFIG_MAP = Cause(
    slug="missing-config-map",
    title="A ConfigMap that the pod refers to does not exist",
    meaning="A ConfigMap, or a key in it, that the template names as environment or volume is not there.",
    confirm="kubectl get configmap NAME; kubectl describe pod",
    fix="Create the ConfigMap or the key, or correct the reference in the template",
    reference="https://kubernetes.io/docs/concepts/configuration/configmap/",
)
ROOT = Cause(
    slug="run-as-non-root-violated",
    title="The image runs as root where the pod forbids it",
    meaning="runAsNonRoot is set and the image's user is root or cannot be told.",
    confirm="kubectl describe pod: container has runAsNonRoot and image will run as root",
    fix="Set runAsUser, or give the image a numeric user",
)
COMMAND = Cause(
    slug="wrong-command",
    title="The container's command cannot be started",
    meaning="The runtime finds no such executable in the image, or may not execute it.",
    confirm="kubectl describe pod: the message of the container's state",
    fix="Correct command and args in the template, or the image",
)
CONTAINER = Cause(
    slug="container-config-error",
    title="The container cannot be created",
    meaning="The kubelet or the runtime refuses the container's configuration.",
    confirm="kubectl describe pod",
    fix="Follow the message",
    generic=True,
)
CAUSES = (SECRET, CONFIG_MAP, ROOT, COMMAND, CONTAINER)

_WAITING = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError", "StartError")
_MISSING = re.compile(
    r"(?:couldn't find key (?P<key>\S+) in (?P<of>ConfigMap|Secret) (?:[^\s/]+/)?(?P<in>[\w.-]+)"
    r"|(?P<kind>configmap|secret) \"(?P<name>[^\"]+)\" not found"
    r"|references? non-?existent (?P<keyed>secret|config) key: (?P<lost>\S+))",
    re.IGNORECASE,
)
_COMMAND = re.compile(
    r"executable file not found|no such file or directory|exec: \"|permission denied|not a directory", re.IGNORECASE
)


@dataclass(frozen=True)
class Reference:
    """A place where a pod names a Secret or ConfigMap that it cannot do without."""

    kind: str
    name: str
    key: str
    where: str


def detect(case: Case) -> Iterator[Finding | Cleared]:
    scene = case.scene
    told: set[str] = set()
    for pod in scene.pods:
        subject = scene.responsible(pod)
        if str(subject) in told or pod.ready:
            continue
        finding = _said(scene, pod, subject) or _lacking(scene, pod, subject)
        if finding:
            told.add(str(subject))
            yield finding
    if not told and scene.pods and scene.knows_all("ConfigMap"):
        kinds = "Secrets and ConfigMaps" if scene.knows_all("Secret") else "ConfigMaps"
        yield Cleared(text=f"references to {kinds} (all there)", evidence=scene.pods[0].evidence)


def _said(scene: Scene, pod: Pod, subject: Subject) -> Finding | None:
    """What the kubelet says of a container that it cannot create, or of a volume that it cannot mount."""
    for text, source, reason in _messages(scene, pod):
        if missing := _MISSING.search(text):
            cause, what = _missing(missing)
            return found(
                cause,
                subject,
                CERTAIN,
                f"{subject} cannot start: {what} does not exist",
                [because(f"pod/{pod.name}: {quote(text)}", source)],
                next_steps=_steps(pod, cause),
                since=pod.created,
            )
        if "runAsNonRoot" in text:
            headline = f"{subject} cannot start: its image runs as root and runAsNonRoot forbids that"
            return found(ROOT, subject, CERTAIN, headline, [because(quote(text), source)], since=pod.created)
        if reason in ("CreateContainerError", "RunContainerError", "StartError") and _COMMAND.search(text):
            headline = f"{subject} cannot start: its command cannot be executed"
            return found(COMMAND, subject, CERTAIN, headline, [because(quote(text), source)], since=pod.created)
        if reason in _WAITING:
            headline = f"{subject} cannot start: {reason}: {quote(text)}"
            return found(CONTAINER, subject, LIKELY, headline, [because(quote(text), source)], since=pod.created)
    return None


def _messages(scene: Scene, pod: Pod) -> Iterator[tuple[str, Object, str]]:
    pending = False
    for container in pod.containers:
        reason = str(container.waiting.get("reason") or "")
        ended = str(container.terminated.get("reason") or "")
        pending = pending or bool(container.waiting)
        if reason in _WAITING:
            yield str(container.waiting.get("message") or ""), pod, reason
        elif ended in ("ContainerCannotRun", "StartError"):
            yield str(container.terminated.get("message") or ""), pod, "StartError"
    if pending or not pod.containers:
        events = [event for event in scene.picture.events(pod) if event.warning]
        for event in sorted(events, key=lambda event: event.last or scene.started_at, reverse=True):
            if event.reason in ("FailedMount", "Failed", "FailedCreatePodContainer"):
                yield event.message, event, event.reason


def _missing(match: re.Match[str]) -> tuple[Cause, str]:
    if match["kind"]:
        kind = match["kind"].lower()
        return (SECRET, f"Secret {match['name']}") if kind == "secret" else (CONFIG_MAP, f"ConfigMap {match['name']}")
    if match["key"]:
        cause = SECRET if match["of"].lower() == "secret" else CONFIG_MAP
        return cause, f"key {match['key']} in {match['of']} {match['in'].rstrip('.,')}"
    cause = SECRET if match["keyed"].lower() == "secret" else CONFIG_MAP
    return cause, f"key {match['lost']}"


def _lacking(scene: Scene, pod: Pod, subject: Subject) -> Finding | None:
    """A reference to what was read whole and is not there, where nothing said so yet."""
    started = any(container.running or container.terminated for container in pod.containers)
    if started or not pod.node:
        return None
    for item in references(pod):
        if not scene.knows_all(item.kind):
            continue
        held = scene.picture.get(item.kind, pod.namespace, item.name)
        if held is not None and (not item.key or item.key in _keys(held)):
            continue
        what = f"{item.kind} {item.name}" if held is None else f"key {item.key} in {item.kind} {item.name}"
        return found(
            SECRET if item.kind == "Secret" else CONFIG_MAP,
            subject,
            LIKELY,
            f"{subject} cannot start: {what} does not exist",
            [because(f"pod/{pod.name} refers to {what} ({item.where}), which does not exist", pod)],
            next_steps=_steps(pod, SECRET if item.kind == "Secret" else CONFIG_MAP),
            since=pod.created,
        )
    return None


def _keys(held: Object) -> Sequence[str]:
    return [key for field in ("data", "stringData", "binaryData") for key in mapping(held.raw.get(field))]


def references(pod: Object) -> Iterator[Reference]:
    """The Secrets and ConfigMaps that a pod names and that are not optional."""
    for container in (*mappings(pod.template.get("initContainers")), *mappings(pod.template.get("containers"))):
        for variable in mappings(container.get("env")):
            source = mapping(variable.get("valueFrom"))
            for field, kind in (("secretKeyRef", "Secret"), ("configMapKeyRef", "ConfigMap")):
                yield from _reference(mapping(source.get(field)), kind, "name", f"environment {variable.get('name')}")
        for origin in mappings(container.get("envFrom")):
            for field, kind in (("secretRef", "Secret"), ("configMapRef", "ConfigMap")):
                yield from _reference(mapping(origin.get(field)), kind, "name", "envFrom")
    for volume in mappings(pod.template.get("volumes")):
        where = f"volume {volume.get('name')}"
        yield from _reference(mapping(volume.get("secret")), "Secret", "secretName", where)
        yield from _reference(mapping(volume.get("configMap")), "ConfigMap", "name", where)


def _reference(found_in: object, kind: str, field: str, where: str) -> Iterator[Reference]:
    terms = mapping(found_in)
    if terms.get(field) and not terms.get("optional"):
        yield Reference(kind, str(terms[field]), str(terms.get("key") or ""), where)


def _steps(pod: Pod, cause: Cause) -> list[str]:
    kind = "secrets" if cause is SECRET else "configmaps"
    return [f"kubectl -n {pod.namespace} describe pod {pod.name}", f"kubectl -n {pod.namespace} get {kind}"]
