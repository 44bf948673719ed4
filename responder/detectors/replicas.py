"""Workloads that are scaled to nothing although somebody needs them."""

from collections.abc import Iterator
from datetime import timedelta

from responder.detectors import Case
from responder.detectors._scene import Scene
from responder.detectors._writing import CERTAIN, LIKELY, because, found, listed, plural, quote
from responder.model.changes import written
from responder.model.finding import Because, Cause, Cleared, Finding
from responder.model.kubernetes import Object, mapping
from responder.model.subject import Subject

ZERO = Cause(
    slug="deployment-zero-replicas",
    title="Scaled to zero replicas",
    meaning="The workload wants no pods, and its service has no endpoints.",
    confirm="kubectl get deployment: 0/0",
    fix="Scale it up; find out who scaled it down (events, audit log, autoscaler)",
    reference="https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#scaling-a-deployment",
)
PAUSED = Cause(
    slug="rollout-paused",
    title="The rollout is paused",
    meaning="The deployment is paused: changes to its template have no effect.",
    confirm="kubectl get deployment -o yaml: spec.paused",
    fix="kubectl rollout resume",
    generic=True,
)
CAUSES = (ZERO, PAUSED)

LATELY = timedelta(hours=1)


def detect(case: Case) -> Iterator[Finding | Cleared]:
    scene = case.scene
    empty = [item for item in scene.graph.workloads if item.kind != "DaemonSet" and scene.desired(item) == 0]
    for workload in empty:
        if finding := _needed(scene, workload):
            yield finding
    for workload in scene.graph.workloads:
        if workload.spec.get("paused") is True and scene.ails(workload):
            headline = f"The rollout of {workload.subject} is paused"
            yield found(PAUSED, workload.subject, LIKELY, headline, [because(headline, workload)])
    if scene.graph.workloads and not empty:
        yield Cleared(
            text=f"replicas ({plural(len(scene.graph.workloads), 'workload')}, none scaled to zero)",
            evidence=scene.graph.workloads[0].evidence,
        )


def _needed(scene: Scene, workload: Object) -> Finding | None:
    """A finding if a service is there for it, or it was scaled down of late; not where scaling to zero is a habit."""
    services = scene.graph.services_of(workload)
    habits = (*workload.annotations, *workload.labels, *(item.name for item in _scalers(scene, workload)))
    if any("keda" in word or "knative" in word for word in habits):
        return None
    callers = _callers(scene, workload)
    scaled = [
        because(quote(event.message), event)
        for event in scene.picture.events(workload)
        if event.reason == "ScalingReplicaSet" and "to 0" in event.message
    ]
    complaining = [item for item in scene.complaints if scene.graph.service(item.failure.host) in services]
    by_whom = [item for item in written(workload) if "spec.replicas" in item.fields or item.subresource == "scale"]
    late = [item for item in by_whom if item.at and abs(scene.started_at - item.at) < LATELY]
    if not services and not scaled and not late:
        return None
    without = f", service {services[0].name} has no endpoints" if services else ""
    reasons: list[Because] = [because(f"{workload.subject} wants 0 replicas{without}", workload, *services[:1])]
    reasons += scaled[:1]
    reasons += [because(f"{item.manager} set the replicas at {item.at:%H:%M:%S} UTC", workload) for item in late[:1]]
    reasons += [
        because(f"its autoscaler {item.name} does nothing while it is at 0", item) for item in _scalers(scene, workload)
    ]
    reasons += [because(f"{item.workload}: {quote(item.failure.text)}", item.evidence) for item in complaining[:2]]
    suffering = list(dict.fromkeys([*callers, *(item.workload for item in complaining)]))
    sure = CERTAIN if complaining or callers or scaled else LIKELY
    needs = f"; {listed(suffering)} {'call it' if len(suffering) > 1 else 'calls it'}" if suffering else ""
    return found(
        ZERO,
        workload.subject,
        sure,
        f"{workload.subject} is scaled to 0 replicas{without}{needs}",
        reasons,
        next_steps=[f"kubectl -n {workload.namespace} scale {workload.subject} --replicas=1"],
        suffering=suffering,
        since=max((event.last for event in scene.picture.events(workload) if event.last), default=None),
    )


def _scalers(scene: Scene, workload: Object) -> list[Object]:
    return [
        item
        for item in scene.picture.all("HorizontalPodAutoscaler", workload.namespace)
        if mapping(item.spec.get("scaleTargetRef")).get("name") == workload.name
    ]


def _callers(scene: Scene, workload: Object) -> list[Subject]:
    names = {service.name for service in scene.graph.services_of(workload)}
    return list(
        dict.fromkeys(
            address.owner.subject
            for name in names
            for address in scene.graph.callers.get(name, ())
            if address.owner is not workload
        )
    )
