"""Plain HTTP requests that a runbook asks for, from where Responder runs."""

import ipaddress
import time
from collections.abc import Mapping

import aiohttp
from yarl import URL

from responder.clients.answers import unreachable
from responder.clients.redaction import redact
from responder.clients.sharing import Shared
from responder.clock import Clock
from responder.errors import Permanent, Reason
from responder.metrics import Metrics
from responder.model.evidence import HttpAnswer

CONCURRENCY = 16
TIMEOUT = 10.0
CACHE = 2.0
REDIRECTS = 5
METADATA = ("169.254.169.254", "fd00:ec2::254", "metadata.google.internal", "100.100.100.200")
_SECRET_HEADERS = frozenset({"set-cookie", "authorization", "proxy-authorization", "x-api-key", "www-authenticate"})


class AioHttp:
    """GET requests. Addresses that hand out a cloud's credentials are refused."""

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
            for _ in range(REDIRECTS):
                async with self._session.get(url, headers=headers, allow_redirects=False) as response:
                    location = response.headers.get("Location", "") if 300 <= response.status < 400 else ""
                    onward = url.join(URL(location)) if location else None
                    if onward is not None and (onward.host, onward.port) == (url.host, url.port):
                        url = onward
                        continue
                    body = await response.content.read(limit)
                    return HttpAnswer(
                        url=redact(str(url)),
                        status=response.status,
                        seconds=round(time.perf_counter() - started, 4),
                        headers={
                            name: value if name.lower() not in _SECRET_HEADERS else "[redacted]"
                            for name, value in response.headers.items()
                        },
                        body=redact(body.decode("utf-8", "replace")),
                    )
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
    host = target.host.lower().rstrip(".")
    if host in METADATA or _link_local(host):
        raise Permanent(f"{host} hands out credentials of the cloud: not asked", Reason.FORBIDDEN)
    return target


def _link_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_link_local
    except ValueError:
        return False
