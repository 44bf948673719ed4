"""What connections, names, certificates and WebSockets said, asked from where Responder runs."""

from collections.abc import Mapping
from enum import StrEnum

from pydantic import AwareDatetime, Field

from responder.model.certificates import Handshake
from responder.model.evidence import Shape
from responder.model.failures import FailureKind


class TcpAnswer(Shape):
    """Whether somebody listens. `address` is `host:port` as asked, `reached` the IP address that answered.

    One that is connected and has an error accepted the connection and then did not answer.
    """

    address: str
    connected: bool
    seconds: float
    error: FailureKind | None = None
    message: str = ""
    reached: str = ""


class DnsStatus(StrEnum):
    """How a name server answered."""

    OK = "ok"
    NXDOMAIN = "NXDOMAIN"
    NO_ANSWER = "no records of the type"
    SERVFAIL = "SERVFAIL"
    REFUSED = "REFUSED"
    TIMED_OUT = "timed out"


class DnsAnswer(Shape):
    """What a name means. `asked` is the full name that was answered, after search domains; `ttl` is in seconds.

    `server` is the one that was named, else those of the system.
    """

    name: str
    type: str
    server: str
    status: DnsStatus
    seconds: float
    asked: str = ""
    records: tuple[str, ...] = ()
    ttl: int | None = None
    message: str = ""


class TlsAnswer(Shape):
    """Who a server says it is. Without a handshake `error` says why, `accepted` whether it took the connection."""

    address: str
    seconds: float
    error: FailureKind | None = None
    message: str = ""
    accepted: bool = False
    handshake: Handshake | None = None
    min_days: float = 14
    at: AwareDatetime

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong, in words; empty where all is well."""
        if self.handshake is None:
            return (f"{self.error}: {self.message}" if self.message else str(self.error),)
        return self.handshake.problems(self.at, self.min_days)


class WebSocketAnswer(Shape):
    """How a WebSocket handshake went: `status` is 101 where it worked, 0 where nothing answered.

    `accepted` says whether a server that did not answer took the connection.
    """

    url: str
    connected: bool
    seconds: float
    status: int = 0
    protocol: str = ""
    error: FailureKind | None = None
    message: str = ""
    accepted: bool = False
    headers: Mapping[str, str] = Field(default_factory=dict)
