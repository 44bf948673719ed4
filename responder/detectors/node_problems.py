"""What node-problem-detector and others say of a node in conditions of their own."""

from collections.abc import Iterator

from responder.detectors import Case
from responder.detectors._statements import causes
from responder.detectors._writing import CERTAIN, because, found, quote
from responder.model.finding import Cause, Cleared, Finding
from responder.model.kubernetes import Object, time

PROBLEM = Cause(
    slug="node-problem",
    title="A node reports a problem",
    meaning="node-problem-detector, or another watcher of nodes, has set a condition: the kernel, the container "
    "runtime, a disk or the network of the node is in trouble.",
    confirm="kubectl describe node NAME: Conditions and Events",
    fix="Drain the node and repair or replace it, as the condition's message says",
    reference="https://kubernetes.io/docs/tasks/debug/debug-cluster/monitor-node-health/",
)
CAUSES = (PROBLEM,)

KUBELETS_OWN = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable", "OutOfDisk", "ConfigOK")


def detect(case: Case) -> Iterator[Finding | Cleared]:
    for node in case.picture.all("Node"):
        for kind, condition in node.conditions.items():
            if kind not in KUBELETS_OWN and condition.get("status") == "True" and _is_bad(condition.get("reason")):
                yield _problem(case, node, kind)


def _is_bad(reason: object) -> bool:
    """Whether a true condition reports trouble: some watchers write of what is well that it is so."""
    word = str(reason or "")
    return not word.startswith("No") and not word.endswith(("Ready", "Healthy", "IsUp", "Running"))


def _problem(case: Case, node: Object, kind: str) -> Finding:
    condition = node.conditions[kind]
    words = quote(f"{condition.get('reason') or ''} {condition.get('message') or ''}".strip())
    read_only = causes()["node-filesystem-read-only"]
    cause = read_only if kind.lower().replace("-", "") == "readonlyfilesystem" else PROBLEM
    suffering = [case.picture.responsible(pod) for pod in case.scene.pods if pod.node == node.name and not pod.ready]
    return found(
        cause,
        node.subject,
        CERTAIN,
        f"{node.subject} reports {kind}: {words}",
        [because(f"condition {kind} is True: {words}", node)],
        suffering=suffering,
        since=time(condition.get("lastTransitionTime")),
        next_steps=[f"kubectl describe node {node.name}"],
    )
