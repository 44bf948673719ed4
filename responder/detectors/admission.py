"""Pods, services and claims that the API server refuses to create: quotas, service accounts, policies.

Messages: kubernetes/kubernetes, plugin/pkg/admission/{resourcequota,serviceaccount,limitranger}, and
pkg/controller/controller_utils.go for `Error creating: …`.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from responder.detectors import Case
from responder.detectors._quotas import (
    CPU,
    MEMORY,
    OTHER,
    PODS,
    QUOTA,
    SERVICES,
    STORAGE,
    cause_of,
    missing_claims,
    missing_services,
    usage,
)  # fmt: skip
from responder.detectors._scene import Scene
from responder.detectors._writing import CERTAIN, because, found, quote
from responder.model.finding import Because, Cause, Cleared, Finding
from responder.model.kubernetes import Object, mapping, quantity
from responder.model.subject import Subject

UNLIMITED = Cause(
    slug="quota-demands-limits",
    title="Pods without the requests or limits that a quota demands",
    meaning="A ResourceQuota counts a resource that the pod template does not state, so no pod may be created.",
    confirm="The message of the ReplicaSet says: must specify …",
    fix="State requests and limits in the template, or give defaults with a LimitRange",
    reference=QUOTA,
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
    yield from missing_services(scene)
    yield from missing_claims(scene)
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
        reasons.append(because(f"ResourceQuota {quota.name}: {usage(quota)}", quota))
    return found(
        cause_of(first),
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
