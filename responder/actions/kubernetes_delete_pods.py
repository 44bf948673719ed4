"""`kubernetes.delete_pods`: pods that do not work, so that their controller makes new ones."""

from pydantic import Field

from responder.actions._kubernetes import Refusal, WorkloadAction, changes_of, inside, planned, rights
from responder.clients import Kubernetes
from responder.clients.selectors import written
from responder.errors import Permanent
from responder.model.action import Change, Preview
from responder.model.kubernetes import Object, Pod, mapping
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
        now = chosen[: self.max]
        named = ", ".join(f"{pod.name} ({state_of(pod)})" for pod in now)
        of = f" of {len(chosen)}" if len(chosen) > len(now) else ""
        return planned(
            kubernetes,
            f"Delete {len(now)}{of} {'unhealthy ' if self.only_unhealthy else ''}pods of {inside(owner)}: {named}",
            [owner],
            [Change(verb="evict", namespace=pod.namespace, name=pod.name, uid=pod.uid) for pod in now],
            kubernetes.kubectl("-n", owner.namespace, "delete", "pods", *(pod.name for pod in now)),
        )

    def permissions(self) -> tuple[Permission, ...]:
        return *rights("poddisruptionbudgets.policy"), changes_of("pods/eviction", "create")


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
