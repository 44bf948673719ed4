"""Disruption budgets that let no pod go, where somebody wants to drain its node."""

from collections.abc import Iterator, Sequence

from responder.detectors import Case
from responder.detectors._writing import LIKELY, because, found, listed, plural
from responder.model.finding import Cause, Cleared, Finding
from responder.model.follow_up import FollowUp, objects
from responder.model.graph import matches
from responder.model.kubernetes import Event, Object, Pod, mapping, whole

BLOCKED = Cause(
    slug="drain-blocked",
    title="A disruption budget blocks the drain of a node",
    meaning="The node is cordoned, and a PodDisruptionBudget allows none of its pods to be evicted: the drain waits "
    "for ever, and with it the upgrade or repair that asked for it.",
    confirm="kubectl get pdb -A: ALLOWED DISRUPTIONS is 0; kubectl get pods --field-selector spec.nodeName=NODE",
    fix="Scale the workload up so that one pod may go, or relax the budget while the node is drained",
    reference="https://kubernetes.io/docs/tasks/run-application/configure-pdb/",
)
CAUSES = (BLOCKED,)

READS = ("poddisruptionbudgets.policy", "pods")
_REFUSED = "violate the pod's disruption budget"


def follow_up(case: Case) -> Iterator[FollowUp]:
    """The budgets, where a node is cordoned and the alert is about nodes, or an eviction was refused."""
    cordoned = _cordoned(case)
    refused = any(_REFUSED in event.message for event in case.picture.all("Event") if isinstance(event, Event))
    about_nodes = bool(case.target.node) or not case.target.namespace
    if refused or (cordoned and about_nodes):
        yield objects(READS[0], "a node is being drained" if cordoned else "an eviction was refused", cluster=True)
        for node in cordoned[:2]:
            yield FollowUp(
                probe="kubernetes.objects",
                options={"resource": READS[1], "cluster": True, "fields": f"spec.nodeName={node.name}"},
                title=f"Pods on {node.name}",
                why="it is cordoned",
            )


def detect(case: Case) -> Iterator[Finding | Cleared]:
    for node in _cordoned(case):
        on_node = [pod for pod in case.picture.pods() if pod.node == node.name]
        for budget in case.picture.all("PodDisruptionBudget"):
            held = [pod for pod in on_node if _selects(budget, pod)]
            if held and whole(budget.status.get("disruptionsAllowed")) == 0:
                yield _blocked(case, node, budget, held)


def _blocked(case: Case, node: Object, budget: Object, held: Sequence[Pod]) -> Finding:
    owners = list(dict.fromkeys(case.picture.responsible(pod) for pod in held))
    healthy, wanted = (whole(budget.status.get(name)) for name in ("currentHealthy", "desiredHealthy"))
    counts = f"{healthy} healthy of {wanted} that it wants" if healthy is not None and wanted is not None else ""
    return found(
        BLOCKED,
        budget.subject,
        LIKELY,
        f"{node.subject} cannot be drained: {budget.subject} lets no pod of {listed(owners)} go",
        [
            because(f"{node.subject} is cordoned", node),
            because(f"{budget.subject} allows 0 disruptions{f' ({counts})' if counts else ''}", budget),
            because(f"{plural(len(held), 'pod')} of it on {node.name}: {listed(pod.name for pod in held)}", *held[:3]),
        ],
        suffering=[node.subject, *owners],
        next_steps=[
            f"kubectl -n {budget.namespace} get pdb {budget.name}",
            f"kubectl -n {budget.namespace} get {owners[0]} -o wide",
        ],
    )


def _cordoned(case: Case) -> Sequence[Object]:
    return [node for node in case.picture.all("Node") if node.spec.get("unschedulable") is True]


def _selects(budget: Object, pod: Pod) -> bool:
    return budget.namespace == pod.namespace and matches(mapping(budget.spec.get("selector")), pod.labels)
