"""Makers of values: each has sensible defaults, so that a test names only what it is about."""

from datetime import UTC, datetime, timedelta
from typing import Any

from responder.model.alert import Alert, AlertStatus, Notification
from responder.model.evidence import Evidence, EvidenceStatus, Shape

NOW = datetime(2026, 3, 4, 3, 0, tzinfo=UTC)


def alert(name: str = "HighErrorRate", *, status: str = "firing", minutes_ago: float = 5, **labels: str) -> Alert:
    """An alert that began some minutes before NOW; resolved ones ended at NOW."""
    everything = {"alertname": name, **labels}
    fingerprint = f"{abs(hash(tuple(sorted(everything.items())))):016x}"[:16]
    return Alert(
        key=fingerprint,
        fingerprint=fingerprint,
        status=AlertStatus(status),
        labels=everything,
        annotations={"summary": f"{name} fires"},
        starts_at=NOW - timedelta(minutes=minutes_ago),
        ends_at=NOW if status == "resolved" else None,
        generator_url="http://prometheus:9090/graph?g0.expr=up+%3D%3D+0&g0.tab=1",
    )


def notification(*alerts: Alert, number: int = 1, at: datetime = NOW, **fields: Any) -> Notification:
    """A delivery of alerts."""
    return Notification(id=number, received_at=at, alerts=alerts, **{"receiver": "responder", **fields})


def evidence(name: str = "step", data: Shape | None = None, **fields: Any) -> Evidence:
    """Evidence of a step that went well, unless fields say otherwise."""
    given: dict[str, Any] = {"probe": "test.probe", "status": EvidenceStatus.OK, "summary": "seen", "at": NOW}
    if data is not None:
        given |= {"shape": data.shape, "data": data.model_dump(mode="json")}
    return Evidence(id=name, **(given | fields))
