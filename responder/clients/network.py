"""Connections, names, certificates and WebSockets, asked from where Responder runs.

Each server has its own cap and breaker, so that a dead one delays nobody else. That nobody answers is an answer;
only a server that was silent several times in a row is trouble, since it is not asked again for a while.
"""

import asyncio
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import TypeVar

import aiohttp
from yarl import URL

from responder.clients import addresses
from responder.clients.sharing import Shared
from responder.clients.silence import accepts
from responder.clients.upgrade import upgrade
from responder.clock import Clock
from responder.errors import Permanent, Reason, Temporary
from responder.metrics import Metrics
from responder.model.evidence import Shape
from responder.model.failures import FailureKind
from responder.model.network import DnsAnswer, DnsStatus, TcpAnswer, TlsAnswer, WebSocketAnswer
from responder.model.redaction import redact

CONCURRENCY = 8
TIMEOUT = 5.0
CACHE = 2.0
MOST_SERVERS = 256
_SPARE = 2.0
"""Seconds that a request may wait for its turn beyond its own time."""

S = TypeVar("S", bound=Shape)


class Unanswered(Temporary):
    """Nobody answered: the breaker counts it, and who asked gets the answer that says so."""

    def __init__(self, answer: Shape, reason: Reason) -> None:
        super().__init__("no answer", reason)
        self.answer = answer


class AsyncNetwork:
    """The network as this process sees it."""

    def __init__(self, session: aiohttp.ClientSession, metrics: Metrics, clock: Clock) -> None:
        self._session = session
        self._metrics = metrics
        self._clock = clock
        self._servers: dict[str, Shared] = {}

    async def connect(self, host: str, port: int, *, timeout: float = TIMEOUT) -> TcpAnswer:
        """Open a connection and close it again."""
        addresses.refuse(host, host)
        address = written(host, port)
        return await self._ask(
            address, ("connect", timeout), lambda: _connect(host, port, address, timeout), timeout, TcpAnswer
        )

    async def resolve(self, name: str, kind: str = "A", server: str = "", *, timeout: float = TIMEOUT) -> DnsAnswer:
        """Ask DNS; `server` is an address with or without a port, else the system's servers and search domains.

        Raises Permanent where the name, the type or the server is none.
        """
        names = await asyncio.to_thread(_names)
        key = ("resolve", name, kind, timeout)
        what = f"DNS {server or 'of the system'}"
        return await self._ask(what, key, lambda: _resolve(names, name, kind, server, timeout), timeout, DnsAnswer)

    async def certificate(self, host: str, port: int, server_name: str = "", *, timeout: float = TIMEOUT) -> TlsAnswer:
        """A TLS handshake whatever the certificate is, and what is to be thought of it.

        The authorities that count are the system's, or those of the file that SSL_CERT_FILE names.
        """
        addresses.refuse(host, host)
        address, name = written(host, port), server_name or host
        key = ("certificate", name, timeout)
        return await self._ask(address, key, lambda: self._shake(host, port, name, timeout), timeout * 2, TlsAnswer)

    async def websocket(
        self,
        url: str,
        *,
        protocols: Sequence[str] = (),
        headers: Mapping[str, str] | None = None,
        timeout: float = TIMEOUT,
    ) -> WebSocketAnswer:
        """A WebSocket handshake, closed again at once. Redirects are not followed."""
        target = _websocket_url(url)
        key = (url, tuple(protocols), tuple(sorted((headers or {}).items())), timeout)
        return await self._ask(
            f"{target.scheme}://{target.host}:{target.port}",
            key,
            lambda: self._upgrade(target, protocols, headers or {}, timeout),
            timeout,
            WebSocketAnswer,
        )

    async def close(self) -> None:
        """Give up what is under way."""
        for shared in self._servers.values():
            await shared.close()

    async def _ask(
        self, server: str, key: Hashable, request: Callable[[], Awaitable[S]], timeout: float, shape: type[S]
    ) -> S:
        try:
            return await self._shared(server).ask(key, request, timeout=timeout + _SPARE)
        except Unanswered as silence:
            if isinstance(silence.answer, shape):
                return silence.answer
            raise

    def _shared(self, server: str) -> Shared:
        if server not in self._servers:
            if len(self._servers) >= MOST_SERVERS:
                self._servers.pop(next(iter(self._servers)))
            self._servers[server] = Shared(
                server,
                "network",
                concurrency=CONCURRENCY,
                timeout=TIMEOUT,
                cache=CACHE,
                metrics=self._metrics,
                clock=self._clock,
            )
        return self._servers[server]

    async def _shake(self, host: str, port: int, name: str, timeout: float) -> TlsAnswer:
        from responder.clients import certificates

        started, address = time.perf_counter(), written(host, port)
        try:
            async with asyncio.timeout(timeout):
                reached = (await addresses.resolved(host, port))[0]
                handshake = await certificates.shake(reached, port, name)
        except (OSError, TimeoutError) as error:
            answer = TlsAnswer(
                address=address,
                seconds=_since(started),
                error=kind_of(error),
                message=_said(error),
                accepted=kind_of(error) is FailureKind.TIMED_OUT and await accepts(host, port),
                at=self._clock.now(),
            )
            raise _unanswered(answer, answer.error) from None
        return TlsAnswer(address=address, seconds=_since(started), handshake=handshake, at=self._clock.now())

    async def _upgrade(
        self, url: URL, protocols: Sequence[str], headers: Mapping[str, str], timeout: float
    ) -> WebSocketAnswer:
        started = time.perf_counter()
        try:
            async with asyncio.timeout(timeout):
                await addresses.resolved(url.host or "", url.port)
                answer = await upgrade(self._session, url, protocols, headers)
                return answer.model_copy(update={"seconds": _since(started)})
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            failed = WebSocketAnswer(
                url=redact(str(url)),
                connected=False,
                seconds=_since(started),
                error=kind_of(error),
                message=_said(error),
                accepted=kind_of(error) is FailureKind.TIMED_OUT and await accepts(url.host or "", url.port or 0),
            )
            raise _unanswered(failed, failed.error) from None


