"""Conclusions: one module per family of causes. This is their contract.

A module defines `CAUSES`, its part of the catalogue, and `detect(case)`, a pure and total function: any
mixture of missing, denied or truncated evidence is fine, and absence of an object counts only where a
list was read whole. It may define `follow_up(case)`, as pure: the questions whose answers would prove or
refute what the evidence suggests so far (`case.findings` has what was concluded from it), with `READS`, the
resources that these ask for. What we ship is found by scanning this folder, what others add by the entry point
group `responder.detectors` (each a module).
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from importlib.metadata import entry_points
from types import ModuleType
from typing import TypeVar

from responder import plugins
from responder.detectors._scene import Scene
from responder.errors import ConfigError
from responder.model.alert import Alert
from responder.model.evidence import Evidence, KubernetesObjects, Logs, Shape
from responder.model.finding import Cause, Cleared, Finding
from responder.model.follow_up import FollowUp
from responder.model.picture import Picture
from responder.model.signatures import shipped_causes
from responder.model.subject import Target

S = TypeVar("S", bound=Shape)


@dataclass(frozen=True)
class Case:
    """Everything a detector may look at."""

    target: Target
    alerts: tuple[Alert, ...]
    started_at: datetime
    now: datetime
    evidence: Mapping[str, Evidence] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()

    def read(self, shape: type[S]) -> Iterator[tuple[str, S]]:
        """Every evidence of a shape, as (evidence id, content)."""
        for name, evidence in self.evidence.items():
            if (content := evidence.read(shape)) is not None:
                yield name, content

    @cached_property
    def picture(self) -> Picture:
        """All Kubernetes objects that any evidence holds, as one graph."""
        return Picture.of(list(self.read(KubernetesObjects)))

    @cached_property
    def scene(self) -> Scene:
        """The namespace that the case is about, with what its logs complain of."""
        return Scene(self.target, self.picture, list(self.read(Logs)), self.started_at, self.now)

    def at(self, namespace: str) -> "Case":
        """The same evidence, looked at from another namespace."""
        elsewhere = replace(self, target=Target(cluster=self.target.cluster, namespace=namespace))
        elsewhere.__dict__["picture"] = self.picture  # as cached: all that was seen is joined once
        return elsewhere


Detect = Callable[[Case], Iterator[Finding | Cleared]]
Suggest = Callable[[Case], Iterator[FollowUp]]


@dataclass(frozen=True)
class Detectors:
    """The detectors by family name, and the catalogue of all causes they may name.

    `reads` are the resources, as kubectl names them, that follow-up questions may ask for.
    """

    families: Mapping[str, Detect]
    causes: Mapping[str, Cause]
    follow_ups: Mapping[str, Suggest] = field(default_factory=dict)
    reads: frozenset[str] = frozenset()

    def family(self, word: str) -> Iterator[tuple[str, Detect]]:
        """The detectors whose family starts with the word; `all` is every one."""
        for name, detect in self.families.items():
            if word == "all" or name == word or name.startswith(f"{word}_"):
                yield name, detect


def load() -> Detectors:
    """Every detector there is; raises ConfigError if two define one cause."""
    families: dict[str, Detect] = {}
    causes = {cause.slug: cause for cause in shipped_causes()}
    follow_ups: dict[str, Suggest] = {}
    reads: set[str] = set()
    found: list[ModuleType] = [*plugins.modules(sys.modules[__name__])]
    found += [entry.load() for entry in entry_points(group="responder.detectors")]
    for module in found:
        family = module.__name__.rpartition(".")[2]
        families[family] = module.detect
        if hasattr(module, "follow_up"):
            follow_ups[family] = module.follow_up
            reads.update(module.READS)
        for cause in module.CAUSES:
            if cause.slug in causes:
                raise ConfigError(f"{module.__name__} defines the cause {cause.slug!r}, which exists already")
            causes[cause.slug] = cause
    return Detectors(families, causes, follow_ups, frozenset(reads))
