"""`kubernetes.custom_resources`: objects of any resource, and whether their operator is done with them."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime

from pydantic import Field, field_validator

from responder.clients import Clients
from responder.clients.discovery import UNKNOWN
from responder.errors import Permanent, Reason
from responder.model.custom_resources import CustomResource, CustomResources
from responder.model.evidence import Observation, Reproduction
from responder.model.kubernetes import Object
from responder.model.numbers import seconds
from responder.probes import Inquiry, Permission, Probe
from responder.probes._kubernetes import place
from responder.templating import KubeName, Selector

KEPT = 200
LISTED = 8
_RESOURCE = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?\.[a-z0-9]([-a-z0-9.]*[a-z0-9])?")


class KubernetesCustomResources(Probe):
    """Objects of a custom resource with their conditions, and how far their operator is behind.

    `value` is how many are not well. The server's discovery finds the version. A resource that the cluster does not
    know is an answer, too.
    """

    resource: KubeName = Field(description="plural and group, as `certificates.cert-manager.io`")
    name: KubeName = Field("", description="one object; all if empty")
    selector: Selector = Field("", description="labels of the objects, as for kubectl")
    namespace: KubeName = ""
    cluster: bool = Field(False, description="look in all namespaces")

    @field_validator("resource")
    @classmethod
    def _plural(cls, resource: str) -> str:
        if not _RESOURCE.fullmatch(resource):
            raise ValueError(f"{resource[:80]!r} is no custom resource: write it as certificates.cert-manager.io")
        return resource

    async def run(self, inquiry: Inquiry, clients: Clients) -> Observation:
        namespace = "" if self.cluster else place(inquiry, self.namespace).namespace
        fields = f"metadata.name={self.name}" if self.name else ""
        try:
            listing = await clients.kubernetes.list(
                self.resource, namespace=namespace, labels=self.selector, fields=fields
            )
        except Permanent as trouble:
            if trouble.reason is not Reason.NOT_FOUND or not str(trouble).startswith(UNKNOWN):
                raise
            data = CustomResources(resource=self.resource, present=False)
            return Observation(
                summary=f"the cluster does not know {self.resource}", data=data, empty=True, breached=True
            )
        objects = [Object(item) for item in listing.items]
        items = sorted((CustomResource.of(item) for item in objects), key=_urgency)
        unwell = [item for item in items if any(_troubles(item, inquiry.now))]
        data = CustomResources(
            resource=self.resource,
            kind=objects[0].kind if objects else "",
            total=len(items),
            items=tuple(items[:KEPT]),
        )
        cut = f"{len(items) - KEPT} more {self.resource}" if len(items) > KEPT else ""
        return Observation(
            summary=_summary(self.resource, items, unwell),
            data=data,
            empty=not items,
            facts=tuple(f"{_written(item)}: {', '.join(_troubles(item, inquiry.now))}" for item in unwell[:LISTED]),
            value=float(len(unwell)),
            breached=bool(unwell),
            truncated="; ".join(filter(None, (listing.truncated, cut))),
        )

    def reproduce(self, inquiry: Inquiry, clients: Clients) -> tuple[Reproduction, ...]:
        namespace = place(inquiry, self.namespace).namespace
        where = ["-A"] if self.cluster or not namespace else ["-n", namespace]
        chosen = ([self.name] if self.name else []) + (["-l", self.selector] if self.selector else [])
        kubectl = clients.kubernetes.kubectl
        return (
            Reproduction(command=kubectl(*where, "get", self.resource, *chosen, "-o", "wide")),
            Reproduction(command=kubectl(*where, "describe", self.resource, *chosen)),
        )

    def permissions(self) -> tuple[Permission, ...]:
        name, _, group = self.resource.partition(".")
        return (Permission(group, name),)


def _written(item: CustomResource) -> str:
    return f"{item.namespace}/{item.name}" if item.namespace else item.name


def _urgency(item: CustomResource) -> tuple[bool, bool, str]:
    return item.failing is None, not item.behind, item.name


def _troubles(item: CustomResource, now: datetime) -> Iterator[str]:
    if failing := item.failing:
        since = f" for {seconds((now - failing.since).total_seconds())}" if failing.since else ""
        said = f": {failing.reason} {failing.message}".rstrip(": ").rstrip()
        yield f"{failing.type}={failing.status}{since}{said}"[:300]
    if item.behind:
        yield f"generation {item.generation}, its operator has seen {item.observed}"
    if item.deleting:
        age = seconds((now - item.deleting).total_seconds())
        yield f"being deleted for {age}, waits for {', '.join(item.finalizers) or 'nothing'}"


def _summary(resource: str, items: Sequence[CustomResource], unwell: Sequence[CustomResource]) -> str:
    if not items:
        return f"no {resource}"
    behind = sum(item.behind for item in items)
    failing = sum(item.failing is not None for item in items)
    first = f" ({_written(unwell[0])})" if unwell else ""
    return f"{len(items)} {resource}: {failing} not well, {behind} not reconciled{first}"
