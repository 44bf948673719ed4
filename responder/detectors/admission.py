"""Pods, services and claims that the API server refuses to create: quotas, service accounts, policies.

Messages: kubernetes/kubernetes, plugin/pkg/admission/{resourcequota,serviceaccount,limitranger}, and
pkg/controller/controller_utils.go for `Error creating: …`.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from responder.detectors import Case
from responder.detectors._scene import Scene
from responder.detectors._writing import CERTAIN, LIKELY, because, found, listed, quote
from responder.model.finding import Because, Cause, Cleared, Finding
from responder.model.graph import declared_ports
from responder.model.kubernetes import Object, mapping, quantity
from responder.model.subject import Subject

_QUOTA = "https://kubernetes.io/docs/concepts/policy/resource-quotas/"
_SEE_QUOTA = "kubectl describe resourcequota: used has reached hard"


def _quota(what: str, title: str, meaning: str) -> Cause:
    return Cause(
        slug=f"namespace-{what}-quota-exceeded",
        title=title,
        meaning=meaning,
        confirm=_SEE_QUOTA,
        fix="Raise the quota, or free what is not needed in the namespace",
        reference=_QUOTA,
    )


CPU = _quota("cpu", "CPU quota of the namespace used up", "A ResourceQuota leaves no CPU for new pods.")
MEMORY = _quota("memory", "Memory quota of the namespace used up", "A ResourceQuota leaves no memory for new pods.")
PODS = _quota("pod", "Pod quota of the namespace used up", "A ResourceQuota allows no more pods.")
SERVICES = _quota("service", "Service quota of the namespace used up", "A ResourceQuota allows no more services.")
STORAGE = _quota(
    "storage", "Storage quota of the namespace used up", "A ResourceQuota allows no more claims or storage."
)
OTHER = _quota("object", "Quota of the namespace used up", "A ResourceQuota allows no more objects of a kind.")
UNLIMITED = Cause(
    slug="quota-demands-limits",
    title="Pods without the requests or limits that a quota demands",
    meaning="A ResourceQuota counts a resource that the pod template does not state, so no pod may be created.",
    confirm="The message of the ReplicaSet says: must specify …",
    fix="State requests and limits in the template, or give defaults with a LimitRange",
    reference=_QUOTA,
)
ACCOUNT = Cause(
    slug="missing-service-account",
    title="ServiceAccount does not exist",
    meaning="The pod template names a ServiceAccount that is not there; pods are refused.",
    confirm="kubectl get serviceaccount NAME",
    fix="Create the ServiceAccount, or correct serviceAccountName in the template",
    reference="https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/",
)
LIMITS = Cause(
    slug="limit-range-violated",
    title="LimitRange forbids the pod's requests or limits",
    meaning="Requests or limits of the template lie outside what the namespace's LimitRange allows.",
    confirm="kubectl describe limitrange",
    fix="Bring requests and limits within the LimitRange, or change it",
    reference="https://kubernetes.io/docs/concepts/policy/limit-range/",
)
SECURITY = Cause(
    slug="pod-security-violated",
    title="Pod security admission refuses the pods",
    meaning="The template asks for rights that the namespace's pod security level or constraints forbid.",
    confirm="The message of the ReplicaSet names the violated fields",
    fix="Drop the privileges in the template, or choose another level for the namespace",
    reference="https://kubernetes.io/docs/concepts/security/pod-security-admission/",
)
WEBHOOK = Cause(
    slug="admission-webhook-denied",
    title="An admission webhook refuses the pods",
    meaning="A validating webhook or policy engine denies the request.",
    confirm="The message of the ReplicaSet names the webhook",
    fix="Satisfy the policy, or correct it",
)
WEBHOOK_DOWN = Cause(
    slug="admission-webhook-unavailable",
    title="An admission webhook does not answer",
    meaning="The API server cannot reach a webhook whose failurePolicy is Fail, so nothing can be created.",
    confirm="kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations; check its Service and pods",
    fix="Repair the webhook's pods or certificate; as a last resort set failurePolicy to Ignore",
)
PRIORITY = Cause(
    slug="missing-priority-class",
    title="PriorityClass does not exist",
    meaning="The template names a PriorityClass that is not there; pods are refused.",
    confirm="kubectl get priorityclass",
    fix="Create the PriorityClass or correct priorityClassName",
)
REFUSED = Cause(
    slug="pod-creation-refused",
    title="The API server refuses the pods",
    meaning="Pods cannot be created; the message says why.",
    confirm="kubectl describe replicaset",
    fix="Follow the message",
    generic=True,
)
CAUSES = (
    CPU, MEMORY, PODS, SERVICES, STORAGE, OTHER, UNLIMITED, ACCOUNT, LIMITS, SECURITY, WEBHOOK, WEBHOOK_DOWN,
    PRIORITY, REFUSED,
)  # fmt: skip

_EXCEEDED = re.compile(
    r"exceeded quota: (?P<quota>[\w.-]+), requested: (?P<requested>\S+), used: (?P<used>\S+), limited: (?P<limited>\S+)"
)
_NO_ACCOUNT = re.compile(r'serviceaccount "(?P<name>[^"]+)" not found')
_PHRASES: tuple[tuple[str, Cause], ...] = (
    (r"failed quota: .*must specify", UNLIMITED),
    (r"violates PodSecurity|unable to validate against any (?:pod security|security context)", SECURITY),
    (r"failed calling webhook|failed to call webhook", WEBHOOK_DOWN),
    (r"admission webhook .* denied|ValidatingAdmissionPolicy .* denied", WEBHOOK),
    (r"no PriorityClass with name", PRIORITY),
    (r"(?:maximum|minimum) .* usage per (?:Container|Pod)|limit to request ratio per", LIMITS),
)


@dataclass(frozen=True)
class Refusal:
    """What the API server said when a controller wanted to create something for a workload."""

    workload: Object
    message: str
    source: Object


def detect(case: Case) -> Iterator[Finding | Cleared]:
    scene = case.scene
    refusals = list(_refusals(scene))
    for refusal in refusals:
        yield _explain(scene, refusal)
    yield from _missing_services(scene)
    yield from _missing_claims(scene)
    if not refusals and (workloads := scene.graph.workloads) and scene.knows_all("Event"):
        ids = dict.fromkeys(name for item in workloads for name in item.evidence)
        yield Cleared(text=f"pod creation ({len(workloads)} workloads, none refused)", evidence=tuple(ids))


def _refusals(scene: Scene) -> Iterator[Refusal]:
    """One for each workload that lacks pods now: what was refused once and is there since does not count."""
    for workload in scene.graph.workloads:
        pods = scene.graph.pods_of(workload)
        condition = mapping(workload.conditions.get("ReplicaFailure"))
        # while a rollout is refused, the pods of the old template may be all there
        if len(pods) >= scene.desired(workload) and not (condition.get("status") == "True" and scene.desired(workload)):
            continue
        if condition.get("status") == "True" and condition.get("message"):
            yield Refusal(workload, str(condition["message"]), workload)
            continue
        events = [
            event
            for item in (workload, *_replica_sets(scene, workload))
            for event in scene.picture.events(item)
            if event.reason in ("FailedCreate", "FailedCreatePodSandBox") and event.last
        ]
        if events:
            latest = max(events, key=lambda event: event.last or scene.started_at)
            yield Refusal(workload, latest.message, latest)


def _replica_sets(scene: Scene, workload: Object) -> list[Object]:
    """The replica sets of a deployment that want pods now."""
    return [
        item
        for item in scene.picture.all("ReplicaSet", workload.namespace)
        if item.controller == (workload.kind, workload.name) and item.spec.get("replicas") != 0
    ]


def _explain(scene: Scene, refusal: Refusal) -> Finding:
    workload, message = refusal.workload, refusal.message
    reason = because(f"{workload.subject}: {quote(message)}", refusal.source)
    missing = scene.desired(workload) - len(scene.graph.pods_of(workload))
    effect = f"{workload.subject} lacks {missing} of {scene.desired(workload)} pods"
    if missing <= 0:
        effect = f"{workload.subject} gets no pods of its new template"
    if exceeded := _EXCEEDED.search(message):
        return _exceeded(scene, workload, exceeded, reason, effect)
    if account := _NO_ACCOUNT.search(message):
        return found(
            ACCOUNT,
            workload.subject,
            CERTAIN,
            f"{workload.subject} names the ServiceAccount {account['name']}, which does not exist; {effect}",
            [reason],
            next_steps=[
                f"kubectl -n {workload.namespace} get serviceaccounts",
                f"kubectl -n {workload.namespace} get {workload.subject} -o yaml | grep serviceAccountName",
            ],
            since=workload.created,
        )
    cause = next((cause for phrase, cause in _PHRASES if re.search(phrase, message)), REFUSED)
    return found(cause, workload.subject, CERTAIN, f"{cause.title}: {effect}", [reason], since=workload.created)


def _exceeded(scene: Scene, workload: Object, exceeded: re.Match[str], reason: Because, effect: str) -> Finding:
    requested, used, limited = (_amounts(exceeded[name]) for name in ("requested", "used", "limited"))
    over = [name for name in requested if _over(requested[name], used.get(name, ""), limited.get(name, ""))]
    first = (over or list(requested) or [""])[0]
    reasons = [reason]
    if quota := scene.picture.get("ResourceQuota", workload.namespace, exceeded["quota"]):
        reasons.append(because(f"ResourceQuota {quota.name}: {_usage(quota)}", quota))
    return found(
        _cause_of(first),
        Subject(kind="Namespace", name=workload.namespace),
        CERTAIN,
        f"The quota {exceeded['quota']} of namespace {workload.namespace} is used up: {first} "
        f"{used.get(first, '?')} of {limited.get(first, '?')} used, {requested.get(first, '?')} more wanted; {effect}",
        reasons,
        next_steps=[
            f"kubectl -n {workload.namespace} describe resourcequota {exceeded['quota']}",
            f"kubectl -n {workload.namespace} top pods",
        ],
        suffering=[workload.subject],
        since=workload.created,
    )


def _amounts(text: str) -> Mapping[str, str]:
    return dict(item.partition("=")[::2] for item in text.split(",") if "=" in item)


def _over(requested: str, used: str, limited: str) -> bool:
    wanted, taken, limit = quantity(requested), quantity(used), quantity(limited)
    return wanted is not None and taken is not None and limit is not None and taken + wanted > limit


def _cause_of(resource: str) -> Cause:
    """The cause by the name of the quota's resource (`requests.cpu`, `count/pods`)."""
    name = resource.removeprefix("requests.").removeprefix("limits.").removeprefix("count/")
    if name == "storage" or "persistentvolumeclaims" in name:
        return STORAGE
    if name.startswith("services"):
        return SERVICES
    return {"cpu": CPU, "memory": MEMORY, "pods": PODS}.get(name, OTHER)


