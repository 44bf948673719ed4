"""Names that do not resolve: services that are gone, DNS settings that lead elsewhere, a cluster's DNS that is down.

How names resolve in pods: Kubernetes, concepts/services-networking/dns-pod-service. A headless service without ready
endpoints has no address, so that its name does not resolve: that is its pods' trouble.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import timedelta

from responder.detectors import Case
from responder.detectors._scene import Complaint, Scene
from responder.detectors._writing import CERTAIN, LIKELY, because, found, listed, quote
from responder.model.failures import FailureKind
from responder.model.finding import Cause, Cleared, Finding
from responder.model.kubernetes import Object, Pod, mapping, mappings
from responder.model.network import DnsAnswer, DnsStatus
from responder.model.subject import Subject

_REFERENCE = "https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/"
NAME = Cause(
    slug="service-dns-resolution-failure",
    title="A service's name does not resolve",
    meaning="Callers use a name that no service bears, or their DNS settings do not lead to the cluster's DNS.",
    confirm="nslookup NAME in a caller's pod; kubectl get service NAME",
    fix="Create the service, or repair the DNS settings of the caller",
    reference=_REFERENCE,
    symptom_of=("cluster-dns-failure",),
)
CLUSTER_DNS = Cause(
    slug="cluster-dns-failure",
    title="The cluster's DNS does not answer",
    meaning="Names of services that exist do not resolve in several workloads.",
    confirm="kubectl -n kube-system get pods -l k8s-app=kube-dns; kubectl -n kube-system logs -l k8s-app=kube-dns",
    fix="Repair CoreDNS: its pods, its configuration, its upstream servers",
    reference="https://kubernetes.io/docs/tasks/administer-cluster/dns-debugging-resolution/",
)
CAUSES = (NAME, CLUSTER_DNS)

FORGOTTEN = timedelta(minutes=2)
"""DNS servers and clients remember for a while that a name did not exist: so long after it was made it may fail."""
_SERVERS = ("kube-dns", "coredns")
MANY = 3
"""So many workloads that cannot resolve names of services that exist have their DNS in common."""
_RULE = re.compile(
    r"^\s*(?:rewrite\s+(?:stop\s+)?name\s+(?:\w+\s+)?|template\s+\S+\s+\S+\s+|match\s+)(?P<name>\S+)", re.MULTILINE
)
_HOSTS = re.compile(r"^\s*(?P<address>\d+\.\d+\.\d+\.\d+)\s+(?P<names>[\w. -]+)$", re.MULTILINE)


def detect(case: Case) -> Iterator[Finding | Cleared]:
    scene = case.scene
    failed = [item for item in scene.complaints if item.failure.kind is FailureKind.NO_SUCH_HOST]
    complained = bool(failed)
    findings = [*_settings(scene), *_aliases(scene), *_of_server(scene)]
    settled = {item.subject for item in findings}
    failed = [item for item in failed if item.workload not in settled]
    findings += _cluster_dns(case, failed)
    findings += _unresolved(scene, [item for item in failed if item.failure.host])
    findings += _absent(scene)
    yield from findings
    if scene.logs and not findings and not complained:
        yield Cleared(text="names (no log tells of one that does not resolve)", evidence=(scene.logs[0][0],))


def _unresolved(scene: Scene, failed: Sequence[Complaint]) -> Iterator[Finding]:
    """Names that logs say do not resolve."""
    known = [item for item in failed if _should_resolve(scene, scene.graph.service(item.failure.host), item)]
    failed = [item for item in failed if not scene.graph.service(item.failure.host)]
    for host in dict.fromkeys(item.failure.host for item in failed):
        if not scene.graph.is_internal(host) or not scene.knows_all("Service"):
            continue
        if finding := _of_absent_service(scene, host, [item for item in failed if item.failure.host == host]):
            yield finding
    for workload in dict.fromkeys(item.workload for item in known):
        own = [item for item in known if item.workload == workload]
        yield found(
            NAME,
            workload,
            LIKELY,
            f"{workload} cannot resolve {own[0].failure.host}, although the service exists",
            [because(f"{quote(item.failure.text)} (×{item.count})", item.evidence) for item in own[:3]],
            next_steps=[f"kubectl -n {scene.namespace} exec {workload} -- cat /etc/resolv.conf"],
            since=own[0].last,
        )


def _should_resolve(scene: Scene, service: Object | None, complaint: Complaint) -> bool:
    """Whether a service's name should have resolved: it was there long enough, and has an address. A headless one has
    the addresses of its ready pods only.
    """
    if service is None:
        return False
    if complaint.last and service.created and complaint.last - service.created < FORGOTTEN:
        return False
    if service.spec.get("clusterIP") != "None" or service.spec.get("publishNotReadyAddresses"):
        return True
    counted = scene.graph.endpoints(service)
    return counted is None or counted[0] > 0


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
    reasons.append(because(f"no service {name} exists in {scene.namespace}", *scene.graph.services[:1]))
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
                because(f"no service {host} exists in {scene.namespace}", *scene.graph.services[:1]),
            ],
            next_steps=[f"kubectl -n {scene.namespace} get service {host}"],
            suffering=callers,
        )


def name_servers_down(scene: Scene) -> Sequence[Pod]:
    """The pods of the cluster's DNS, where they were seen and none of them is ready."""
    pods = [pod for pod in scene.picture.pods() if pod.labels.get("k8s-app") in _SERVERS and "Ready" in pod.conditions]
    return pods if not any(pod.ready for pod in pods) else ()


