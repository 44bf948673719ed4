"""What was rolled out just before the trouble began, and what it changed."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from responder.detectors import Case
from responder.detectors._commands import rollout
from responder.detectors._scene import Scene
from responder.detectors._writing import LIKELY, POSSIBLE, because, found, plural
from responder.model.finding import Cause, Cleared, Finding
from responder.model.kubernetes import Object, mapping
from responder.model.numbers import seconds
from responder.model.rollouts import Revision, changes, revisions

BEFORE = timedelta(hours=1)
"""Most bad releases show within the hour."""
AFTER = timedelta(minutes=1)
"""An alert's start is as exact as its rule's interval."""

ROLLOUT = Cause(
    slug="recent-rollout",
    title="A rollout just before it began",
    meaning="The workload's template changed shortly before the alert started; what came after may come from it.",
    confirm="kubectl rollout history; compare the two revisions",
    fix="kubectl rollout undo, if the change explains what is seen",
    reference="https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#rolling-back-a-deployment",
    generic=True,
    supporting=True,
)
CAUSES = (ROLLOUT,)

_UNDER_WAY = ("ReplicaSetUpdated", "NewReplicaSetCreated", "FoundNewReplicaSet")
NAMED = 2
"""Changes that the headline names."""


def detect(case: Case) -> Iterator[Finding | Cleared]:
    scene = case.scene
    seen = [(workload, history) for workload in scene.graph.workloads if (history := _history(scene, workload))]
    recent = [(workload, finding) for workload, history in seen if (finding := _just_before(scene, workload, history))]
    for workload, finding in recent:
        if _goes_well(scene, workload):
            yield Cleared(
                text=f"the rollout of {workload.subject} (under way, no pod of it fails)", evidence=workload.evidence
            )
        else:
            yield finding
    if seen and not recent:
        workload, _ = seen[0]
        yield Cleared(
            text=f"rollouts ({plural(len(seen), 'workload')}, none changed within {seconds(BEFORE.total_seconds())})",
            evidence=workload.evidence,
        )


def _goes_well(scene: Scene, workload: Object) -> bool:
    """Whether a rollout is under way, within its time, and none of the new pods is in trouble."""
    progressing = mapping(workload.conditions.get("Progressing"))
    containers = [container for pod in scene.graph.pods_of(workload) for container in pod.containers]
    failing = any(
        container.restarts or container.waiting.get("reason") not in (None, "ContainerCreating", "PodInitializing")
        for container in containers
    )
    return progressing.get("reason") in _UNDER_WAY and not failing


def _history(scene: Scene, workload: Object) -> list[Revision]:
    owned: list[Mapping[str, Any]] = [
        item.raw
        for kind in ("ReplicaSet", "ControllerRevision")
        for item in scene.picture.all(kind, workload.namespace)
        if item.controller == (workload.kind, workload.name)
    ]
    return revisions([*owned, *(event.raw for event in scene.picture.events(workload))]) if owned else []


def _just_before(scene: Scene, workload: Object, history: list[Revision]) -> Finding | None:
    """A finding where the newest of several revisions is recent: the first one is no change."""
    if len(history) < 2 or history[-1].at is None:
        return None
    before, after = history[-2:]
    at = history[-1].at
    if not scene.started_at - BEFORE <= at <= scene.started_at + AFTER:
        return None
    changed = changes(before.template, after.template) or ["nothing but its name"]
    more = f" and {plural(len(changed) - NAMED, 'more change')}" if len(changed) > NAMED else ""
    brief = "; ".join(changed[:NAMED]) + more
    away = (scene.started_at - at).total_seconds()
    when = f"{seconds(abs(away))} {'before' if away >= 0 else 'after'} the alert began"
    subject = workload.subject
    return found(
        ROLLOUT,
        subject,
        LIKELY if scene.ails(workload) else POSSIBLE,
        f"{subject} was rolled out {when}: {brief}",
        [because(f"{subject} was rolled out {when} (revision {after.number}): {'; '.join(changed)}", workload)],
        next_steps=[
            *rollout("history", subject),
            *rollout("undo", subject),
        ],
        since=at,
    )
