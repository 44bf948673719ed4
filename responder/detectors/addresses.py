"""Callers that are told a wrong address: an unknown host, a port that the service lacks, another service."""

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from responder.detectors import Case
from responder.detectors._commands import rollout
from responder.detectors._scene import Complaint, Scene
from responder.detectors._writing import CERTAIN, LIKELY, POSSIBLE, because, found, listed, plural, quote
from responder.model.failures import FailureKind
from responder.model.finding import Because, Cause, Cleared, Confidence, Finding
from responder.model.kubernetes import Object, mappings, whole
from responder.model.subject import Subject
from responder.model.told import Address

ADDRESS = Cause(
    slug="service-env-var-address-mismatch",
    title="A caller has a wrong address in its environment",
    meaning="A variable names a service or a port that does not exist, or another service than it should.",
    confirm="Compare the variable in the caller's template with kubectl get services",
    fix="Correct the variable",
    reference="https://kubernetes.io/docs/concepts/services-networking/service/#discovering-services",
    symptom_of=("gateway-misroute",),
)
CAUSES = (ADDRESS,)

NO_SUCH_HOST = FailureKind.NO_SUCH_HOST
ALIKE = 0.75
"""How alike a wrong name is to the right one at least (difflib's ratio)."""
_SUFFIX = re.compile(r"_(?:SERVICE|SVC|HOST|HOSTNAME|ADDR|ADDRESS|URL|URI|ENDPOINT|SERVER|BASE|HTTP|GRPC|_)+$")
MYSQL_PORT = 3306


def detect(case: Case) -> Iterator[Finding | Cleared]:
    scene = case.scene
    count = told = 0
    for workload in scene.graph.workloads:
        for address in scene.graph.addresses(workload):
            count += 1
            if finding := _of_address(scene, address):
                told += 1
                yield finding
    if count and not told and scene.knows_all("Service"):
        yield Cleared(
            text=f"addresses in the environment ({plural(count, 'address')}, all lead to services)",
            evidence=scene.graph.workloads[0].evidence,
        )


def _of_address(scene: Scene, address: Address) -> Finding | None:
    if not scene.knows_all("Service"):
        return None
    if not scene.graph.is_internal(address.host):
        return _of_other_namespace(scene, address)
    service = scene.graph.service(address.host)
    if service is None:
        return _of_unknown_host(scene, address)
    return _of_port(scene, address, service) or _of_wrong_service(scene, address, service)


def _of_other_namespace(scene: Scene, address: Address) -> Finding | None:
    """The name of a service of this namespace with another namespace behind it, which does not resolve."""
    name, _, rest = address.host.partition(".")
    service = scene.graph.service(name)
    if (
        service is None
        or not rest
        or rest.split(".")[0] == scene.namespace
        or rest.partition(".")[2][:3] not in ("", "svc")
    ):
        return None
    mentions = [item for item in _mentions(scene, address.owner, address.host) if item.failure.kind is NO_SUCH_HOST]
    if not mentions:
        return None
    headline = f"{address.owner.subject} is told to call {address.host}; {name} is in {scene.namespace}"
    return _wrong(scene, address, headline, CERTAIN, mentions, [because(f"service/{name} exists", service)])


def _mentions(scene: Scene, workload: Object, *words: str) -> Sequence[Complaint]:
    """The complaints of a workload that name one of the words."""
    return [
        item
        for item in scene.complaints
        if item.workload.name == workload.name
        and any(word in item.failure.text or word == item.failure.host for word in words)
    ]


def _of_unknown_host(scene: Scene, address: Address) -> Finding | None:
    """No service bears the name: a misspelt one, unless the workload of that name lacks its service."""
    host = address.host.partition(".")[0]
    if any(host == workload.name for workload in scene.graph.workloads):
        # what it bears is right, its service is gone
        return None
    near = _nearest(scene, address, host)
    mentions = _mentions(scene, address.owner, address.host)
    if not near and not mentions:
        return None
    meant = f"; {near} exists" if near else ""
    return _wrong(
        scene,
        address,
        f"{address.owner.subject} is told to call {address.host}, which no service bears{meant}",
        CERTAIN if mentions and near else LIKELY,
        mentions,
        [
            because(
                f"services of {scene.namespace}: {listed(item.name for item in scene.graph.services)}", *_first(scene)
            )
        ],
    )


