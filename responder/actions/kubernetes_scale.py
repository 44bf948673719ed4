"""`kubernetes.scale`: more or fewer replicas of a deployment or stateful set."""

import math
from typing import ClassVar

from pydantic import Field, model_validator

from responder.actions._kubernetes import (
    Refusal,
    WorkloadAction,
    autoscaler_of,
    changes_of,
    inside,
    patch,
    planned,
    resource_of,
    rights,
    swap,
)
from responder.clients import Kubernetes
from responder.model.action import Preview
from responder.model.kubernetes import whole
from responder.probes import Inquiry, Permission


class KubernetesScale(WorkloadAction):
    """Scales a deployment or stateful set, to `replicas` or by `factor`.

    Refused beyond `min` and `max`, where an autoscaler decides on the replicas, and where nothing would change.
    """

    kinds: ClassVar[tuple[str, ...]] = ("Deployment", "StatefulSet")

    replicas: int | None = Field(None, ge=0)
    factor: float | None = Field(None, gt=0, le=10, description="of what there is now, rounded up")
    min: int = Field(1, ge=0, description="never fewer")
    max: int = Field(10, ge=1, description="never more")

    @model_validator(mode="after")
    def _one_way(self) -> "KubernetesScale":
        if (self.replicas is None) == (self.factor is None):
            raise ValueError("write either 'replicas' or 'factor'")
        if self.replicas is not None and (problem := self._beyond(self.replicas)):
            raise ValueError(problem)
        return self

    def _beyond(self, replicas: int) -> str:
        """Why so many must not be; empty where they may."""
        if self.min <= replicas <= self.max:
            return ""
        return f"{replicas} replicas are not between {self.min} (min) and {self.max} (max), which the runbook allows"

    async def plan(self, inquiry: Inquiry, kubernetes: Kubernetes) -> Preview:
        workload = await self.workload(inquiry, kubernetes)
        if scaler := await autoscaler_of(kubernetes, workload):
            raise Refusal(f"the autoscaler {scaler.name} decides on its replicas: change its bounds instead")
        now = whole(workload.spec.get("replicas", 1))
        if now is None:
            raise Refusal(f"{inside(workload)} does not say how many replicas it has")
        wanted = self.replicas if self.replicas is not None else math.ceil(now * (self.factor or 1))
        if wanted == now:
            raise Refusal(f"{inside(workload)} has {now} replicas already")
        if problem := self._beyond(wanted):
            raise Refusal(problem)
        command = ["-n", workload.namespace, "scale", str(workload.subject)]
        return planned(
            kubernetes,
            f"Scale {inside(workload)} from {now} to {wanted} replicas",
            [workload],
            [patch(workload, f"{resource_of(workload)}/scale", swap("/spec/replicas", now, wanted))],
            kubernetes.kubectl(*command, f"--current-replicas={now}", f"--replicas={wanted}"),
            undo=kubernetes.kubectl(*command, f"--replicas={now}"),
        )

    def permissions(self) -> tuple[Permission, ...]:
        return (
            *rights("horizontalpodautoscalers.autoscaling"),
            *(changes_of(f"{resource}/scale") for resource in ("deployments.apps", "statefulsets.apps")),
        )
