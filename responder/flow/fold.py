"""Fold: the alerts of one notification join the incidents they belong to. Pure and deterministic.

An episode of an alert is its key and its start. Re-sends and duplicates change nothing; a newer start on an
open alert is a flap that nobody told of, an older one changes nothing; firing again with the start that it
was resolved with is a stale duplicate of a second Alertmanager, or a sender that came back, and is held until
that is known. A resolved alert that was never told as firing is recorded, for nobody to be woken.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from responder.flow import heartbeat
from responder.flow.bookkeeping import Bookkeeping
from responder.model.alert import Alert, AlertStatus, Notification
from responder.model.incident import AlertState, TrackedAlert
from responder.model.ledger import Assignment, Changes, FoldRules, Ledger

Assign = Callable[[Alert], Assignment]

CLOCK_SKEW = timedelta(hours=1)
"""A start further in the future than this is nonsense, and taken as unknown."""

SAME_START = timedelta(milliseconds=1)
"""Starts this close are the same: Alertmanager's API cuts times to milliseconds, its webhooks do not."""

_OPEN = (AlertState.FIRING, AlertState.UNKNOWN)


def wanted(notification: Notification, assign: Assign) -> tuple[Collection[str], Collection[str]]:
    """What the ledger must hold: alert keys and incident identities (and all hearts besides)."""
    assignments = [assign(alert) for alert in notification.alerts]
    hearts = {found.identity for found in assignments if found.runbook.heartbeat}
    keys = {alert.key for alert in notification.alerts} | {heartbeat.silence_key(identity) for identity in hearts}
    return keys, {found.identity for found in assignments}


def fold(ledger: Ledger, notification: Notification, assign: Assign, rules: FoldRules, now: datetime) -> Changes:
    """What the notification changes."""
    book = Bookkeeping(ledger, rules, min(now, notification.received_at))
    told = _once(notification.alerts, book.now)
    assigned = {alert.key: assign(alert) for alert in told if not _is_open(book, alert)}
    hearts = [alert for alert in told if alert.key in assigned and assigned[alert.key].runbook.heartbeat]
    for alert in hearts:
        heartbeat.beat(book, alert, assigned[alert.key])
    beating = {alert.key for alert in hearts}
    for alert in told:
        if alert.key not in beating and not _is_anothers(book, alert):
            tell = _fires if alert.status is AlertStatus.FIRING else _ends
            _account(book, tell(book, alert, assigned), notification)
    if any(alert.status is AlertStatus.FIRING for alert in told):
        book.wake("overdue", book.now + book.rules.overdue)
    book.reconcile |= _members_missing(book, notification)
    return book.changes()


def _is_anothers(book: Bookkeeping, alert: Alert) -> bool:
    """Whether a webhook tells of an alert that is a person's."""
    tracked = book.tracked(alert.key)
    return tracked is not None and tracked.by_hand and not alert.runbook


def _is_open(book: Bookkeeping, alert: Alert) -> bool:
    tracked = book.tracked(alert.key)
    return tracked is not None and tracked.state in _OPEN


def _account(book: Bookkeeping, tracked: TrackedAlert, notification: Notification) -> None:
    """Remember who told of the alert, and that others were left out."""
    if notification.receiver and notification.receiver not in tracked.receivers:
        book.put(tracked, receivers=(*tracked.receivers, notification.receiver))
    if notification.alerts_truncated:
        book.set_truncated(tracked.incident_id, notification.alerts_truncated)
        book.reconcile = True


def _fires(book: Bookkeeping, alert: Alert, assigned: Mapping[str, Assignment]) -> TrackedAlert:
    """The alert is told as firing."""
    tracked = book.tracked(alert.key)
    if tracked is None:
        return book.join(alert, assigned[alert.key], AlertState.FIRING)
    if tracked.state in _OPEN:
        return _fires_on(book, tracked, alert)
    known = alert.starts_at_known and tracked.starts_at_known
    if not known or alert.starts_at > max(tracked.starts_at + SAME_START, tracked.ends_at or tracked.starts_at):
        return book.join(alert, assigned[alert.key], AlertState.FIRING)
    if tracked.state is AlertState.HELD:
        return book.put(tracked, last_seen=book.now)
    until = book.now + book.rules.hold
    book.reconcile = True
    book.wake("settle", until)
    return book.put(
        tracked,
        "Fires with the start it was resolved with; held back until it is clear why",
        state=AlertState.HELD,
        starts_at=max(alert.starts_at, tracked.starts_at),
        hold_until=until,
        last_seen=book.now,
    )


