"""What sinks that speak HTTP share: one request, and what its answer means for the outbox."""

import io
import json
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Annotated, Any

import aiohttp
from pydantic import AfterValidator
from yarl import URL

from responder.clients.answers import unreachable
from responder.errors import Permanent, Reason, Temporary
from responder.model.redaction import redact

SHOWN = 256
"""How much of an answer an error message holds, in characters."""
LARGEST = 4 * 1024 * 1024
"""How much of an answer is read, in bytes."""
LARGE = 256 * 1024
LONGEST_PAUSE = 3600.0
_AGAIN = {408: Reason.TIMEOUT, 425: Reason.OVERLOADED, 429: Reason.OVERLOADED}
_NEVER = {
    401: Reason.UNAUTHORIZED,
    403: Reason.FORBIDDEN,
    404: Reason.NOT_FOUND,
    410: Reason.NOT_FOUND,
    413: Reason.TOO_LARGE,
}


def _no_slash(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise ValueError("must start with http:// or https://")
    return url.rstrip("/")


Address = Annotated[str, AfterValidator(_no_slash)]
"""An option that is the address of a service, without a slash at its end."""


@dataclass(frozen=True)
class Answer:
    """What a service said."""

    host: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    secrets: Collection[str] = ()

    def json(self) -> Any:
        """The body as JSON. Raises Temporary where it is none: a proxy may have answered."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise Temporary(f"{self.host} answered {self.status} and no JSON", Reason.BAD_ANSWER) from None

    @property
    def text(self) -> str:
        """The beginning of the body, on one line, redacted: fit for an error message."""
        return _shown(self.body[: 4 * SHOWN], self.secrets)

    def trouble(self) -> Temporary | Permanent:
        """What a status that was not expected means."""
        said = f"{self.host} answered {self.status}"
        return judge(self.status, self.headers.get("Retry-After", ""), said, self.text)


async def send(
    http: aiohttp.ClientSession,
    method: str,
    url: str | URL,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | aiohttp.FormData | None = None,
    document: Any = None,
    timeout: float = 10.0,
    secrets: Collection[str] = (),
    accept: Collection[int] = (),
) -> Answer:
    """One request; no redirect is followed. `document` is sent as JSON in place of a `body`.

    Statuses 2xx and those of `accept` are returned, others raise Temporary or Permanent, naming the host only.
    `secrets` are texts that an answer may repeat and an error message must not.
    """
    host = _host(url)
    given = dict(headers or {})
    if document is not None:
        body = json.dumps(document, ensure_ascii=False).encode()
        given.setdefault("Content-Type", "application/json")
    given.setdefault("User-Agent", "responder")
    # in one piece a large body would hold up the loop
    data = io.BytesIO(body) if isinstance(body, bytes) and len(body) > LARGE else body
    limits = aiohttp.ClientTimeout(total=timeout)
    try:
        async with http.request(
            method, url, data=data, headers=given, allow_redirects=False, timeout=limits
        ) as response:
            read = await _body(response)
            answer = Answer(host, response.status, response.headers, read, secrets)
    except TimeoutError:
        raise Temporary(f"{host} did not answer within {timeout:g} s", Reason.TIMEOUT) from None
    except (aiohttp.InvalidURL, ValueError):
        message = f"the request to {host} cannot be made: check its address and headers"
        raise Permanent(message, Reason.NOT_CONFIGURED) from None
    except (aiohttp.ClientError, OSError) as error:
        raise unreachable(error, host) from None
    if 200 <= answer.status < 300 or answer.status in accept:
        return answer
    raise answer.trouble()


def judge(status: int, retry_after: str, said: str, text: str) -> Temporary | Permanent:
    """What a status other than 2xx means."""
    message = f"{said}: {text}" if text else said
    if status in _AGAIN or status >= 500:
        return Temporary(message, _AGAIN.get(status, Reason.SERVER_ERROR), pause(retry_after, datetime.now(UTC)))
    if status < 400:
        return Permanent(f"{said}: redirects are not followed", Reason.BAD_ANSWER)
    return Permanent(message, _NEVER.get(status, Reason.BAD_REQUEST))


def pause(retry_after: str, now: datetime) -> float | None:
    """Seconds that `Retry-After` asks for, as seconds or as an HTTP date (RFC 9110); None where it says nothing."""
    value = retry_after.strip()
    try:
        seconds = float(value)
    except ValueError:
        try:
            moment = parsedate_to_datetime(value)
        except ValueError:
            return None
        seconds = (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds()
    return None if math.isnan(seconds) else min(max(0.0, seconds), LONGEST_PAUSE)


async def _body(response: aiohttp.ClientResponse) -> bytes:
    parts: list[bytes] = []
    left = LARGEST
    while left > 0 and (part := await response.content.read(left)):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _host(url: str | URL) -> str:
    try:
        parsed = URL(url)
    except ValueError:
        return "the receiver"
    return f"{parsed.host}:{parsed.port}" if parsed.host else "the receiver"


def _shown(content: bytes, secrets: Collection[str]) -> str:
    text = " ".join(content.decode("utf-8", "replace").split())
    for secret in secrets:
        if secret:
            text = text.replace(secret, "[redacted]")
    text = "".join(character if character.isprintable() else "\ufffd" for character in redact(text))
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
