"""`kubernetes.rollout_restart`: all pods of a workload anew, in the order of its update strategy."""

from datetime import UTC

from responder.actions._kubernetes import (
    Refusal,
    WorkloadAction,
    budget_of,
    changes_of,
    inside,
    patch,
    planned,
    resource_of,
    rights,
)
from responder.clients import Kubernetes
from responder.model.action import Preview
from responder.model.kubernetes import Object, mapping
from responder.model.rollouts import RESTARTED_AT
from responder.probes import Inquiry, Permission


class KubernetesRolloutRestart(WorkloadAction):
    """Restarts a deployment, stateful set or daemon set, pod by pod, as its update strategy says.

    Refused while a rollout is paused, where pods are replaced by hand only, and where all pods go at once although a
    budget protects them.
    """

    async def plan(self, inquiry: Inquiry, kubernetes: Kubernetes) -> Preview:
        workload = await self.workload(inquiry, kubernetes)
        at_once = strategy_of(workload) == "Recreate"
        if strategy_of(workload) == "OnDelete":
            raise Refusal(f"{inside(workload)} replaces a pod only once somebody deletes it (OnDelete)")
        if workload.spec.get("paused"):
            raise Refusal(f"the rollout of {inside(workload)} is paused: resume it first")
        if at_once and (budget := await budget_of(kubernetes, workload)):
            raise Refusal(
                f"all its pods would go at once (Recreate), and the PodDisruptionBudget {budget.name} forbids"
            )
        stamp = inquiry.now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        body = {"spec": {"template": {"metadata": {"annotations": {RESTARTED_AT: stamp}}}}}
        how = "all pods at once" if at_once else "pod by pod"
        return planned(
            kubernetes,
            f"Restart {inside(workload)}, {how}",
            [workload],
            [patch(workload, resource_of(workload), body)],
            kubernetes.kubectl("-n", workload.namespace, "rollout", "restart", str(workload.subject)),
        )

    def permissions(self) -> tuple[Permission, ...]:
        return (
            *rights("poddisruptionbudgets.policy"),
            *(changes_of(resource) for resource in ("deployments.apps", "statefulsets.apps", "daemonsets.apps")),
        )


def strategy_of(workload: Object) -> str:
    """`RollingUpdate`, `Recreate` or `OnDelete`."""
    strategy = mapping(workload.spec.get("strategy") or workload.spec.get("updateStrategy"))
    return str(strategy.get("type") or "RollingUpdate")
