"""Kubernetes objects as detectors look at them: thin typed views of the API's JSON, total over what may be missing."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from responder.model.subject import Subject

WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob")
_SUFFIXES: dict[str, float] = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60}
_SUFFIXES |= {"n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}
_QUANTITY = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)([KMGTPE]i|[numkMGTPE]?)")


def quantity(text: object) -> float | None:
    """A resource quantity as a number (`512Mi`, `250m`, `1e3`); None if it is none.

    Kubernetes, reference/kubernetes-api/common-definitions/quantity.
    """
    found = _QUANTITY.fullmatch(str(text).strip())
    return float(found[1]) * _SUFFIXES[found[2]] if found else None


def time(text: object) -> datetime | None:
    """An API timestamp, or None; one without a time zone is none."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo else None


def mapping(value: object) -> Mapping[str, Any]:
    """The value if it is a mapping, else an empty one: objects come from strangers' clusters and versions."""
    return value if isinstance(value, Mapping) else {}


def mappings(value: object) -> Sequence[Mapping[str, Any]]:
    """The mappings in a list; empty if the value is none."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list | tuple) else []


def string(value: object) -> str:
    """The value as text; of null, as of what is not there, nothing."""
    return "" if value is None else str(value)


def whole(value: object) -> int | None:
    """A whole number, also where it is written as text; None if it is none."""
    if isinstance(value, bool):
        return None
    return int(value) if isinstance(value, int) or (isinstance(value, str) and value.isdecimal()) else None


@dataclass(frozen=True)
class Object:
    """Any object. `raw` is the API's JSON; `evidence` are the ids of the evidence that holds it."""

    raw: Mapping[str, Any]
    evidence: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        return string(self.raw.get("kind"))

    @property
    def metadata(self) -> Mapping[str, Any]:
        return mapping(self.raw.get("metadata"))

    @property
    def spec(self) -> Mapping[str, Any]:
        return mapping(self.raw.get("spec"))

    @property
    def status(self) -> Mapping[str, Any]:
        return mapping(self.raw.get("status"))

    @property
    def name(self) -> str:
        return string(self.metadata.get("name"))

    @property
    def namespace(self) -> str:
        return string(self.metadata.get("namespace"))

    @property
    def uid(self) -> str:
        return string(self.metadata.get("uid"))

    @property
    def labels(self) -> Mapping[str, str]:
        return mapping(self.metadata.get("labels"))

    @property
    def annotations(self) -> Mapping[str, str]:
        return mapping(self.metadata.get("annotations"))

    @property
    def created(self) -> datetime | None:
        return time(self.metadata.get("creationTimestamp"))

    @property
    def subject(self) -> Subject:
        return Subject(kind=self.kind, name=self.name, namespace=self.namespace)

    @property
    def conditions(self) -> Mapping[str, Mapping[str, Any]]:
        """`status.conditions` by type."""
        return {string(item.get("type")): item for item in mappings(self.status.get("conditions"))}

    @property
    def controller(self) -> tuple[str, str] | None:
        """Kind and name of the owner that controls it."""
        for owner in mappings(self.metadata.get("ownerReferences")):
            if owner.get("controller", True):
                return string(owner.get("kind")), string(owner.get("name"))
        return None

    @property
    def _pod_template(self) -> Mapping[str, Any]:
        if self.kind == "Pod":
            return self.raw
        spec = mapping(mapping(self.spec.get("jobTemplate")).get("spec")) if self.kind == "CronJob" else self.spec
        return mapping(spec.get("template"))

    @property
    def template(self) -> Mapping[str, Any]:
        """The pod's spec: its own, or the one in the workload's template."""
        return mapping(self._pod_template.get("spec"))

    @property
    def template_labels(self) -> Mapping[str, str]:
        """The labels that its pods get; of a pod its own."""
        return mapping(mapping(self._pod_template.get("metadata")).get("labels"))

    @property
    def template_containers(self) -> "Sequence[Container]":
        """The containers of its template without a status; init containers first."""
        return [
            Container(string(spec.get("name")), spec, init=field == "initContainers")
            for field in ("initContainers", "containers")
            for spec in mappings(self.template.get(field))
        ]


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
        return whole(self.status.get("restartCount")) or 0

    @property
    def image(self) -> str:
        return str(self.spec.get("image") or self.status.get("image") or "")

    @property
    def waiting(self) -> Mapping[str, Any]:
        """`state.waiting`, or empty."""
        return mapping(mapping(self.status.get("state")).get("waiting"))

    @property
    def running(self) -> Mapping[str, Any]:
        """`state.running`, or empty."""
        return mapping(mapping(self.status.get("state")).get("running"))

    @property
    def terminated(self) -> Mapping[str, Any]:
        """How it last ended: `state.terminated`, else `lastState.terminated`, or empty."""
        now = mapping(mapping(self.status.get("state")).get("terminated"))
        return now or mapping(mapping(self.status.get("lastState")).get("terminated"))

    @property
    def ports(self) -> Sequence[Mapping[str, Any]]:
        """The declared ports."""
        return mappings(self.spec.get("ports"))

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables that are written out in the spec."""
        return {
            string(item.get("name")): str(item["value"])
            for item in mappings(self.spec.get("env"))
            if item.get("value") is not None
        }

    def limit(self, resource: str) -> str:
        """The limit of a resource as written, or empty."""
        return str(mapping(mapping(self.spec.get("resources")).get("limits")).get(resource, ""))

    def request(self, resource: str) -> float:
        """What it requests of a resource; the limit where only that is set (as the API server does it)."""
        resources = mapping(self.spec.get("resources"))
        asked = mapping(resources.get("requests")).get(resource, mapping(resources.get("limits")).get(resource))
        return quantity(asked) or 0.0


@dataclass(frozen=True)
class Pod(Object):
    """A pod."""

    @property
    def phase(self) -> str:
        return string(self.status.get("phase"))

    @property
    def node(self) -> str:
        return string(self.spec.get("nodeName"))

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
            by_name = {string(item.get("name")): item for item in mappings(self.status.get(statuses))}
            for spec in mappings(self.spec.get(specs)):
                name = string(spec.get("name"))
                found.append(Container(name, spec, by_name.get(name, {}), init))
        return found


@dataclass(frozen=True)
class Event(Object):
    """What a component said about an object."""

    @property
    def about(self) -> tuple[str, str, str]:
        """Kind, namespace and name of the object."""
        about = mapping(self.raw.get("involvedObject") or self.raw.get("regarding"))
        return string(about.get("kind")), string(about.get("namespace")), string(about.get("name"))

    @property
    def reason(self) -> str:
        return string(self.raw.get("reason"))

    @property
    def message(self) -> str:
        return str(self.raw.get("message") or self.raw.get("note") or "")

    @property
    def warning(self) -> bool:
        return self.raw.get("type") == "Warning"

    @property
    def count(self) -> int:
        for text in (
            mapping(self.raw.get("series")).get("count"),
            self.raw.get("count"),
            self.raw.get("deprecatedCount"),
        ):
            if found := whole(text):
                return found
        return 1

    @property
    def last(self) -> datetime | None:
        """When it was last seen."""
        series = mapping(self.raw.get("series"))
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
