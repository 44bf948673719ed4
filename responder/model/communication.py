"""What the public is told of an incident, and the templates that say it (`kind: StatusTemplates`)."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Literal

from pydantic import AwareDatetime, Field

from responder.model.record import Record
from responder.model.runbook import Duration, Metadata

PublicState = Literal["investigating", "identified", "monitoring", "resolved", "postmortem"]


class PublicUpdate(Record):
    """One update of a status page. `body` is plain text."""

    state: PublicState
    title: str
    body: str
    at: AwareDatetime


class StatusDraft(Record):
    """An update as it was written, and who let it out. `number` counts the updates of an incident."""

    number: int
    update: PublicUpdate
    approved_at: AwareDatetime | None = None
    approved_by: str = ""


class StatusText(Record):
    """What is said in one state: templates over `incident`."""

    title: str = Field(min_length=1)
    body: str = Field(min_length=1)


class StatusTemplates(Record):
    """What to tell the public in each state of an incident. A state without text is passed over.

    `postmortem_after` is how long after the end of the incident its review is announced; `review` is the template of
    the review itself (Markdown).
    """

    api_version: Literal["responder/v1"] = Field(alias="apiVersion")
    kind: Literal["StatusTemplates"]
    metadata: Metadata
    updates: Mapping[PublicState, StatusText] = Field(min_length=1)
    postmortem_after: Duration = timedelta(days=1)
    review: str = ""

    @property
    def name(self) -> str:
        """The name of the set."""
        return self.metadata.name
