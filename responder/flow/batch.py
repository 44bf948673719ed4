"""Batch: several deliveries folded as one change of the store. Pure."""

from collections.abc import Iterator, Sequence

from responder.model.alert import AlertStatus, Notification
from responder.model.ledger import Changes, Ledger


class Batch:
    """Several folds as one change: of each thing the later state."""

    def __init__(self, read: Ledger) -> None:
        self._incidents, self._alerts, self._hearts = dict(read.incidents), dict(read.alerts), dict(read.hearts)
        self.ledger = Ledger(self._incidents, self._alerts, self._hearts)
        self._parts: list[Changes] = []

    def add(self, changes: Changes) -> None:
        """Advance the ledger by the changes."""
        self._parts.append(changes)
        self._incidents.update((incident.id, incident) for incident in changes.incidents)
        self._alerts.update(((alert.incident_id, alert.key), alert) for alert in changes.alerts)
        self._hearts.update((heart.key, heart) for heart in changes.hearts)

    def changes(self) -> Changes:
        """All changes together."""
        parts = self._parts
        alerts = dict.fromkeys((alert.incident_id, alert.key) for part in parts for alert in part.alerts)
        return Changes(
            incidents=tuple(self._incidents[key] for key in dict.fromkeys(i.id for p in parts for i in p.incidents)),
            alerts=tuple(self._alerts[key] for key in alerts),
            hearts=tuple(self._hearts[key] for key in dict.fromkeys(h.key for p in parts for h in p.hearts)),
            timeline=tuple(entry for part in parts for entry in part.timeline),
            investigate=tuple(dict.fromkeys(name for part in parts for name in part.investigate)),
            verify=tuple(dict.fromkeys(name for part in parts for name in part.verify)),
            reconcile=any(part.reconcile for part in parts),
            due=tuple(due for part in parts for due in part.due),
        )


def merged(notifications: Sequence[Notification]) -> Iterator[Notification]:
    """The notifications of a storm as few: in a row, with nothing but firing alerts, each of another key.

    Folding them one by one comes to the same, but every fold looks at all alerts of the incident.
    """
    waiting: list[Notification] = []
    keys: set[str] = set()
    for notification in notifications:
        own = {alert.key for alert in notification.alerts}
        alike = not waiting or notification.receiver == waiting[0].receiver
        if alike and not keys & own and _only_firing(notification):
            waiting.append(notification)
            keys |= own
            continue
        yield from _as_one(waiting)
        waiting, keys = ([notification], own) if _only_firing(notification) else ([], set())
        if not waiting:
            yield notification
    yield from _as_one(waiting)


def _only_firing(notification: Notification) -> bool:
    firing = all(alert.status is AlertStatus.FIRING for alert in notification.alerts)
    return firing and notification.status is not AlertStatus.RESOLVED and not notification.alerts_truncated


def _as_one(notifications: Sequence[Notification]) -> Iterator[Notification]:
    if notifications:
        alerts = tuple(alert for notification in notifications for alert in notification.alerts)
        yield notifications[0].model_copy(update={"alerts": alerts})
