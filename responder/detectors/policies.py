"""Network policies that keep apart what is told to speak with one another."""

from collections.abc import Iterator, Sequence

from responder.detectors import Case
from responder.detectors._scene import Complaint
from responder.detectors._writing import LIKELY, POSSIBLE, because, found, listed, plural, quote
from responder.model.failures import FailureKind
from responder.model.finding import Because, Cause, Cleared, Finding
from responder.model.kubernetes import Object, Pod, mappings, whole
from responder.model.policies import DNS, DNS_PORT, Direction, Peer, Policies
from responder.model.told import Address

_REFERENCE = "https://kubernetes.io/docs/concepts/services-networking/network-policies/"

TRAFFIC = Cause(
    slug="network-policy-blocks-traffic",
    title="A network policy blocks what a workload calls",
    meaning="A policy selects the caller or the called pods, and none of its rules lets this traffic through: packets "
    "are dropped, the caller sees a time-out.",
    confirm="kubectl describe networkpolicy; from a pod of the caller: nc -z -v -w 3 HOST PORT",
    fix="Add a rule for the caller's labels and the called port (the pod's, not the service's)",
    reference=_REFERENCE,
)
NAMES = Cause(
    slug="network-policy-blocks-dns",
    title="A network policy blocks DNS",
    meaning="Pods that a policy closes for egress may not ask the cluster's name servers: no name resolves for them.",
    confirm="kubectl describe networkpolicy; from a pod: nslookup kubernetes.default",
    fix="Allow egress to namespace kube-system, pods k8s-app=kube-dns, on UDP and TCP port 53",
    reference=_REFERENCE,
)
CAUSES = (TRAFFIC, NAMES)

_UNRESOLVED = (FailureKind.NO_SUCH_HOST, FailureKind.TIMED_OUT)
_DROPPED = (FailureKind.TIMED_OUT, FailureKind.DEADLINE, FailureKind.UNREACHABLE, FailureKind.UNAVAILABLE)


def detect(case: Case) -> Iterator[Finding | Cleared]:
    scene = case.scene
    items = scene.picture.all("NetworkPolicy", scene.namespace)
    if not items:
        if scene.knows_all("NetworkPolicy") and (asked := _asking(case)):
            yield Cleared(text=f"network policies (none in {scene.namespace})", evidence=asked)
        return
    policies = Policies(items, scene.picture.all("Namespace"))
    said = 0
    for finding in (*_names(case, policies), *_traffic(case, policies)):
        said += 1
        yield finding
    if not said and (asked := _asking(case)):
        text = f"network policies ({plural(len(items), 'policy').replace('policys', 'policies')}, none blocks a call)"
        yield Cleared(text=text, evidence=asked)


def _names(case: Case, policies: Policies) -> Iterator[Finding]:
    for workload in case.scene.graph.workloads:
        side = _side(case, workload)
        if policies.allow("Egress", side, DNS, DNS_PORT, "UDP") is not False:
            continue
        if policies.allow("Egress", side, DNS, DNS_PORT, "TCP") is not False:
            continue
        complaints = [
            item
            for item in case.scene.complaints
            if item.workload == workload.subject and item.failure.kind in _UNRESOLVED
        ]
        unresolved = [item for item in complaints if item.failure.kind is FailureKind.NO_SUCH_HOST]
        if not complaints and not _asking(case):
            continue
        closing = policies.closing("Egress", side.namespace, side.labels)
        names = listed(f"networkpolicy/{policy.item.name}" for policy in closing)
        yield found(
            NAMES,
            workload.subject,
            LIKELY if unresolved else POSSIBLE,
            f"{workload.subject} may not ask DNS: {names} lets no traffic to port 53 through",
            [
                because(f"{names} selects its pods for egress", *(policy.item for policy in closing)),
                *_quoted(complaints),
            ],
            next_steps=[f"kubectl -n {workload.namespace} describe networkpolicy {closing[0].item.name}"],
        )


def _traffic(case: Case, policies: Policies) -> Iterator[Finding]:
    """Calls between workloads of the namespace that one side's policies do not let through."""
    seen: set[tuple[str, str]] = set()
    for host, addresses in case.scene.graph.callers.items():
        service = case.scene.graph.service(host)
        behind = case.scene.graph.workloads_behind(service) if service else ()
        for address in addresses:
            for called in behind[:1]:
                key = (address.owner.name, called.name)
                if service is None or key in seen or address.owner.name == called.name:
                    continue
                seen.add(key)
                yield from _call(case, policies, address, service, called)


def _call(case: Case, policies: Policies, address: Address, service: Object, called: Object) -> Iterator[Finding]:
    caller, receiver = _side(case, address.owner), _side(case, called)
    port = _target(service, address.port, receiver.pod)
    sides: tuple[tuple[Direction, Peer, Peer], ...] = (
        ("Egress", caller, receiver),
        ("Ingress", receiver, caller),
    )
    for direction, pod, other in sides:
        if policies.allow(direction, pod, other, port) is not False:
            continue
        complaints = [
            item
            for item in case.scene.complaints
            if item.workload == address.owner.subject
            and item.failure.kind in _DROPPED
            and case.scene.graph.service(item.failure.host) is service
        ]
        if not complaints and not _asking(case):
            continue
        closing = policies.closing(direction, pod.namespace, pod.labels)
        names = listed(f"networkpolicy/{policy.item.name}" for policy in closing)
        what = f"{address.owner.subject} to {called.subject}{f' on port {port}' if port else ''}"
        selected = "caller" if direction == "Egress" else "called"
        yield found(
            TRAFFIC,
            called.subject if direction == "Ingress" else address.owner.subject,
            LIKELY if complaints else POSSIBLE,
            f"{names} does not let traffic from {what} through",
            [
                because(f"{names} selects the {selected} pods for {direction.lower()}", *(one.item for one in closing)),
                because(f"{address.owner.subject} is told to call {address.host} ({address.variable})", address.owner),
                *_quoted(complaints),
            ],
            suffering=[address.owner.subject],
            next_steps=[f"kubectl -n {called.namespace} describe networkpolicy {closing[0].item.name}"],
        )
        return


def _side(case: Case, workload: Object) -> Peer:
    """A workload's pods as a side of the traffic: one of them, else its template."""
    pods = case.scene.graph.pods_of(workload)
    return Peer.of(pods[0]) if pods else Peer(workload.namespace, workload.template_labels)


def _target(service: Object, port: int | None, receiver: Pod | None) -> int | None:
    """The pod's port behind a service's: policies know the pod's alone."""
    ports = [item for item in mappings(service.spec.get("ports")) if port is None or whole(item.get("port")) == port]
    if len(ports) != 1:
        return None
    target = ports[0].get("targetPort", ports[0].get("port"))
    if (number := whole(target)) is not None or receiver is None:
        return number
    for container in receiver.containers:
        for item in container.ports:
            if item.get("name") == target:
                return whole(item.get("containerPort"))
    return None


def _asking(case: Case) -> tuple[str, ...]:
    """The steps that ask for policies: without one, a policy counts only where somebody complains."""
    return tuple(name for name, item in case.evidence.items() if item.probe == "kubernetes.network_policies")


def _quoted(complaints: Sequence[Complaint]) -> list[Because]:
    return [
        because(f"{item.workload}: {quote(item.failure.text)} (×{item.count})", item.evidence)
        for item in sorted(complaints, key=lambda item: -item.count)[:2]
    ]