def written(host: str, port: int) -> str:
    """`host:port`, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def kind_of(error: BaseException) -> FailureKind:
    """What kind of failure an error of the network is."""
    match _cause(error):
        case TimeoutError() | asyncio.TimeoutError():
            return FailureKind.TIMED_OUT
        case ssl.SSLError() | ssl.CertificateError() | aiohttp.ClientSSLError():
            return FailureKind.TLS
        case socket.gaierror() | aiohttp.ClientConnectorDNSError():
            return FailureKind.NO_SUCH_HOST
        case ConnectionRefusedError():
            return FailureKind.REFUSED
        case ConnectionError() | EOFError() | aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError():
            return FailureKind.RESET
        case aiohttp.ClientResponseError() | ValueError():
            return FailureKind.WRONG_PROTOCOL
    return FailureKind.UNREACHABLE


async def _connect(host: str, port: int, address: str, timeout: float) -> TcpAnswer:
    """Try the addresses of a name one after another; one that is silent leaves time for the others."""
    started, reached = time.perf_counter(), ""
    trouble: BaseException = TimeoutError()
    try:
        async with asyncio.timeout(timeout):
            found = await addresses.resolved(host, port)
            for reached in found:
                try:
                    async with asyncio.timeout(timeout / len(found)):
                        _, writer = await asyncio.open_connection(reached, port)
                except (OSError, TimeoutError) as error:
                    trouble = error
                    continue
                writer.close()
                return TcpAnswer(address=address, connected=True, seconds=_since(started), reached=reached)
    except (OSError, TimeoutError) as error:
        trouble = error
    answer = TcpAnswer(
        address=address,
        connected=False,
        seconds=_since(started),
        error=kind_of(trouble),
        message=_said(trouble),
        reached=reached,
    )
    raise _unanswered(answer, answer.error)


async def _resolve(
    names: Callable[..., Awaitable[DnsAnswer]], name: str, kind: str, server: str, timeout: float
) -> DnsAnswer:
    started = time.perf_counter()
    answer = (await names(name, kind, server, timeout)).model_copy(update={"seconds": _since(started)})
    if answer.status is DnsStatus.TIMED_OUT:
        raise Unanswered(answer, Reason.TIMEOUT)
    return answer


def _names() -> Callable[..., Awaitable[DnsAnswer]]:
    """The part that speaks DNS: its library is loaded with the first question."""
    from responder.clients.names import resolve

    return resolve


def _websocket_url(url: str) -> URL:
    try:
        target = URL(url)
    except ValueError:
        raise Permanent(f"{redact(url)[:200]!r} is no URL", Reason.BAD_REQUEST) from None
    if target.scheme not in ("ws", "wss") or not target.host:
        raise Permanent(f"{redact(url)[:200]!r} is no ws or wss URL", Reason.BAD_REQUEST)
    addresses.refuse(target.host, target.host)
    return target


def _unanswered(answer: Shape, kind: FailureKind | None) -> Unanswered:
    silent = kind in (FailureKind.TIMED_OUT, FailureKind.UNREACHABLE)
    return Unanswered(answer, Reason.TIMEOUT if silent else Reason.BAD_ANSWER)


def _cause(error: BaseException) -> BaseException:
    """What is behind an error of the HTTP library."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return error.certificate_error
        case aiohttp.ClientConnectorDNSError():
            return error
        case aiohttp.ClientConnectorError():
            return error.os_error
    return error


def _said(error: BaseException) -> str:
    error = _cause(error)
    match error:
        case ssl.SSLCertVerificationError():
            return redact(error.verify_message)[:256]
        case ssl.SSLError():
            return redact(str(error.reason or error))[:256]
    text = getattr(error, "strerror", "") or str(error)
    return "" if isinstance(error, TimeoutError) else redact(str(text))[:256]


def _since(started: float) -> float:
    return round(time.perf_counter() - started, 4)
