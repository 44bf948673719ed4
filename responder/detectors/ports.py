"""Ports that two want to listen on: containers of one pod share one network."""

import re
from collections.abc import Iterator, Mapping, Sequence

from responder.detectors import Case
from responder.detectors._scene import Complaint, Scene
from responder.detectors._writing import CERTAIN, LIKELY, because, found, listed, quote
from responder.model.failures import FailureKind
from responder.model.finding import Cause, Cleared, Finding
from responder.model.kubernetes import Container, Pod, mapping, whole
from responder.model.told import environment


def _cause(slug: str, title: str, meaning: str, fix: str) -> Cause:
    return Cause(
        slug=slug,
        title=title,
        meaning=meaning,
        confirm="kubectl logs --previous of both containers; compare their ports",
        fix=fix,
        reference="https://kubernetes.io/docs/concepts/workloads/pods/#pod-networking",
    )


SIDECAR_PORT = _cause(
    "service-sidecar-port-conflict",
    "Two containers of the pod want the same port",
    "Containers of a pod share one network: the second to listen on a port fails.",
    "Give one of the two containers another port",
)
PORT = _cause(
    "port-conflict",
    "The port that it listens on is taken",
    "Another process in the pod, or on the node with hostNetwork, has the port already.",
    "Give it another port",
)
CAUSES = (SIDECAR_PORT, PORT)

_PROXIES = re.compile(r"istio-proxy|linkerd-proxy|envoy|consul-connect")
_NUMBER = re.compile(r"(?:port[ =:]+|:)(?P<port>\d{2,5})\b", re.IGNORECASE)
_PORT_VARIABLE = re.compile(r"(?:^|_)(?:SERVER_|HTTP_|LISTEN_|APP_|GRPC_)?PORT$")
_PORT_FLAG = re.compile(r"(?:^|\s)(?:-D|--?)(?:server\.|http-?|listen-?)?(?:port|p)[= ](?P<port>\d{2,5})\b")


def detect(case: Case) -> Iterator[Finding | Cleared]:
    scene = case.scene
    told: set[str] = set()
    for pod in scene.pods:
        subject = str(scene.responsible(pod))
        if subject not in told and (finding := _of_pod(scene, pod)):
            told.add(subject)
            yield finding


def _of_pod(scene: Scene, pod: Pod) -> Finding | None:
    taken = [
        item for item in scene.complaints if item.pod == pod.name and item.failure.kind is FailureKind.ADDRESS_IN_USE
    ]
    wanted = _wanted_twice(scene, pod)
    unwell = [item for item in pod.containers if not item.init and (not item.ready or item.restarts)]
    if not taken and not (wanted and unwell and not pod.ready):
        return None
    subject = scene.responsible(pod)
    cause = SIDECAR_PORT if wanted or shares_network(pod) else PORT
    reasons = [because(f"{item.workload}: {quote(item.failure.text)} (×{item.count})", item.evidence) for item in taken]
    reasons += [because(f"{listed(names)} both want port {port}", pod) for port, names in wanted.items()]
    number = next(iter(wanted), None) or _number(taken)
    headline = f"{cause.title} ({number}): {subject}" if number else f"{cause.title}: {subject}"
    return found(
        cause, subject, CERTAIN if taken else LIKELY, headline, reasons[:4],
        next_steps=[f"kubectl -n {pod.namespace} get {subject} -o yaml | grep -i -A3 port"],
        since=scene.since(pod) or pod.created,
    )  # fmt: skip


def _number(complaints: Sequence[Complaint]) -> int | None:
    texts = [item.failure.text for item in complaints]
    return next((int(match["port"]) for text in texts for match in _NUMBER.finditer(text)), None)


def shares_network(pod: Pod) -> bool:
    """Whether the pod has another container than the application's and a mesh's proxy that can have the port."""
    own = [item for item in pod.containers if not item.init and not _PROXIES.search(f"{item.name} {item.image}")]
    return len(own) > 1


def _wanted_twice(scene: Scene, pod: Pod) -> Mapping[int, Sequence[str]]:
    """The ports that more than one container of a pod declares or is told to listen on."""
    wanted: dict[int, list[str]] = {}
    for container in pod.containers:
        if not container.init:
            for port in _ports(scene, pod, container):
                wanted.setdefault(port, []).append(container.name)
    return {port: names for port, names in wanted.items() if len(names) > 1}


def _ports(scene: Scene, pod: Pod, container: Container) -> set[int]:
    declared = {
        port
        for item in container.ports
        if str(item.get("protocol") or "TCP") == "TCP" and (port := whole(item.get("containerPort"))) is not None
    }
    variables = environment(scene.picture, pod, container)
    told = {
        port
        for name, (value, _) in variables.items()
        if _PORT_VARIABLE.fullmatch(name) and (port := whole(value)) is not None
    }
    words = [word for field in ("command", "args") for word in container.spec.get(field) or [] if word]
    text = " ".join(map(str, [*words, *(value for value, _ in variables.values())]))
    probed = {
        port
        for probe in ("readinessProbe", "livenessProbe")
        for kind in ("httpGet", "tcpSocket")
        if (port := whole(mapping(mapping(container.spec.get(probe)).get(kind)).get("port"))) is not None
    }
    return declared | told | probed | {int(match["port"]) for match in _PORT_FLAG.finditer(text)}
