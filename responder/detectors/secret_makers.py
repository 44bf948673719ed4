"""Secrets that an operator should have made: what it says of the object that asks for them."""

from collections.abc import Iterator, Mapping

from responder.detectors import Case
from responder.detectors._statements import named_by
from responder.detectors._writing import CERTAIN, LIKELY, because, found, quote
from responder.detectors.configuration import references
from responder.model.custom_resources import CustomResource
from responder.model.finding import Cause, Cleared, Finding
from responder.model.follow_up import FollowUp, objects
from responder.model.kubernetes import Object, mapping

NOT_MADE = Cause(
    slug="secret-not-made",
    title="The operator that should make a Secret cannot",
    meaning="A custom resource asks an operator (external-secrets, cert-manager, sealed-secrets …) for a Secret, and "
    "its conditions say that this fails; what refers to the Secret cannot start.",
    confirm="kubectl describe the custom resource: Conditions",
    fix="Correct what the condition's message names: a right in the store, an issuer, a key",
    reference="https://external-secrets.io/latest/guides/common-k8s-secret-types/",
)
CAUSES = (NOT_MADE,)

MAKERS: Mapping[str, str] = {
    "ExternalSecret": "externalsecrets.external-secrets.io",
    "Certificate": "certificates.cert-manager.io",
    "SealedSecret": "sealedsecrets.bitnami.com",
}
READS = tuple(MAKERS.values())


def follow_up(case: Case) -> Iterator[FollowUp]:
    """Who should have made the Secrets that are missing."""
    missing = sorted(_missing(case))
    for resource in READS if missing else ():
        yield objects(resource, f"Secret {missing[0]} does not exist", namespace=case.scene.namespace)


def detect(case: Case) -> Iterator[Finding | Cleared]:
    missing = _missing(case)
    for kind in MAKERS:
        for item in case.picture.all(kind, case.scene.namespace):
            name = _secret(item)
            failing = CustomResource.of(item).failing
            if failing is None or name not in missing:
                continue
            words = quote(f"{failing.reason} {failing.message}".strip())
            yield found(
                named_by(f"{failing.reason}: {failing.message}") or NOT_MADE,
                item.subject,
                CERTAIN if failing.message else LIKELY,
                f"{item.subject} cannot make Secret {name}: {words}",
                [because(f"condition {failing.type}={failing.status}: {words}", item)],
                suffering=[case.picture.responsible(pod) for pod in case.scene.pods if name in _wanted(pod)],
                since=failing.since,
                next_steps=[f"kubectl -n {item.namespace} describe {MAKERS[kind]} {item.name}"],
            )


def _missing(case: Case) -> set[str]:
    """The Secrets that pods which have not started refer to, and that the kubelet does not find."""
    scene = case.scene
    waiting = [pod for pod in scene.pods if not pod.ready]
    said = " ".join(
        [str(container.waiting.get("message") or "") for pod in waiting for container in pod.containers]
        + [event.message for pod in waiting for event in scene.picture.events(pod) if event.warning]
    )
    return {name for pod in waiting for name in _wanted(pod) if f'secret "{name}" not found' in said}


def _wanted(pod: Object) -> set[str]:
    return {reference.name for reference in references(pod) if reference.kind == "Secret"}


def _secret(item: Object) -> str:
    """The name of the Secret that an object asks for."""
    target = mapping(item.spec.get("target")).get("name")
    return str(target or item.spec.get("secretName") or item.name)