def _cluster_dns(case: Case, failed: Sequence[Complaint]) -> Iterator[Finding]:
    """The cluster's DNS, where its servers are down, or so many names fail that it cannot be the names."""
    scene, down = case.scene, name_servers_down(case.scene)
    known = [item for item in failed if _should_resolve(scene, scene.graph.service(item.failure.host), item)]
    who = list(dict.fromkeys(item.workload for item in (failed if down else known)))
    hosts = {item.failure.host.partition(".")[0] for item in known}
    others = any(item.failure.host and not scene.graph.is_internal(item.failure.host) for item in failed)
    asked = [(name, answer) for name, answer in case.read(DnsAnswer) if answer.status is not DnsStatus.OK]
    many = len(who) >= MANY and len(hosts) > 1
    if not (down and (failed or asked)) and not many and not (len(who) > 1 and others):
        return
    servers = down or [pod for pod in scene.picture.pods("kube-system") if pod.labels.get("k8s-app") in _SERVERS]
    subject = (
        scene.responsible(servers[0])
        if servers
        else Subject(kind="Deployment", name="coredns", namespace="kube-system")
    )
    whom = f"{listed(who)} cannot resolve {'names' if down else 'services that exist'}" if who else "names fail"
    yield found(
        CLUSTER_DNS,
        subject,
        CERTAIN if down else LIKELY,
        f"The cluster's DNS does not answer: {whom}",
        [
            *(because(f"pod/{pod.name} is not ready", pod) for pod in down[:2]),
            *(
                because(f"{item.workload}: {quote(item.failure.text)} (×{item.count})", item.evidence)
                for item in (known or failed)[:3]
            ),
            *(because(f"{answer.name}: {answer.status} from {answer.server}", name) for name, answer in asked[:2]),
        ],
        next_steps=[f"kubectl -n {subject.namespace} get pods -l k8s-app=kube-dns -o wide"],
        suffering=who,
        since=min((at for pod in down if (at := scene.since(pod))), default=failed[0].last if failed else None),
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
        if not internal and not mentions and not scene.ails(workload):
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


def _aliases(scene: Scene) -> Iterator[Finding]:
    """Host aliases that give a service's name another address."""
    for workload in scene.graph.workloads:
        for alias in mappings(workload.template.get("hostAliases")):
            for name in alias.get("hostnames") or []:
                service = scene.graph.service(str(name))
                address = str(service.spec.get("clusterIP") or "") if service else ""
                if service is None or not alias.get("ip") or address in ("", "None", alias["ip"]):
                    continue
                yield found(
                    NAME,
                    workload.subject,
                    LIKELY,
                    f"hostAliases of {workload.subject} lead {name} to {alias.get('ip')}, not to its service",
                    [
                        because(f"{workload.subject}: hostAliases has {alias.get('ip')} {name}", workload),
                        because(f"service/{service.name} has {address}", service),
                    ],
                    next_steps=[
                        f"kubectl -n {workload.namespace} get {workload.subject} -o yaml | grep -A6 hostAliases"
                    ],
                )


def _of_server(scene: Scene) -> Iterator[Finding]:
    """Rules of the cluster's DNS about the name of one service."""
    for held in scene.picture.all("ConfigMap", "kube-system"):
        if not held.name.startswith("coredns"):
            continue
        for text in map(str, mapping(held.raw.get("data")).values()):
            names = [match["name"] for match in _RULE.finditer(text)]
            names += [name for match in _HOSTS.finditer(text) for name in match["names"].split()]
            for name in dict.fromkeys(names):
                bare = re.sub(r"[\\^$()]|\(\.\*\)\??", "", name).rstrip(".")
                service = scene.graph.service(bare) if "." in bare else None
                workloads = (
                    scene.graph.workloads_behind(service) if service and service.namespace == scene.namespace else ()
                )
                for workload in workloads:
                    yield found(
                        NAME,
                        workload.subject,
                        LIKELY,
                        f"The cluster's DNS has a rule of its own for {bare}",
                        [because(f"configmap/{held.name} in kube-system speaks of {name}", held)],
                        next_steps=[f"kubectl -n kube-system get configmap {held.name} -o yaml"],
                    )
