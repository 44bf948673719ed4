"""What actions were proposed, approved and done, and whether they are stopped."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects.sqlite import insert

from responder.model.action import Attempt, Stop
from responder.store.tables import actions, keys

_STOP = "actions_stop"


def latest(connection: Connection, incident_id: str) -> Mapping[str, Attempt]:
    """The latest attempt at each action of an incident."""
    wanted = select(actions.c.document).where(actions.c.incident_id == incident_id).order_by(actions.c.number)
    return {attempt.action: attempt for attempt in map(Attempt.model_validate_json, connection.scalars(wanted))}


def save(connection: Connection, attempt: Attempt) -> None:
    """Insert or replace an attempt."""
    row = {
        "incident_id": attempt.incident_id,
        "action": attempt.action,
        "number": attempt.number,
        "started_at": attempt.started_at,
        "document": attempt.model_dump_json(),
    }
    statement = insert(actions).values(row)
    replaced = statement.on_conflict_do_update(
        index_elements=["incident_id", "action", "number"],
        set_={"started_at": statement.excluded.started_at, "document": statement.excluded.document},
    )
    connection.execute(replaced)


def begun_since(connection: Connection, since: datetime) -> Sequence[Attempt]:
    """The attempts of all incidents that were begun since then."""
    wanted = select(actions.c.document).where(actions.c.started_at >= since)
    return [Attempt.model_validate_json(document) for document in connection.scalars(wanted)]


def stop_of(connection: Connection) -> Stop | None:
    """What stops actions, if anything does."""
    value = connection.scalar(select(keys.c.value).where(keys.c.name == _STOP))
    return Stop.model_validate_json(value) if value else None


def set_stop(connection: Connection, stop: Stop | None) -> None:
    """Stop actions, or let them go on."""
    connection.execute(delete(keys).where(keys.c.name == _STOP))
    if stop is not None:
        connection.execute(insert(keys).values(name=_STOP, value=stop.model_dump_json()))
