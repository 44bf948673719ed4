"""Callers that are told a wrong address, and names that do not resolve."""

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from responder.detectors import Case
from responder.detectors._scene import Complaint, Scene
from responder.detectors._writing import CERTAIN, LIKELY, POSSIBLE, because, found, listed, plural, quote
from responder.model.failures import FailureKind
from responder.model.finding import Because, Cause, Cleared, Confidence, Finding
from responder.model.kubernetes import Object, mapping, mappings, whole
from responder.model.subject import Subject
from responder.model.told import Address

_REFERENCE = "https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/"
ADDRESS = Cause(
    slug="service-env-var-address-mismatch",
    title="A caller has a wrong address in its environment",
    meaning="A variable names a service or a port that does not exist, or another service than it should.",
    confirm="Compare the variable in the caller's template with kubectl get services",
    fix="Correct the variable",
    reference="https://kubernetes.io/docs/concepts/services-networking/service/#discovering-services",
)
NAME = Cause(
    slug="service-dns-resolution-failure",
    title="A service's name does not resolve",
    meaning="Callers use a name that no service bears, or their DNS settings do not lead to the cluster's DNS.",
    confirm="nslookup NAME in a caller's pod; kubectl get service NAME",
    fix="Create the service, or repair the DNS settings of the caller",
    reference=_REFERENCE,
)
CLUSTER_DNS = Cause(
    slug="cluster-dns-failure",
    title="The cluster's DNS does not answer",
    meaning="Names of services that exist do not resolve in several workloads.",
    confirm="kubectl -n kube-system get pods -l k8s-app=kube-dns; kubectl -n kube-system logs -l k8s-app=kube-dns",
    fix="Repair CoreDNS: its pods, its configuration, its upstream servers",
    reference="https://kubernetes.io/docs/tasks/administer-cluster/dns-debugging-resolution/",
)
CAUSES = (ADDRESS, NAME, CLUSTER_DNS)

ALIKE = 0.75
"""How alike a wrong name is to the right one at least (difflib's ratio)."""
_SUFFIX = re.compile(r"(?:SERVICE|SVC|HOST|NAME|ADDR|ADDRESS|URL|URI|ENDPOINT|PORT|SERVER|BASE|API|HTTP|GRPC|_)+$")
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
    for finding in (*_unresolved(scene), *_absent(scene), *_settings(scene)):
        told += 1
        yield finding
    if count and not told and scene.knows_all("Service"):
        yield Cleared(
            text=f"addresses in the environment ({plural(count, 'address')}, all lead to services)",
            evidence=scene.graph.workloads[0].evidence,
        )


