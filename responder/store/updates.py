"""What the public is told of incidents, drafts and published."""

from collections.abc import Sequence

from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert

from responder.model.communication import StatusDraft
from responder.store.tables import status_updates


def of_incident(connection: Connection, incident_id: str) -> Sequence[StatusDraft]:
    """The updates of an incident, the oldest first."""
    wanted = select(status_updates.c.document).where(status_updates.c.incident_id == incident_id)
    found = connection.scalars(wanted.order_by(status_updates.c.number))
    return [StatusDraft.model_validate_json(document) for document in found]


def save(connection: Connection, incident_id: str, draft: StatusDraft) -> None:
    """Insert or replace an update by its number."""
    row = {"incident_id": incident_id, "number": draft.number, "document": draft.model_dump_json()}
    statement = insert(status_updates).values(row)
    replaced = statement.on_conflict_do_update(
        index_elements=["incident_id", "number"], set_={"document": statement.excluded.document}
    )
    connection.execute(replaced)
