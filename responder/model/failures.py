"""The well-known ways in which programs say what went wrong, and with whom they spoke."""

import re
from dataclasses import dataclass

import re2

from responder.model.peers import peer
from responder.model.phrases import PHRASES, FailureKind

__all__ = ["WITHIN", "Failure", "FailureKind", "failure"]


@dataclass(frozen=True)
class Failure:
    """What a text reports; `host` and `port` are of the peer where it names one."""

    kind: FailureKind
    text: str
    host: str = ""
    port: int | None = None

    @property
    def peer(self) -> str:
        """`host:port`, as far as known."""
        return f"{self.host}:{self.port}" if self.port is not None else self.host


_KINDS = tuple((kind, re.compile("|".join(phrases), re.IGNORECASE)) for kind, phrases in PHRASES.items())
# every line of every log is asked: an automaton looks for all phrases in one pass
_ANY = re2.compile("(?i)" + "|".join(phrase for said in PHRASES.values() for phrase in said))
LONGEST = 4000
"""Characters of a text that are looked at."""


WITHIN = " ← "
"""Stands between a root cause and what it made fail, as `model.logs` writes a trace on one line."""


def failure(text: str) -> Failure | None:
    """The failure that a text reports, or None. Of a trace the root cause counts."""
    text = text[:LONGEST]
    if not _ANY.search(text):
        return None
    root = text.partition(WITHIN)[0]
    said = (kind for part in (root, text) for kind, pattern in _KINDS if pattern.search(part))
    host, port = peer(text)
    return Failure(next(said), text, host, port)
