"""Where incidents stand in their procedures."""

from collections.abc import Mapping

from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert

from responder.model.procedure import StepMark
from responder.store.tables import procedure_marks


def marks_of(connection: Connection, incident_id: str) -> Mapping[str, StepMark]:
    """What was said of the steps, by step."""
    found = connection.scalars(select(procedure_marks.c.document).where(procedure_marks.c.incident_id == incident_id))
    marks = map(StepMark.model_validate_json, found)
    return {mark.step: mark for mark in marks}


def save(connection: Connection, incident_id: str, mark: StepMark) -> None:
    """Insert or replace what is said of a step."""
    row = {"incident_id": incident_id, "step": mark.step, "document": mark.model_dump_json()}
    statement = insert(procedure_marks).values(row)
    replaced = statement.on_conflict_do_update(
        index_elements=["incident_id", "step"], set_={"document": statement.excluded.document}
    )
    connection.execute(replaced)
