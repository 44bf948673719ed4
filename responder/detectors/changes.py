"""What somebody changed just before the trouble began: settings, scaling, quotas, services."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from responder.detectors import Case
from responder.detectors._scene import Scene
from responder.detectors._writing import POSSIBLE, because, found, listed
from responder.detectors.configuration import references
from responder.model.changes import Written, written
from responder.model.finding import Cause, Cleared, Finding
from responder.model.kubernetes import Object
from responder.model.numbers import seconds

BEFORE = timedelta(hours=1)
AFTER = timedelta(minutes=1)
KINDS = (
    "ConfigMap",
    "Secret",
    "Service",
    "ResourceQuota",
    "HorizontalPodAutoscaler",
    "Ingress",
    "PersistentVolumeClaim",
)

CHANGE = Cause(
    slug="recent-change",
    title="A change just before it began",
    meaning="Somebody wrote the object, or settings that the workload uses, shortly before the alert started.",
    confirm="kubectl get -o yaml --show-managed-fields; the audit log",
    fix="Take the change back, if it explains what is seen",
    reference="https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management",
    generic=True,
    supporting=True,
)
CAUSES = (CHANGE,)


def detect(case: Case) -> Iterator[Finding | Cleared]:
    scene = case.scene
    for kind in KINDS:
        for item in scene.picture.all(kind, scene.namespace):
            if change := _late(scene, item):
                for subject in _users(scene, item) or [item]:
                    yield _told(scene, item, change, subject)
    for workload in scene.graph.workloads:
        change = _late(scene, workload)
        if change and ("spec.replicas" in change.fields or change.subresource == "scale"):
            yield _told(scene, workload, change, workload)


def _late(scene: Scene, item: Object) -> Written | None:
    """The last change by a person or tool within the window; what was made then was not changed."""
    for change in written(item):
        if change.by_hand and change.at and scene.started_at - BEFORE <= change.at <= scene.started_at + AFTER:
            made = item.created
            return change if made is None or change.at - made > timedelta(minutes=1) else None
    return None


def _users(scene: Scene, item: Object) -> Sequence[Object]:
    """The workloads that cannot do without a config map or secret."""
    if item.kind not in ("ConfigMap", "Secret"):
        return ()
    return [
        workload
        for workload in scene.graph.workloads
        if any((other.kind, other.name) == (item.kind, item.name) for other in references(workload))
    ]


def _told(scene: Scene, item: Object, change: Written, of: Object) -> Finding:
    at: datetime = change.at or scene.started_at
    away = (scene.started_at - at).total_seconds()
    when = f"{seconds(abs(away))} {'before' if away >= 0 else 'after'} the alert began"
    what = f" ({listed(change.fields)})" if change.fields else ""
    text = f"{change.manager or 'somebody'} wrote {item.subject}{what} {when}"
    headline = text if of is item else f"{text}; {of.subject} uses it"
    return found(CHANGE, of.subject, POSSIBLE, headline, [because(text, item)], since=at)
