"""`tcp.connect`: whether somebody listens at an address."""

from pydantic import Field, PositiveFloat

from responder.clients import Clients
from responder.model.evidence import Observation, Reproduction
from responder.model.failures import FailureKind
from responder.model.network import TcpAnswer
from responder.model.numbers import seconds
from responder.probes import Inquiry, Probe
from responder.probes._network import FROM_HERE, command, split
from responder.templating import Address

_MEANS = {
    FailureKind.REFUSED: "the host answers, nothing listens on the port",
    FailureKind.TIMED_OUT: "no answer at all: the host is down, or something drops the packets",
    FailureKind.NO_SUCH_HOST: "the name does not resolve",
    FailureKind.UNREACHABLE: "there is no way to the host",
}


class TcpConnect(Probe):
    """Whether a TCP connection to an address can be opened, asked from where Responder runs.

    Refused and silent are told apart. `value` is the time in seconds.
    """

    address: Address = Field(description="host:port")
    max_seconds: PositiveFloat = Field(3, le=30, description="how long to wait")

    async def run(self, inquiry: Inquiry, clients: Clients) -> Observation:
        host, port = split(self.address)
        answer = await clients.network.connect(host, port, timeout=self.max_seconds)
        return Observation(
            summary=_summary(answer),
            data=answer,
            facts=tuple(_facts(answer)),
            value=answer.seconds,
            breached=not answer.connected,
        )

    def reproduce(self, inquiry: Inquiry, clients: Clients) -> tuple[Reproduction, ...]:
        host, port = split(self.address)
        return (command("nc", "-z", "-v", "-w", f"{max(1, round(self.max_seconds))}", host, str(port)),)


def _summary(answer: TcpAnswer) -> str:
    if answer.connected:
        return f"{answer.address} accepts connections ({seconds(answer.seconds)}; {FROM_HERE})"
    return f"{answer.address}: {answer.error} after {seconds(answer.seconds)} ({FROM_HERE})"


def _facts(answer: TcpAnswer) -> list[str]:
    reached = [f"tried {answer.reached}"] if answer.reached and answer.reached not in answer.address else []
    meaning = _MEANS.get(answer.error) if answer.error else None
    return [*([meaning] if meaning else []), *reached]
