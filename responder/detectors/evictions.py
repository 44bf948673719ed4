"""Pods that the kubelet ended to save the node, or for what they used themselves."""

from collections.abc import Iterator

from responder.detectors import Case
from responder.detectors._scene import Scene
from responder.detectors._writing import CERTAIN, because, found, quote
from responder.model.finding import Cause, Cleared, Finding
from responder.model.kubernetes import Pod, time


def _cause(slug: str, title: str, meaning: str, fix: str) -> Cause:
    return Cause(
        slug=slug,
        title=title,
        meaning=meaning,
        confirm="kubectl describe pod; kubectl describe node",
        fix=fix,
        reference="https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/",
    )


NODE_OOM = _cause(
    "node-out-of-memory",
    "Killed because the node ran out of memory",
    "The kernel of the node or the kubelet's eviction ended the pod to free the node's memory.",
    "Set requests to what the pods use, or add memory",
)
EVICTED = _cause(
    "pod-evicted",
    "Evicted by the kubelet",
    "The kubelet ended the pod because the node, or the pod's own storage, ran short of something.",
    "Set requests and limits for what the message names",
)
CAUSES = (NODE_OOM, EVICTED)


def detect(case: Case) -> Iterator[Finding | Cleared]:
    told: set[tuple[str, str]] = set()
    for pod in case.scene.pods:
        finding = _evicted(case.scene, pod)
        if finding and (key := (finding.cause, str(finding.subject))) not in told:
            told.add(key)
            yield finding


def _evicted(scene: Scene, pod: Pod) -> Finding | None:
    if pod.phase != "Failed" or pod.status.get("reason") != "Evicted":
        return None
    text = str(pod.status.get("message") or "")
    workload = scene.picture.workload(pod)
    if workload is None or not scene.ails(workload):
        return None
    cause = NODE_OOM if "low on resource: memory" in text else EVICTED
    return found(
        cause,
        workload.subject,
        CERTAIN,
        f"A pod of {workload.subject} was evicted: {quote(text)}",
        [because(f"pod/{pod.name}: {quote(text)}", pod)],
        since=time(pod.status.get("startTime")),
    )
