"""What the probes of the network share."""

import shlex
from dataclasses import dataclass

from yarl import URL

from responder.clients import Clients
from responder.errors import Trouble
from responder.model.evidence import Observation, Reproduction
from responder.model.network import TlsAnswer
from responder.model.numbers import seconds

FROM_HERE = "asked from where Responder runs"


def split(address: str) -> tuple[str, int]:
    """Host and port of `host:port`."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def command(*words: str) -> Reproduction:
    """A command, quoted for a shell."""
    return Reproduction(command=shlex.join(words))


def openssl(address: str, server_name: str) -> Reproduction:
    """The command that shows a server's certificates."""
    return command("openssl", "s_client", "-connect", address, "-servername", server_name, "-showcerts")


def chain_of(answer: TlsAnswer) -> tuple[str, ...]:
    """One line for each certificate, the server's own first."""
    if answer.handshake is None:
        return ()
    return tuple(
        f"{item.subject or 'no subject'}, issued by {item.issuer}, valid "
        f"{item.not_before:%Y-%m-%d} to {item.not_after:%Y-%m-%d}"
        for item in answer.handshake.chain[:4]
    )


def told(answer: TlsAnswer) -> str:
    """A TLS answer in one line."""
    days = answer.handshake.left(answer.at).total_seconds() if answer.handshake else 0.0
    if answer.problems:
        return f"{answer.address}: {'; '.join(answer.problems)}"
    return f"{answer.address}: the certificate is fine for another {seconds(days)}"


def bad_certificate(answer: TlsAnswer) -> Observation:
    """What a probe tells in place of an answer, where it is the certificate that is in the way."""
    return Observation(summary=f"{told(answer)} ({FROM_HERE})", data=answer, facts=chain_of(answer), breached=True)


async def certificate_of(clients: Clients, url: str, min_days: float) -> TlsAnswer | None:
    """The certificate behind an https or wss URL, where it can be seen at all."""
    where = place_of(url)
    if where is None or not where.secure or clients.network_client is None:
        return None
    try:
        found = await clients.network.certificate(where.host, where.port, timeout=1)
    except Trouble:
        return None
    return found.model_copy(update={"min_days": min_days})


@dataclass(frozen=True)
class Place:
    """Where a URL leads."""

    host: str
    port: int
    secure: bool

    @property
    def written(self) -> str:
        """`host:port`."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def place_of(url: str) -> Place | None:
    """Where a URL leads; None where it is none."""
    try:
        target = URL(url)
    except ValueError:
        return None
    return Place(target.host, target.port, target.scheme in ("https", "wss")) if target.host and target.port else None
