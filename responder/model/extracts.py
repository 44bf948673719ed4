"""What may be kept of a config map: the lines that say where a program listens, calls or routes, and how a server is
limited. Everything else is dropped, since people keep secrets in config maps too.
"""

import re
from collections.abc import Mapping

from pydantic import JsonValue

from responder.model.redaction import redact, redact_value

MOST_LINES = 400
LONGEST_LINE = 300
LONGEST_TEXT = 1_000_000
"""Characters of a value that are looked at; the API server allows a config map 1 MiB."""

_KEY = (
    r"ur[il]s?|hosts?|host_?names?|addr|address(?:es)?|servers?|ports?|endpoints?|brokers?|upstreams?|listen|location"
    r"|proxy_pass|routes?|predicates?|paths?|patterns?|args|prefix|match|id|services?|service-?id|max[_-]?connections?|(?:super|innodb|transaction)?_?-?read"
    r"[_-]?only|jdbc|datasource|forward|rewrite|template|rcode|answer|fallthrough|resolver|context_?-?path"
)
_NAMED = re.compile(rf"(?:^|[\s_.\-\]\"'{{,])(?:{_KEY})[\"']?(?:\[\d+\])?\s*(?:[:=\s{{]|$)", re.IGNORECASE)
_NAME = re.compile(rf"(?:^|[_.-])(?:{_KEY})$", re.IGNORECASE)
_PLACE = re.compile(r"://|^\s*\d{1,3}(?:\.\d{1,3}){3}\s|\bPath=|(?:^|[\s=\"'@/])[A-Za-z][A-Za-z0-9.-]*:\d{2,5}\b")
_STRUCTURE = re.compile(r"\s*(?:- )?[\w.\[\]-]+:\s*$|\s*[\[\]{}]+,?\s*$")


def extract(data: Mapping[str, object]) -> dict[str, str]:
    """The kept lines of every key, redacted; empty where nothing may be kept."""
    return {key: _kept(key, value) if isinstance(value, str) else "" for key, value in data.items()}


def _kept(key: str, value: str) -> str:
    lines = value[:LONGEST_TEXT].splitlines()
    if len(lines) == 1 and not lines[0].lstrip().startswith(("{", "[")):
        wanted = len(value) <= LONGEST_LINE and (_NAME.search(key) or _PLACE.search(value))
        held: JsonValue = redact_value({key: value}) if wanted else None
        return str(held[key]) if isinstance(held, dict) else ""
    if len(lines) == 1:
        return redact(value) if _PLACE.search(value) and len(value) <= MOST_LINES * LONGEST_LINE else ""
    kept = [
        redact(line)
        for line in lines
        if len(line) <= LONGEST_LINE and (_NAMED.search(line) or _PLACE.search(line) or _STRUCTURE.fullmatch(line))
    ]
    return "\n".join(kept[:MOST_LINES])
