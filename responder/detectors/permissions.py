"""Processes that may not use what is mounted for them."""

from collections.abc import Iterator

from responder.detectors import Case
from responder.detectors._writing import LIKELY, because, found, quote
from responder.model.failures import FailureKind
from responder.model.finding import Cause, Cleared, Finding
from responder.model.kubernetes import Container, Pod, mappings


def _cause(slug: str, title: str, meaning: str, fix: str) -> Cause:
    return Cause(
        slug=slug,
        title=title,
        meaning=meaning,
        confirm="kubectl logs --previous; kubectl get pod -o yaml: securityContext, volumes and volumeMounts",
        fix=fix,
        reference="https://kubernetes.io/docs/tasks/configure-pod-container/security-context/",
    )


VOLUME = _cause(
    "volume-mount-permission-denied",
    "No permission on its mounted volume",
    "The process may not write to, or read from, a directory that a volume is mounted on.",
    "Set fsGroup or runAsUser in the securityContext, correct the volume's permissions or readOnly",
)
PERMISSION = _cause(
    "permission-denied",
    "Permission denied inside the container",
    "The process lacks a permission on a file, port or capability.",
    "Correct the securityContext or the image",
)
CAUSES = (VOLUME, PERMISSION)


def detect(case: Case) -> Iterator[Finding | Cleared]:
    """A process that runs on although its volume refuses it says so in its log only."""
    scene = case.scene
    told: set[str] = set()
    for pod in scene.pods:
        subject = scene.responsible(pod)
        for complaint in scene.complaints:
            kinds = (FailureKind.PERMISSION, FailureKind.READ_ONLY_FILES)
            if complaint.pod != pod.name or complaint.failure.kind not in kinds or str(subject) in told:
                continue
            if not any(_concerns(pod, item, complaint.failure.text) for item in pod.containers):
                continue
            told.add(str(subject))
            yield found(
                VOLUME,
                subject,
                LIKELY,
                f"{subject} may not use its mounted volume: {quote(complaint.failure.text)}",
                [because(f"pod/{pod.name}: {quote(complaint.failure.text)} (×{complaint.count})", complaint.evidence)],
                next_steps=[f"kubectl -n {pod.namespace} get {subject} -o yaml | grep -A12 securityContext"],
                since=complaint.last,
            )


def _concerns(pod: Pod, container: Container, text: str) -> bool:
    """Whether a text speaks of a mounted path; of a container that does not stay up also where it names no path."""
    unnamed = "/" not in text and bool(container.restarts) and not container.ready
    return speaks_of_mount(pod, container, text) or (unnamed and bool(mounted_paths(pod, container)))


def mounted_paths(pod: Pod, container: Container) -> list[str]:
    """Where a container has volumes, other than those with the pod's own facts and tokens."""
    volumes = {
        str(volume.get("name"))
        for volume in mappings(pod.spec.get("volumes"))
        if not {"projected", "downwardAPI"} & set(volume)
    }
    mounts = [item for item in mappings(container.spec.get("volumeMounts")) if str(item.get("name")) in volumes]
    return [path for item in mounts if (path := str(item.get("mountPath") or "").rstrip("/"))]


def speaks_of_mount(pod: Pod, container: Container, text: str) -> bool:
    """Whether a text speaks of a path on a mounted volume."""
    return any(path in text for path in mounted_paths(pod, container))
