"""Which rights in Kubernetes the loaded runbooks need: those of the probes that their steps ask."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from responder.actions import Action
from responder.clients.discovery import WELL_KNOWN
from responder.errors import ConfigError
from responder.model.runbook import ActionProposal, Runbook
from responder.plugins import Catalog, P
from responder.probes import Permission, Probe
from responder.templating import placeholder, templated

EXEC = "pods/exec"
_READS = frozenset({"get", "list", "watch"})
_WITHOUT_NAMESPACE = frozenset(
    {(group, name) for name, (group, _, inside) in WELL_KNOWN.items() if not inside}
    | {("metrics.k8s.io", "nodes"), ("apiextensions.k8s.io", "customresourcedefinitions")}
    | {("authorization.k8s.io", name) for name in ("subjectaccessreviews", "selfsubjectaccessreviews")}
)


@dataclass(frozen=True)
class Rights:
    """The rights, and what could not be told since it depends on an alert."""

    needed: frozenset[Permission]
    remarks: tuple[str, ...] = ()

    def rules(self, *, namespaced: bool | None = None) -> Sequence[Mapping[str, Sequence[str]]]:
        """Rules as roles have them, without `pods/exec`. `namespaced` chooses those for a Role, or the others."""
        verbs: dict[tuple[str, str], set[str]] = defaultdict(set)
        for right in self.needed:
            inside = (right.group, right.resource) not in _WITHOUT_NAMESPACE
            if right.resource != EXEC and namespaced in (None, inside):
                verbs[right.group, right.resource].update(right.verbs)
        together: dict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
        for (group, resource), words in sorted(verbs.items()):
            together[group, tuple(sorted(words))].append(resource)
        return [
            {"apiGroups": [group], "resources": resources, "verbs": list(words)}
            for (group, words), resources in sorted(together.items())
        ]

    @property
    def changes(self) -> "Rights":
        """Those of them that change something."""
        return Rights(frozenset(right for right in self.needed if not _READS.issuperset(right.verbs)), self.remarks)

    def with_reads_of(self, other: "Rights") -> "Rights":
        """These, and what others read."""
        return Rights(self.needed | (other.needed - other.changes.needed), self.remarks)

    @property
    def executes(self) -> bool:
        """Whether a runbook wants to run commands in containers."""
        return any(right.resource == EXEC for right in self.needed)


def rights_of_actions(
    runbooks: Iterable[Runbook], actions: Catalog[Action], wanted: Callable[[ActionProposal], bool]
) -> Rights:
    """What the proposed actions need, of those that are wanted."""
    needed: set[Permission] = set()
    remarks: list[str] = []
    for runbook in runbooks:
        for proposal in filter(wanted, runbook.actions):
            try:
                needed.update(_plugin(proposal.action, proposal.options, actions).permissions())
            except ConfigError as error:
                remarks.append(f"{runbook.name}, action {proposal.id}: its rights depend on the alert ({error})")
    return Rights(frozenset(needed), tuple(remarks))


def rights_of(runbooks: Iterable[Runbook], probes: Catalog[Probe], follow_ups: Iterable[str] = ()) -> Rights:
    """What the steps of the runbooks need; those that want a variable which is not set need nothing.

    `follow_ups` are the resources, as kubectl names them, that follow-up questions may ask for.
    """
    parts = (resource.partition(".") for resource in follow_ups)
    needed = {Permission(group, name) for name, _, group in parts}
    remarks: list[str] = []
    for runbook in runbooks:
        for step in runbook.investigate:
            if runbook.awaits(step):
                continue
            try:
                needed.update(_plugin(step.probe, step.options, probes).permissions())
            except ConfigError as error:
                remarks.append(f"{runbook.name}, step {step.id}: its rights depend on the alert ({error})")
    return Rights(frozenset(needed), tuple(remarks))


def _plugin(kind: str, given: Mapping[str, Any], catalog: Catalog[P]) -> P:
    """The plugin with its fixed options: what a template fills in may be anything, so the widest is assumed."""
    plugin = catalog.find(kind)
    options = {
        name: _filled(value)
        for name, value in given.items()
        if not _has_template(value) or plugin.model_fields[name].is_required()
    }
    return catalog.build(kind, options)


def _filled(value: Any) -> Any:
    if isinstance(value, str):
        return placeholder(value) if templated(value) else value
    if isinstance(value, Mapping):
        return {name: _filled(item) for name, item in value.items()}
    return [_filled(item) for item in value] if isinstance(value, list | tuple) else value


def _has_template(value: Any) -> bool:
    return any(map(templated, _texts(value)))


def _texts(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
    else:
        yield value