def _usage(quota: Object) -> str:
    used, hard = mapping(quota.status.get("used")), mapping(quota.status.get("hard"))
    return ", ".join(f"{name} {used.get(name, '?')} of {limit}" for name, limit in hard.items())


def _full(scene: Scene, cause: Cause) -> Iterator[tuple[Object, str]]:
    """Quotas of which a resource of this cause is used up, as (quota, resource)."""
    for quota, name, taken, most in _limits(scene):
        if _cause_of(name) is cause and taken is not None and most is not None and taken >= most:
            yield quota, name


def _too_small(scene: Scene) -> Iterator[tuple[Object, str]]:
    """Quotas of storage that leave less than what a volume has that waits for its claim, as (quota, resource)."""
    waiting = [volume for volume in scene.picture.all("PersistentVolume") if volume.status.get("phase") == "Available"]
    sizes = [quantity(mapping(volume.spec.get("capacity")).get("storage")) or 0.0 for volume in waiting]
    for quota, name, taken, most in _limits(scene):
        left = (most or 0.0) - (taken or 0.0)
        if name.endswith("requests.storage") and any(size > left for size in sizes):
            yield quota, name


def _limits(scene: Scene) -> Iterator[tuple[Object, str, float | None, float | None]]:
    """What the namespace's quotas limit, as (quota, resource, used, limit); None where that is not told."""
    for quota in scene.picture.all("ResourceQuota", scene.namespace):
        used = mapping(quota.status.get("used"))
        for name, limit in mapping(quota.status.get("hard")).items():
            yield quota, name, quantity(used.get(name)), quantity(limit)


