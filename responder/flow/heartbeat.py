"""Dead man's switches (Prometheus' `Watchdog`): an alert that fires as long as the pipeline works. Pure.

While it fires there is no incident. Told as resolved, or not told for too long, it is one, and resolves of
that moment are no recoveries: a Prometheus that died resolves everything it had fired.
"""

from collections.abc import Mapping
from datetime import datetime

from responder.flow.bookkeeping import Bookkeeping
from responder.model.alert import Alert, AlertStatus
from responder.model.incident import AlertState
from responder.model.ledger import Assignment, Heart

_OF_THE_RULE = frozenset(
    ("alertname", "severity", "namespace", "job", "instance", "service", "endpoint", "pod", "container", "team")
)


def silence_key(identity: str) -> str:
    """The key of the alert that stands for a heart that stopped."""
    return f"heartbeat|{identity}"


def is_silence(key: str) -> bool:
    """Whether the key is that of a heart that stopped."""
    return key.startswith("heartbeat|")


def beat(book: Bookkeeping, alert: Alert, assignment: Assignment) -> None:
    """A heartbeat is told: as firing, all is well; as resolved, it stopped."""
    known = book.heart(assignment.identity)
    if alert.status is AlertStatus.FIRING:
        if known is not None and known.stopped and _may_be_stale(book, known, alert):
            book.put_heart(known.model_copy(update={"last_beat": book.now}))
            book.wake("settle", known.due_at + book.rules.hold)
            book.reconcile = True
            return
        revive(book, _heart(alert, assignment, book.now), assignment)
    elif known is None:
        stop(book, _heart(alert, assignment, book.now), assignment, alert.ends_at or book.now, "Told as resolved")
    elif known.stopped:
        if known.last_beat > known.due_at:
            book.put_heart(known.model_copy(update={"due_at": book.now}))
    elif known.labels == alert.labels or known.due_at <= book.now:
        stop(book, known, assignment, alert.ends_at or book.now, "Told as resolved")


def revive(book: Bookkeeping, heart: Heart, assignment: Assignment) -> None:
    """The heart beats: what its silence had opened is over."""
    within = assignment.runbook.heartbeat.within if assignment.runbook.heartbeat else book.rules.overdue
    beating = heart.model_copy(update={"stopped": False, "due_at": heart.last_beat + within})
    if beating != book.heart(heart.key):
        book.put_heart(beating)
    silence = book.tracked(silence_key(heart.identity))
    if silence is not None and silence.state is not AlertState.RESOLVED:
        book.put(silence, "Beats again", state=AlertState.RESOLVED, ends_at=book.now, last_seen=book.now)


def check(book: Bookkeeping, heart: Heart, assignment: Assignment) -> None:
    """Stop a heart that is overdue; revive one whose beats turned out not to be stale; follow changed rules."""
    if assignment.runbook.heartbeat is None:
        _retire(book, heart, "The rules name no heartbeat here any more")
        return
    if assignment.identity != heart.key:
        _move(book, heart, assignment)
        return
    within = assignment.runbook.heartbeat.within
    if not heart.stopped:
        if heart.due_at <= book.now:
            stop(book, heart.model_copy(update={"starts_at": None}), assignment, heart.due_at, "Not heard of in time")
    elif heart.due_at < heart.last_beat and heart.due_at + book.rules.hold <= book.now < heart.last_beat + within:
        revive(book, heart, assignment)


def _move(book: Bookkeeping, heart: Heart, assignment: Assignment) -> None:
    """The rules or settings group it otherwise now: another heart takes its place, at the latest when it beats."""
    if book.heart(assignment.identity) is None:
        if heart.stopped:
            return
        place = {"key": assignment.identity, "identity": assignment.identity, "runbook": assignment.runbook.name}
        book.put_heart(heart.model_copy(update=place))
    _retire(book, heart, "Grouped otherwise now, and watched there")


def _retire(book: Bookkeeping, heart: Heart, said: str) -> None:
    book.put_heart(heart.model_copy(update={"stopped": True, "retired": True}))
    silence = book.tracked(silence_key(heart.identity))
    if silence is not None and silence.state is not AlertState.RESOLVED:
        book.put(silence, said, state=AlertState.RESOLVED, ends_at=book.now, last_seen=book.now)


def stop(book: Bookkeeping, heart: Heart, assignment: Assignment, at: datetime, said: str) -> None:
    """The heart stopped: that is an incident."""
    book.put_heart(heart.model_copy(update={"stopped": True, "due_at": book.now}))
    silence = as_alert(heart).model_copy(
        update={
            "key": silence_key(heart.identity),
            "fingerprint": silence_key(heart.identity),
            "annotations": {"summary": f"{said}: the way of alerts from Prometheus to here is broken"},
            "starts_at": min(at, book.now),
        }
    )
    tracked = book.tracked(silence.key)
    if tracked is None or tracked.state is AlertState.RESOLVED:
        book.join(silence, assignment, AlertState.FIRING)


def silent(book: Bookkeeping, labels: Mapping[str, str], *, lately: bool) -> bool:
    """Whether a heart of the pipeline that an alert came through has stopped (`lately`: a moment ago)."""
    return any(
        heart.stopped and (not lately or book.now - heart.due_at <= book.rules.hold) and _same_way(heart, labels)
        for heart in book.hearts
    )


def works_since(book: Bookkeeping, labels: Mapping[str, str]) -> datetime | None:
    """When the pipeline that an alert came through began to work last; None where no heart tells."""
    starts = [heart.starts_at for heart in book.hearts if heart.starts_at and _same_way(heart, labels)]
    return max(starts, default=None)


def as_alert(heart: Heart) -> Alert:
    """The alert that beat last."""
    return Alert(
        key=heart.key,
        fingerprint=heart.key,
        status=AlertStatus.FIRING,
        labels=heart.labels,
        starts_at=heart.starts_at or heart.last_beat,
    )


def _heart(alert: Alert, assignment: Assignment, now: datetime) -> Heart:
    return Heart(
        key=assignment.identity,
        identity=assignment.identity,
        runbook=assignment.runbook.name,
        labels=alert.labels,
        last_beat=now,
        due_at=now,
        starts_at=alert.starts_at if alert.starts_at_known else None,
    )


def _may_be_stale(book: Bookkeeping, heart: Heart, alert: Alert) -> bool:
    """Whether the beat may be the late word of a second Alertmanager, from before the heart stopped."""
    trailing = book.now - heart.due_at <= book.rules.hold
    return trailing and heart.starts_at is not None and alert.starts_at <= heart.starts_at


def _same_way(heart: Heart, labels: Mapping[str, str]) -> bool:
    """Whether heart and alert came from one Prometheus: no label that it adds to all its alerts differs."""
    return all(labels.get(name, value) == value for name, value in heart.labels.items() if name not in _OF_THE_RULE)