def _of_address(scene: Scene, address: Address) -> Finding | None:
    if not scene.graph.is_internal(address.host) or not scene.knows_all("Service"):
        return None
    service = scene.graph.service(address.host)
    if service is None:
        return _of_unknown_host(scene, address)
    return _of_port(scene, address, service) or _of_wrong_service(scene, address, service)


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
    scores = [
        (SequenceMatcher(None, host, service.name).ratio(), service.name)
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
    stem = _plain(_SUFFIX.sub("", address.variable.upper()))
    meant = [item for item in scene.graph.services if stem and _plain(item.name) == stem]
    if not meant or meant[0] is service or stem == _plain(service.name):
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


def _plain(name: str) -> str:
    """A name without what services and variables decorate it with."""
    return re.sub(r"[^a-z0-9]|service|svc", "", name.lower())


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
            f"kubectl -n {owner.namespace} rollout history {owner.subject}",
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


def _unresolved(scene: Scene) -> Iterator[Finding]:
    """Names that logs say do not resolve."""
    failed = [item for item in scene.complaints if item.failure.kind is FailureKind.NO_SUCH_HOST and item.failure.host]
    known = [item for item in failed if scene.graph.service(item.failure.host)]
    for host in dict.fromkeys(item.failure.host for item in failed if item not in known):
        if not scene.graph.is_internal(host) or not scene.knows_all("Service"):
            continue
        if finding := _of_absent_service(scene, host, [item for item in failed if item.failure.host == host]):
            yield finding
    who = list(dict.fromkeys(item.workload for item in known))
    if len(who) > 1:
        yield _of_cluster_dns(scene, known, who)
    elif known:
        yield found(
            NAME,
            who[0],
            LIKELY,
            f"{who[0]} cannot resolve {known[0].failure.host}, although the service exists",
            [because(f"{quote(item.failure.text)} (×{item.count})", item.evidence) for item in known[:3]],
            next_steps=[f"kubectl -n {scene.namespace} exec {who[0]} -- cat /etc/resolv.conf"],
            since=known[0].last,
        )


def _of_absent_service(scene: Scene, host: str, failed: Sequence[Complaint]) -> Finding | None:
    """The name of a workload whose service is gone; of any other name the caller that uses it."""
    name = host.partition(".")[0]
    workload = next((item for item in scene.graph.workloads if item.name == name), None)
    callers = list(dict.fromkeys(item.workload for item in failed))
    told = [address.owner.name for address in scene.graph.callers.get(host, ())]
    if workload is None and callers[0].name in told:
        return None
    subject = workload.subject if workload else callers[0]
    reasons = [
        because(f"{item.workload}: {quote(item.failure.text)} (×{item.count})", item.evidence) for item in failed[:3]
    ]
    reasons.append(because(f"no service {name} exists in {scene.namespace}", *_first(scene)))
    return found(
        NAME,
        subject,
        LIKELY,
        f"The name {host} does not resolve, no such service exists; {listed(callers)} {_calls(callers)} it",
        reasons,
        next_steps=[f"kubectl -n {scene.namespace} get service {name}"],
        suffering=callers,
        since=failed[0].last,
    )


def _calls(callers: Sequence[Subject]) -> str:
    return "calls" if len(callers) == 1 else "call"


def _absent(scene: Scene) -> Iterator[Finding]:
    """Workloads that others are told to call by a name for which there is no service."""
    for host, workload, addresses in scene.absent_services():
        callers = list(dict.fromkeys(item.owner.subject for item in addresses))
        yield found(
            NAME,
            workload.subject,
            LIKELY,
            f"{workload.subject} has no service {host}, by which {listed(callers)} {_calls(callers)} it",
            [
                *(
                    because(f"{item.owner.subject}: {item.variable}={quote(item.value)}", item.owner)
                    for item in addresses[:3]
                ),
                because(f"no service {host} exists in {scene.namespace}", *_first(scene)),
            ],
            next_steps=[f"kubectl -n {scene.namespace} get service {host}"],
            suffering=callers,
        )


def _of_cluster_dns(scene: Scene, failed: Sequence[Complaint], who: Sequence[Subject]) -> Finding:
    servers = [pod for pod in scene.picture.pods("kube-system") if pod.labels.get("k8s-app") in ("kube-dns", "coredns")]
    subject = (
        scene.responsible(servers[0])
        if servers
        else Subject(kind="Deployment", name="coredns", namespace="kube-system")
    )
    down = [pod for pod in servers if "Ready" in pod.conditions and not pod.ready]
    return found(
        CLUSTER_DNS,
        subject,
        CERTAIN if down else LIKELY,
        f"The cluster's DNS does not answer: {listed(who)} cannot resolve services that exist",
        [
            *(
                because(f"{item.workload}: {quote(item.failure.text)} (×{item.count})", item.evidence)
                for item in failed[:3]
            ),
            *(because(f"pod/{pod.name} is not ready", pod) for pod in down[:2]),
        ],
        next_steps=["kubectl -n kube-system get pods -l k8s-app=kube-dns -o wide"],
        suffering=who,
        since=failed[0].last,
    )


def _settings(scene: Scene) -> Iterator[Finding]:
    """DNS settings of a template that cannot lead to the cluster's names although it is told to call them."""
    for workload in scene.graph.workloads:
        policy = str(workload.template.get("dnsPolicy") or "ClusterFirst")
        servers = [str(item) for item in mapping(workload.template.get("dnsConfig")).get("nameservers") or []]
        host_network = bool(workload.template.get("hostNetwork"))
        apart = (policy == "None" and servers) or (policy == "Default" and not host_network)
        if not apart or _is_cluster_dns(scene, servers):
            continue
        internal = [item for item in scene.graph.addresses(workload) if scene.graph.service(item.host)]
        mentions = [
            item
            for item in scene.complaints
            if item.workload == workload.subject and item.failure.kind is FailureKind.NO_SUCH_HOST
        ]
        if not internal and not mentions:
            continue
        what = f"dnsPolicy {policy}{f' with {listed(servers)}' if servers else ''}"
        yield found(
            NAME,
            workload.subject,
            CERTAIN if mentions else LIKELY,
            f"{workload.subject} does not ask the cluster's DNS ({what}) and so cannot resolve services",
            [
                because(f"{workload.subject}: {what}", workload),
                *(because(f"{quote(item.failure.text)} (×{item.count})", item.evidence) for item in mentions[:2]),
            ],
            next_steps=[f"kubectl -n {workload.namespace} exec {workload.subject} -- cat /etc/resolv.conf"],
            since=workload.created,
        )


def _is_cluster_dns(scene: Scene, servers: Sequence[str]) -> bool:
    """Whether one of the servers is the cluster's, or the node's cache of it (link-local)."""
    addresses = {str(item.spec.get("clusterIP")) for item in scene.picture.all("Service", "kube-system")}
    return any(server in addresses or server.startswith("169.254.") for server in servers)
