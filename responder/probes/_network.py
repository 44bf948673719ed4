"""What the probes of the network share."""

import shlex

from responder.model.evidence import Reproduction
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
