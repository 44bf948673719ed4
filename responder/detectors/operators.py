"""Objects of any operator that own what fails, or are named by the alert: what their conditions say.

Read generically by the conventions of Kubernetes' API ("typical status properties"), whatever the operator.
"""

import re
from collections.abc import Iterator, Sequence

from responder.detectors import Case
from responder.detectors._statements import named_by
from responder.detectors._writing import CERTAIN, LIKELY, because, found, quote
from responder.detectors.custom_resources import NOT_READY
from responder.model.custom_resources import Condition, CustomResource
from responder.model.finding import Cause, Cleared, Finding
from responder.model.follow_up import FollowUp, objects
from responder.model.kubernetes import Event, Object, mappings

GATEWAY_CLASS = Cause(
    slug="gateway-class-missing",
    title="A gateway's class does not exist, or no controller takes it up",
    meaning="The Gateway names a GatewayClass that is not there or is not accepted: no controller serves it.",
    confirm="kubectl get gatewayclass; kubectl describe gateway NAME",
    fix="Correct gatewayClassName, or install the class's controller",
    reference="https://gateway-api.sigs.k8s.io/api-types/gatewayclass/",
)
_AGGREGATION = "https://kubernetes.io/docs/tasks/extend-kubernetes/configure-aggregation-layer/"
API_WITHOUT_PODS = Cause(
    slug="aggregated-api-without-pods",
    title="Nothing is behind an aggregated API",
    meaning="The service of an APIService is missing or has no ready pods: whatever asks for its group fails, "
    "autoscalers and the deletion of namespaces among it.",
    confirm="kubectl describe apiservice NAME; the pods behind its service",
    fix="Get its pods running",
    reference=_AGGREGATION,
)
API_NOT_ANSWERING = Cause(
    slug="aggregated-api-not-answering",
    title="An aggregated API does not answer well",
    meaning="The API server's own check of the API behind an APIService fails.",
    confirm="kubectl describe apiservice NAME",
    fix="Follow the message of the condition",
    reference=_AGGREGATION,
    generic=True,
)
CAUSES = (GATEWAY_CLASS, API_WITHOUT_PODS, API_NOT_ANSWERING)

GATEWAY_API = "gateway.networking.k8s.io"
API_SERVICES = "apiservices.apiregistration.k8s.io"
READS = (f"gateways.{GATEWAY_API}", f"httproutes.{GATEWAY_API}", f"gatewayclasses.{GATEWAY_API}", API_SERVICES)
_UNAVAILABLE = re.compile(
    r"the server is currently unable to handle the request|unable to (?:fetch|get) metrics from"
    r"|discovery failed for some|no metrics returned from|unable to retrieve the complete list of server APIs",
    re.IGNORECASE,
)
"""What those say who ask an aggregated API that does not answer."""
BUILT_IN = ("", "apps", "batch", "autoscaling", "policy", "extensions")
"""API groups whose objects other detectors read."""
OWNERS = 3
"""Kinds of owners that are asked for."""


def follow_up(case: Case) -> Iterator[FollowUp]:
    """The objects that own what is there, gateways where nothing else explains the alert, APIs that do not answer."""
    yield from _owners(case)
    if case.target.namespace and not case.findings:
        for resource in READS[:2]:
            yield objects(resource, "nothing seen so far explains the alert", namespace=case.target.namespace)
    if case.picture.all("Gateway"):
        yield objects(READS[2], "a gateway names a class", cluster=True)
    scalers = case.picture.all("HorizontalPodAutoscaler")
    texts = [str(condition.get("message")) for item in scalers for condition in item.conditions.values()]
    texts += [event.message for event in case.picture.all("Event") if isinstance(event, Event) and event.warning]
    if any(_UNAVAILABLE.search(text) for text in texts):
        yield objects(API_SERVICES, "an aggregated API does not answer", cluster=True)


