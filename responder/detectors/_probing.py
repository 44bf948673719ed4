"""Probes of containers that fail, with all that tells whether they ask rightly."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from responder.detectors._scene import Scene
from responder.model.kubernetes import Container, Event, Pod, mapping, whole

_REWRITTEN = ("/app-health/", "/healthz/ready")
HANDLERS = ("httpGet", "grpc", "tcpSocket", "exec")
KINDS = ("liveness", "readiness", "startup")


@dataclass(frozen=True)
class Handler:
    """What a probe asks: `httpGet`, `grpc`, `tcpSocket` or `exec`."""

    kind: str
    spec: Mapping[str, Any]
    port: int | None = None
    name: str = ""

    @property
    def shown(self) -> str:
        """In a few words."""
        if self.kind == "exec":
            return f"exec {' '.join(map(str, self.spec.get('command') or []))}"
        path = f" {self.spec.get('path') or '/'}" if self.kind == "httpGet" else ""
        return f"{self.kind} :{self.port or self.name}{path}"


@dataclass(frozen=True)
class Suspect:
    """A probe that fails, with all that tells whether it asks rightly."""

    scene: Scene
    pod: Pod
    container: Container
    kind: str
    spec: Mapping[str, Any]
    handler: Handler
    events: tuple[Event, ...] = ()
    known: frozenset[int] = frozenset()
    others: Mapping[str, Handler] = field(default_factory=dict)
    rewritten: bool = False

    @property
    def words(self) -> str:
        """All that the kubelet said of it."""
        return "\n".join(event.message for event in self.events)


def suspects(scene: Scene, pod: Pod, container: Container) -> Iterator[Suspect]:
    """The probes of a container that fail now; those that kill it first, since the rest follows from that."""
    specs, rewritten = _specs(scene, pod, container)
    handlers = {kind: handler for kind in KINDS if (handler := _handler(mapping(specs.get(kind)), container))}
    failing = {kind: _events(scene, pod, container, kind) for kind in handlers}
    killed = [
        kind for kind in ("startup", "liveness") if kind in handlers and _kills(scene, pod, container, failing, kind)
    ]
    unready = "readiness" in handlers and bool(container.running) and not container.ready and not killed
    for kind in (*killed, *(["readiness"] if unready else [])):
        others = {name: item for name, item in handlers.items() if name != kind and _fares_better(failing, name, kind)}
        yield Suspect(
            scene,
            pod,
            container,
            kind,
            mapping(specs.get(kind)),
            handlers[kind],
            tuple(failing[kind]),
            _known(scene, pod, others),
            others,
            rewritten,
        )


def _fares_better(failing: Mapping[str, list[Event]], other: str, kind: str) -> bool:
    """Whether another probe of the container fails much less often: while starting up any may fail."""
    of_other, of_this = (sum(event.count for event in failing[name]) for name in (other, kind))
    return not of_other or 2 * of_other <= of_this


def _specs(scene: Scene, pod: Pod, container: Container) -> tuple[Mapping[str, Any], bool]:
    """The probes as their author wrote them: a mesh rewrites them in the pod, the workload's template keeps them."""
    own = {kind: container.spec.get(f"{kind}Probe") for kind in KINDS}
    rewritten = any(
        str(mapping(mapping(spec).get("httpGet")).get("path") or "").startswith(_REWRITTEN[0]) for spec in own.values()
    )
    workload = scene.picture.workload(pod)
    if not rewritten or workload is None:
        return own, rewritten
    for written in workload.template_containers:
        if written.name == container.name:
            return {kind: written.spec.get(f"{kind}Probe") for kind in KINDS}, True
    return own, True


def _handler(spec: Mapping[str, Any], container: Container) -> Handler | None:
    for kind in HANDLERS:
        if kind in spec:
            asked = mapping(spec[kind])
            port = asked.get("port")
            if (number := whole(port)) is not None or kind == "exec":
                return Handler(kind, asked, number)
            named = [whole(item.get("containerPort")) for item in container.ports if item.get("name") == port]
            return Handler(kind, asked, named[0] if named else None, str(port or ""))
    return None


def _events(scene: Scene, pod: Pod, container: Container, kind: str) -> list[Event]:
    beginning = f"{kind.capitalize()} probe"
    return [
        event
        for event in scene.picture.events(pod)
        if event.reason in ("Unhealthy", "ProbeWarning")
        and event.message.startswith(beginning)
        and _of_container(event, container)
    ]


def _of_container(event: Event, container: Container) -> bool:
    path = str(mapping(event.raw.get("involvedObject") or event.raw.get("regarding")).get("fieldPath") or "")
    return not path or f"{{{container.name}}}" in path


def _kills(scene: Scene, pod: Pod, container: Container, failing: Mapping[str, list[Event]], kind: str) -> bool:
    """Whether the kubelet restarts the container for this probe."""
    said = f"failed {kind} probe"
    killed = any(
        event.reason == "Killing" and said in event.message and _of_container(event, container)
        for event in scene.picture.events(pod)
    )
    needed = whole(mapping(container.spec.get(f"{kind}Probe")).get("failureThreshold")) or 3
    failures = sum(event.count for event in failing[kind])
    return (container.restarts > 0 and (killed or failures >= needed)) or (killed and failures >= needed)


def _known(scene: Scene, pod: Pod, others: Mapping[str, Handler]) -> frozenset[int]:
    """The ports that the container is known to listen on, without a word from the probe that is in question."""
    ports = {handler.port for handler in others.values() if handler.port is not None}
    if workload := scene.picture.workload(pod):
        ports |= scene.known_ports(workload)
        if not ports:
            ports |= {
                port
                for service in scene.graph.services_of(workload)
                for item in service.spec.get("ports") or []
                if (port := whole(mapping(item).get("targetPort"))) is not None
            }
    return frozenset(ports)


def period(spec: Mapping[str, Any], name: str, default: int) -> float:
    value = whole(spec.get(name))
    return float(default if value is None else value)
