"""Silence: which labels quiet an incident's alerts and as little else as can be. Pure."""

from collections.abc import Mapping, Sequence

from responder.model import silencing
from responder.model.incident import AlertState
from responder.model.report import Report


def selections(report: Report) -> Sequence[Mapping[str, str]]:
    """The labels that silence its alerts that have not ended; raises Permanent as `silencing.selections` does."""
    return silencing.selections(alert.labels for alert in report.alerts if alert.state is not AlertState.RESOLVED)
