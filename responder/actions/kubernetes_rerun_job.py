"""`kubernetes.rerun_job`: a failed job once more, or the job of a cron job now."""

import hashlib
import shlex
from collections.abc import Mapping
from typing import Any, ClassVar

from responder.actions._kubernetes import Refusal, WorkloadAction, changes_of, inside, planned, rights
from responder.clients import Kubernetes
from responder.errors import Permanent, Reason
from responder.model.action import Change, Preview
from responder.model.kubernetes import Object, mapping, mappings
from responder.probes import Inquiry, Permission

LONGEST_NAME = 63
_ADDED = ("controller-uid", "job-name", "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name")
"""Labels that the job controller puts on a job's template."""


class KubernetesRerunJob(WorkloadAction):
    """Runs a failed job once more, under another name, or the job of a cron job now.

    Refused for a job that runs or has succeeded, for a second rerun of the same job, and where a cron job that forbids
    concurrent runs has one.
    """

    kinds: ClassVar[tuple[str, ...]] = ("Job", "CronJob")

    async def plan(self, inquiry: Inquiry, kubernetes: Kubernetes) -> Preview:
        owner = await self.workload(inquiry, kubernetes)
        if owner.kind == "CronJob":
            _refuse_running(owner)
            # once for an incident: the same name is made for every try
            name = _name(owner, inquiry.started_at.isoformat())
            body = _from_cron_job(owner, name)
            command = kubernetes.kubectl("-n", owner.namespace, "create", "job", name, f"--from=cronjob/{owner.name}")
            text = f"Run the job of {inside(owner)} now, as job/{name}"
        else:
            _refuse_unless_failed(owner)
            name = _name(owner, "")
            body = _from_job(owner, name)
            command = _again(kubernetes, owner, name)
            text = f"Run {inside(owner)} once more, as job/{name}"
        await _refuse_twice(kubernetes, owner, name)
        change = Change(verb="create", resource="jobs.batch", namespace=owner.namespace, name=name, body=body)
        undo = kubernetes.kubectl("-n", owner.namespace, "delete", "job", name)
        return planned(kubernetes, text, [owner], [change], command, undo=undo)

    def permissions(self) -> tuple[Permission, ...]:
        return *rights(), changes_of("jobs.batch", "create")


def _refuse_running(owner: Object) -> None:
    active = mappings(owner.status.get("active"))
    if active and owner.spec.get("concurrencyPolicy") == "Forbid":
        raise Refusal(f"job/{active[0].get('name')} of {inside(owner)} runs, and it forbids another one")


def _refuse_unless_failed(owner: Object) -> None:
    if owner.conditions.get("Failed", {}).get("status") != "True":
        over = owner.conditions.get("Complete", {}).get("status") == "True"
        raise Refusal(f"{inside(owner)} has {'succeeded' if over else 'not failed'}")


async def _refuse_twice(kubernetes: Kubernetes, owner: Object, name: str) -> None:
    try:
        await kubernetes.get("jobs.batch", name, namespace=owner.namespace)
    except Permanent as trouble:
        if trouble.reason is not Reason.NOT_FOUND:
            raise
    else:
        raise Refusal(f"it was run again already, as job/{name}")


def _name(owner: Object, occasion: str) -> str:
    """The name of the new job: the same for the same job and occasion."""
    digest = hashlib.blake2b(f"{owner.uid}\n{owner.name}\n{occasion}".encode(), digest_size=4).hexdigest()
    end = f"-rerun-{digest}"
    return owner.name[: LONGEST_NAME - len(end)].rstrip("-.") + end


def _from_job(job: Object, name: str) -> dict[str, Any]:
    spec = {key: value for key, value in job.spec.items() if key not in ("selector", "manualSelector")}
    template = dict(mapping(spec.get("template")))
    metadata = dict(mapping(template.get("metadata")))
    metadata["labels"] = _own(mapping(metadata.get("labels")))
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": job.namespace, "labels": _own(job.labels)},
        "spec": {**spec, "template": {**template, "metadata": metadata}},
    }


def _from_cron_job(owner: Object, name: str) -> dict[str, Any]:
    """As `kubectl create job --from=cronjob/NAME` makes it."""
    template = mapping(owner.spec.get("jobTemplate"))
    metadata = mapping(template.get("metadata"))
    annotations = {**mapping(metadata.get("annotations")), "cronjob.kubernetes.io/instantiate": "manual"}
    reference = {
        "apiVersion": owner.raw.get("apiVersion", "batch/v1"),
        "kind": "CronJob",
        "name": owner.name,
        "uid": owner.uid,
        "controller": True,
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "namespace": owner.namespace,
            "labels": dict(mapping(metadata.get("labels"))),
            "annotations": annotations,
            "ownerReferences": [reference],
        },
        "spec": dict(mapping(template.get("spec"))),
    }


def _own(labels: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in labels.items() if name not in _ADDED}


def _again(kubernetes: Kubernetes, job: Object, name: str) -> str:
    read = kubernetes.kubectl("-n", job.namespace, "get", "job", job.name, "-o", "json")
    added = ", ".join(f'.spec.template.metadata.labels["{label}"]' for label in _ADDED)
    program = f'del(.status, .spec.selector, {added}) | .metadata = {{name: "{name}"}}'
    return f"{read} | jq {shlex.quote(program)} | {kubernetes.kubectl('-n', job.namespace, 'create', '-f', '-')}"
