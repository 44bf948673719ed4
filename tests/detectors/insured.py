"""Cases of the insurer's system for one detector alone: objects and logs as its only evidence."""

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from responder.clients.objects import pruned
from responder.detectors import Case, Detect
from responder.model.evidence import ContainerLog, KubernetesObjects, Logs
from responder.model.finding import Finding
from responder.model.logs import group, last_error
from responder.model.subject import Target
from tests.insurer.healthy import healthy
from tests.insurer.system import Style, System
from tests.makers import NOW, alert, evidence

KINDS = ("Pod", "Deployment", "StatefulSet", "ReplicaSet", "Service", "Endpoints", "Event", "ConfigMap", "Secret")
INSIDE = (*KINDS, "PersistentVolumeClaim", "ResourceQuota", "ServiceAccount", "Ingress")
AROUND = ("Node", "PersistentVolume", "StorageClass")
CLAIM = "ins-claim-service"


@cache
def _well() -> System:
    return healthy(Style())


def case(change: Callable[[System], Any] | None = None, *, unseen: Iterable[str] = (), logs: bool = True) -> Case:
    """The system after a change; kinds in `unseen` could not be read."""
    system, missing = _well().copy(), set(unseen)
    if change:
        change(system)
    objects = tuple(
        pruned(item, str(item["apiVersion"]), str(item["kind"])) for item in system.all() if item["kind"] not in missing
    )
    whole = [f"{kind}/{system.namespace}" for kind in INSIDE if kind not in missing]
    whole += [kind for kind in AROUND if kind not in missing]
    seen = {"namespace": evidence("namespace", KubernetesObjects(objects=objects, complete=tuple(whole)))}
    if logs:
        seen["logs"] = evidence("logs", Logs(logs=tuple(_log(system, key, said) for key, said in system.logs.items())))
    fires = alert(minutes_ago=1, namespace=system.namespace)
    return Case(Target(namespace=system.namespace), (fires,), fires.starts_at, NOW, seen)


def _log(system: System, key: str, said: list[str]) -> ContainerLog:
    pod, _, container = key.partition("/")
    name, _, previous = container.partition(":")
    return ContainerLog(
        namespace=system.namespace,
        pod=pod,
        container=name,
        previous=bool(previous),
        lines=tuple(line.partition(" ")[2] for line in said),
        groups=group(said),
        last_error=last_error(said),
    )


def told(detect: Detect, case: Case) -> list[tuple[str, str, str]]:
    """What a detector concludes: cause, object, confidence."""
    return [
        (item.cause, str(item.subject), item.confidence.value) for item in detect(case) if isinstance(item, Finding)
    ]
