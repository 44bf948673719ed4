"""The list of incidents, page by page: what burns first, then what is over, the newest first."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from responder.model.incident import Incident, Severity
from responder.model.report import ReportSummary


@dataclass(frozen=True)
class Position:
    """Where an incident stands in the list. As text it is the cursor of whoever pages through it."""

    over: bool
    severity: str
    at: datetime
    id: str

    @classmethod
    def of(cls, incident: Incident) -> "Position":
        """Open ones stand by severity and age, resolved ones by when they changed last."""
        at = incident.opened_at if incident.open else incident.updated_at
        return cls(not incident.open, incident.severity.value, at, incident.id)

    @classmethod
    def read(cls, cursor: str) -> "Position":
        """The position that a cursor names; raises ValueError."""
        try:
            over, severity, at, incident_id = urlsafe_b64decode(cursor.encode()).decode().split("|", 3)
        except (binascii.Error, UnicodeError):
            raise ValueError("is no cursor") from None
        position = cls(over == "over", Severity(severity).value, datetime.fromisoformat(at), incident_id)
        if position.at.tzinfo is None:
            raise ValueError("is no cursor")
        return position

    def __str__(self) -> str:
        text = "|".join(("over" if self.over else "open", self.severity, self.at.isoformat(), self.id))
        return urlsafe_b64encode(text.encode()).decode()


@dataclass(frozen=True)
class Listing:
    """A page of the list. `after` is the cursor of the next one, empty at the end.

    `total` is how many fit in all, `burning` how many of them are open, by severity: counted, not shown. Where a text
    is looked for that is unknown (None) until the whole list was read.
    """

    items: Sequence[ReportSummary]
    after: str = ""
    total: int | None = None
    burning: Mapping[str, int] | None = None
