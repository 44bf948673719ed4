"""The well-known ways in which programs say what went wrong, and with whom they spoke."""

from dataclasses import dataclass

from responder.model.peers import peer
from responder.model.signatures import LONGEST, FailureKind, classifying

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


WITHIN = " ← "
"""Stands between a root cause and what it made fail, as `model.logs` writes a trace on one line."""

_ORDER = {kind: place for place, kind in enumerate(FailureKind)}


def failure(text: str) -> Failure | None:
    """The failure that a text reports, or None. Of a trace the root cause counts."""
    text = text[:LONGEST]
    kind = _kind(text)
    if kind is None:
        return None
    root = text.partition(WITHIN)[0]
    if root != text:
        kind = _kind(root) or kind
    host, port = peer(text)
    return Failure(kind, text, host, port)


def _kind(text: str) -> FailureKind | None:
    kinds = (item.kind for item in classifying().within(text) if item.kind)
    return min(kinds, key=_ORDER.__getitem__, default=None)
