"""What the Kubernetes actions share: finding the object, refusals, the dry run, and making the changes."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from responder.actions import Action, Gate, Inquiry, Permission, Preview, open_gate
from responder.clients import Clients, Exists, Kubernetes
from responder.errors import Permanent, Reason, Temporary, Trouble
from responder.model.action import EVERYWHERE, Change
from responder.model.changes import written
from responder.model.graph import matches
from responder.model.kubernetes import Object, mapping
from responder.model.subject import Subject, Target, same
from responder.probes._kubernetes import WORKLOADS, find_workload, place, reads
from responder.templating import KubeName

BUDGET = "disruption budget"
"""How the API server's refusal of an eviction can be told from being busy."""
_FIELDS = 5
"""Changed fields that are named."""
_KEEPERS: Mapping[str, str] = {
    "argocd.argoproj.io/instance": "Argo CD",
    "argocd.argoproj.io/tracking-id": "Argo CD",
    "kustomize.toolkit.fluxcd.io/name": "Flux",
    "helm.toolkit.fluxcd.io/name": "Flux",
}


class Refusal(Exception):
    """The change must not be made, or would change nothing."""


class KubernetesAction(Action):
    """A change of objects in the incident's cluster."""

    async def preview(self, inquiry: Inquiry, clients: Clients, gate: Gate = open_gate) -> Preview:
        try:
            found = await self.plan(inquiry, clients.kubernetes)
            if problem := await gate(found):
                return found.model_copy(update={"refusal": problem})
            await _try(found, clients.kubernetes)
        except Refusal as refusal:
            return Preview(text=self.wish, refusal=str(refusal))
        except Permanent as trouble:
            return Preview(text=self.wish, refusal=_said(trouble))
        return found

    async def plan(self, inquiry: Inquiry, kubernetes: Kubernetes) -> Preview:
        """What to change; raises Refusal."""
        raise NotImplementedError

    @property
    def wish(self) -> str:
        """What it is for, where nothing could be looked at: the first line of its docstring."""
        return (type(self).__doc__ or self.kind).partition("\n")[0].rstrip(".")

    async def apply(self, preview: Preview, clients: Clients, by: str) -> str:
        done: list[str] = []
        for change in preview.changes:
            try:
                await _make(change, clients.kubernetes)
            except Exists:
                done.append(f"{change.name} is there already")
                continue
            except Permanent as trouble:
                problem = f"{_said(trouble)}{await _changed_since(change, trouble, clients.kubernetes)}"
                raise Permanent(_after(done, problem), trouble.reason) from None
            except Temporary as trouble:
                if BUDGET in str(trouble):
                    raise Permanent(_after(done, _said(trouble)), trouble.reason) from None
                raise Temporary(_after(done, str(trouble)), trouble.reason) from None
            done.append(change.name)
        return _after(done)


class WorkloadAction(KubernetesAction):
    """A change of one workload.

    Without `target` it is the incident's workload, or the one that owns its pod.
    """

    target: KubeName = ""
    namespace: KubeName = ""
    kinds: ClassVar[tuple[str, ...]] = ("Deployment", "StatefulSet", "DaemonSet")

    @classmethod
    def object_among(cls, about: Sequence[Subject], options: Mapping[str, str], target: Target) -> Subject | None:
        """The workload that a finding is about, or the owner of its pod: the one that the options name, if they do."""
        kind, _, name = options.get("target", "").partition("/")
        namespace, container = options.get("namespace") or target.namespace, options.get("container", "")
        for one in about:
            meant = Subject(kind=kind, name=name, namespace=namespace) if name else one
            # who owns a pod that was not seen is asked when it is looked at
            alone = one.kind == "Pod" and len(about) == 1
            if (one.kind in cls.kinds or alone) and same(one, meant.model_copy(update={"container": container})):
                return one
        return None

    async def owner(self, inquiry: Inquiry, kubernetes: Kubernetes) -> Object:
        """What is to be changed, whatever its kind; raises Refusal where it is not what the finding is about."""
        found = Object(await find_workload(kubernetes, place(inquiry, self.namespace, self.target)))
        if inquiry.only_target:
            about = Object(await find_workload(kubernetes, inquiry.target))
            if (found.kind, found.namespace, found.name) != (about.kind, about.namespace, about.name):
                raise Refusal(f"the finding is about {inside(about)}, not about {inside(found)}")
        return found

    async def workload(self, inquiry: Inquiry, kubernetes: Kubernetes) -> Object:
        """The workload as it is; raises Refusal where it is of another kind, or being deleted."""
        found = await self.owner(inquiry, kubernetes)
        if found.kind not in self.kinds:
            raise Refusal(f"{found.subject} is no {' or '.join(kind.lower() for kind in self.kinds)}")
        if found.metadata.get("deletionTimestamp"):
            raise Refusal(f"{found.subject} is being deleted")
        return found


def resource_of(workload: Object) -> str:
    """The resource of a workload, as kubectl names it."""
    return WORKLOADS[workload.kind.lower()]


def key(kubernetes: Kubernetes, item: Object) -> str:
    """The name of an object among all objects of all clusters."""
    return f"{kubernetes.name}/{item.namespace}/{item.kind.lower()}/{item.name}"


def inside(workload: Object) -> str:
    """`deployment/web in shop`."""
    return f"{workload.subject} in {workload.namespace}" if workload.namespace else str(workload.subject)


