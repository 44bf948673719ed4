"""Who answers for a failure that a log reports: the name servers, and servers of other namespaces.

What is wrong with them is concluded by the other detectors, which look at every namespace that was read.
"""

from collections.abc import Iterator

from responder.detectors import Case
from responder.model.failures import FailureKind
from responder.model.finding import Cause, Cleared, Finding
from responder.model.follow_up import FollowUp, logs, objects

CAUSES: tuple[Cause, ...] = ()
READS = ("pods", "services", "endpoints", "deployments.apps", "statefulsets.apps", "events")

SYSTEM = "kube-system"
NAME_SERVERS = "k8s-app=kube-dns"
OTHERS = 2
"""Other namespaces that are looked at."""
UNHEALTHY = 2
"""Pods of another namespace whose logs are read."""
_NO_ANSWER = (
    FailureKind.REFUSED, FailureKind.TIMED_OUT, FailureKind.DEADLINE, FailureKind.UNAVAILABLE, FailureKind.RESET,
    FailureKind.UNREACHABLE, FailureKind.NO_SUCH_HOST, FailureKind.SERVER_ERROR,
)  # fmt: skip


def follow_up(case: Case) -> Iterator[FollowUp]:
    scene = case.scene
    unresolved = [item for item in scene.complaints if item.failure.kind is FailureKind.NO_SUCH_HOST]
    if unresolved and scene.namespace != SYSTEM:
        why = f"{unresolved[0].workload} cannot resolve {unresolved[0].failure.host or 'a name'}"
        yield logs(why, namespace=SYSTEM, selector=NAME_SERVERS)
    for namespace, why in list(_other_namespaces(case).items())[:OTHERS]:
        yield from (objects(resource, why, namespace=namespace) for resource in READS)
        unwell = [pod for pod in case.picture.pods(namespace) if not pod.ready and pod.phase != "Succeeded"]
        yield from (logs(why, namespace=namespace, pod=pod.name) for pod in unwell[:UNHEALTHY])


def _other_namespaces(case: Case) -> dict[str, str]:
    """The namespaces of the servers that complaints name, as `db.data` or `db.data.svc.cluster.local`, with why."""
    named: dict[str, str] = {}
    for item in case.scene.complaints:
        parts = item.failure.host.rstrip(".").split(".")
        in_cluster = len(parts) == 2 or (len(parts) > 2 and "svc" in parts[2:4])
        if item.failure.kind not in _NO_ANSWER or not in_cluster or parts[0].isdigit():
            continue
        namespace = parts[parts.index("svc") - 1] if "svc" in parts else parts[1]
        known = len(parts) > 2 or any(found.name == namespace for found in case.picture.all("Namespace"))
        if known and namespace != case.scene.namespace:
            named.setdefault(namespace, f"{item.workload} gets no answer from {item.failure.host}")
    return named


def detect(_case: Case) -> Iterator[Finding | Cleared]:
    return iter(())
