"""Objects of custom resources, as far as every operator writes them alike (Kubernetes API conventions, "status")."""

from collections.abc import Mapping
from typing import Self

from pydantic import AwareDatetime

from responder.model.evidence import Shape
from responder.model.kubernetes import Object, string, time, whole
from responder.model.record import Record


class Condition(Record):
    """One of `status.conditions`."""

    type: str
    status: str
    reason: str = ""
    message: str = ""
    since: AwareDatetime | None = None


class CustomResource(Record):
    """An object: which generation its operator has seen, and what it says of it."""

    name: str
    namespace: str = ""
    generation: int | None = None
    observed: int | None = None
    phase: str = ""
    conditions: tuple[Condition, ...] = ()
    created: AwareDatetime | None = None
    deleting: AwareDatetime | None = None
    finalizers: tuple[str, ...] = ()
    without_status: bool = False

    @classmethod
    def of(cls, item: Object) -> Self:
        """What an object says."""
        conditions = tuple(
            Condition(
                type=kind[:128],
                status=string(found.get("status")),
                reason=string(found.get("reason"))[:256],
                message=string(found.get("message"))[:1024],
                since=time(found.get("lastTransitionTime")),
            )
            for kind, found in item.conditions.items()
        )
        observed = [whole(item.status.get("observedGeneration"))]
        observed += [whole(found.get("observedGeneration")) for found in item.conditions.values()]
        return cls(
            name=item.name,
            namespace=item.namespace,
            generation=whole(item.metadata.get("generation")),
            observed=max((number for number in observed if number is not None), default=None),
            phase=str(item.status.get("phase") or item.status.get("state") or "")[:128],
            conditions=conditions[:20],
            created=item.created,
            deleting=time(item.metadata.get("deletionTimestamp")),
            finalizers=tuple(map(str, item.metadata.get("finalizers") or ()))[:10],
            without_status=not item.status,
        )

    @property
    def behind(self) -> bool:
        """Whether its operator has not seen the present generation."""
        return self.observed is not None and self.generation is not None and self.observed < self.generation

    @property
    def failing(self) -> Condition | None:
        """The condition that says it is not well: Ready (or its like) is False, or one that names a failure is True."""
        by_type: Mapping[str, Condition] = {item.type: item for item in self.conditions}
        for kind in ("Ready", "Available", "Healthy", "Synced", "Reconciled", "Succeeded", "Established", "Accepted"):
            if kind in by_type and by_type[kind].status == "False":
                return by_type[kind]
        for item in self.conditions:
            if item.status == "True" and item.type in ("Failed", "Stalled", "Degraded", "Error", "ReconcileError"):
                return item
        return None


class CustomResources(Shape):
    """The objects of a custom resource; `present` says whether the cluster knows the resource at all."""

    resource: str
    present: bool = True
    kind: str = ""
    total: int = 0
    items: tuple[CustomResource, ...] = ()
