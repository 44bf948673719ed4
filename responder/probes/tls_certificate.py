"""`tls.certificate`: the certificates that a server shows."""

from pydantic import Field, NonNegativeFloat, PositiveFloat

from responder.clients import Clients
from responder.model.evidence import Observation, Reproduction
from responder.model.numbers import plain
from responder.probes import Inquiry, Probe
from responder.probes._network import FROM_HERE, chain_of, openssl, split, told
from responder.templating import Address, HostName


class TlsCertificate(Probe):
    """Whether a server's certificate is valid, for its name, trusted and with its chain; `value` is the days left.

    It is asked from where Responder runs. The authorities that count are the system's, or those of the file that
    the variable SSL_CERT_FILE names.
    """

    address: Address = Field(description="host:port")
    server_name: HostName = Field("", description="the name that the certificate should be for, if not the host")
    min_days: NonNegativeFloat = Field(14, description="how many days it should still be valid")
    max_seconds: PositiveFloat = Field(4, le=30, description="how long to wait")

    async def run(self, inquiry: Inquiry, clients: Clients) -> Observation:
        host, port = split(self.address)
        found = await clients.network.certificate(host, port, self.server_name, timeout=self.max_seconds)
        answer = found.model_copy(update={"min_days": self.min_days})
        days = answer.handshake.left(answer.at).total_seconds() / 86400 if answer.handshake else None
        protocol = answer.handshake.protocol if answer.handshake else ""
        return Observation(
            summary=f"{told(answer)} ({FROM_HERE})",
            data=answer,
            facts=(*chain_of(answer), *((f"{protocol}, {plain(round(days, 1))} d left",) if days is not None else ())),
            value=days,
            breached=bool(answer.problems),
        )

    def reproduce(self, inquiry: Inquiry, clients: Clients) -> tuple[Reproduction, ...]:
        return (openssl(self.address, self.server_name or split(self.address)[0]),)
