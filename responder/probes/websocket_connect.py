"""`websocket.connect`: whether a WebSocket can be opened."""

from collections.abc import Iterator

from pydantic import Field, PositiveFloat

from responder.clients import Clients
from responder.model.evidence import Observation, Reproduction
from responder.model.failures import FailureKind
from responder.model.network import WebSocketAnswer
from responder.model.numbers import seconds
from responder.probes import Inquiry, Probe
from responder.probes._headers import Headers, pairs
from responder.probes._network import FROM_HERE, bad_certificate, certificate_of, command
from responder.templating import UrlText


class WebSocketConnect(Probe):
    """Whether a WebSocket's opening handshake works, asked from where Responder runs.

    The status and the header that fail are told; no message is sent. `value` is the time in seconds.
    """

    url: UrlText = Field(description="the address, ws or wss")
    protocols: tuple[str, ...] = Field((), description="subprotocols to offer; one has to be chosen")
    headers: Headers = Field((), description="more headers to send, as `Name: value`, without secrets")
    max_seconds: PositiveFloat = Field(4, le=30, description="how long to wait")

    async def run(self, inquiry: Inquiry, clients: Clients) -> Observation:
        answer = await clients.network.websocket(
            self.url, protocols=self.protocols, headers=dict(pairs(self.headers)), timeout=self.max_seconds
        )
        if answer.error is FailureKind.TLS:
            shown = await certificate_of(clients, self.url, 0)
            if shown is not None and shown.problems:
                return bad_certificate(shown)
        return Observation(
            summary=f"{answer.url}: {_verdict(answer)} ({FROM_HERE})",
            data=answer,
            facts=tuple(_facts(answer)),
            value=answer.seconds,
            breached=not answer.connected,
        )

    def reproduce(self, inquiry: Inquiry, clients: Clients) -> tuple[Reproduction, ...]:
        offered = [word for protocol in self.protocols for word in ("-s", protocol)]
        sent = [word for name, value in pairs(self.headers) for word in ("-H", f"{name}: {value}")]
        plain = self.url.replace("ws", "http", 1)
        upgrade = ["-H", "Connection: Upgrade", "-H", "Upgrade: websocket", "-H", "Sec-WebSocket-Version: 13"]
        key = ["-H", "Sec-WebSocket-Key: cmVzcG9uZGVyIGFza2VkIQ=="]
        return (
            command("wscat", *offered, *sent, "-c", self.url),
            command("curl", "-sSi", "--http1.1", "--max-time", "5", *upgrade, *key, *sent, plain),
        )


def _verdict(answer: WebSocketAnswer) -> str:
    if answer.connected:
        chosen = f", protocol {answer.protocol}" if answer.protocol else ""
        return f"the handshake works in {seconds(answer.seconds)}{chosen}"
    if answer.status:
        return f"the handshake failed: {answer.message}"
    said = f": {answer.message}" if answer.message else ""
    if answer.accepted:
        return f"accepts the connection and does not answer within {seconds(answer.seconds)}"
    return f"{answer.error} after {seconds(answer.seconds)}{said}"


def _facts(answer: WebSocketAnswer) -> Iterator[str]:
    if answer.connected:
        return
    for name, value in answer.headers.items():
        yield f"{name}: {value}"