def _owners(case: Case) -> Iterator[FollowUp]:
    seen: set[tuple[str, str]] = set()
    for item in (*case.scene.graph.workloads, *case.scene.pods):
        for owner in mappings(item.metadata.get("ownerReferences")):
            group, kind = _group(str(owner.get("apiVersion"))), str(owner.get("kind"))
            if group not in BUILT_IN and (group, kind) not in seen and len(seen) < OWNERS:
                seen.add((group, kind))
                resource = f"{_plural(kind)}.{group}"
                yield objects(resource, f"{item.subject} is made by a {kind}", namespace=item.namespace)


def detect(case: Case) -> Iterator[Finding | Cleared]:
    for kind in sorted(case.picture.kinds):
        for item in case.picture.all(kind):
            if _group(str(item.raw.get("apiVersion"))) not in BUILT_IN and (finding := _failing(case, item)):
                yield finding


def _failing(case: Case, item: Object) -> Finding | None:
    resource = CustomResource.of(item)
    failing = resource.failing
    if item.kind == "Gateway" and (missing := _class_missing(case, item)):
        return missing
    if failing is None:
        return None
    words = quote(f"{failing.reason} {failing.message}".strip())
    suffering = [case.picture.responsible(owned) for owned in _owned(case, item)]
    return found(
        _cause(item, failing),
        item.subject,
        LIKELY if _restates(failing) else CERTAIN,
        f"{item.subject} is not well: {failing.type} is {failing.status}{f' ({words})' if words else ''}",
        [because(f"condition {failing.type}={failing.status}: {words}", item)],
        suffering=suffering,
        since=failing.since,
        next_steps=[_describe(item)],
    )


def _cause(item: Object, failing: Condition) -> Cause:
    if item.kind != "APIService":
        return named_by(f"{failing.reason}: {failing.message}") or NOT_READY
    return API_WITHOUT_PODS if failing.reason in ("MissingEndpoints", "ServiceNotFound") else API_NOT_ANSWERING


def _restates(condition: Condition) -> bool:
    """Whether a condition's message says no more than its type and reason do."""
    return _words(condition.message) <= _words(f"{condition.type} {condition.reason}") | {
        "is",
        "not",
        "the",
        "a",
        "yet",
    }


def _words(text: str) -> set[str]:
    """The words of a text, those of `ClusterIsNotReady` too."""
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", text)}


def _class_missing(case: Case, gateway: Object) -> Finding | None:
    name = str(gateway.spec.get("gatewayClassName") or "")
    if not name or not case.picture.was_read("GatewayClass") or case.picture.get("GatewayClass", "", name):
        return None
    headline = f"{gateway.subject} is served by nobody: GatewayClass {name} does not exist"
    reasons = [because(f"gatewayClassName: {name}; there is no such GatewayClass", gateway)]
    return found(GATEWAY_CLASS, gateway.subject, CERTAIN, headline, reasons, next_steps=["kubectl get gatewayclass"])


def _owned(case: Case, owner: Object) -> Sequence[Object]:
    """The workloads and pods that an object made."""
    everything = (*case.scene.graph.workloads, *case.scene.pods)
    return [
        item
        for item in everything
        if any(
            (reference.get("kind"), reference.get("name")) == (owner.kind, owner.name)
            for reference in mappings(item.metadata.get("ownerReferences"))
        )
    ]


def _describe(item: Object) -> str:
    resource = f"{_plural(item.kind)}.{_group(str(item.raw.get('apiVersion')))}"
    inside = f"-n {item.namespace} " if item.namespace else ""
    return f"kubectl {inside}describe {resource} {item.name}"


def _group(version: str) -> str:
    return version.rpartition("/")[0]


def _plural(kind: str) -> str:
    """A kind as its resource is named (apimachinery, `UnsafeGuessKindToResource`)."""
    word = kind.lower()
    if word.endswith("y"):
        return f"{word[:-1]}ies"
    return f"{word}es" if word.endswith("s") else f"{word}s"
