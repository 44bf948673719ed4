"""A drain that a budget blocks is named with the budget, the node and the pods."""

from dataclasses import replace
from typing import Any

from responder.detectors import disruption_budgets
from responder.model.subject import Target
from tests.detectors.cases import NAMESPACE, case, findings


def node(unschedulable: bool = True) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": "worker-1"},
        "spec": {"unschedulable": unschedulable},
    }


def budget(allowed: int = 0) -> dict[str, Any]:
    status = {"disruptionsAllowed": allowed, "currentHealthy": 1, "desiredHealthy": 1}
    metadata = {"name": "web", "namespace": NAMESPACE}
    spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata,
        "spec": spec,
        "status": status,
    }


def pod(on: str = "worker-1") -> dict[str, Any]:
    metadata = {"name": "web-0", "namespace": NAMESPACE, "labels": {"app": "web"}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"nodeName": on}, "status": {}}


def test_a_cordoned_node_whose_pods_may_not_go_cannot_be_drained() -> None:
    (finding,) = findings(disruption_budgets.detect, case([node(), budget(), pod()]))
    assert (finding.cause, str(finding.subject)) == ("drain-blocked", "poddisruptionbudget/web")
    assert "node/worker-1" in finding.headline
    assert "1 healthy of 1 that it wants" in finding.because[1].text


def test_a_budget_that_lets_a_pod_go_or_has_none_on_the_node_blocks_nothing() -> None:
    assert not findings(disruption_budgets.detect, case([node(), budget(allowed=1), pod()]))
    assert not findings(disruption_budgets.detect, case([node(), budget(), pod(on="worker-2")]))
    assert not findings(disruption_budgets.detect, case([node(unschedulable=False), budget(), pod()]))


def test_budgets_are_asked_for_when_the_alert_is_about_a_cordoned_node() -> None:
    about_node = replace(case([node()]), target=Target(node="worker-1"))
    resources = [item.options["resource"] for item in disruption_budgets.follow_up(about_node)]
    assert resources == ["poddisruptionbudgets.policy", "pods"]
    assert not list(disruption_budgets.follow_up(case([node()]))), "an alert about a namespace is not about its nodes"
