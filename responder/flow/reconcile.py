"""Reconcile: what webhooks leave out. Resolves get lost (silences, inhibition, restarts, truncation). Pure.

With what Alertmanager's API says, open alerts are brought in line with it. Without, deadlines decide: a held
alert reopens, one whose repeat is overdue becomes unknown, a heart that is overdue has stopped.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from responder.flow.bookkeeping import Bookkeeping
from responder.flow.fold import Assign, heartbeat_key, stop
from responder.model.alert import Alert, AlertStatus
from responder.model.incident import AlertState, TrackedAlert
from responder.model.ledger import Changes, FoldRules, Heart, Ledger

Told = Mapping[str, Any]


def reconcile(
    ledger: Ledger, api_alerts: Sequence[Told] | None, assign: Assign, rules: FoldRules, now: datetime
) -> Changes:
    """What changes by the API's alerts (as `GET /api/v2/alerts` returns them), or without them by the clock."""
    book = Bookkeeping(ledger, rules, now)
    told = {str(alert.get("fingerprint", "")): alert for alert in api_alerts or ()}
    for alert in book.alerts:
        if alert.state is AlertState.RESOLVED or alert.key.startswith(heartbeat_key("")):
            continue
        if api_alerts is None:
            _by_the_clock(book, alert)
        elif alert.fingerprint in told:
            _confirmed(book, alert, told[alert.fingerprint])
        else:
            _absent(book, alert)
    if api_alerts is not None:
        _complete(book, ledger, api_alerts, assign)
    for heart in book.hearts:
        if not heart.stopped and heart.due_at <= now:
            stop(book, heart, assign(_as_alert(heart)), "is overdue: the alerting pipeline is silent")
    return book.changes()


def _by_the_clock(book: Bookkeeping, alert: TrackedAlert) -> None:
    if alert.state is AlertState.HELD:
        if alert.hold_until is not None and alert.hold_until <= book.now:
            _release(book, alert)
    elif alert.state is AlertState.FIRING and alert.last_seen + book.rules.overdue <= book.now:
        overdue = alert.model_copy(update={"state": AlertState.UNKNOWN})
        book.put(overdue, "is overdue: nobody says whether it still fires")


def _confirmed(book: Bookkeeping, alert: TrackedAlert, told: Told) -> None:
    """The API has the alert: it fires, even if it is silenced."""
    before, suppressed = alert.suppressed, _suppressed(told)
    alert = alert.model_copy(update={"last_seen": book.now, "suppressed": suppressed})
    if alert.state is AlertState.HELD:
        _release(book, alert)
    elif alert.state is AlertState.UNKNOWN:
        book.put(alert.model_copy(update={"state": AlertState.FIRING}), "still fires, says Alertmanager")
    elif suppressed and not before:
        book.put(alert, f"still fires, but is {suppressed}: no resolve will be told")
    elif before and not suppressed:
        book.put(alert, "is not silenced any more")
    else:
        book.put(alert)


def _absent(book: Bookkeeping, alert: TrackedAlert) -> None:
    """The API does not have it. Just after a restart it may have forgotten alerts for a moment."""
    if alert.state is AlertState.HELD:
        book.put(alert.model_copy(update={"state": AlertState.RESOLVED, "hold_until": None}))
    elif book.now - alert.last_seen > book.rules.hold:
        ended = {"state": AlertState.RESOLVED, "ends_at": book.now, "suppressed": ""}
        book.put(alert.model_copy(update=ended), "is gone from Alertmanager; that it resolved was never told")


def _release(book: Bookkeeping, alert: TrackedAlert) -> None:
    firing = {"state": AlertState.FIRING, "hold_until": None, "ends_at": None, "last_seen": book.now}
    book.reopen(alert.model_copy(update=firing), "fires on: its sender was away")


def _complete(book: Bookkeeping, ledger: Ledger, api_alerts: Sequence[Told], assign: Assign) -> None:
    """Add the alerts that a truncated notification left out."""
    truncated = {incident.identity: incident for incident in ledger.incidents.values() if incident.alerts_truncated}
    if not truncated:
        return
    for told in api_alerts:
        alert = _read(told, book.now)
        if alert is None or book.tracked(alert.key) is not None:
            continue
        assignment = assign(alert)
        if assignment.identity in truncated:
            book.join(alert, assignment, AlertState.FIRING)
    for incident in truncated.values():
        book.set_truncated(incident.id, 0)


def _suppressed(told: Told) -> str:
    status = told.get("status") or {}
    for field, word in (("silencedBy", "silenced"), ("inhibitedBy", "inhibited"), ("mutedBy", "muted")):
        if status.get(field):
            return word
    return "suppressed" if status.get("state") == "suppressed" else ""


def _read(told: Told, now: datetime) -> Alert | None:
    """An alert of the API as if a notification had brought it."""
    fingerprint, labels = str(told.get("fingerprint", "")), told.get("labels")
    if not fingerprint or not isinstance(labels, Mapping):
        return None
    try:
        starts_at = datetime.fromisoformat(str(told.get("startsAt", "")))
    except ValueError:
        starts_at = now
    return Alert(
        key=fingerprint,
        fingerprint=fingerprint,
        status=AlertStatus.FIRING,
        labels=labels,
        annotations=told.get("annotations") or {},
        starts_at=starts_at if starts_at.tzinfo else now,
        generator_url=str(told.get("generatorURL", "")),
    )


def _as_alert(heart: Heart) -> Alert:
    return Alert(
        key=heart.key,
        fingerprint=heart.key,
        status=AlertStatus.FIRING,
        labels=heart.labels,
        starts_at=heart.last_beat,
    )
