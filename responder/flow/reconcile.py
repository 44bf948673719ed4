"""Reconcile: what webhooks leave out. Pure.

No resolved is ever sent for an alert that ends while it is silenced, inhibited or muted, and some are lost
when an Alertmanager restarts or truncates. With the answer of Alertmanager's API, open alerts are brought in
line with it. Without, deadlines decide: what was held reopens, what is overdue becomes unknown.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from responder.flow import heartbeat
from responder.flow.bookkeeping import Bookkeeping
from responder.flow.fold import Assign
from responder.model.alert import Alert, AlertStatus
from responder.model.incident import AlertState, TrackedAlert
from responder.model.labels import fingerprint
from responder.model.ledger import Changes, FoldRules, Ledger

Told = Mapping[str, Any]


class Answer:
    """What one Alertmanager says: the alerts of `GET /api/v2/alerts`."""

    def __init__(self, alerts: Sequence[Told]) -> None:
        self.alerts = alerts
        self.by_fingerprint = {str(alert.get("fingerprint", "")): alert for alert in alerts}


def reconcile(
    ledger: Ledger, answers: Mapping[str, Answer], assign: Assign, rules: FoldRules, now: datetime
) -> Changes:
    """What changes by what the Alertmanager of each incident says (by incident), by the clock alone without an answer.

    The ledger holds all incidents that are open or have a held alert, the latest of their identities and of
    those of the hearts, and all hearts.
    """
    book = Bookkeeping(ledger, rules, now)
    for heart in book.hearts:
        heartbeat.check(book, heart, assign(heartbeat.as_alert(heart)))
    for alert in book.alerts:
        if alert.state is AlertState.RESOLVED or alert.by_hand or heartbeat.is_silence(alert.key):
            continue
        answer = answers.get(alert.incident_id)
        if answer is not None and (present := _present(alert, answer.by_fingerprint)) is not None:
            _is_told(book, alert, present, assign)
        elif answer is not None and alert.fingerprint == fingerprint(alert.labels):
            _is_absent(book, alert)
        else:
            _by_the_clock(book, alert, assign)
    _complete(book, ledger, answers, assign)
    return book.changes()


def _by_the_clock(book: Bookkeeping, alert: TrackedAlert, assign: Assign) -> None:
    if alert.state is AlertState.HELD and alert.hold_until is not None:
        if alert.hold_until <= book.now:
            _release(book, alert, assign, "No second end was told: it fires")
        else:
            book.wake("settle", alert.hold_until)
    elif alert.state is AlertState.FIRING and alert.last_seen + book.rules.overdue <= book.now:
        book.put(alert, "Overdue, nobody says whether it still fires", state=AlertState.UNKNOWN)
    elif alert.state is AlertState.UNKNOWN and alert.ends_at is not None and _quiet_for_long(book, alert):
        _end(book, alert, "Not told again since the pipeline works, so it was resolved indeed")


def _is_told(book: Bookkeeping, alert: TrackedAlert, told: Told, assign: Assign) -> None:
    """The API has the alert: it fires, also where a silence keeps that from us."""
    suppressed = _suppressed(told)
    if alert.state is AlertState.HELD:
        if suppressed:
            book.put(alert, f"Fires but is {suppressed}", state=AlertState.RESOLVED, hold_until=None)
        else:
            _release(book, alert, assign, "Alertmanager says that it fires")
        return
    starts_at = _time(told.get("startsAt")) or alert.starts_at
    changed: dict[str, Any] = {"state": AlertState.FIRING, "last_seen": book.now, "suppressed": suppressed}
    if alert.state is AlertState.UNKNOWN:
        changed["ends_at"] = None
    said = _noted(alert, suppressed)
    if alert.starts_at_known and book.now >= starts_at > alert.starts_at:
        book.flap(alert.incident_id)
        changed |= {"starts_at": starts_at, "episodes": alert.episodes + 1}
        said = said or "Fires anew, that it had stopped was never told"
    book.put(alert, said, **changed)


def _noted(alert: TrackedAlert, suppressed: str) -> str:
    if suppressed and suppressed != alert.suppressed:
        return f"Fires on but is {suppressed}, its end will not be told"
    if alert.state is AlertState.UNKNOWN:
        return "Alertmanager says that it fires"
    return f"No longer {alert.suppressed}" if alert.suppressed and not suppressed else ""


def _is_absent(book: Bookkeeping, alert: TrackedAlert) -> None:
    """The API does not have the alert: it is over, unless the way it came is broken, or the news is too young."""
    if alert.state is AlertState.HELD:
        said = "Alertmanager does not know of it: what fired was a late duplicate"
        book.put(alert, said, state=AlertState.RESOLVED, hold_until=None)
    elif heartbeat.silent(book, alert.labels, lately=False):
        said = "" if alert.state is AlertState.UNKNOWN else "Gone from Alertmanager as the pipeline broke"
        book.put(alert, said, state=AlertState.UNKNOWN)
    elif alert.state is AlertState.UNKNOWN:
        if _quiet_for_long(book, alert):
            _end(book, alert, "Gone from Alertmanager")
    elif book.now - alert.last_seen >= book.rules.peer_timeout:
        _end(book, alert, "Gone from Alertmanager, that it ended was never told")


def _quiet_for_long(book: Bookkeeping, alert: TrackedAlert) -> bool:
    """Whether the pipeline works, and had the time to tell of an alert that still fires."""
    if heartbeat.silent(book, alert.labels, lately=False):
        return False
    since = max(alert.last_seen, heartbeat.works_since(book, alert.labels) or alert.last_seen)
    return book.now - since >= book.rules.hold


def _end(book: Bookkeeping, alert: TrackedAlert, said: str) -> None:
    ended = max(alert.ends_at or book.now, alert.starts_at)
    book.put(alert, said, state=AlertState.RESOLVED, ends_at=ended, hold_until=None, suppressed="")


def _release(book: Bookkeeping, alert: TrackedAlert, assign: Assign, said: str) -> None:
    """A held alert fires: its sender was away."""
    firing = {"state": AlertState.FIRING, "hold_until": None, "ends_at": None, "last_seen": book.now}
    if book.goes_on(book.incident(alert.incident_id)):
        book.put(alert, said, **firing)
    else:
        book.put(alert, state=AlertState.RESOLVED, hold_until=None)
        again = _as_alert(alert)
        book.join(again, assign(again), AlertState.FIRING)


def _complete(book: Bookkeeping, ledger: Ledger, answers: Mapping[str, Answer], assign: Assign) -> None:
    """Add the alerts that truncated notifications left out."""
    truncated: dict[Answer, dict[str, str]] = {}
    for incident in ledger.incidents.values():
        if incident.alerts_truncated and incident.open and (answer := answers.get(incident.id)) is not None:
            truncated.setdefault(answer, {})[incident.identity] = incident.id
    for answer, identities in truncated.items():
        for told in answer.alerts:
            alert = _read(told)
            if alert is None or _suppressed(told) or book.tracked(alert.key) is not None:
                continue
            assignment = assign(alert)
            if assignment.identity in identities:
                book.join(alert, assignment, AlertState.FIRING)
        for incident_id in identities.values():
            book.set_truncated(incident_id, 0)


def _present(alert: TrackedAlert, told: Mapping[str, Told]) -> Told | None:
    """What the API says of the alert; labels tell apart what shares a fingerprint."""
    found = told.get(alert.fingerprint)
    if found is None or (alert.key != alert.fingerprint and found.get("labels") != alert.labels):
        return None
    return found


def _suppressed(told: Told) -> str:
    """What keeps the alert from being told: `silenced`, `inhibited`, `muted`; empty if nothing does."""
    status = told.get("status")
    if not isinstance(status, Mapping):
        return ""
    for field, word in (("silencedBy", "silenced"), ("inhibitedBy", "inhibited"), ("mutedBy", "muted")):
        if status.get(field):
            return word
    return "suppressed" if status.get("state") == "suppressed" else ""


def _time(text: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _read(told: Told) -> Alert | None:
    """An alert of the API as a notification would bring it; None if it is unusable."""
    known, labels, starts_at = told.get("fingerprint"), told.get("labels"), _time(told.get("startsAt"))
    if not isinstance(known, str) or not isinstance(labels, Mapping) or starts_at is None:
        return None
    annotations = told.get("annotations")
    return Alert(
        key=known,
        fingerprint=known,
        status=AlertStatus.FIRING,
        labels=labels,
        annotations=annotations if isinstance(annotations, Mapping) else {},
        starts_at=starts_at,
        generator_url=str(told.get("generatorURL") or ""),
    )


def _as_alert(tracked: TrackedAlert) -> Alert:
    return Alert(
        key=tracked.key,
        fingerprint=tracked.fingerprint,
        status=AlertStatus.FIRING,
        labels=tracked.labels,
        annotations=tracked.annotations,
        starts_at=tracked.starts_at,
        starts_at_known=tracked.starts_at_known,
        generator_url=tracked.generator_url,
    )
