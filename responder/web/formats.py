"""How templates write values: times in UTC with their age, durations, texts of strangers."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from urllib.parse import quote

from jinja2 import Undefined
from markupsafe import Markup

from responder.flow.message import span
from responder.model.numbers import seconds, shown


def visible(value: object) -> object:
    """Every value that a template prints: None is nothing; control and direction characters show themselves.

    Isolation keeps right-to-left text in its place; overrides and invisible controls could still make a
    label read as another, so they become U+FFFD.
    """
    if value is None:
        return ""
    if isinstance(value, Markup | Undefined) or not isinstance(value, str):
        return value
    return _HIDDEN.sub("\ufffd", value)


def ago(then: datetime, now: datetime) -> str:
    """`4 min ago`, `in 2 h`."""
    return brief(then, now) if then > now else f"{brief(then, now)} ago"


def brief(then: datetime, now: datetime) -> str:
    """The age in its largest unit: `40 s`, `4 min`, `2 h`, `3 d`; `in 4 min` of what is to come."""
    if then > now:
        return f"in {brief(now, then)}"
    age = int((now - then).total_seconds())
    for bound, divisor, unit in ((60, 1, "s"), (3600, 60, "min"), (86400, 3600, "h")):
        if age < bound:
            return f"{age // divisor} {unit}"
    return f"{age // 86400} d"


def clock(at: datetime) -> str:
    """`14:02:05`, in UTC."""
    return f"{at.astimezone(UTC):%H:%M:%S}"


def day(at: datetime) -> str:
    """`Wed 4 Mar 2026`, in UTC."""
    at = at.astimezone(UTC)
    return f"{at:%a} {at.day} {at:%b %Y}"


def stamp(at: datetime) -> str:
    """`2026-03-04 14:02:05 UTC`."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def iso(at: datetime) -> str:
    """For the `datetime` attribute."""
    return at.astimezone(UTC).isoformat(timespec="seconds")


def web_link(url: str) -> str:
    """The address if a browser may follow it, else nothing: strangers write `javascript:` too."""
    return url if _WEB.match(url) else ""


def segment(text: str) -> str:
    """One part of a path."""
    return quote(text, safe="")


def words(slug: str) -> str:
    """`short_term` and `memory-limit` for people."""
    return slug.replace("_", " ").replace("-", " ")


def plural(count: int, noun: str) -> str:
    """`1 alert`, `3 alerts`."""
    return f"{count:,} {noun}{'s' if count != 1 else ''}".replace(",", "\u202f")


FILTERS: Mapping[str, Callable[..., str]] = {
    "ago": ago,
    "brief": brief,
    "clock": clock,
    "day": day,
    "stamp": stamp,
    "iso": iso,
    "span": span,
    "seconds": seconds,
    "shown": shown,
    "web_link": web_link,
    "segment": segment,
    "words": words,
    "plural": plural,
}

_WEB = re.compile(r"https?://[^\s/]", re.IGNORECASE)
_HIDDEN = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f]"
)
