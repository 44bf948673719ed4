"""What changed, who wrote it and when, as objects themselves tell: managers, creation, scaling, revisions."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from responder.model.kubernetes import Object, mappings, string, time

_CONTROLLERS = ("kube-controller-manager", "kubelet", "kube-scheduler")


@dataclass(frozen=True)
class Written:
    """Who wrote an object, when, and which fields: `spec.replicas`, `data.DB_HOST`."""

    manager: str
    at: datetime | None
    fields: tuple[str, ...] = ()
    subresource: str = ""

    @property
    def by_hand(self) -> bool:
        """Whether a person or a deployment tool did it, not a controller that keeps a status."""
        return self.manager not in _CONTROLLERS and self.subresource != "status"


def written(item: Object) -> Iterator[Written]:
    """Who wrote an object, the latest first."""
    found = [
        Written(
            string(entry.get("manager")),
            time(entry.get("time")),
            tuple(map(str, entry.get("fields") or ())),
            string(entry.get("subresource")),
        )
        for entry in mappings(item.metadata.get("managers"))
    ]
    yield from sorted(found, key=lambda entry: entry.at.timestamp() if entry.at else 0.0, reverse=True)