def planned(
    kubernetes: Kubernetes,
    text: str,
    items: Sequence[Object],
    changes: Sequence[Change],
    *commands: str,
    undo: str = "",
) -> Preview:
    """The preview of a change of objects."""
    return Preview(
        text=text,
        objects=tuple(key(kubernetes, item) for item in items),
        uids=tuple(item.uid for item in items),
        namespaces=tuple(dict.fromkeys(item.namespace or EVERYWHERE for item in items)),
        commands=commands,
        undo=undo,
        warnings=tuple(dict.fromkeys(warning for item in items for warning in _kept_by(item))),
        changes=tuple(changes),
    )


def patch(item: Object, resource: str, body: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> Change:
    """A patch of an object, which fails where another one has its name by now."""
    if isinstance(body, Mapping):
        body = {**body, "metadata": {**mapping(body.get("metadata")), "uid": item.uid}}
    else:
        body = [{"op": "test", "path": "/metadata/uid", "value": item.uid}, *body]
    return Change(verb="patch", resource=resource, namespace=item.namespace, name=item.name, uid=item.uid, body=body)


def swap(path: str, before: Any, after: Any) -> list[dict[str, Any]]:
    """Operations that put a value in place of the one that was seen, and fail where there is another by now."""
    return [{"op": "test", "path": path, "value": before}, {"op": "replace", "path": path, "value": after}]


async def autoscaler_of(kubernetes: Kubernetes, workload: Object) -> Object | None:
    """The autoscaler that decides on a workload's replicas; raises what the question does."""
    listed = await kubernetes.list("horizontalpodautoscalers.autoscaling", namespace=workload.namespace)
    for scaler in map(Object, listed.items):
        about = mapping(scaler.spec.get("scaleTargetRef"))
        if (about.get("kind"), about.get("name")) == (workload.kind, workload.name):
            return scaler
    return None


async def budget_of(kubernetes: Kubernetes, workload: Object) -> Object | None:
    """A budget that covers a workload's pods; raises what the question does."""
    listed = await kubernetes.list("poddisruptionbudgets.policy", namespace=workload.namespace)
    for budget in map(Object, listed.items):
        if matches(mapping(budget.spec.get("selector")), workload.template_labels):
            return budget
    return None


def changes_of(resource: str, *verbs: str) -> Permission:
    """The right to change a resource, named as kubectl does: `deployments.apps/scale`."""
    whole, slash, part = resource.partition("/")
    name, _, group = whole.partition(".")
    return Permission(group, f"{name}{slash}{part}", verbs or ("patch",))


def rights(*resources: str) -> tuple[Permission, ...]:
    """The rights to find workloads and what else is read of the resources."""
    return reads(*dict.fromkeys(("pods", *WORKLOADS.values(), *resources)))


async def _make(change: Change, kubernetes: Kubernetes, *, dry_run: bool = False) -> None:
    match change.verb:
        case "patch":
            await kubernetes.patch(
                change.resource, change.name, change.body, namespace=change.namespace, dry_run=dry_run
            )
        case "create":
            await kubernetes.create(change.resource, change.body, namespace=change.namespace, dry_run=dry_run)
        case "evict":
            await kubernetes.evict(change.name, namespace=change.namespace, uid=change.uid, dry_run=dry_run)
        case "silence":
            raise Permanent("a cluster has no silences", Reason.BUG)


async def _try(preview: Preview, kubernetes: Kubernetes) -> None:
    """Have the server check every change without making it; raises Refusal where it would refuse one."""
    for change in preview.changes:
        try:
            await _make(change, kubernetes, dry_run=True)
        except Temporary as trouble:
            if BUDGET in str(trouble):
                raise Refusal(_said(trouble)) from None
            raise


def _said(trouble: Trouble) -> str:
    if BUDGET in str(trouble):
        return f"a PodDisruptionBudget would be broken: {trouble}"
    if trouble.reason is Reason.FORBIDDEN:
        return f"{trouble}: `responder rbac --config` prints the rights that actions need"
    return str(trouble)


async def _changed_since(change: Change, trouble: Permanent, kubernetes: Kubernetes) -> str:
    """Who changed the object of a patch that does not fit it any more, and what, as far as the object says so."""
    if change.verb != "patch" or trouble.reason is not Reason.BAD_REQUEST:
        return ""
    try:
        now = Object(await kubernetes.get(change.resource.partition("/")[0], change.name, namespace=change.namespace))
    except Trouble:
        return ""
    if now.uid != change.uid:
        return f"; another {now.subject} took its place at {now.metadata.get('creationTimestamp')}"
    latest = next((entry for entry in written(now) if entry.by_hand and entry.at), None)
    if latest is None or latest.at is None:
        return ""
    fields = f" ({', '.join(latest.fields[:_FIELDS])})" if latest.fields else ""
    return f"; {latest.manager} changed it last{fields}, at {latest.at:%Y-%m-%d %H:%M:%S} UTC"


def _after(done: Sequence[str], trouble: str = "") -> str:
    """What was done, and then what went wrong."""
    if not trouble:
        return f"changed {', '.join(done)}"
    return f"changed {', '.join(done)}; then: {trouble}" if done else trouble


def _kept_by(item: Object) -> list[str]:
    """Who puts an object back to what it was."""
    marks = {**item.labels, **item.annotations}
    keepers = dict.fromkeys(keeper for mark, keeper in _KEEPERS.items() if mark in marks)
    return [f"{keeper} manages {item.subject} and may put it back: change its source too" for keeper in keepers]
