"""Network policies that keep apart what is told to speak with one another."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from responder.detectors import Case
from responder.detectors._scene import Complaint
from responder.detectors._writing import LIKELY, POSSIBLE, because, found, listed, plural, quote
from responder.model.failures import FailureKind
from responder.model.finding import Because, Cause, Cleared, Finding
from responder.model.follow_up import FollowUp, objects
from responder.model.kubernetes import Object, Pod, mappings, whole
from responder.model.policies import DNS, DNS_PORT, Direction, Peer, Policies
from responder.model.subject import Subject

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


@dataclass(frozen=True)
class Party:
    """A side of a call, with what to name for it."""

    subject: Subject
    side: Peer


@dataclass(frozen=True)
class Call:
    """Who calls whom through which service; `reason` is how that is known, where it is no complaint."""

    caller: Party
    receiver: Party
    service: Object
    port: int | None
    reason: Because | None


READS = ("networkpolicies.networking.k8s.io", "namespaces")
UNEXPLAINED = ("service-dns-resolution-failure", "endpoint-name-does-not-resolve", "cluster-dns-failure")
"""Findings that a policy which closes DNS would explain."""


def follow_up(case: Case) -> Iterator[FollowUp]:
    """The policies, where somebody waits in vain for an answer or a name."""
    scene = case.scene
    waiting = [item for item in scene.complaints if item.failure.kind in (*_DROPPED, *_UNRESOLVED)]
    if scene.namespace and (waiting or any(item.cause in UNEXPLAINED for item in case.findings)):
        why = f"{waiting[0].workload} {waiting[0].failure.kind}" if waiting else "names do not resolve"
        yield objects(READS[0], f"{why}: a network policy may drop its packets", namespace=scene.namespace)
        if any(item.namespace == scene.namespace for item in scene.picture.all("NetworkPolicy")):
            yield objects(READS[1], "network policies choose by the labels of namespaces", cluster=True)


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
    for caller in _callers(case):
        unresolved = [item for item in _complaints(case, caller.subject) if item.failure.kind in _UNRESOLVED]
        if not unresolved and not _asking(case):
            continue
        closed = all(
            policies.allow("Egress", caller.side, DNS, DNS_PORT, protocol) is False for protocol in ("UDP", "TCP")
        )
        if not closed:
            continue
        closing = policies.closing("Egress", caller.side.namespace, caller.side.labels)
        names = listed(f"networkpolicy/{policy.item.name}" for policy in closing)
        yield found(
            NAMES,
            closing[0].item.subject,
            LIKELY if any(item.failure.kind is FailureKind.NO_SUCH_HOST for item in unresolved) else POSSIBLE,
            f"{caller.subject} may not ask DNS: {names} lets no traffic to port 53 through",
            [
                because(f"{names} selects its pods for egress", *(policy.item for policy in closing)),
                *_quoted(unresolved),
            ],
            suffering=[caller.subject],
            next_steps=[f"kubectl -n {closing[0].item.namespace} describe networkpolicy {closing[0].item.name}"],
        )


def _traffic(case: Case, policies: Policies) -> Iterator[Finding]:
    """Calls between pods of the namespace that one side's policies do not let through."""
    seen: set[tuple[Subject, str]] = set()
    for call in (*_told(case), *_complained(case)):
        key = (call.caller.subject, call.service.name)
        if key in seen or call.receiver.subject == call.caller.subject:
            continue
        seen.add(key)
        yield from _blocked(case, policies, call)


def _blocked(case: Case, policies: Policies, call: Call) -> Iterator[Finding]:
    caller, receiver = call.caller.side, call.receiver.side
    port = _target(call.service, call.port, receiver.pod)
    sides: tuple[tuple[Direction, Peer, Peer], ...] = (("Egress", caller, receiver), ("Ingress", receiver, caller))
    for direction, pod, other in sides:
        if policies.allow(direction, pod, other, port) is not False:
            continue
        complaints = [
            item
            for item in _complaints(case, call.caller.subject)
            if item.failure.kind in _DROPPED and _is_about(case, item, call)
        ]
        if not complaints and not _asking(case):
            continue
        closing = policies.closing(direction, pod.namespace, pod.labels)
        names = listed(f"networkpolicy/{policy.item.name}" for policy in closing)
        what = f"{call.caller.subject} to {call.receiver.subject}{f' on port {port}' if port else ''}"
        selected = "caller" if direction == "Egress" else "called"
        yield found(
            TRAFFIC,
            closing[0].item.subject,
            LIKELY if complaints else POSSIBLE,
            f"{names} does not let traffic from {what} through",
            [
                because(f"{names} selects the {selected} pods for {direction.lower()}", *(one.item for one in closing)),
                *([call.reason] if call.reason else []),
                *_quoted(complaints),
            ],
            suffering=[call.caller.subject],
            next_steps=[f"kubectl -n {closing[0].item.namespace} describe networkpolicy {closing[0].item.name}"],
        )
        return


def _is_about(case: Case, complaint: Complaint, call: Call) -> bool:
    """Whether a complaint is about a call: it names the service, or no address and the caller calls nobody else."""
    if called := case.scene.called(complaint):
        return called is call.service
    others = {address.host for workload in case.scene.graph.workloads if workload.subject == complaint.workload
              for address in case.scene.graph.addresses(workload)}  # fmt: skip
    return not complaint.failure.host and len(others) == 1


def _callers(case: Case) -> Iterator[Party]:
    """Who may call somebody: every workload, and the pods that nobody made."""
    yield from (_party(case, workload) for workload in case.scene.graph.workloads)
    yield from (Party(pod.subject, Peer.of(pod)) for pod in case.scene.pods if pod.controller is None)


def _told(case: Case) -> Iterator[Call]:
    """The calls that workloads are told to make."""
    for host, addresses in case.scene.graph.callers.items():
        service = case.scene.graph.service(host)
        if service is None or not (behind := case.scene.graph.workloads_behind(service)[:1]):
            continue
        for address in addresses:
            owner = address.owner
            reason = because(f"{owner.subject} is told to call {address.host} ({address.variable})", owner)
            yield Call(_party(case, owner), _party(case, behind[0]), service, address.port, reason)


def _complained(case: Case) -> Iterator[Call]:
    """The calls of which a log says that no answer came."""
    pods = {pod.name: pod for pod in case.scene.pods}
    for item in case.scene.complaints:
        service = case.scene.called(item)
        if item.failure.kind not in _DROPPED or service is None or item.pod not in pods:
            continue
        for called in case.scene.graph.behind(service)[:1]:
            receiver = Party(case.scene.responsible(called), Peer.of(called))
            yield Call(Party(item.workload, Peer.of(pods[item.pod])), receiver, service, item.failure.port, None)


def _party(case: Case, workload: Object) -> Party:
    """A workload's pods as a side of the traffic: one of them, else its template."""
    pods = case.scene.graph.pods_of(workload)
    return Party(workload.subject, Peer.of(pods[0]) if pods else Peer(workload.namespace, workload.template_labels))


def _complaints(case: Case, caller: Subject) -> Sequence[Complaint]:
    return [item for item in case.scene.complaints if item.workload == caller]


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
