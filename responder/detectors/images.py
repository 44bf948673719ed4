"""Images that a node cannot get.

The kubelet repeats what the runtime says, and that what the registry answered (containerd, CRI-O, Docker; OCI
distribution specification, error codes).
"""

import re
from collections.abc import Iterator, Mapping

from responder.detectors import Case
from responder.detectors._commands import rollout
from responder.detectors._scene import Scene
from responder.detectors._writing import CERTAIN, LIKELY, because, found, plural, quote
from responder.model.finding import Cause, Cleared, Confidence, Finding
from responder.model.kubernetes import Container, Event, Object, Pod, mappings

_REFERENCE = "https://kubernetes.io/docs/concepts/containers/images/"


def _cause(slug: str, title: str, meaning: str, fix: str, *, generic: bool = False) -> Cause:
    return Cause(
        slug=slug,
        title=title,
        meaning=meaning,
        confirm="kubectl describe pod: the message of the Failed event has the registry's answer",
        fix=fix,
        reference=_REFERENCE,
        generic=generic,
    )


DNS = _cause(
    "image-registry-dns-failure",
    "The image registry's name does not resolve",
    "The node cannot resolve the host of the image reference.",
    "Correct the registry's host in the image reference, or the node's DNS",
)
REFERENCE = _cause(
    "incorrect-image-reference",
    "The image does not exist",
    "The registry knows no such repository or tag, or the reference is malformed.",
    "Correct name or tag in the template, or push the image",
)
SECRET = _cause(
    "missing-image-pull-secret",
    "The registry refuses the pull",
    "The image is private, and the pull secret is missing, absent or not accepted.",
    "Create the pull secret and name it in imagePullSecrets or the ServiceAccount",
)
UNREACHABLE = _cause(
    "image-registry-unreachable",
    "The image registry does not answer",
    "The node cannot connect to the registry.",
    "Check the registry, the node's network and proxy settings",
)
TLS = _cause(
    "image-registry-certificate",
    "The image registry's certificate is not trusted",
    "The TLS handshake with the registry fails.",
    "Give the node the registry's CA, or renew the certificate",
)
RATE = _cause(
    "image-registry-rate-limit",
    "The image registry limits the pulls",
    "Too many pulls from this address or account.",
    "Authenticate the pulls, or use a mirror",
)
PLATFORM = _cause(
    "image-platform-mismatch",
    "The image has no build for the node's platform",
    "The manifest list has no entry for the node's architecture.",
    "Build the image for the platform, or choose nodes by kubernetes.io/arch",
)
NEVER = _cause(
    "image-not-present",
    "The image is not on the node and may not be pulled",
    "imagePullPolicy is Never and the node does not have the image.",
    "Load the image on the node, or change imagePullPolicy",
)
PULL = _cause(
    "image-pull-failed",
    "The image cannot be pulled",
    "The kubelet cannot get the image; nothing said why.",
    "Read the events of the pod",
    generic=True,
)
CAUSES = (DNS, REFERENCE, SECRET, UNREACHABLE, TLS, RATE, PLATFORM, NEVER, PULL)
_BY_SLUG = {cause.slug: cause for cause in CAUSES}

_WAITING = (
    "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable",
    "ImageInspectError", "SignatureValidationFailed",
)  # fmt: skip
# The first that fits counts.
_PHRASES: Mapping[str, tuple[str, ...]] = {
    RATE.slug: ("toomanyrequests", "429 too many requests", "pull rate limit"),
    DNS.slug: (
        "no such host",
        "server misbehaving",
        "name resolution",
        "name or service not known",
        "NXDOMAIN",
        "lookup .*i/o timeout",
    ),
    TLS.slug: ("x509:", "tls: ", "certificate"),
    PLATFORM.slug: ("no match for platform", "no matching manifest for", "image operating system"),
    SECRET.slug: (
        "unauthorized",
        "403 forbidden",
        "authentication required",
        "no basic auth",
        "pull access denied",
        "insufficient_scope",
        "failed to authorize",
        "requested access to the resource is denied",
        "denied: ",
    ),
    REFERENCE.slug: (
        "not found",
        "manifest unknown",
        "name unknown",
        "repository does not exist",
        "invalid reference format",
        "couldn't parse image",
        "failed to apply default image tag",
    ),
    UNREACHABLE.slug: (
        "i/o timeout",
        "connection refused",
        "connection reset",
        "no route to host",
        "network is unreachable",
        "deadline exceeded",
        "timed out",
        "handshake timeout",
        r"\b50[0234] ",
        r"\bEOF\b",
    ),
}
_ABSENT_SECRET = re.compile(r"Unable to retrieve some image pull secrets \((?P<names>[^)]+)\)")


