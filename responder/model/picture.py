"""All Kubernetes objects that an investigation saw, joined: who owns whom, what was said about whom."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property

from responder.model.evidence import KubernetesObjects
from responder.model.kubernetes import WORKLOADS, Event, Object, Pod
from responder.model.subject import Subject

_VIEWS: Mapping[str, type[Object]] = {"Pod": Pod, "Event": Event}


class Picture:
    """All objects that an investigation saw, joined."""

    def __init__(self, objects: Sequence[Object], complete: frozenset[str]) -> None:
        self._complete = complete
        self._by_kind: dict[str, list[Object]] = defaultdict(list)
        self._by_name: dict[tuple[str, str, str], Object] = {}
        for item in objects:
            self._by_kind[item.kind].append(item)
            self._by_name[item.kind, item.namespace, item.name] = item

    @classmethod
    def of(cls, sources: Sequence[tuple[str, KubernetesObjects]]) -> "Picture":
        """Join several readings; of an object seen twice the last reading counts."""
        seen: dict[tuple[str, str, str], Object] = {}
        complete: set[str] = set()
        for evidence, content in sources:
            complete.update(content.complete)
            for raw in content.objects:
                view = _VIEWS.get(str(raw.get("kind", "")), Object)(raw)
                key = (view.kind, view.namespace, view.name)
                before = seen[key].evidence if key in seen else ()
                seen[key] = type(view)(raw, (*before, evidence))
        return cls(list(seen.values()), frozenset(complete))

    def complete(self, kind: str, namespace: str = "") -> bool:
        """Whether all objects of the kind (in the namespace) were read."""
        return kind in self._complete or f"{kind}/{namespace}" in self._complete

    @property
    def kinds(self) -> Collection[str]:
        """The kinds of which objects were seen."""
        return self._by_kind.keys()

    def was_read(self, kind: str) -> bool:
        """Whether all objects of a kind were asked for, or one was seen."""
        return bool(self._by_kind.get(kind)) or kind in self._complete

    def all(self, kind: str, namespace: str = "") -> Sequence[Object]:
        """The objects of a kind, of one namespace if given."""
        return [item for item in self._by_kind.get(kind, ()) if not namespace or item.namespace == namespace]

    def get(self, kind: str, namespace: str, name: str) -> Object | None:
        """One object, if it was seen."""
        return self._by_name.get((kind, namespace, name))

    def pods(self, namespace: str = "") -> Sequence[Pod]:
        """The pods."""
        return [item for item in self.all("Pod", namespace) if isinstance(item, Pod)]

    @cached_property
    def _events(self) -> Mapping[tuple[str, str, str], Sequence[Event]]:
        events: dict[tuple[str, str, str], list[Event]] = defaultdict(list)
        for item in self._by_kind.get("Event", ()):
            if isinstance(item, Event):
                events[item.about].append(item)
        return events

    def events(self, about: Object) -> Sequence[Event]:
        """The events about an object, in the order they were read."""
        return self._events.get((about.kind, about.namespace, about.name), ())

    def workload(self, item: Object) -> Object | None:
        """The workload that an object belongs to: up the owners, as far as they were seen."""
        for _ in range(4):
            if item.kind in WORKLOADS and not (item.kind == "Job" and item.controller):
                return item
            owner = item.controller
            above = self.get(owner[0], item.namespace, owner[1]) if owner else None
            if above is None:
                break
            item = above
        return item if item.kind in WORKLOADS else None

    def responsible(self, item: Object) -> Subject:
        """What to name for an object: its workload; by its owner's name where that was not read."""
        above = self.workload(item) or item
        owner = above.controller
        if above.kind in WORKLOADS and not (above.kind == "Job" and owner):
            return above.subject
        if owner:
            kind, name = owner
            if kind == "ReplicaSet":
                kind, name = "Deployment", name.rpartition("-")[0] or name
            return Subject(kind=kind, name=name, namespace=item.namespace)
        return above.subject

    def pods_of(self, workload: Object) -> Iterator[Pod]:
        """The pods of a workload."""
        for pod in self.pods(workload.namespace):
            above = self.workload(pod)
            if above is not None and (above.kind, above.name) == (workload.kind, workload.name):
                yield pod
