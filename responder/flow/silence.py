"""Silence: which labels quiet an incident's alerts and as little else as can be. Pure."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from responder.errors import Permanent, Reason
from responder.flow.message import common_labels
from responder.model.incident import AlertState, TrackedAlert
from responder.model.report import Report

MOST = 20


def selections(report: Report) -> Sequence[Mapping[str, str]]:
    """For each rule whose alerts have not ended, the labels that they all have: `alertname` is one of them.

    Alerts without a name are silenced one by one, by all of their labels. Raises Permanent where none is left, or
    where there are too many to be one decision.
    """
    groups: dict[str, list[TrackedAlert]] = defaultdict(list)
    for alert in report.alerts:
        if alert.state is not AlertState.RESOLVED and any(alert.labels.values()):
            groups[alert.name or f"\n{alert.key}"].append(alert)
    found = [{name: value for name, value in common_labels(group).items() if value} for group in groups.values()]
    if not found:
        raise Permanent("no alert of the incident fires: there is nothing to silence", Reason.BAD_REQUEST)
    if len(found) > MOST:
        message = (
            f"{len(found)} silences would be needed, at most {MOST} are made at once: silence them in Alertmanager"
        )
        raise Permanent(message, Reason.TOO_LARGE)
    return found
