"""`dns.resolve`: what a name means."""

from collections.abc import Iterator
from typing import Literal

from pydantic import Field, PositiveFloat

from responder.clients import Clients
from responder.model.evidence import Observation, Reproduction
from responder.model.network import DnsAnswer, DnsStatus
from responder.model.numbers import seconds
from responder.probes import Inquiry, Probe
from responder.probes._network import FROM_HERE, command
from responder.templating import Address, HostName

_LISTED = 8


class DnsResolve(Probe):
    """What DNS says about a name, asked from where Responder runs; `value` is the time in seconds.

    A name that does not exist, a server that fails, one that is silent and a name without such records are told
    apart. Without `server` the system's servers and search domains count; the hosts file does not.
    """

    name: HostName = Field(description="the name; with `type: PTR` it may be an address", min_length=1)
    type: Literal["A", "AAAA", "CNAME", "MX", "NS", "PTR", "SOA", "SRV", "TXT"] = Field(
        "A", description="the type of the records"
    )
    server: HostName | Address = Field("", description="the address of a name server, as 10.96.0.10")
    expect: tuple[str, ...] = Field((), description="records that should be among the answers")
    max_seconds: PositiveFloat = Field(4, le=30, description="how long to wait")

    async def run(self, inquiry: Inquiry, clients: Clients) -> Observation:
        answer = await clients.network.resolve(self.name, self.type, self.server, timeout=self.max_seconds)
        problems = list(self._problems(answer))
        return Observation(
            summary=f"{self.type} {self.name}: {'; '.join(problems) or _listed(answer)} "
            f"({seconds(answer.seconds)}; {FROM_HERE})",
            data=answer,
            facts=tuple(_facts(answer)),
            value=answer.seconds,
            breached=bool(problems),
        )

    def reproduce(self, inquiry: Inquiry, clients: Clients) -> tuple[Reproduction, ...]:
        server = _dig(self.server) if self.server else ("+search",)
        question = (
            ("-x", self.name) if self.type == "PTR" and not self.name.endswith("arpa") else (self.type, self.name)
        )
        return (command("dig", *server, *question),)

    def _problems(self, answer: DnsAnswer) -> Iterator[str]:
        if answer.status is not DnsStatus.OK:
            yield f"{answer.status} from {answer.server}"
            return
        have = {record.rstrip(".").lower() for record in answer.records}
        if missing := [item for item in self.expect if item.rstrip(".").lower() not in have]:
            yield f"{_listed(answer)}, wanted is {', '.join(missing)}"


def _dig(server: str) -> tuple[str, ...]:
    """A server as dig is told of it; its port is an option of its own."""
    host, _, port = server.rpartition(":")
    return (f"@{host.strip('[]')}", "-p", port) if host and ":" not in host.strip("[]") else (f"@{server.strip('[]')}",)


def _listed(answer: DnsAnswer) -> str:
    more = f" and {len(answer.records) - _LISTED} more" if len(answer.records) > _LISTED else ""
    return ", ".join(answer.records[:_LISTED]) + more


def _facts(answer: DnsAnswer) -> Iterator[str]:
    if answer.asked and answer.asked.rstrip(".") != answer.name.rstrip("."):
        yield f"asked as {answer.asked}"
    if answer.ttl is not None:
        yield f"{len(answer.records)} records, valid for {seconds(answer.ttl)}"
    if answer.message:
        yield answer.message
