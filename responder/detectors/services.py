"""Services that lead nowhere: selector, ports, protocol."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from responder.detectors import Case
from responder.detectors._scene import Complaint, Scene
from responder.detectors._writing import CERTAIN, LIKELY, POSSIBLE, because, found, listed, plural, quote
from responder.model.failures import FailureKind
from responder.model.finding import Cause, Cleared, Finding
from responder.model.graph import declared_ports
from responder.model.kubernetes import Object, mapping, mappings, string, whole
from responder.model.subject import Subject

_REFERENCE = "https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/"


def _cause(slug: str, title: str, meaning: str, confirm: str, fix: str, *, generic: bool = False) -> Cause:
    return Cause(
        slug=slug, title=title, meaning=meaning, confirm=confirm, fix=fix, reference=_REFERENCE, generic=generic
    )


SELECTOR = _cause(
    "service-selector-mismatch",
    "The service selects the wrong pods or none",
    "The labels in the service's selector are not those of the application's pods.",
    "kubectl get endpoints NAME; compare the selector with the pods' labels",
    "Correct the selector",
)
PORT = _cause(
    "service-port-mapping-mismatch",
    "The service forwards to a port that nothing listens on",
    "targetPort, or the port itself, does not meet what the container listens on or what callers use.",
    "kubectl describe service; compare targetPort with the containers' ports",
    "Correct targetPort or port of the service",
)
PROTOCOL = _cause(
    "service-protocol-mismatch",
    "The service forwards another transport protocol than the process speaks",
    "The service's port is UDP (or SCTP) where the container's is TCP, or the other way round.",
    "kubectl get service -o yaml: spec.ports[].protocol",
    "Correct the protocol of the service's port",
)
EMPTY = _cause(
    "service-without-endpoints",
    "A service has no ready endpoints",
    "No pod behind the service is ready.",
    "kubectl get endpoints NAME",
    "Find out why its pods are not ready",
    generic=True,
)
CAUSES = (SELECTOR, PORT, PROTOCOL, EMPTY)

_WRONG_WAY = (FailureKind.REFUSED, FailureKind.TIMED_OUT, FailureKind.UNAVAILABLE, FailureKind.DEADLINE)


def detect(case: Case) -> Iterator[Finding | Cleared]:
    scene = case.scene
    said = 0
    for service in scene.graph.services:
        for finding in _of_service(scene, service):
            said += 1
            yield finding
    if scene.graph.services and not said:
        yield Cleared(
            text=f"services ({plural(len(scene.graph.services), 'service')}, selectors, ports and endpoints fit)",
            evidence=scene.graph.services[0].evidence,
        )


def _of_service(scene: Scene, service: Object) -> Iterator[Finding]:
    selector = mapping(service.spec.get("selector"))
    if not selector or service.spec.get("type") == "ExternalName":
        return
    if finding := _selection(scene, service, selector):
        yield finding
        return
    behind = scene.graph.workloads_behind(service)
    for port in mappings(service.spec.get("ports")):
        for workload in behind[:1]:
            if finding := _protocol(scene, service, port, workload) or _mapping(scene, service, port, workload):
                yield finding
                return
    if (counted := scene.graph.endpoints(service)) and not counted[0] and behind and scene.desired(behind[0]):
        headline = f"service/{service.name} has no ready endpoints ({counted[1]} not ready)"
        suffering = _calling(scene, service)
        yield found(EMPTY, behind[0].subject, POSSIBLE, headline, [because(headline, service)], suffering=suffering)


def _calling(scene: Scene, service: Object) -> list[Subject]:
    """Who is told to call a service, or complains of it."""
    told = [address.owner.subject for address in scene.graph.callers.get(service.name, ())]
    complaining = [item.workload for item in scene.complaints if scene.graph.service(item.failure.host) is service]
    return list(dict.fromkeys([*told, *complaining]))


def _complaints(scene: Scene, service: Object) -> Sequence[Complaint]:
    return [item for item in scene.complaints if scene.graph.service(item.failure.host) is service]


def _selection(scene: Scene, service: Object, selector: Mapping[str, str]) -> Finding | None:
    """A selector that fits no workload, or others' pods and not its namesake's."""
    behind = scene.graph.workloads_behind(service)
    intended = scene.graph.intended(service)
    if (
        not scene.knows_all("Pod")
        or intended is None
        or intended in behind
        or (scene.graph.behind(service) and not behind)
    ):
        return None
    if behind and not _only_meant(scene, service, intended, behind):
        return None
    labels = intended.template_labels
    differing = {key: value for key, value in selector.items() if labels.get(key) != value}
    wanted = ", ".join(f"{key}={value}" for key, value in differing.items())
    have = ", ".join(f"{key}={value}" for key, value in labels.items())
    catches = f", it selects {listed(item.subject for item in behind)}" if behind else ""
    complaints = _complaints(scene, service)
    return found(
        SELECTOR,
        intended.subject,
        CERTAIN if not behind and service.name == intended.name else LIKELY,
        f"service/{service.name} does not select the pods of {intended.subject}: it asks for {wanted}{catches}",
        [
            because(
                f"selector of service/{service.name}: {', '.join(f'{k}={v}' for k, v in selector.items())}", service
            ),
            because(f"labels of the pods of {intended.subject}: {have}", intended),
            *(because(f"{item.workload}: {quote(item.failure.text)}", item.evidence) for item in complaints[:2]),
        ],
        next_steps=[
            f"kubectl -n {service.namespace} get endpoints {service.name}",
            f"kubectl -n {service.namespace} get pods --show-labels",
        ],
        suffering=_calling(scene, service),
        since=service.created,
    )


def _only_meant(scene: Scene, service: Object, intended: Object, behind: Sequence[Object]) -> bool:
    """Whether a service that selects other pods is still the one its namesake is missing."""
    has_own = any(service is not other for other in scene.graph.services_of(intended))
    others_have = all(any(item is not service for item in scene.graph.services_of(other)) for other in behind)
    return service.name == intended.name and not has_own and others_have


def _protocol(scene: Scene, service: Object, port: Mapping[str, Any], workload: Object) -> Finding | None:
    spoken = str(port.get("protocol") or "TCP")
    target = _target(port, workload)
    if target is None:
        return None
    declared = declared_ports(workload.template_containers).get(target)
    listens = str(mapping(declared).get("protocol") or "TCP") if declared else ""
    # a process may have the same number in both protocols: then both are declared
    both = {
        str(item.get("protocol") or "TCP")
        for container in workload.template_containers
        for item in container.ports
        if whole(item.get("containerPort")) == target
    }
    if not declared or spoken in both:
        return None
    return found(
        PROTOCOL,
        workload.subject,
        CERTAIN,
        f"service/{service.name} forwards {spoken} on port {port.get('port')}, {workload.subject} listens on {listens}",
        [
            because(f"service/{service.name}: port {port.get('port')}/{spoken} to {port.get('targetPort')}", service),
            because(f"{workload.subject} declares {target}/{listens}", workload),
            *(
                because(f"{item.workload}: {quote(item.failure.text)}", item.evidence)
                for item in _complaints(scene, service)[:2]
            ),
        ],
        next_steps=[f"kubectl -n {service.namespace} get service {service.name} -o yaml"],
        suffering=_calling(scene, service),
        since=service.created,
    )


def _target(port: Mapping[str, Any], workload: Object) -> int | None:
    """The number of the container's port that a service's port means; None for a name that no container has."""
    target = port.get("targetPort") or port.get("port")
    if (number := whole(target)) is not None:
        return number
    for container in workload.template_containers:
        for item in container.ports:
            if item.get("name") == target:
                return whole(item.get("containerPort"))
    return None


def _mapping(scene: Scene, service: Object, port: Mapping[str, Any], workload: Object) -> Finding | None:
    """A target that no container has, or a port that is not the one that callers agree on."""
    known = scene.known_ports(workload)
    target = _target(port, workload)
    complaints = _complaints(scene, service)
    listens = listed(sorted(known))
    wrong = ""
    if target is None:
        wrong = (
            f"forwards to the port named {string(port.get('targetPort'))}, which no container of {workload.subject} has"
        )
    elif known and target not in known:
        wrong = f"forwards to port {target}, {workload.subject} listens on {listens}"
    if wrong:
        refused = [item for item in complaints if item.failure.kind in _WRONG_WAY]
        several = len(mappings(service.spec.get("ports"))) > 1
        if target is not None and not refused and (several or _has_another(scene, service, workload, known)):
            # a port need not be declared to be listened on
            return None
        return _finding_of_port(scene, service, workload, wrong, complaints, bool(refused) or target is None)
    asked = _agreed(scene, service)
    ports = {whole(item.get("port")) for item in mappings(service.spec.get("ports"))}
    if asked is not None and asked not in ports and asked in known:
        wrong = f"has no port {asked}, on which {workload.subject} listens and which its callers use"
        return _finding_of_port(scene, service, workload, wrong, complaints, bool(complaints))
    return None


def _has_another(scene: Scene, service: Object, workload: Object, known: frozenset[int]) -> bool:
    """Whether another service leads to what the workload is known to listen on: then this one has another purpose."""
    return any(
        _target(port, workload) in known
        for other in scene.graph.services_of(workload)
        if other is not service
        for port in mappings(other.spec.get("ports"))
    )


def _finding_of_port(
    scene: Scene, service: Object, workload: Object, wrong: str, complaints: Sequence[Complaint], sure: bool
) -> Finding:
    ports = ", ".join(
        f"{item.get('port')} to {item.get('targetPort', item.get('port'))}"
        for item in mappings(service.spec.get("ports"))
    )
    return found(
        PORT,
        workload.subject,
        CERTAIN if sure else LIKELY,
        f"service/{service.name} {wrong}",
        [
            because(f"ports of service/{service.name}: {ports}", service),
            because(f"{workload.subject} listens on {listed(sorted(scene.known_ports(workload)))}", workload),
            *(because(f"{item.workload}: {quote(item.failure.text)}", item.evidence) for item in complaints[:2]),
        ],
        next_steps=[f"kubectl -n {service.namespace} describe service {service.name}"],
        suffering=_calling(scene, service),
        since=service.created,
    )


def _agreed(scene: Scene, service: Object) -> int | None:
    """The port on which all callers of a service agree."""
    ports = {address.port for address in scene.graph.callers.get(service.name, ()) if address.port is not None}
    return ports.pop() if len(ports) == 1 else None
