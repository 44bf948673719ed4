"""The filters of the list, as they stand in the address."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from multidict import MultiMapping

from responder.model.incident import IncidentStatus, Severity
from responder.model.listing import Position
from responder.plugins import did_you_mean
from responder.web.problems import Refused

LIMIT = 200
MOST = 1000
LONGEST = 200
OPEN = (IncidentStatus.FIRING.value, IncidentStatus.UNKNOWN.value)
_STATUS: Mapping[str, tuple[str, ...]] = {"open": OPEN, **{status.value: (status.value,) for status in IncidentStatus}}
_SEVERITY: Mapping[str, tuple[str, ...]] = {severity.value: (severity.value,) for severity in Severity}


@dataclass(frozen=True)
class Filters:
    """Which incidents are wanted. `status` and `severity` may be given several times or with commas."""

    status: tuple[str, ...] = ()
    severity: tuple[str, ...] = ()
    runbook: str = ""
    text: str = ""
    limit: int = LIMIT
    after: Position | None = None

    @classmethod
    def read(cls, query: MultiMapping[str]) -> "Filters":
        """Read a query; raises Refused naming each bad value."""
        problems: list[str] = []
        status = _chosen(query, "status", _STATUS, problems)
        severity = _chosen(query, "severity", _SEVERITY, problems)
        given = query.get("limit", "") or str(LIMIT)
        limit = int(given) if given.isascii() and given.isdigit() and len(given) < 8 else 0
        if limit < 1:
            problems.append(f"limit: {given[:LONGEST]!r} is not a number from 1 to {MOST}")
        after = _position(query.get("cursor", ""), problems)
        if problems:
            raise Refused(HTTPStatus.BAD_REQUEST, "The filter cannot be used.", problems)
        words = query.get("text", query.get("q", "")).strip()[:LONGEST]
        return cls(status, severity, query.get("runbook", "").strip()[:LONGEST], words, min(limit, MOST), after)

    @property
    def wanted(self) -> dict[str, Any]:
        """What `Incidents.list` takes, without limit and position."""
        return {"status": self.status, "severity": self.severity, "runbook": self.runbook, "text": self.text}

    @property
    def any(self) -> bool:
        """Whether anything is filtered."""
        return any(self.wanted.values())

    @property
    def state(self) -> str:
        """The choice of the list's own form: `open`, one status, or empty."""
        return "open" if sorted(self.status) == sorted(OPEN) else ",".join(self.status)

    def more(self, cursor: str) -> str:
        """The query for the next page of the same."""
        pairs = [("status", self.state), ("severity", ",".join(self.severity)), ("runbook", self.runbook)]
        pairs += [("text", self.text), ("limit", str(self.limit) if self.limit != LIMIT else ""), ("cursor", cursor)]
        return urlencode([pair for pair in pairs if pair[1]])


def _position(cursor: str, problems: list[str]) -> Position | None:
    try:
        return Position.read(cursor) if cursor else None
    except ValueError:
        problems.append("cursor: is none of ours; take it from the answer before, or leave it out")
        return None


def _chosen(
    query: MultiMapping[str], name: str, known: Mapping[str, Sequence[str]], problems: list[str]
) -> tuple[str, ...]:
    chosen: dict[str, None] = {}
    for word in _words(query.getall(name, [])):
        values = known.get(word) or known.get(word.upper()) or known.get(word.lower())
        if values is None:
            problems.append(f"{name}: unknown {word[:LONGEST]!r}{did_you_mean(word[:LONGEST], list(known))}")
        chosen.update(dict.fromkeys(values or ()))
    return tuple(chosen)


def _words(values: Sequence[str]) -> Iterator[str]:
    for value in values:
        yield from (word.strip() for word in value.split(",") if word.strip())