def _nearest(scene: Scene, address: Address, host: str) -> str:
    """The service that the caller probably means: alike in name, and not called by it otherwise."""
    called = {
        service.name
        for other in scene.graph.addresses(address.owner)
        if (service := scene.graph.service(other.host)) is not None
    }
    core = scene.graph.core
    scores = [
        (SequenceMatcher(None, core(host), core(service.name)).ratio(), service.name)
        for service in scene.graph.services
        if service.name not in called and service.name != address.owner.name
    ]
    best = max(scores, default=(0.0, ""))
    return best[1] if best[0] >= ALIKE else ""


def _of_port(scene: Scene, address: Address, service: Object) -> Finding | None:
    """A port that the service lacks, where not all callers and the process itself agree on it."""
    ports = [port for item in mappings(service.spec.get("ports")) if (port := whole(item.get("port"))) is not None]
    if address.port is None or address.port in ports or not ports or service.spec.get("clusterIP") == "None":
        return None
    behind = scene.graph.workloads_behind(service)
    known = scene.known_ports(behind[0]) if behind else frozenset[int]()
    asked = {item.port for item in scene.graph.callers.get(service.name, ()) if item.port is not None}
    if (asked == {address.port} and address.port in known) or MYSQL_PORT in ports:
        return None
    mentions = _mentions(scene, address.owner, f"{address.host}:{address.port}", f":{address.port}")
    others = sorted({item.owner.name for item in scene.graph.callers.get(service.name, ()) if item.port in ports})
    reasons = [because(f"service/{service.name} has the port {listed(ports)}", service)]
    if others:
        reasons.append(
            because(f"{listed(others)} {'uses' if len(others) == 1 else 'use'} port {listed(ports)}", service)
        )
    return _wrong(
        scene,
        address,
        f"{address.owner.subject} is told to call {address.host}:{address.port}, the service has port {listed(ports)}",
        CERTAIN if mentions else LIKELY,
        mentions,
        reasons,
    )


def _of_wrong_service(scene: Scene, address: Address, service: Object) -> Finding | None:
    """A variable that bears one service's name and holds another's address."""
    core = scene.graph.core
    stem = core(_SUFFIX.sub("", address.variable.upper())) if _SUFFIX.search(address.variable.upper()) else ""
    meant = [item for item in scene.graph.services if stem and core(item.name) == stem]
    if not meant or meant[0] is service or stem == core(service.name) or address.source is not address.owner:
        return None
    told_otherwise = any(scene.graph.service(other.host) is meant[0] for other in scene.graph.addresses(address.owner))
    mentions = _mentions(scene, address.owner, address.host)
    if told_otherwise and not mentions:
        return None
    return _wrong(
        scene,
        address,
        f"{address.owner.subject} is told to call {address.host} by {address.variable}; {meant[0].name} exists",
        LIKELY if mentions else POSSIBLE,
        mentions,
        [because(f"service/{meant[0].name} exists", meant[0])],
    )


def _wrong(
    scene: Scene,
    address: Address,
    headline: str,
    sure: Confidence,
    mentions: Sequence[Complaint],
    reasons: Sequence[Because],
) -> Finding:
    owner = address.owner
    return found(
        ADDRESS,
        owner.subject,
        sure,
        headline,
        [
            because(
                f"{owner.subject}, container {address.container}: {address.variable}={quote(address.value)}", owner
            ),
            *reasons,
            *(
                because(f"{item.workload}: {quote(item.failure.text)} (×{item.count})", item.evidence)
                for item in mentions[:2]
            ),
        ],
        next_steps=[
            f"kubectl -n {owner.namespace} get services",
            *rollout("history", owner.subject),
        ],
        suffering=_upstream(scene, owner),
        since=owner.created,
    )


def _upstream(scene: Scene, workload: Object) -> list[Subject]:
    """Who calls a workload."""
    return [
        address.owner.subject
        for service in scene.graph.services_of(workload)
        for address in scene.graph.callers.get(service.name, ())
    ]


def _first(scene: Scene) -> Sequence[Object]:
    return scene.graph.services[:1]
