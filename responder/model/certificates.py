"""The certificates that a server shows, and what is wrong with them."""

import ipaddress
from collections.abc import Iterator
from datetime import datetime, timedelta

from pydantic import AwareDatetime

from responder.model.numbers import plain
from responder.model.record import Record


class Certificate(Record):
    """One certificate: subject and issuer as RFC 4514 writes them, its names, when it is valid."""

    subject: str
    issuer: str
    names: tuple[str, ...] = ()
    not_before: AwareDatetime
    not_after: AwareDatetime
    serial: str = ""
    self_signed: bool = False


class Handshake(Record):
    """What a TLS server showed: its certificates, its own first.

    `verdict` is what OpenSSL says with the certificate authorities that Responder trusts, empty where it trusts the
    chain; `linked` whether each certificate is signed by the next one; `incomplete` whether the issuer of the last one
    is neither sent nor known here.
    """

    server_name: str
    protocol: str = ""
    chain: tuple[Certificate, ...] = ()
    verdict: str = ""
    linked: bool = True
    incomplete: bool = False

    @property
    def leaf(self) -> Certificate | None:
        """The server's own certificate."""
        return self.chain[0] if self.chain else None

    @property
    def name_matches(self) -> bool:
        """Whether the server's certificate is for the name that was asked for (RFC 9525, 6.3)."""
        return self.leaf is not None and any(covers(name, self.server_name) for name in self.leaf.names)

    def left(self, now: datetime) -> timedelta:
        """How long until the first certificate of the chain expires; negative where one has."""
        return min((item.not_after for item in self.chain), default=now) - now

    def early(self, now: datetime) -> bool:
        """Whether a certificate is not valid yet."""
        return any(item.not_before > now for item in self.chain)

    def untrusted(self, now: datetime) -> bool:
        """Whether the chain is not trusted for another reason than time."""
        return bool(self.verdict) and self.left(now) >= timedelta() and not self.early(now)

    def problems(self, now: datetime, min_days: float) -> tuple[str, ...]:
        """What is wrong, in words."""
        return tuple(self._problems(now, min_days))

    def _problems(self, now: datetime, min_days: float) -> Iterator[str]:
        leaf = self.leaf
        if leaf is None:
            yield "it shows no certificate"
            return
        days = self.left(now) / timedelta(days=1)
        if days < 0:
            last = min(self.chain, key=lambda item: item.not_after)
            whose = "" if last is leaf else f" of {last.subject}"
            yield f"the certificate{whose} expired {plain(round(-days, 1))} d ago"
        elif days < min_days:
            yield f"the certificate expires in {plain(round(days, 1))} d, wanted are {plain(min_days)} d"
        if self.early(now):
            begins = max(item.not_before for item in self.chain)
            yield f"the certificate is not valid before {begins:%Y-%m-%d %H:%M} UTC"
        if not self.name_matches:
            yield f"the certificate is for {', '.join(leaf.names[:4]) or leaf.subject}, not for {self.server_name}"
        if self.untrusted(now):
            yield f"the certificate is not trusted: {self.verdict}"


def covers(name: str, wanted: str) -> bool:
    """Whether a certificate's name is the wanted one; `*.` stands for exactly one label."""
    try:
        return ipaddress.ip_address(name) == ipaddress.ip_address(wanted)
    except ValueError:
        pass
    name, wanted = name.lower().rstrip("."), wanted.lower().rstrip(".")
    if name.startswith("*."):
        first, _, rest = wanted.partition(".")
        return bool(first) and rest == name[2:]
    return name == wanted
