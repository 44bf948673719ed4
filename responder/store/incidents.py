"""Incidents with their alerts, hearts and timelines."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, Select, String, Table, Tuple, delete, func, literal, select, tuple_
from sqlalchemy import insert as insert_into
from sqlalchemy.dialects.sqlite import insert

from responder.model.incident import AlertState, Incident, IncidentStatus, TimelineEntry, TimelineKind, TrackedAlert
from responder.model.ledger import Changes, Heart, Ledger
from responder.model.listing import Position
from responder.store.database import announce
from responder.store.tables import (
    Moment,
    actions,
    alerts,
    deliveries,
    evidence,
    feedback,
    hearts,
    incidents,
    investigations,
    procedure_marks,
    status_updates,
    verifications,
)
from responder.store.tables import timeline as timeline_table

T = TypeVar("T")
Q = TypeVar("Q", bound=tuple[Any, ...])

_CHUNK = 500


Members = Mapping[str, Mapping[str, TrackedAlert]]
"""Alerts by incident id and key."""


def ledger(
    connection: Connection,
    keys: Collection[str],
    identities: Collection[str],
    known: Members,
) -> Ledger:
    """What a fold needs: see `responder.model.ledger.Ledger`. The alerts of `known` incidents are not read again."""
    ids: set[str] = set()
    for chunk in _chunks(sorted(identities)):
        latest = select(incidents.c.id, incidents.c.identity).where(incidents.c.identity.in_(chunk))
        newest = {row.identity: row.id for row in connection.execute(latest.order_by(incidents.c.opened_at))}
        ids.update(newest.values())
    for chunk in _chunks(sorted(keys)):
        holders = select(alerts.c.key, alerts.c.incident_id).where(alerts.c.key.in_(chunk))
        newest = {row.key: row.incident_id for row in connection.execute(holders.order_by(alerts.c.last_seen))}
        ids.update(newest.values())
    return _ledger_of(connection, ids, known)


def open_ledger(connection: Connection) -> Ledger:
    """Everything that is not settled: incidents with a firing, unknown or held alert, and all hearts."""
    unsettled = (AlertState.FIRING, AlertState.UNKNOWN, AlertState.HELD)
    ids = set(connection.scalars(select(alerts.c.incident_id).where(alerts.c.state.in_(unsettled)).distinct()))
    still_open = select(incidents.c.id).where(incidents.c.status != IncidentStatus.RESOLVED)
    ids.update(connection.scalars(still_open))
    return _ledger_of(connection, ids, {})


class Conflict(Exception):
    """An incident was changed since the ledger was read: fold again."""


def apply(connection: Connection, changes: Changes, read: Ledger) -> None:
    """Write what a fold decided on the ledger that was read; raises Conflict where that is out of date."""
    revisions = {incident.id: incident.revision for incident in read.incidents.values()}
    for chunk in _chunks([incident.id for incident in changes.incidents]):
        stored = select(incidents.c.id, incidents.c.revision).where(incidents.c.id.in_(chunk))
        for row in connection.execute(stored):
            if revisions.get(row.id) != row.revision:
                raise Conflict(row.id)
    _replace(connection, incidents, [_incident_row(incident) for incident in changes.incidents])
    _replace(connection, alerts, [_alert_row(alert) for alert in changes.alerts])
    _replace(connection, hearts, [{"key": heart.key, "document": heart.model_dump_json()} for heart in changes.hearts])
    for incident_id, entry in changes.timeline:
        tell(connection, incident_id, entry)
    for incident in changes.incidents:
        announce(connection, "incidents", incident.id)


def save(connection: Connection, incident: Incident) -> None:
    """Replace one incident."""
    _replace(connection, incidents, [_incident_row(incident)])
    announce(connection, "incidents", incident.id)


def get(connection: Connection, incident_id: str) -> Incident | None:
    """One incident."""
    document = connection.scalar(select(incidents.c.document).where(incidents.c.id == incident_id))
    return Incident.model_validate_json(document) if document else None


def alerts_of(connection: Connection, incident_id: str) -> list[TrackedAlert]:
    """The alerts of an incident: what fires first, then the oldest."""
    found = connection.scalars(select(alerts.c.document).where(alerts.c.incident_id == incident_id))
    tracked = [TrackedAlert.model_validate_json(document) for document in found]
    return sorted(tracked, key=lambda alert: (_ORDER[alert.state], alert.starts_at, alert.key))


def timeline_of(connection: Connection, incident_id: str, limit: int = 1000) -> list[TimelineEntry]:
    """What happened, oldest first; of a long history the newest part."""
    wanted = select(timeline_table).where(timeline_table.c.incident_id == incident_id)
    newest = connection.execute(wanted.order_by(timeline_table.c.id.desc()).limit(limit))
    entries = [TimelineEntry(at=row.at, kind=TimelineKind(row.kind), text=row.text) for row in newest]
    entries.reverse()
    return sorted(entries, key=lambda entry: entry.at)


def tell(connection: Connection, incident_id: str, entry: TimelineEntry) -> None:
    """Add a line to a timeline."""
    row = {"incident_id": incident_id, "at": entry.at, "kind": entry.kind, "text": entry.text}
    connection.execute(insert_into(timeline_table), [row])


def find(
    connection: Connection,
    *,
    status: Sequence[str] = (),
    severity: Sequence[str] = (),
    runbook: str = "",
    after: Position | None = None,
    limit: int = 200,
) -> list[Incident]:
    """Incidents: open ones first by severity and age, then the rest, newest first; those that stand `after`."""
    wanted = _fitting(select(incidents.c.document), status, severity, runbook)
    resolved = incidents.c.status == IncidentStatus.RESOLVED
    found: list[str] = []
    if after is None or not after.over:
        order = (incidents.c.severity, incidents.c.opened_at, incidents.c.id)
        burning = wanted.where(~resolved).order_by(*order).limit(limit)
        if after is not None:
            burning = burning.where(tuple_(*order) > _literals(after.severity, after.at, after.id))
        found += connection.scalars(burning)
    if len(found) < limit:
        rest = wanted.where(resolved).order_by(incidents.c.updated_at.desc(), incidents.c.id.desc())
        if after is not None and after.over:
            rest = rest.where(tuple_(incidents.c.updated_at, incidents.c.id) < _literals(after.at, after.id))
        found += connection.scalars(rest.limit(limit - len(found)))
    return [Incident.model_validate_json(document) for document in found]


def tally(
    connection: Connection, *, status: Sequence[str] = (), severity: Sequence[str] = (), runbook: str = ""
) -> list[tuple[str, str, int]]:
    """How many incidents fit, by severity and status."""
    columns = (incidents.c.severity, incidents.c.status)
    counted = _fitting(select(*columns, func.count()), status, severity, runbook).group_by(*columns)
    return [(row[0], row[1], row[2]) for row in connection.execute(counted)]


def _fitting(query: Select[Q], status: Sequence[str], severity: Sequence[str], runbook: str) -> Select[Q]:
    if status:
        query = query.where(incidents.c.status.in_(status))
    if severity:
        query = query.where(incidents.c.severity.in_(severity))
    return query.where(incidents.c.runbook == runbook) if runbook else query


def _literals(*values: str | datetime) -> Tuple:
    return tuple_(*(literal(value, Moment() if isinstance(value, datetime) else String()) for value in values))


def census(connection: Connection) -> list[tuple[str, str, str, int]]:
    """How many incidents are not resolved, by runbook, severity and status."""
    columns = (incidents.c.runbook, incidents.c.severity, incidents.c.status)
    counted = select(*columns, func.count()).where(incidents.c.status != IncidentStatus.RESOLVED).group_by(*columns)
    return [(row[0], row[1], row[2], row[3]) for row in connection.execute(counted)]


def forget(connection: Connection, before: datetime) -> None:
    """Drop incidents that were resolved before that, with all that belongs to them."""
    old = select(incidents.c.id).where(incidents.c.status == IncidentStatus.RESOLVED, incidents.c.updated_at < before)
    ids = list(connection.scalars(old))
    for chunk in _chunks(ids):
        for table in (
            *(alerts, timeline_table, investigations, evidence, verifications, feedback, deliveries),
            *(procedure_marks, status_updates, actions),
        ):
            connection.execute(delete(table).where(table.c.incident_id.in_(chunk)))
        connection.execute(delete(incidents).where(incidents.c.id.in_(chunk)))


_ORDER: Mapping[AlertState, int] = {
    AlertState.FIRING: 0,
    AlertState.UNKNOWN: 1,
    AlertState.HELD: 2,
    AlertState.RESOLVED: 3,
}


def _ledger_of(connection: Connection, ids: Collection[str], known: Members) -> Ledger:
    found: dict[str, Incident] = {}
    tracked: dict[tuple[str, str], TrackedAlert] = {}
    for chunk in _chunks(sorted(ids)):
        for document in connection.scalars(select(incidents.c.document).where(incidents.c.id.in_(chunk))):
            incident = Incident.model_validate_json(document)
            found[incident.id] = incident
            tracked.update(((incident.id, key), alert) for key, alert in known.get(incident.id, {}).items())
        unread = [incident_id for incident_id in chunk if incident_id not in known]
        for document in connection.scalars(select(alerts.c.document).where(alerts.c.incident_id.in_(unread))):
            alert = TrackedAlert.model_validate_json(document)
            tracked[alert.incident_id, alert.key] = alert
    beating = [Heart.model_validate_json(document) for document in connection.scalars(select(hearts.c.document))]
    return Ledger(found, tracked, {heart.key: heart for heart in beating})


def _incident_row(incident: Incident) -> dict[str, Any]:
    return {
        "id": incident.id,
        "identity": incident.identity,
        "runbook": incident.runbook,
        "severity": incident.severity,
        "status": incident.status,
        "opened_at": incident.opened_at,
        "updated_at": incident.updated_at,
        "revision": incident.revision,
        "document": incident.model_dump_json(),
    }


def _alert_row(alert: TrackedAlert) -> dict[str, Any]:
    return {
        "incident_id": alert.incident_id,
        "key": alert.key,
        "state": alert.state,
        "last_seen": alert.last_seen,
        "document": alert.model_dump_json(),
    }


def _replace(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    """Insert the rows, or replace those that are there."""
    if not rows:
        return
    statement = insert(table)
    keys = [column.name for column in table.primary_key]
    others = {column.name: statement.excluded[column.name] for column in table.columns if not column.primary_key}
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=others), rows)


def _chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), _CHUNK):
        yield items[start : start + _CHUNK]
