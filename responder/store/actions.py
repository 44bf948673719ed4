"""What actions were proposed, approved and done, and whether they are stopped."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from pydantic import TypeAdapter
from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects.sqlite import insert

from responder.model.action import ActionState, Attempt, Stop
from responder.store.tables import actions, keys

KEPT_STOPS = 100
_STOP, _STOPS = "actions_stop", "actions_stops"
_HISTORY = TypeAdapter(tuple[Stop, ...])


def latest(connection: Connection, incident_id: str) -> Mapping[str, Attempt]:
    """The latest attempt at each action of an incident."""
    wanted = select(actions.c.document).where(actions.c.incident_id == incident_id).order_by(actions.c.number)
    return {attempt.action: attempt for attempt in map(Attempt.model_validate_json, connection.scalars(wanted))}


def get(connection: Connection, attempt: Attempt) -> Attempt | None:
    """The attempt of that number as it is stored."""
    wanted = select(actions.c.document).where(
        actions.c.incident_id == attempt.incident_id,
        actions.c.action == attempt.action,
        actions.c.number == attempt.number,
    )
    document = connection.scalar(wanted)
    return Attempt.model_validate_json(document) if document else None


def unchecked(connection: Connection, incident_id: str, action: str) -> Attempt | None:
    """The newest attempt that was done, if nobody has seen yet whether it helped; later proposals do not matter."""
    wanted = select(actions.c.document).where(actions.c.incident_id == incident_id, actions.c.action == action)
    attempts = map(Attempt.model_validate_json, connection.scalars(wanted.order_by(actions.c.number.desc())))
    made = next((one for one in attempts if one.state in (ActionState.DONE, ActionState.VERIFIED)), None)
    return made if made and made.checked_at is None and made.state is ActionState.DONE else None


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


def set_stop(connection: Connection, stop: Stop | None, *, by: str = "", at: datetime | None = None) -> None:
    """Stop actions, or let them go on; what ends is kept, with who ended it and when."""
    if (before := stop_of(connection)) is not None:
        ended = before.model_copy(
            update={"resumed_by": by or (stop.by if stop else ""), "resumed_at": at or (stop.at if stop else None)}
        )
        kept = (ended, *stops(connection))[:KEPT_STOPS]
        _put(connection, _STOPS, _HISTORY.dump_json(kept).decode())
    _put(connection, _STOP, stop.model_dump_json() if stop is not None else "")


def stops(connection: Connection) -> tuple[Stop, ...]:
    """The stops that are over, the newest first."""
    value = connection.scalar(select(keys.c.value).where(keys.c.name == _STOPS))
    return _HISTORY.validate_json(value) if value else ()


def _put(connection: Connection, name: str, value: str) -> None:
    connection.execute(delete(keys).where(keys.c.name == name))
    if value:
        connection.execute(insert(keys).values(name=name, value=value))