def detect(case: Case) -> Iterator[Finding | Cleared]:
    scene = case.scene
    told: set[str] = set()
    for pod in scene.pods:
        for container in pod.containers:
            if container.waiting.get("reason") in _WAITING and (name := str(scene.responsible(pod))) not in told:
                told.add(name)
                yield _explain(scene, pod, container)
    if not told and scene.pods:
        yield Cleared(text=f"images ({plural(len(scene.pods), 'pod')}, all pulled)", evidence=scene.pods[0].evidence)


def _explain(scene: Scene, pod: Pod, container: Container) -> Finding:
    said = [(str(container.waiting.get("message") or ""), pod), *_events(scene, pod, container)]
    said = [(text, source) for text, source in said if text]
    cause, text, source = _classify(said)
    reason = str(container.waiting.get("reason"))
    if reason == "InvalidImageName":
        cause = REFERENCE
    elif reason == "ErrImageNeverPull":
        cause = NEVER
    reasons = [because(f"pod/{pod.name} waits: {reason}, image {container.image}", pod)]
    if text:
        reasons.append(because(quote(text), source))
    absent = [(match["names"], source) for text, source in said if (match := _ABSENT_SECRET.search(text))]
    secrets = [str(item.get("name")) for item in mappings(pod.spec.get("imagePullSecrets"))]
    lacking = _lacking(scene, secrets)
    if absent and cause in (PULL, REFERENCE, SECRET):
        # without the secret the registry may also say that the image is unknown
        cause = SECRET
        reasons.append(because(f"the pull secret {absent[0][0]} does not exist", absent[0][1]))
    elif lacking and cause in (PULL, SECRET):
        cause = SECRET
        reasons.append(because(f"the pull secret {lacking[0]} does not exist", pod))
    elif cause is SECRET and not secrets:
        reasons.append(because("the pod names no imagePullSecrets", pod))
    subject = scene.responsible(pod)
    return found(
        cause,
        subject,
        _confidence(cause, text),
        f"{subject} cannot start: {cause.title[0].lower()}{cause.title[1:]} ({container.image})",
        reasons,
        next_steps=[
            f"kubectl -n {pod.namespace} describe pod {pod.name}",
            *rollout("undo", subject),
        ],
        since=scene.since(pod) or pod.created,
    )


def _confidence(cause: Cause, text: str) -> Confidence:
    if cause is PULL:
        return LIKELY
    # Docker Hub says the same of a private and of a missing repository
    ambiguous = "may require" in text or "insufficient_scope" in text
    return LIKELY if cause is SECRET and ambiguous else CERTAIN


def _events(scene: Scene, pod: Pod, container: Container) -> Iterator[tuple[str, Event | Object]]:
    """What was said about pulling, the latest first."""
    events = [event for event in scene.picture.events(pod) if event.warning and _about_image(event, container)]
    for event in sorted(events, key=lambda event: event.last or scene.started_at, reverse=True):
        yield event.message, event


def _about_image(event: Event, container: Container) -> bool:
    if event.reason == "FailedToRetrieveImagePullSecret":
        return True
    return event.reason in ("Failed", "InspectFailed", "BackOff") and (
        container.image in event.message or "image" in event.message.lower()
    )


def _classify(said: list[tuple[str, Object]]) -> tuple[Cause, str, Object | str]:
    for text, source in said:
        if _ABSENT_SECRET.search(text):
            continue
        # the reference itself may contain any word
        bare = re.sub(r'"[^"]*"', '""', text) if text.count('"') >= 2 else text
        for slug, phrases in _PHRASES.items():
            if re.search("|".join(phrases), bare, re.IGNORECASE):
                return _BY_SLUG[slug], text, source
    return PULL, "", ""


def _lacking(scene: Scene, secrets: list[str]) -> list[str]:
    if not scene.knows_all("Secret"):
        return []
    return [name for name in secrets if scene.picture.get("Secret", scene.namespace, name) is None]
