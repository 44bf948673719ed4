"""`kubernetes.delete_pods`: pods that do not work, so that their controller makes new ones."""

import json
import shlex
from collections.abc import Sequence
from typing import Any

from pydantic import Field

from responder.actions._kubernetes import Refusal, WorkloadAction, changes_of, inside, planned, rights
from responder.clients import Kubernetes
from responder.clients.selectors import written
from responder.errors import Permanent
from responder.model.action import Change, Preview
from responder.model.graph import matches
from responder.model.kubernetes import Object, Pod, mapping, whole
from responder.probes import Inquiry, Permission
from responder.probes._kubernetes import state_of, unhealthy, urgency


class KubernetesDeletePods(WorkloadAction):
    """Evicts the unhealthy pods of a workload, the worst first, at most `max` at a time.

    Evictions honour PodDisruptionBudgets. Refused for a pod without a controller: nobody would make it anew.
    """

    only_unhealthy: bool = True
    max: int = Field(3, ge=1, le=50, description="pods at a time")

    async def plan(self, inquiry: Inquiry, kubernetes: Kubernetes) -> Preview:
        owner = await self.owner(inquiry, kubernetes)
        if owner.kind == "Pod":
            raise Refusal(f"{inside(owner)} has no controller: nobody would make it anew")
        pods = await _pods_of(kubernetes, owner)
        chosen = sorted((pod for pod in pods if not self.only_unhealthy or unhealthy(pod)), key=urgency)
        chosen = [pod for pod in chosen if not pod.metadata.get("deletionTimestamp")]
        if not chosen:
            raise Refusal(f"{inside(owner)} has no {'unhealthy ' if self.only_unhealthy else ''}pods")
        budgets = [Object(item) for item in (await _budgets(kubernetes, owner))]
        now = _allowed(chosen, budgets)[: self.max]
        if not now:
            kept = ", ".join(budget.name for budget in budgets if any(_covers(budget, pod) for pod in chosen))
            raise Refusal(f"a PodDisruptionBudget would be broken: {kept} allows no disruption now")
        named = ", ".join(f"{pod.name} ({state_of(pod)})" for pod in now)
        of = f" of {len(chosen)}" if len(chosen) > len(now) else ""
        return planned(
            kubernetes,
            f"Delete {len(now)}{of} {'unhealthy ' if self.only_unhealthy else ''}pods of {inside(owner)}: {named}",
            [owner],
            [Change(verb="evict", namespace=pod.namespace, name=pod.name, uid=pod.uid) for pod in now],
            *(_eviction(kubernetes, pod, budgets) for pod in now),
        )

    def permissions(self) -> tuple[Permission, ...]:
        return *rights("poddisruptionbudgets.policy"), changes_of("pods/eviction", "create")


async def _budgets(kubernetes: Kubernetes, owner: Object) -> list[dict[str, Any]]:
    return list((await kubernetes.list("poddisruptionbudgets.policy", namespace=owner.namespace)).items)


def _allowed(pods: Sequence[Pod], budgets: Sequence[Object]) -> list[Pod]:
    """Those of the pods that may go together, as the API server counts (registry/core/pod/storage/eviction.go)."""
    left = {budget.name: whole(budget.status.get("disruptionsAllowed")) or 0 for budget in budgets}
    found = []
    for pod in pods:
        counting = [budget.name for budget in budgets if _covers(budget, pod) and not _is_free(budget, pod)]
        if all(left[name] > 0 for name in counting):
            left |= {name: left[name] - 1 for name in counting}
            found.append(pod)
    return found


def _covers(budget: Object, pod: Pod) -> bool:
    return matches(mapping(budget.spec.get("selector")), pod.labels)


def _is_free(budget: Object, pod: Pod) -> bool:
    """Whether a pod may go whatever is left of the budget: it serves nobody, and enough others do."""
    if pod.phase in ("Pending", "Succeeded", "Failed"):
        return True
    wanted, there = (whole(budget.status.get(name)) or 0 for name in ("desiredHealthy", "currentHealthy"))
    always = budget.spec.get("unhealthyPodEvictionPolicy") == "AlwaysAllow"
    return not pod.ready and (always or there >= wanted > 0)


def _eviction(kubernetes: Kubernetes, pod: Pod, budgets: Sequence[Object]) -> str:
    """The command that evicts a pod: `kubectl delete` would pass over its budgets."""
    version = next((str(budget.raw.get("apiVersion")) for budget in budgets), "policy/v1")
    body = {
        "apiVersion": version,
        "kind": "Eviction",
        "metadata": {"name": pod.name, "namespace": pod.namespace},
        "deleteOptions": {"preconditions": {"uid": pod.uid}},
    }
    path = f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}/eviction"
    return f"{kubernetes.kubectl('create', '--raw', path, '-f', '-')} <<< {shlex.quote(json.dumps(body))}"


async def _pods_of(kubernetes: Kubernetes, owner: Object) -> list[Pod]:
    """The pods that fit a workload's selector and have a controller; raises Refusal where it has no selector."""
    selector = mapping(owner.spec.get("selector"))
    if not selector:
        raise Refusal(f"{inside(owner)} selects no pods")
    listed = await kubernetes.list("pods", namespace=owner.namespace, labels=written(selector))
    found = [Pod(item) for item in listed.items]
    makers = {(owner.kind, owner.name)}
    if owner.kind == "Deployment":
        try:
            sets = await kubernetes.list("replicasets.apps", namespace=owner.namespace, labels=written(selector))
        except Permanent as trouble:
            raise Refusal(f"whose its pods are cannot be told: {trouble}") from None
        makers = {("ReplicaSet", Object(item).name) for item in sets.items if Object(item).controller in makers}
    return [pod for pod in found if pod.controller in makers]
