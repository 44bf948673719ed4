"""Fold: the alerts of one notification join the incidents they belong to. Pure and deterministic.

An episode of an alert is its key and its start. The rules, with the experiments behind them, are those of
docs/alertmanager.md: re-sends and duplicates change nothing; a newer start on an open alert is a flap
nobody told of; an older one changes nothing; firing with the start it was resolved with is held back.
"""

from collections.abc import Callable, Collection
from datetime import datetime

from responder.flow.bookkeeping import Bookkeeping
from responder.model.alert import Alert, AlertStatus, Notification
from responder.model.incident import AlertState, TrackedAlert
from responder.model.ledger import Assignment, Changes, FoldRules, Heart, Ledger

Assign = Callable[[Alert], Assignment]


def wanted(notification: Notification, assign: Assign) -> tuple[Collection[str], Collection[str], Collection[str]]:
    """What the ledger must hold for a notification: alert keys, incident identities, heart keys."""
    assignments = [assign(alert) for alert in notification.alerts]
    hearts = {found.identity for found in assignments if found.runbook.heartbeat}
    keys = {alert.key for alert in notification.alerts} | {heartbeat_key(identity) for identity in hearts}
    return keys, {found.identity for found in assignments}, hearts


def fold(ledger: Ledger, notification: Notification, assign: Assign, rules: FoldRules, now: datetime) -> Changes:
    """What the notification changes."""
    book = Bookkeeping(ledger, rules, now)
    assigned = [(alert, assign(alert)) for alert in notification.alerts]
    for alert, assignment in assigned:
        if assignment.runbook.heartbeat is not None:
            beat(book, alert, assignment, assignment.runbook.heartbeat.within.total_seconds())
    for alert, assignment in assigned:
        if assignment.runbook.heartbeat is not None:
            continue
        tell = fire if alert.status is AlertStatus.FIRING else end
        tracked = tell(book, alert, assignment)
        if notification.receiver and notification.receiver not in tracked.receivers:
            receivers = (*tracked.receivers, notification.receiver)
            book.put(tracked.model_copy(update={"receivers": receivers}))
        book.set_truncated(tracked.incident_id, notification.alerts_truncated)
    book.reconcile |= bool(notification.alerts_truncated) or _members_missing(book, notification)
    return book.changes()


def fire(book: Bookkeeping, alert: Alert, assignment: Assignment) -> TrackedAlert:
    """An alert is told as firing."""
    tracked = book.tracked(alert.key)
    if tracked is None:
        return book.join(alert, assignment, AlertState.FIRING)
    newer = alert.starts_at_known and alert.starts_at > tracked.starts_at
    seen = _seen(tracked, alert, book.now)
    if tracked.state in (AlertState.FIRING, AlertState.UNKNOWN):
        return _fires_on(book, tracked, seen, newer=newer)
    if newer or not alert.starts_at_known:
        return book.join(alert, assignment, AlertState.FIRING)
    if tracked.state is AlertState.RESOLVED and alert.starts_at == tracked.starts_at:
        held = {"state": AlertState.HELD, "hold_until": book.now + book.rules.hold}
        seen = seen.model_copy(update={**held, "starts_at": tracked.starts_at, "ends_at": tracked.ends_at})
        book.wake("settle", book.now + book.rules.hold)
        book.reconcile = True
    else:
        seen = tracked.model_copy(update={"last_seen": book.now})
    book.put(seen)
    return seen


def end(book: Bookkeeping, alert: Alert, assignment: Assignment) -> TrackedAlert:
    """An alert is told as resolved."""
    tracked = book.tracked(alert.key)
    if tracked is None:
        return book.join(alert, assignment, AlertState.RESOLVED)
    ends_at = alert.ends_at or book.now
    newer = alert.starts_at_known and alert.starts_at > tracked.starts_at
    if tracked.state is AlertState.RESOLVED:
        update: dict[str, object] = {"last_seen": book.now}
        if newer:
            update |= {"starts_at": alert.starts_at, "ends_at": ends_at, "episodes": tracked.episodes + 1}
        ended = tracked.model_copy(update=update)
        book.put(ended, "fired and resolved without being told as firing" if newer else "")
        return ended
    if ends_at <= tracked.starts_at and alert.starts_at < tracked.starts_at:
        stale = tracked.model_copy(update={"last_seen": book.now})
        book.put(stale)
        return stale
    update = {
        "state": AlertState.RESOLVED,
        "ends_at": ends_at,
        "last_seen": book.now,
        "hold_until": None,
        "suppressed": "",
    }
    if newer:
        update |= {"starts_at": alert.starts_at, "episodes": tracked.episodes + 1}
    if tracked.state is AlertState.HELD:
        ended = tracked.model_copy(update=update)
        book.put(ended)
        return ended
    if _pipeline_broke(book):
        doubtful = tracked.model_copy(update={"state": AlertState.UNKNOWN, "last_seen": book.now})
        book.put(doubtful, "told as resolved while the heartbeat stopped too: not taken as a recovery")
        book.reconcile = True
        return doubtful
    ended = tracked.model_copy(update=update)
    book.put(ended, "resolved")
    return ended


