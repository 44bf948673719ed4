"""What programs and the kubelet say in words that the table of signatures knows, where nothing has ended of it:
pods that do not start, and pods that run and complain. What ended is told by `containers`.
"""

from collections.abc import Iterator, Sequence

from responder.detectors import Case
from responder.detectors._endings import ended
from responder.detectors._scene import Scene
from responder.detectors._statements import Speaker, Statement, about, cause_of, confidence, statements, weightiest
from responder.detectors._writing import because, found, quote
from responder.model.finding import Cause, Cleared, Finding
from responder.model.kubernetes import Pod
from responder.model.subject import Subject

CAUSES: tuple[Cause, ...] = ()


def detect(case: Case) -> Iterator[Finding | Cleared]:
    scene = case.scene
    by_workload: dict[Subject, list[Statement]] = {}
    for pod in scene.pods:
        said = [item for item in statements(scene, pod) if item.end is None and cause_of(item)]
        if said and not any(ended(scene, pod)):
            by_workload.setdefault(scene.responsible(pod), []).extend(said)
    for workload, all_said in by_workload.items():
        if (heaviest := weightiest(all_said)) is not None:
            yield _finding(scene, workload, heaviest, all_said)


def _finding(scene: Scene, workload: Subject, said: Statement, others: Sequence[Statement]) -> Finding:
    cause = cause_of(said)
    assert cause is not None
    subject = about(scene, workload, said)
    times = f" (×{said.count})" if said.count > 1 else ""
    return found(
        cause,
        subject,
        confidence(said, others),
        f"{_begin(workload, said)}: {describe(cause, said)}",
        [because(f"{_who(said)}: {quote(said.text)}{times}", said.source)],
        next_steps=[_step(said.pod, said)],
        suffering=[workload],
        since=scene.since(said.pod) or said.last,
    )


def describe(cause: Cause, said: Statement) -> str:
    """The cause as a part of a sentence, with the words that show it."""
    return f"{cause.title[0].lower()}{cause.title[1:]} ({quote(said.text)})"


def _begin(workload: Subject, said: Statement) -> str:
    if said.speaker is Speaker.KUBELET:
        return f"{workload} cannot start" if not said.pod.ready else f"{workload} is in trouble"
    return f"{workload} complains" if said.pod.ready else f"{workload} is not ready"


def _who(said: Statement) -> str:
    return f"pod/{said.pod.name}, container {said.container.name}" if said.container else f"pod/{said.pod.name}"


def _step(pod: Pod, said: Statement) -> str:
    if said.speaker is Speaker.KUBELET or said.container is None:
        return f"kubectl -n {pod.namespace} describe pod {pod.name}"
    return f"kubectl -n {pod.namespace} logs {pod.name} -c {said.container.name}"
