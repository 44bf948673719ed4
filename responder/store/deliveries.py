"""The outbox's memory: what each sink shows of each incident."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select
from sqlalchemy.dialects.sqlite import insert

from responder.store.tables import deliveries, jobs


@dataclass(frozen=True)
class Shown:
    """What a sink shows of an incident: the digest of the message and the sink's own id of it."""

    incident_id: str
    sink: str
    digest: str = ""
    receipt: str = ""
    stage: str = ""
    delivered_at: datetime | None = None
    trouble: str = ""
    dead: bool = False


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


def waiting(connection: Connection, kind: str) -> dict[str, int]:
    """How many deliveries wait, by sink (the key of a delivery job is INCIDENT/SINK)."""
    sink = func.substr(jobs.c.key, func.instr(jobs.c.key, "/") + 1)
    counted = select(sink, func.count()).where(jobs.c.kind == kind).group_by(sink)
    return {row[0]: row[1] for row in connection.execute(counted)}
