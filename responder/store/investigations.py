"""Investigations with their evidence, verifications and what people said of the findings."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert

from responder.model.evidence import Evidence
from responder.model.report import Investigation, Verification
from responder.store.database import announce
from responder.store.tables import evidence as evidence_table
from responder.store.tables import feedback, investigations, verifications


def latest(connection: Connection, incident_id: str) -> Investigation | None:
    """The incident's newest investigation."""
    of_incident = select(investigations.c.document).where(investigations.c.incident_id == incident_id)
    document = connection.scalar(of_incident.order_by(investigations.c.number.desc()).limit(1))
    return Investigation.model_validate_json(document) if document else None


def save(connection: Connection, incident_id: str, investigation: Investigation) -> None:
    """Insert or replace an investigation by its number."""
    row = {"incident_id": incident_id, "number": investigation.number, "document": investigation.model_dump_json()}
    statement = insert(investigations).values(row)
    replaced = statement.on_conflict_do_update(
        index_elements=["incident_id", "number"], set_={"document": statement.excluded.document}
    )
    connection.execute(replaced)
    announce(connection, "incidents", incident_id)


def add_evidence(connection: Connection, incident_id: str, number: int, position: int, found: Evidence) -> None:
    """Keep one piece of evidence as it arrives; `position` is its step's place in the runbook."""
    row = {
        "incident_id": incident_id,
        "number": number,
        "step": found.id,
        "position": position,
        "document": found.model_dump_json(),
    }
    statement = insert(evidence_table).values(row)
    replaced = statement.on_conflict_do_update(
        index_elements=["incident_id", "number", "step"], set_={"document": statement.excluded.document}
    )
    connection.execute(replaced)
    announce(connection, "incidents", incident_id)


def evidence_of(connection: Connection, incident_id: str, number: int) -> Sequence[Evidence]:
    """The evidence of one investigation, in the order of the runbook's steps."""
    wanted = select(evidence_table.c.document).where(
        evidence_table.c.incident_id == incident_id, evidence_table.c.number == number
    )
    found = connection.scalars(wanted.order_by(evidence_table.c.position))
    return [Evidence.model_validate_json(document) for document in found]


def verification_of(connection: Connection, incident_id: str) -> Verification | None:
    """How the incident's end was checked."""
    wanted = select(verifications.c.document).where(verifications.c.incident_id == incident_id)
    document = connection.scalar(wanted)
    return Verification.model_validate_json(document) if document else None


def save_verification(connection: Connection, incident_id: str, verification: Verification) -> None:
    """Insert or replace the verification."""
    statement = insert(verifications).values(incident_id=incident_id, document=verification.model_dump_json())
    replaced = statement.on_conflict_do_update(
        index_elements=["incident_id"], set_={"document": statement.excluded.document}
    )
    connection.execute(replaced)
    announce(connection, "incidents", incident_id)


def save_feedback(connection: Connection, incident_id: str, helpful: bool, by: str, at: datetime) -> None:
    """What somebody said of the findings; the last word counts."""
    statement = insert(feedback).values(incident_id=incident_id, helpful=helpful, by=by, at=at)
    said = {name: statement.excluded[name] for name in ("helpful", "by", "at")}
    connection.execute(statement.on_conflict_do_update(index_elements=["incident_id"], set_=said))