def _fires_on(book: Bookkeeping, tracked: TrackedAlert, alert: Alert) -> TrackedAlert:
    """An open alert is told as firing."""
    if _later(alert, tracked) < 0:
        return book.put(tracked, **_heard_of(tracked), last_seen=book.now)
    told: dict[str, Any] = {
        "labels": alert.labels,
        "annotations": alert.annotations or tracked.annotations,
        "generator_url": alert.generator_url or tracked.generator_url,
        "last_seen": book.now,
    }
    if _later(alert, tracked) > 0:
        book.flap(tracked.incident_id)
        told |= {"starts_at": alert.starts_at, "episodes": tracked.episodes + 1}
        told |= {"state": AlertState.FIRING, "ends_at": None}
        return book.put(tracked, "Fires anew, that it had stopped was never told", **told)
    if alert.starts_at_known:
        told |= {"starts_at": alert.starts_at, "starts_at_known": True}
    return book.put(tracked, **told, **_heard_of(tracked))


def _later(alert: Alert, tracked: TrackedAlert) -> int:
    """How the start that is told compares to the known one: 1 later, -1 earlier, 0 the same or unknown."""
    if not (alert.starts_at_known and tracked.starts_at_known):
        return 0
    difference = alert.starts_at - tracked.starts_at
    return 0 if abs(difference) <= SAME_START else 1 if difference > SAME_START else -1


def _heard_of(tracked: TrackedAlert) -> dict[str, Any]:
    """What hearing of an alert changes where it was unknown."""
    if tracked.state is not AlertState.UNKNOWN:
        return {}
    return {"said": "Heard of again", "state": AlertState.FIRING, "ends_at": None}


def _ends(book: Bookkeeping, alert: Alert, assigned: Mapping[str, Assignment]) -> TrackedAlert:
    """The alert is told as resolved."""
    tracked = book.tracked(alert.key)
    if tracked is None:
        return book.join(alert, assigned[alert.key], AlertState.RESOLVED)
    if tracked.by_hand:
        said = f"{alert.opened_by} ended it" if tracked.state is not AlertState.RESOLVED else ""
        return book.put(tracked, said, state=AlertState.RESOLVED, ends_at=alert.ends_at or book.now)
    newer = _later(alert, tracked) > 0
    if tracked.state is AlertState.RESOLVED and newer and not book.goes_on(book.incident(tracked.incident_id)):
        return book.join(alert, assigned[alert.key], AlertState.RESOLVED)
    if _later(alert, tracked) < 0 and (alert.ends_at or book.now) < tracked.starts_at:
        return tracked
    ended: dict[str, Any] = {
        "annotations": tracked.annotations or alert.annotations,
        "ends_at": alert.ends_at or book.now,
        "last_seen": book.now,
    }
    if newer:
        book.flap(tracked.incident_id)
        ended |= {"starts_at": alert.starts_at, "episodes": tracked.episodes + 1}
    return _settle(book, tracked, ended, newer=newer)


def _settle(book: Bookkeeping, tracked: TrackedAlert, ended: dict[str, Any], *, newer: bool) -> TrackedAlert:
    """What the end of an alert makes of it."""
    resolved = ended | {"state": AlertState.RESOLVED, "hold_until": None, "suppressed": ""}
    match tracked.state:
        case AlertState.RESOLVED if newer:
            return book.put(tracked, "Fired and resolved again, told only now", **ended)
        case AlertState.RESOLVED:
            return book.put(tracked, last_seen=book.now)
        case AlertState.HELD:
            return book.put(tracked, "Resolved as before, what fired between was a late duplicate", **resolved)
        case _ if heartbeat.silent(book, tracked.labels, lately=True):
            said = "" if tracked.state is AlertState.UNKNOWN else "Resolved as the pipeline broke, not a recovery"
            return book.put(tracked, said, **ended, state=AlertState.UNKNOWN)
        case _:
            return book.put(tracked, "Resolved", **resolved)


def _once(alerts: Sequence[Alert], now: datetime) -> Sequence[Alert]:
    """Each alert once: of several words on one key the latest episode counts, and in it the end."""
    latest: dict[str, Alert] = {}
    for alert in alerts:
        plausible = alert if alert.starts_at <= now + CLOCK_SKEW else _without_start(alert, now)
        other = latest.get(alert.key)
        if other is None or _rank(plausible) > _rank(other):
            latest[alert.key] = plausible
    return list(latest.values())


def _without_start(alert: Alert, now: datetime) -> Alert:
    return alert.model_copy(update={"starts_at": now, "starts_at_known": False})


def _rank(alert: Alert) -> tuple[datetime, bool]:
    return alert.starts_at, alert.status is AlertStatus.RESOLVED


def _members_missing(book: Bookkeeping, notification: Notification) -> bool:
    """Whether a group that is told as resolved lacks alerts of it that fire as far as we know."""
    if notification.status is not AlertStatus.RESOLVED:
        return False
    told = {alert.key for alert in notification.alerts}
    return any(
        alert.state is AlertState.FIRING
        and alert.key not in told
        and notification.receiver in alert.receivers
        and notification.group_labels.items() <= alert.labels.items()
        for alert in book.alerts
    )
