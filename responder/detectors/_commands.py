"""Commands that a reader can run: none is named that cannot work on the object at hand."""

from collections.abc import Iterator

from responder.model.kubernetes import Container, Pod, mapping
from responder.model.subject import Subject

_ROLLED_OUT = ("Deployment", "StatefulSet", "DaemonSet")


def log_of(pod: Pod, container: Container) -> str:
    """The log of how a container ended: the one before its restart, where it was restarted."""
    before = mapping(mapping(container.status.get("lastState")).get("terminated"))
    previous = " --previous" if container.restarts and before else ""
    return f"kubectl -n {pod.namespace} logs {pod.name} -c {container.name}{previous}"


def rollout(verb: str, subject: Subject) -> Iterator[str]:
    """`kubectl rollout history` or `undo`; nothing for jobs and bare pods, which have no revisions."""
    if subject.kind in _ROLLED_OUT:
        yield f"kubectl -n {subject.namespace} rollout {verb} {subject}"


def memory_limit(subject: Subject, container: str = "") -> Iterator[str]:
    """Set another limit; nothing for jobs and pods, whose template cannot be changed."""
    if subject.kind in (*_ROLLED_OUT, "CronJob"):
        of = f" -c {container}" if container else ""
        yield f"kubectl -n {subject.namespace} set resources {subject}{of} --limits=memory=…"
