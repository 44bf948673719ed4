"""The outbox's memory: what each sink shows of each incident, and which incidents share a message there."""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, select, update
from sqlalchemy.dialects.sqlite import insert

from responder.store import jobs
from responder.store.tables import deliveries, storms
from responder.store.tables import jobs as job_table

KIND = "deliver"
"""The kind of the jobs; their keys are INCIDENT/SINK."""
STORM = "storm-"
"""What the ids of storms begin with: ids of incidents are hexadecimal."""
LONGEST_STORM = timedelta(hours=1)


@dataclass(frozen=True)
class Shown:
    """What a sink shows of an incident: the digest of the message and the sink's own id of it.

    `dead`: the sink refused the present state for good. `doubtful`: something was sent and nobody knows whether it
    arrived. `first_at` is when it got a message of its own; `storm` names the message that it shares with others.
    """

    incident_id: str
    sink: str
    digest: str = ""
    receipt: str = ""
    stage: str = ""
    delivered_at: datetime | None = None
    trouble: str = ""
    dead: bool = False
    first_at: datetime | None = None
    storm: str = ""
    doubtful: bool = False


@dataclass(frozen=True)
class Storm:
    """Incidents that share one message in a sink."""

    id: str
    sink: str
    opened_at: datetime
    joined_at: datetime


def request(connection: Connection, incident_id: str, sinks: Iterable[str], due_at: datetime, now: datetime) -> None:
    """Have every sink brought up to date, in the transaction that changed the incident."""
    for sink in sinks:
        jobs.defer(connection, KIND, f"{incident_id}/{sink}", due_at, now, lane=sink)


def get(connection: Connection, incident_id: str, sink: str) -> Shown:
    """What the sink shows; an empty digest where it shows nothing yet."""
    wanted = select(deliveries).where(deliveries.c.incident_id == incident_id, deliveries.c.sink == sink)
    row = connection.execute(wanted).mappings().one_or_none()
    return Shown(**row) if row else Shown(incident_id, sink)


def save(connection: Connection, shown: Shown) -> None:
    """Remember what the sink shows now."""
    statement = insert(deliveries).values(shown.__dict__)
    rest = {name: statement.excluded[name] for name in shown.__dict__ if name not in ("incident_id", "sink")}
    connection.execute(statement.on_conflict_do_update(index_elements=["incident_id", "sink"], set_=rest))


def claim(connection: Connection, shown: Shown, now: datetime, after: int, within: timedelta) -> Shown:
    """Give an incident a message of its own in the sink; a place in a storm if there is one, or if `after` incidents
    got messages of their own lately.
    """
    if shown.first_at or shown.storm:
        return shown
    storm_id = _growing(connection, shown.sink, now, within)
    if storm_id is None and _own(connection, shown.sink, now - within) >= after:
        storm_id = STORM + secrets.token_hex(6)
        connection.execute(insert(storms).values(id=storm_id, sink=shown.sink, opened_at=now, joined_at=now))
    elif storm_id is not None:
        connection.execute(update(storms).where(storms.c.id == storm_id).values(joined_at=now))
    claimed = replace(shown, first_at=now, storm=storm_id or "")
    save(connection, claimed)
    return claimed


def storm(connection: Connection, storm_id: str) -> Storm | None:
    """A storm by its id."""
    row = connection.execute(select(storms).where(storms.c.id == storm_id)).mappings().one_or_none()
    return Storm(**row) if row else None


def members(connection: Connection, storm_id: str) -> list[str]:
    """The ids of the incidents that share the message, in the order in which they joined."""
    wanted = select(deliveries.c.incident_id).where(deliveries.c.storm == storm_id)
    return list(connection.scalars(wanted.order_by(deliveries.c.first_at, deliveries.c.incident_id)))


def troubled(connection: Connection, limit: int = 200) -> Sequence[Shown]:
    """Deliveries that were refused or do not get through, newest incidents last."""
    wanted = select(deliveries).where(deliveries.c.trouble != "").order_by(deliveries.c.dead.desc()).limit(limit)
    return [Shown(**row) for row in connection.execute(wanted).mappings()]


def latest(connection: Connection) -> dict[str, datetime]:
    """When each sink last took something."""
    wanted = select(deliveries.c.sink, func.max(deliveries.c.delivered_at)).group_by(deliveries.c.sink)
    return {row[0]: row[1] for row in connection.execute(wanted) if row[1]}


def revive(connection: Connection, sink: str, incident_id: str = "") -> list[str]:
    """Take dead letters of a sink back, all or those of one incident; returns the ids of their incidents."""
    wanted = (deliveries.c.sink == sink) & deliveries.c.dead
    if incident_id:
        wanted &= deliveries.c.incident_id == incident_id
    found = list(connection.scalars(select(deliveries.c.incident_id).where(wanted)))
    connection.execute(update(deliveries).where(wanted).values(dead=False, trouble=""))
    return found


def forget(connection: Connection, before: datetime) -> None:
    """Drop storms that nobody joined since then, with their messages."""
    old = list(connection.scalars(select(storms.c.id).where(storms.c.joined_at < before)))
    connection.execute(delete(deliveries).where(deliveries.c.incident_id.in_(old)))
    connection.execute(delete(storms).where(storms.c.id.in_(old)))


def waiting(connection: Connection) -> dict[str, int]:
    """How many deliveries wait, by sink."""
    sink = func.substr(job_table.c.key, func.instr(job_table.c.key, "/") + 1)
    counted = select(sink, func.count()).where(job_table.c.kind == KIND).group_by(sink)
    return {row[0]: row[1] for row in connection.execute(counted)}


def _own(connection: Connection, sink: str, since: datetime) -> int:
    """How many incidents got a message of their own since then."""
    lately = (deliveries.c.sink == sink) & (deliveries.c.first_at > since) & (deliveries.c.storm == "")
    return connection.scalar(select(func.count()).where(lately)) or 0


def _growing(connection: Connection, sink: str, now: datetime, within: timedelta) -> str | None:
    """The sink's storm that was joined lately."""
    growing = (storms.c.sink == sink) & (storms.c.joined_at > now - within) & (storms.c.opened_at > now - LONGEST_STORM)
    return connection.scalar(select(storms.c.id).where(growing).order_by(storms.c.opened_at.desc()).limit(1))