def _missing_services(scene: Scene) -> Iterator[Finding]:
    """A full quota of services explains why a service that others are told to call does not exist."""
    missing = scene.absent_services()
    for quota, _ in _full(scene, SERVICES):
        if not missing:
            yield from _unserved(scene, quota)
            return
        name, workload, callers = missing[0]
        yield found(
            SERVICES,
            Subject(kind="Namespace", name=scene.namespace),
            LIKELY,
            f"The quota {quota.name} of namespace {scene.namespace} allows no more services ({_usage(quota)}), and the "
            f"service {name} that {listed(item.owner.subject for item in callers)} should call does not exist",
            [
                because(f"ResourceQuota {quota.name}: {_usage(quota)}", quota),
                *(
                    because(f"{item.owner.subject} has {item.variable}={quote(item.value)}", item.owner)
                    for item in callers[:3]
                ),
                because(f"{workload.subject} runs, no Service {name} exists", workload, *scene.graph.services[:1]),
            ],
            next_steps=[f"kubectl -n {scene.namespace} describe resourcequota {quota.name}"],
            suffering=[workload.subject, *(item.owner.subject for item in callers)],
        )
        return


def _unserved(scene: Scene, quota: Object) -> Iterator[Finding]:
    """A full quota of services explains why a workload that listens has no service, where the others have one."""
    listening = [item for item in scene.graph.workloads if declared_ports(item.template_containers)]
    without = [item for item in listening if not scene.graph.services_of(item)]
    if not without or len(without) == len(listening) or not scene.knows_all("Service"):
        return
    names = listed(item.subject for item in without)
    yield found(
        SERVICES,
        Subject(kind="Namespace", name=scene.namespace),
        LIKELY,
        f"The quota {quota.name} of namespace {scene.namespace} allows no more services ({_usage(quota)}), and {names} "
        "has none",
        [
            because(f"ResourceQuota {quota.name}: {_usage(quota)}", quota),
            because(f"{names} listens on a port, and no Service selects its pods", *without[:3]),
        ],
        next_steps=[f"kubectl -n {scene.namespace} describe resourcequota {quota.name}"],
        suffering=[item.subject for item in without],
    )


def _missing_claims(scene: Scene) -> Iterator[Finding]:
    """A quota of storage that is used up, or too small, explains why a claim that pods name does not exist."""
    if not scene.knows_all("PersistentVolumeClaim"):
        return
    for workload in scene.graph.workloads:
        absent = [name for name in scene.claims_of(workload) if not scene.claim(name)]
        if not absent or not scene.ails(workload):
            continue
        for quota, resource in (*_full(scene, STORAGE), *_too_small(scene)):
            yield found(
                STORAGE,
                Subject(kind="Namespace", name=scene.namespace),
                LIKELY,
                f"The quota {quota.name} of namespace {scene.namespace} leaves too little ({_usage(quota)}), and the "
                f"claim {absent[0]} that {workload.subject} needs does not exist",
                [
                    because(f"ResourceQuota {quota.name}: {resource} leaves too little: {_usage(quota)}", quota),
                    because(f"{workload.subject} uses the claim {absent[0]}, which does not exist", workload),
                ],
                next_steps=[f"kubectl -n {scene.namespace} describe resourcequota {quota.name}"],
                suffering=[workload.subject],
            )
            return
