"""Custom resources: what their operators say of them, and what operators have not seen yet."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

from responder.detectors import Case
from responder.detectors._writing import CERTAIN, LIKELY, because, found, listed, plural, quote
from responder.model.custom_resources import CustomResource, CustomResources
from responder.model.finding import Cause, Cleared, Finding
from responder.model.numbers import seconds
from responder.model.subject import Subject

_REFERENCE = "https://kubernetes.io/docs/concepts/extend-kubernetes/operator/"


def _cause(slug: str, title: str, meaning: str, confirm: str, fix: str, *, generic: bool = False) -> Cause:
    return Cause(
        slug=slug, title=title, meaning=meaning, confirm=confirm, fix=fix, reference=_REFERENCE, generic=generic
    )


NOT_READY = _cause(
    "custom-resource-not-ready", "A custom resource is not ready",
    "Its operator has looked at it and says in its conditions that it cannot be brought about, and why.",
    "kubectl describe RESOURCE NAME: Conditions", "Correct what the condition's message names", generic=True,
)  # fmt: skip
BEHIND = _cause(
    "custom-resource-not-reconciled", "An operator does not reconcile a custom resource",
    "metadata.generation is ahead of status.observedGeneration: the operator has not seen the last change. It does not "
    "run, lacks a right, is stuck in its queue, or fails each time.",
    "kubectl get RESOURCE NAME -o yaml; the operator's pods and log", "Look at the operator; then restart it",
)  # fmt: skip
STUCK = _cause(
    "custom-resource-stuck-deleting", "A custom resource cannot be deleted",
    "It waits for finalizers that the operator has to remove: it does not run, or what it has to clean up fails.",
    "kubectl get RESOURCE NAME -o jsonpath='{.metadata.finalizers}'",
    "Bring the operator back; remove a finalizer by hand only when you have cleaned up yourself",
)  # fmt: skip
ABSENT = _cause(
    "custom-resource-definition-missing", "The cluster does not know a custom resource",
    "No CustomResourceDefinition of this name and group is there: it was never installed, or was deleted with all its "
    "objects.",
    "kubectl get crd; kubectl api-resources --api-group=GROUP", "Install the definition, then restart the operator",
)  # fmt: skip
CAUSES = (NOT_READY, BEHIND, STUCK, ABSENT)

_PATIENCE = timedelta(minutes=2)
"""How long an operator may take for what was made or deleted just now."""


def detect(case: Case) -> Iterator[Finding | Cleared]:
    for evidence, content in case.read(CustomResources):
        if not content.present:
            headline = f"the cluster does not know {content.resource}"
            subject = Subject(kind="CustomResourceDefinition", name=content.resource)
            yield found(ABSENT, subject, CERTAIN, headline, [because(headline, evidence)])
            continue
        said = [*_failing(evidence, content), *_behind(case, evidence, content), *_stuck(case, evidence, content)]
        yield from said
        if content.items and not said:
            text = f"{content.resource} ({plural(content.total, 'object')}, all reconciled)"
            yield Cleared(text=text, evidence=(evidence,))


def _failing(evidence: str, content: CustomResources) -> Iterator[Finding]:
    """One finding for each reason: objects often fail together."""
    together: dict[tuple[str, str], list[CustomResource]] = {}
    for item in content.items:
        if item.failing is not None:
            together.setdefault((item.failing.type, item.failing.reason), []).append(item)
    for items in together.values():
        first = items[0]
        failing = first.failing
        if failing is None:
            continue
        words = quote(f"{failing.reason} {failing.message}".strip())
        yield found(
            NOT_READY,
            _subject(content, items),
            CERTAIN,
            f"{_named(content, items)}: {failing.type} is {failing.status}{f' ({words})' if words else ''}",
            [
                because(f"{item.name}: {quote(item.failing.reason)} {quote(item.failing.message)}".strip(), evidence)
                for item in items[:3]
                if item.failing is not None
            ],
            since=min((item.failing.since for item in items if item.failing and item.failing.since), default=None),
        )


def _behind(case: Case, evidence: str, content: CustomResources) -> Iterator[Finding]:
    late = [item for item in content.items if item.behind and not _young(case, item)]
    # conditions without a status at all: nobody has looked at these yet
    unseen = [item for item in content.items if item.without_status and not _young(case, item)]
    others = [item for item in content.items if not item.without_status]
    if late:
        first = late[0]
        headline = (
            f"{_named(content, late)}: its operator has seen generation {first.observed}, present is {first.generation}"
        )
        reasons = [because(f"{item.name}: {item.observed} of {item.generation}", evidence) for item in late[:3]]
        yield found(BEHIND, _subject(content, late), LIKELY, headline, reasons)
    elif unseen and others:
        # where no object has a status, its kind may have none
        headline = (
            f"{_named(content, unseen)}: no operator has written a status, {plural(len(others), 'other')} have one"
        )
        yield found(BEHIND, _subject(content, unseen), LIKELY, headline, [because(headline, evidence)])


def _stuck(case: Case, evidence: str, content: CustomResources) -> Iterator[Finding]:
    for item in content.items:
        if item.deleting and item.finalizers and case.now - item.deleting > _PATIENCE:
            age = seconds((case.now - item.deleting).total_seconds())
            headline = (
                f"{_named(content, [item])} has been waiting for {listed(item.finalizers)} for {age} to be deleted"
            )
            reasons = [because(headline, evidence)]
            yield found(STUCK, _subject(content, [item]), LIKELY, headline, reasons, since=item.deleting)


def _young(case: Case, item: CustomResource) -> bool:
    return item.created is not None and case.now - item.created < _PATIENCE


def _named(content: CustomResources, items: Sequence[CustomResource]) -> str:
    if len(items) == 1:
        return f"{(content.kind or content.resource).lower()}/{items[0].name}"
    return f"{len(items)} of {content.total} {content.resource} ({listed((item.name for item in items), 2)})"


def _subject(content: CustomResources, items: Sequence[CustomResource]) -> Subject:
    kind = content.kind or content.resource
    if len(items) == 1:
        return Subject(kind=kind, name=items[0].name, namespace=items[0].namespace)
    return Subject(kind="CustomResourceDefinition", name=content.resource)
