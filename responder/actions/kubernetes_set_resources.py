"""`kubernetes.set_resources`: a higher limit of memory or CPU."""

import math
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from responder.actions._kubernetes import (
    Refusal,
    WorkloadAction,
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
from responder.model.kubernetes import Container, Object, mapping, mappings, quantity
from responder.probes import Inquiry, Permission
from responder.templating import KubeName

MOST = {"memory": "4Gi", "cpu": "4"}


def _a_quantity(text: str) -> str:
    if text and (amount := quantity(text)) is not None and amount > 0:
        return text
    if text:
        raise ValueError(f"{text!r} is no amount: write it as 512Mi or 500m")
    return text


Quantity = Annotated[str, AfterValidator(_a_quantity)]


class KubernetesSetResources(WorkloadAction):
    """Raises the limit of memory or CPU of a container of a workload, whose pods are replaced by that.

    To `limit`, else by `factor`. Refused beyond `max` (4Gi, or 4 cores), where the limit would become lower, and where
    there is none.
    """

    container: KubeName = Field("", description="the alert's, else the only one")
    resource: Literal["memory", "cpu"] = "memory"
    limit: Quantity = ""
    factor: float = Field(1.5, gt=1, le=4)
    max: Quantity = Field("", description="never more")

    @model_validator(mode="after")
    def _within(self) -> "KubernetesSetResources":
        if self.limit and (problem := self._beyond(self.limit)):
            raise ValueError(problem)
        return self

    def _beyond(self, limit: str) -> str:
        """Why it must not be so high; empty where it may."""
        most = self.max or MOST[self.resource]
        too_much = (quantity(limit) or 0.0) > (quantity(most) or 0.0)
        return f"{limit} is more than {most} (max), which the runbook allows" if too_much else ""

    async def plan(self, inquiry: Inquiry, kubernetes: Kubernetes) -> Preview:
        workload = await self.workload(inquiry, kubernetes)
        place, container = self._container(workload, inquiry)
        before = container.limit(self.resource)
        now = quantity(before)
        if not now:
            raise Refusal(f"container {container.name} of {inside(workload)} has no limit of {self.resource}")
        after = self.limit or _written(now * self.factor, self.resource)
        if (quantity(after) or 0.0) <= now:
            raise Refusal(f"its limit of {self.resource} is {before} already")
        if problem := self._beyond(after):
            raise Refusal(problem)
        path = f"/spec/template/spec/containers/{place}"
        named = {"op": "test", "path": f"{path}/name", "value": container.name}
        body = [named, *swap(f"{path}/resources/limits/{self.resource}", before, after)]
        text = f"Raise the limit of {self.resource} of container {container.name} of {inside(workload)}"
        command = ["-n", workload.namespace, "set", "resources", str(workload.subject), f"-c={container.name}"]
        return planned(
            kubernetes,
            f"{text} from {before} to {after}; its pods are replaced",
            [workload],
            [patch(workload, resource_of(workload), body)],
            kubernetes.kubectl(*command, f"--limits={self.resource}={after}"),
            undo=kubernetes.kubectl(*command, f"--limits={self.resource}={before}"),
        )

    def _container(self, workload: Object, inquiry: Inquiry) -> tuple[int, Container]:
        specs = mappings(mapping(workload.template).get("containers"))
        found = [(place, Container(str(spec.get("name", "")), spec)) for place, spec in enumerate(specs)]
        wanted = self.container or inquiry.target.container
        named = [(place, container) for place, container in found if wanted in ("", container.name)]
        if len(named) != 1:
            names = ", ".join(container.name for _, container in found)
            raise Refusal(f"which container of {inside(workload)} is meant? It has {names}: set the option container")
        return named[0]

    def permissions(self) -> tuple[Permission, ...]:
        resources = ("deployments.apps", "statefulsets.apps", "daemonsets.apps")
        return *rights(), *(changes_of(resource) for resource in resources)


def _written(amount: float, resource: str) -> str:
    return f"{math.ceil(amount / 2**20)}Mi" if resource == "memory" else f"{math.ceil(amount * 1000)}m"
