"""Values of SQL: texts as what a parameter wants, and what a column holds as plain JSON."""

import math
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from responder.errors import Permanent, Reason

LONGEST_TEXT = 4000
"""Characters of one value that are kept."""


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError("neither true nor false")
    return text.lower() == "true"


_FROM_TEXT: Mapping[str, Callable[[str], Any]] = {
    **dict.fromkeys(("text", "varchar", "bpchar", "name", "unknown", "json", "jsonb"), str),
    **dict.fromkeys(("int2", "int4", "int8", "oid"), int),
    **dict.fromkeys(("float4", "float8"), float),
    "numeric": Decimal,
    "bool": _boolean,
    "uuid": UUID,
    "date": date.fromisoformat,
    **dict.fromkeys(("timestamp", "timestamptz"), datetime.fromisoformat),
    "interval": lambda text: timedelta(seconds=float(text)),
}


def parameter(text: str, kind: str, place: int) -> Any:
    """The text as a value of a PostgreSQL type; raises Permanent naming the parameter."""
    convert = _FROM_TEXT.get(kind)
    if convert is None:
        raise Permanent(f"parameter ${place} is of type {kind}: write ${place}::text::{kind}", Reason.BAD_REQUEST)
    try:
        return convert(text)
    except (ValueError, ArithmeticError):
        raise Permanent(f"parameter ${place}: {text[:80]!r} is no {kind}", Reason.BAD_REQUEST) from None


def plain(value: Any) -> Any:
    """A value as JSON has it: times as ISO 8601, durations in seconds, what is unknown as text."""
    match value:
        case None | bool() | int():
            return value
        case float() | Decimal():
            number = float(value)
            return number if math.isfinite(number) else None
        case str():
            return value if len(value) <= LONGEST_TEXT else f"{value[:LONGEST_TEXT]}…"
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case list() | tuple():
            return [plain(item) for item in value]
        case bytes():
            return f"{len(value)} bytes"
        case _:
            return plain(str(value))
