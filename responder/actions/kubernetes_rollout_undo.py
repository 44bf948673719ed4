"""`kubernetes.rollout_undo`: back to the revision before the present one."""

from collections.abc import Mapping
from typing import Any

from responder.actions._kubernetes import (
    Refusal,
    WorkloadAction,
    changes_of,
    inside,
    patch,
    planned,
    resource_of,
    rights,
)
from responder.clients import Kubernetes
from responder.clients.selectors import written
from responder.model.action import Preview
from responder.model.kubernetes import Object, mapping
from responder.model.rollouts import RESTARTED_AT, Revision, changes, revisions
from responder.probes import Inquiry, Permission

_HASHES = ("pod-template-hash", "controller-revision-hash", "pod-template-generation")


class KubernetesRolloutUndo(WorkloadAction):
    """Rolls a deployment, stateful set or daemon set back to the newest older revision that differs.

    One that only a restart tells apart does not differ, and one that was rolled back from is left out. Refused while
    the rollout is paused, and where no older revision is kept.
    """

    async def plan(self, inquiry: Inquiry, kubernetes: Kubernetes) -> Preview:
        workload = await self.workload(inquiry, kubernetes)
        if workload.spec.get("paused"):
            raise Refusal(f"the rollout of {inside(workload)} is paused: resume it first")
        template = mapping(workload.spec.get("template"))
        now, before = _last_two(await _history(kubernetes, workload), template, workload)
        wanted = _clean(before.template)
        differs = "; ".join(changes(_clean(template), wanted)) or "another template"
        # the server counts the generations of the spec: at another one somebody has changed it since
        unchanged = [{"op": "test", "path": "/metadata/generation", "value": workload.metadata.get("generation")}]
        template_at = {"op": "replace", "path": "/spec/template"}
        command = ["-n", workload.namespace, "rollout", "undo", str(workload.subject)]
        return planned(
            kubernetes,
            f"Roll {inside(workload)} back from revision {now} to revision {before.number}: {differs}",
            [workload],
            [patch(workload, resource_of(workload), [*unchanged, {**template_at, "value": wanted}])],
            kubernetes.kubectl(*command, f"--to-revision={before.number}"),
            undo=kubernetes.kubectl(*command),
        )

    def permissions(self) -> tuple[Permission, ...]:
        return (
            *rights("controllerrevisions.apps"),
            *(changes_of(resource) for resource in ("deployments.apps", "statefulsets.apps", "daemonsets.apps")),
        )


async def _history(kubernetes: Kubernetes, workload: Object) -> list[Revision]:
    """The revisions that the cluster keeps of a workload, oldest first."""
    resource = "replicasets.apps" if workload.kind == "Deployment" else "controllerrevisions.apps"
    labels = written(mapping(workload.spec.get("selector")))
    listed = await kubernetes.list(resource, namespace=workload.namespace, labels=labels)
    return revisions([item for item in listed.items if Object(item).controller == (workload.kind, workload.name)])


def _last_two(history: list[Revision], template: Mapping[str, Any], workload: Object) -> tuple[int, Revision]:
    """The number of the present revision, and the newest older one that differs and was not rolled back from.

    Raises Refusal.
    """
    present = max((one.number for one in history), default=0)
    for revision in reversed(history):
        if revision.number < present and not revision.left and not _alike(revision.template, template):
            return present, revision
    raise Refusal(f"no older revision of {inside(workload)} is kept that differs and was not rolled back from")


def _alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return _without_restart(_clean(one)) == _without_restart(_clean(other))


def _without_restart(template: Mapping[str, Any]) -> Mapping[str, Any]:
    """A template without the mark of a restart, which changes nothing else."""
    metadata = mapping(template.get("metadata"))
    annotations = {name: value for name, value in mapping(metadata.get("annotations")).items() if name != RESTARTED_AT}
    return {**template, "metadata": {**metadata, "annotations": annotations}}


def _clean(template: Mapping[str, Any]) -> dict[str, Any]:
    """A pod template without what the controllers add to it."""
    metadata = {name: value for name, value in mapping(template.get("metadata")).items() if value}
    labels = {name: value for name, value in mapping(metadata.get("labels")).items() if name not in _HASHES}
    rest = {name: value for name, value in template.items() if name not in ("metadata", "$patch")}
    return {**rest, "metadata": {**metadata, "labels": labels}}
