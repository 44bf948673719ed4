"""Signed addresses: who holds one may do the one thing it names, until it expires, without credentials."""

from datetime import datetime

from itsdangerous import BadSignature, URLSafeSerializer


class Signer:
    """Signs short texts with the installation's own key.

    The same text and end give the same token, so that a message that says nothing new stays the same.
    """

    def __init__(self, key: str) -> None:
        self._serializer = URLSafeSerializer(key, salt="responder")

    def sign(self, purpose: str, *parts: str, until: datetime) -> str:
        """A token, fit for a URL."""
        return str(self._serializer.dumps([purpose, int(until.timestamp()), *parts]))

    def read(self, purpose: str, token: str, now: datetime) -> tuple[str, ...] | None:
        """What was signed for this purpose, or None: forged, altered, of another purpose, or too old."""
        try:
            found = self._serializer.loads(token)
        except BadSignature:
            return None
        if not isinstance(found, list) or len(found) < 2 or found[0] != purpose:
            return None
        if not isinstance(found[1], int) or found[1] < now.timestamp():
            return None
        return tuple(str(part) for part in found[2:])
