"""Match: which runbook answers an alert, and which of its incidents the alert belongs to."""

from collections.abc import Mapping

from responder.flow.target import templated
from responder.model.alert import Alert
from responder.model.clusters import ClusterLabels
from responder.model.incident import Severity
from responder.model.labels import Reading
from responder.model.ledger import Assignment
from responder.model.runbook import Runbook
from responder.runbooks.rulebook import Rulebook

OF_TARGET = "target."
SEVERITY_LABELS = ("priority", "severity")


def assign(alert: Alert, rulebook: Rulebook, severities: Mapping[str, Severity], clusters: ClusterLabels) -> Assignment:
    """The alert's runbook, incident and severity. Pure.

    An incident is identified by its runbook, the labels that tell clusters apart and the runbook's grouping labels,
    all as they are meant, not as they are spelled; `target.X` groups by where the runbook looks, `target.workload` by
    the controller as far as a pod's name tells it. What a person opens is an incident of its own.
    """
    reading = Reading(alert.labels)
    labels = reading.meant | ({"alertname": alert.name} if alert.name else {})
    runbook = rulebook.get(alert.runbook) if alert.runbook else rulebook.match(labels)
    group = dict(clusters.values(alert.labels)) | _grouped(runbook, alert, reading, clusters, labels)
    identity = "|".join([runbook.name, *(f"{name}={value}" for name, value in sorted(group.items()))])
    if alert.runbook:
        identity = f"{identity}|{alert.key}"
    return Assignment(runbook, identity, group, reading.subject, _severity(alert, runbook, severities))


def _grouped(
    runbook: Runbook, alert: Alert, reading: Reading, clusters: ClusterLabels, labels: Mapping[str, str]
) -> dict[str, str]:
    """The values that the runbook groups by, without those that are empty."""
    named: dict[str, str] = {}
    if any(name.startswith(OF_TARGET) for name in runbook.group_by):
        target = templated(runbook, reading.target(clusters.cluster(alert.labels)), alert)
        named = target.model_dump() | ({} if runbook.target.workload else {"workload": reading.owner})
    values = {
        name.removeprefix(OF_TARGET): named.get(name.removeprefix(OF_TARGET), "")
        if name.startswith(OF_TARGET)
        else labels.get(name, "")
        for name in runbook.group_by
    }
    return {name: value for name, value in values.items() if value}


def _severity(alert: Alert, runbook: Runbook, severities: Mapping[str, Severity]) -> Severity:
    """The label that names one of P0 to P3, else the runbook's, else what the label's word means."""
    words = [alert.labels[name].strip() for name in SEVERITY_LABELS if alert.labels.get(name)]
    for word in words:
        if word.upper() in Severity.__members__:
            return Severity(word.upper())
    if runbook.severity is not None:
        return runbook.severity
    return next((severities[word.lower()] for word in words if word.lower() in severities), Severity.P2)
