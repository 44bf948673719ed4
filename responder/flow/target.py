"""Targets: where an investigation looks, by the runbook's templates over the labels, else by the labels alone. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from responder.errors import ConfigError
from responder.model.alert import Alert
from responder.model.clusters import ClusterLabels
from responder.model.incident import AlertState, TrackedAlert
from responder.model.labels import Reading, meant
from responder.model.nodes import KnownNode, at_node
from responder.model.owners import owner_of_pod
from responder.model.runbook import Runbook
from responder.model.subject import Target
from responder.templating import render_text
from responder.templating.escaping import Language

TARGETS_AT_MOST = 5
"""Targets of one incident that are investigated; the others are named."""

Nodes = Mapping[str, Sequence[KnownNode]]
"""The nodes of each cluster that an alert about a node comes from."""

Place = tuple[str, str, str]
"""Cluster, namespace, and the workload, owner or node: alerts of one place are investigated together."""


@dataclass(frozen=True)
class Aim:
    """A target with the alerts that name it, the oldest first."""

    target: Target
    alerts: tuple[TrackedAlert, ...]


def aims(
    runbook: Runbook, tracked: Sequence[TrackedAlert], clusters: ClusterLabels, nodes: Nodes | None = None
) -> Sequence[Aim]:
    """The distinct targets of the alerts that are not over, or of all if all are; at least one."""
    firing = [alert for alert in tracked if alert.state is not AlertState.RESOLVED] or tracked
    by_labels: dict[Place, list[tuple[Target, TrackedAlert]]] = {}
    for alert in sorted(firing, key=lambda alert: (alert.starts_at, sorted(alert.labels.items()))):
        reading = Reading(alert.labels)
        cluster = clusters.cluster(alert.labels)
        target = at_node(reading.target(cluster), alert.labels, (nodes or {}).get(cluster, ()))
        place = (target.cluster, target.namespace, reading.owner or target.node)
        by_labels.setdefault(place, []).append((target, alert))
    by_target: dict[Place, list[Aim]] = {}
    for members in by_labels.values():
        alerts = tuple(alert for _, alert in members)
        aim = Aim(templated(runbook, _common(target for target, _ in members), alerts[0]), alerts)
        by_target.setdefault(_place(aim.target), []).append(aim)
    together = [
        Aim(_common(aim.target for aim in alike), tuple(alert for aim in alike for alert in aim.alerts))
        for alike in by_target.values()
    ]
    return together or [Aim(templated(runbook, Target(), None), ())]


def _place(target: Target) -> Place:
    return target.cluster, target.namespace, target.workload or owner_of_pod(target.pod) or target.node


def _common(targets: Iterable[Target]) -> Target:
    """What all of one place share; a pod of many stands for the others where no workload is known."""
    first, *others = targets
    if not others:
        return first
    shared = {
        name: value for name, value in first.model_dump().items() if all(getattr(o, name) == value for o in others)
    }
    if not shared.get("workload") and first.pod:
        shared["pod"] = first.pod
    return Target(**shared)


def templated(runbook: Runbook, target: Target, alert: TrackedAlert | Alert | None) -> Target:
    """The target as the runbook has it; a template that gives no valid name leaves the field as the labels have it."""
    named = target.model_dump()
    labels, annotations = (meant(alert.labels), dict(alert.annotations)) if alert else ({}, {})
    context = {"labels": labels, "annotations": annotations, "target": named}
    for name, template in runbook.target:
        language = Language.PLAIN if name == "cluster" else Language.NAME
        try:
            if template and (value := render_text(template, language, context)):
                named[name] = value
        except ConfigError:
            continue
    return Target(**named)