def beat(book: Bookkeeping, alert: Alert, assignment: Assignment, within: float) -> None:
    """A dead man's switch is told as firing (all is well) or as resolved (it stopped)."""
    heart = Heart(
        key=assignment.identity,
        identity=assignment.identity,
        runbook=assignment.runbook.name,
        labels=alert.labels,
        last_beat=book.now,
        due_at=datetime.fromtimestamp(book.now.timestamp() + within, book.now.tzinfo),
    )
    if alert.status is AlertStatus.RESOLVED:
        known = book.heart(heart.key)
        stop(book, known or heart, assignment, "is told as resolved: the alerting pipeline broke")
        return
    book.put_heart(heart)
    tracked = book.tracked(heartbeat_key(heart.identity))
    if tracked is not None and tracked.state is not AlertState.RESOLVED:
        back = {"state": AlertState.RESOLVED, "ends_at": book.now, "last_seen": book.now}
        book.put(tracked.model_copy(update=back), "beats again")


def stop(book: Bookkeeping, heart: Heart, assignment: Assignment, said: str) -> None:
    """A dead man's switch stopped: that is an incident."""
    if heart.stopped:
        return
    book.put_heart(heart.model_copy(update={"stopped": True, "due_at": book.now}))
    silence = Alert(
        key=heartbeat_key(heart.identity),
        fingerprint=heartbeat_key(heart.identity),
        status=AlertStatus.FIRING,
        labels=heart.labels,
        annotations={"summary": f"{heart.labels.get('alertname', 'The heartbeat')} {said}"},
        starts_at=book.now,
    )
    tracked = book.tracked(silence.key)
    if tracked is None or tracked.state is AlertState.RESOLVED:
        book.join(silence, assignment, AlertState.FIRING)


def heartbeat_key(identity: str) -> str:
    """The key of the alert that stands for a heartbeat that stopped."""
    return f"heartbeat|{identity}"


def _fires_on(book: Bookkeeping, tracked: TrackedAlert, seen: TrackedAlert, *, newer: bool) -> TrackedAlert:
    """An alert that is open already."""
    if newer:
        seen = seen.model_copy(update={"episodes": tracked.episodes + 1, "state": AlertState.FIRING})
        book.flap(tracked.incident_id)
        book.put(seen, "fires anew; that it had stopped was never told")
    elif tracked.state is AlertState.UNKNOWN:
        seen = seen.model_copy(update={"state": AlertState.FIRING, "starts_at": tracked.starts_at})
        book.put(seen, "is heard of again")
    else:
        seen = seen.model_copy(update={"starts_at": tracked.starts_at})
        book.put(seen)
    return seen


def _seen(tracked: TrackedAlert, alert: Alert, now: datetime) -> TrackedAlert:
    """The tracked alert with what this delivery says of it."""
    return tracked.model_copy(
        update={
            "labels": alert.labels or tracked.labels,
            "annotations": alert.annotations or tracked.annotations,
            "generator_url": alert.generator_url or tracked.generator_url,
            "starts_at": alert.starts_at,
            "starts_at_known": alert.starts_at_known or tracked.starts_at_known,
            "ends_at": None,
            "last_seen": now,
        }
    )


def _pipeline_broke(book: Bookkeeping) -> bool:
    """Whether a heart stopped so lately that other resolves may not be recoveries."""
    return any(heart.stopped and book.now - heart.due_at <= book.rules.hold for heart in book.hearts)


def _members_missing(book: Bookkeeping, notification: Notification) -> bool:
    """Whether a group that is told as resolved as a whole lacks alerts that we know as firing."""
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
