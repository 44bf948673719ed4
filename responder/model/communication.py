"""What the public is told of an incident: the status page's words, not ours."""

from typing import Literal

from pydantic import AwareDatetime

from responder.model.record import Record


class PublicUpdate(Record):
    """One update for a status page, from the runbook's templates."""

    state: Literal["investigating", "identified", "monitoring", "resolved", "postmortem"]
    title: str
    body: str
    at: AwareDatetime
