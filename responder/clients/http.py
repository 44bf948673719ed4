"""Plain HTTP requests that a runbook asks for, from where Responder runs."""

import time
from collections.abc import Mapping

import aiohttp
from yarl import URL

from responder.clients import addresses
from responder.clients.answers import unreachable
from responder.clients.sharing import Shared
from responder.clock import Clock
from responder.errors import Permanent, Reason
from responder.metrics import Metrics
from responder.model.evidence import HttpAnswer
from responder.model.redaction import redact

CONCURRENCY = 16
TIMEOUT = 10.0
CACHE = 2.0
REDIRECTS = 5
MOST_HOSTS = 256
_SECRET_HEADERS = frozenset({"set-cookie", "authorization", "proxy-authorization", "x-api-key", "www-authenticate"})


class AioHttp:
    """GET requests. Addresses that hand out a cloud's credentials are refused, by whatever name."""

    def __init__(self, session: aiohttp.ClientSession, metrics: Metrics, clock: Clock) -> None:
        self._session = session
        self._metrics = metrics
        self._clock = clock
        self._hosts: dict[str, Shared] = {}

    async def get(
        self, url: str, *, headers: Mapping[str, str] | None = None, timeout: float = TIMEOUT, limit: int = 65536
    ) -> HttpAnswer:
        """GET; any status is an answer. Redirects are followed on the same host only."""
        target = _checked(url)
        key = (url, tuple(sorted((headers or {}).items())), limit)
        shared = self._shared(target)
        return await shared.ask(key, lambda: self._request(target, headers or {}, limit), timeout=timeout)

    async def close(self) -> None:
        """Give up what is under way."""
        for shared in self._hosts.values():
            await shared.close()

    def _shared(self, url: URL) -> Shared:
        """Each host has its own cap and breaker, so that a dead one delays nobody else."""
        name = f"{url.scheme}://{url.host}:{url.port}"
        if name not in self._hosts:
            if len(self._hosts) >= MOST_HOSTS:
                self._hosts.pop(next(iter(self._hosts)))
            self._hosts[name] = Shared(
                name,
                "http",
                concurrency=CONCURRENCY,
                timeout=TIMEOUT,
                cache=CACHE,
                metrics=self._metrics,
                clock=self._clock,
            )
        return self._hosts[name]

    async def _request(self, url: URL, headers: Mapping[str, str], limit: int) -> HttpAnswer:
        started = time.perf_counter()
        try:
            await addresses.resolved(url.host or "", url.port)
            for _ in range(REDIRECTS):
                async with self._session.get(url, headers=headers, allow_redirects=False) as response:
                    _refuse_peer(response)
                    onward = _onward(url, response)
                    if onward is not None:
                        url = onward
                        continue
                    body = await _body(response, limit)
                    return _answer(url, response, body, time.perf_counter() - started)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise unreachable(error, redact(str(url))) from None
        raise Permanent(f"{redact(str(url))} redirects more than {REDIRECTS} times", Reason.BAD_ANSWER)


def _checked(url: str) -> URL:
    try:
        target = URL(url)
    except ValueError:
        raise Permanent(f"{redact(url)[:200]!r} is no URL", Reason.BAD_REQUEST) from None
    if target.scheme not in ("http", "https") or not target.host:
        raise Permanent(f"{redact(url)[:200]!r} is no http or https URL", Reason.BAD_REQUEST)
    addresses.refuse(target.host, target.host)
    return target


def _refuse_peer(response: aiohttp.ClientResponse) -> None:
    """The same for who really answered: a name may mean something else a moment later."""
    connection = response.connection
    peer = connection.transport.get_extra_info("peername") if connection and connection.transport else None
    if peer:
        addresses.refuse(str(peer[0]), response.url.host or "")


def _onward(url: URL, response: aiohttp.ClientResponse) -> URL | None:
    """Where a redirect leads, if to the same server, or from http to https of the same host."""
    location = response.headers.get("Location", "") if 300 <= response.status < 400 else ""
    if not location:
        return None
    onward = url.join(URL(location))
    same = (onward.scheme, onward.host, onward.port) == (url.scheme, url.host, url.port)
    safer = (url.scheme, onward.scheme, onward.host) == ("http", "https", url.host)
    return onward if same or (safer and onward.is_default_port() and url.is_default_port()) else None


async def _body(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """The beginning of the body, at most `limit` bytes."""
    parts: list[bytes] = []
    left = limit
    while left > 0 and (part := await response.content.read(left)):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _answer(url: URL, response: aiohttp.ClientResponse, body: bytes, seconds: float) -> HttpAnswer:
    return HttpAnswer(
        url=redact(str(url)),
        status=response.status,
        seconds=round(seconds, 4),
        headers={
            name: "[redacted]" if name.lower() in _SECRET_HEADERS else redact(value)
            for name, value in response.headers.items()
        },
        body=redact(body.decode("utf-8", "replace")),
    )
