"""Kubernetes objects as detectors look at them: thin typed views of the API's JSON, joined to one graph."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from responder.model.evidence import KubernetesObjects
from responder.model.subject import Subject

WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob")
_SUFFIXES: dict[str, float] = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60}
_SUFFIXES |= {"n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}
_QUANTITY = re.compile(r"([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)([KMGTPE]i|[numkMGTPE]?)")


def quantity(text: object) -> float | None:
    """A resource quantity as a number (`512Mi`, `250m`, `1e3`); None if it is none.

    Kubernetes, reference/kubernetes-api/common-definitions/quantity.
    """
    found = _QUANTITY.fullmatch(str(text).strip())
    return float(found[1]) * _SUFFIXES[found[2]] if found else None


def time(text: object) -> datetime | None:
    """An API timestamp, or None."""
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return None


@dataclass(frozen=True)
class Object:
    """Any object. `raw` is the API's JSON; `evidence` are the ids of the evidence that holds it."""

    raw: Mapping[str, Any]
    evidence: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        return str(self.raw.get("kind", ""))

    @property
    def metadata(self) -> Mapping[str, Any]:
        return self.raw.get("metadata") or {}

    @property
    def spec(self) -> Mapping[str, Any]:
        return self.raw.get("spec") or {}

    @property
    def status(self) -> Mapping[str, Any]:
        return self.raw.get("status") or {}

    @property
    def name(self) -> str:
        return str(self.metadata.get("name", ""))

    @property
    def namespace(self) -> str:
        return str(self.metadata.get("namespace", ""))

    @property
    def uid(self) -> str:
        return str(self.metadata.get("uid", ""))

    @property
    def labels(self) -> Mapping[str, str]:
        return self.metadata.get("labels") or {}

    @property
    def annotations(self) -> Mapping[str, str]:
        return self.metadata.get("annotations") or {}

    @property
    def created(self) -> datetime | None:
        return time(self.metadata.get("creationTimestamp"))

    @property
    def subject(self) -> Subject:
        return Subject(kind=self.kind, name=self.name, namespace=self.namespace)

    @property
    def conditions(self) -> Mapping[str, Mapping[str, Any]]:
        """`status.conditions` by type."""
        return {str(item.get("type", "")): item for item in self.status.get("conditions") or []}

    @property
    def controller(self) -> tuple[str, str] | None:
        """Kind and name of the owner that controls it."""
        for owner in self.metadata.get("ownerReferences") or []:
            if owner.get("controller", True):
                return str(owner.get("kind", "")), str(owner.get("name", ""))
        return None

    @property
    def template(self) -> Mapping[str, Any]:
        """The pod's spec: its own, or the one in the workload's template."""
        spec = self.spec
        if self.kind == "CronJob":
            spec = ((spec.get("jobTemplate") or {}).get("spec")) or {}
        return spec if self.kind == "Pod" else (spec.get("template") or {}).get("spec") or {}


@dataclass(frozen=True)
class Container:
    """A container of a pod: its spec and its status together."""

    name: str
    spec: Mapping[str, Any]
    status: Mapping[str, Any] = field(default_factory=dict)
    init: bool = False

    @property
    def ready(self) -> bool:
        return bool(self.status.get("ready"))

    @property
    def restarts(self) -> int:
        return int(self.status.get("restartCount") or 0)

    @property
    def image(self) -> str:
        return str(self.spec.get("image") or self.status.get("image") or "")

    @property
    def waiting(self) -> Mapping[str, Any]:
        """`state.waiting`, or empty."""
        return (self.status.get("state") or {}).get("waiting") or {}

    @property
    def running(self) -> Mapping[str, Any]:
        """`state.running`, or empty."""
        return (self.status.get("state") or {}).get("running") or {}

    @property
    def terminated(self) -> Mapping[str, Any]:
        """How it last ended: `state.terminated`, else `lastState.terminated`, or empty."""
        now = (self.status.get("state") or {}).get("terminated")
        return now or (self.status.get("lastState") or {}).get("terminated") or {}

    def limit(self, resource: str) -> str:
        """The limit of a resource as written, or empty."""
        return str(((self.spec.get("resources") or {}).get("limits") or {}).get(resource, ""))


@dataclass(frozen=True)
class Pod(Object):
    """A pod."""

    @property
    def phase(self) -> str:
        return str(self.status.get("phase", ""))

    @property
    def node(self) -> str:
        return str(self.spec.get("nodeName") or "")

    @property
    def ready(self) -> bool:
        return self.conditions.get("Ready", {}).get("status") == "True"

    @cached_property
    def containers(self) -> Sequence[Container]:
        """Init containers first, then the others."""
        found: list[Container] = []
        for init, specs, statuses in (
            (True, "initContainers", "initContainerStatuses"),
            (False, "containers", "containerStatuses"),
        ):
            by_name = {item.get("name"): item for item in self.status.get(statuses) or []}
            found += [
                Container(str(spec.get("name", "")), spec, by_name.get(spec.get("name"), {}), init)
                for spec in self.spec.get(specs) or []
            ]
        return found


@dataclass(frozen=True)
class Event(Object):
    """What a component said about an object."""

    @property
    def about(self) -> tuple[str, str, str]:
        """Kind, namespace and name of the object."""
        about = self.raw.get("involvedObject") or self.raw.get("regarding") or {}
        return str(about.get("kind", "")), str(about.get("namespace", "")), str(about.get("name", ""))

    @property
    def reason(self) -> str:
        return str(self.raw.get("reason", ""))

    @property
    def message(self) -> str:
        return str(self.raw.get("message") or self.raw.get("note") or "")

    @property
    def warning(self) -> bool:
        return self.raw.get("type") == "Warning"

    @property
    def count(self) -> int:
        series = self.raw.get("series") or {}
        return int(series.get("count") or self.raw.get("count") or self.raw.get("deprecatedCount") or 1)

    @property
    def last(self) -> datetime | None:
        """When it was last seen."""
        series = self.raw.get("series") or {}
        for text in (
            series.get("lastObservedTime"),
            self.raw.get("lastTimestamp"),
            self.raw.get("deprecatedLastTimestamp"),
            self.raw.get("eventTime"),
            self.raw.get("firstTimestamp"),
            self.metadata.get("creationTimestamp"),
        ):
            if found := time(text):
                return found
        return None


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

    def all(self, kind: str, namespace: str = "") -> Sequence[Object]:
        """The objects of a kind, of one namespace if given."""
        return [item for item in self._by_kind[kind] if not namespace or item.namespace == namespace]

    def get(self, kind: str, namespace: str, name: str) -> Object | None:
        """One object, if it was seen."""
        return self._by_name.get((kind, namespace, name))

    def pods(self, namespace: str = "") -> Sequence[Pod]:
        """The pods."""
        return [item for item in self.all("Pod", namespace) if isinstance(item, Pod)]

    @cached_property
    def _events(self) -> Mapping[tuple[str, str, str], Sequence[Event]]:
        events: dict[tuple[str, str, str], list[Event]] = defaultdict(list)
        for item in self._by_kind["Event"]:
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
        if above := self.workload(item):
            return above.subject
        if owner := item.controller:
            kind, name = owner
            if kind == "ReplicaSet":
                kind, name = "Deployment", name.rpartition("-")[0] or name
            return Subject(kind=kind, name=name, namespace=item.namespace)
        return item.subject

    def pods_of(self, workload: Object) -> Iterator[Pod]:
        """The pods of a workload."""
        for pod in self.pods(workload.namespace):
            above = self.workload(pod)
            if above is not None and (above.kind, above.name) == (workload.kind, workload.name):
                yield pod
