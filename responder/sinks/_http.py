"""What sinks that speak HTTP share: one request, and what its answer means for the outbox."""

import math
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp
from yarl import URL

from responder.clients.answers import unreachable
from responder.errors import Permanent, Reason, Temporary
from responder.model.redaction import redact

SHOWN = 256
"""How much of an answer an error message holds, in characters."""
LONGEST_PAUSE = 3600.0
_AGAIN = {408: Reason.TIMEOUT, 425: Reason.OVERLOADED, 429: Reason.OVERLOADED}
_NEVER = {
    401: Reason.UNAUTHORIZED,
    403: Reason.FORBIDDEN,
    404: Reason.NOT_FOUND,
    410: Reason.NOT_FOUND,
    413: Reason.TOO_LARGE,
}


async def post(
    http: aiohttp.ClientSession,
    url: str,
    *,
    body: bytes,
    headers: Mapping[str, str],
    timeout: float,
    secrets: Collection[str] = (),
) -> None:
    """POST once; no redirect is followed. Raises Temporary or Permanent, naming the host only.

    `secrets` are texts that an answer may repeat and an error message must not.
    """
    host = _host(url)
    limits = aiohttp.ClientTimeout(total=timeout)
    try:
        async with http.post(url, data=body, headers=headers, allow_redirects=False, timeout=limits) as answer:
            if 200 <= answer.status < 300:
                return
            text = _shown(await answer.content.read(4 * SHOWN), secrets)
            raise judge(answer.status, answer.headers.get("Retry-After", ""), f"{host} answered {answer.status}", text)
    except TimeoutError:
        raise Temporary(f"{host} did not answer within {timeout:g} s", Reason.TIMEOUT) from None
    except (aiohttp.InvalidURL, ValueError):
        message = f"the request to {host} cannot be made: check its address and headers"
        raise Permanent(message, Reason.NOT_CONFIGURED) from None
    except (aiohttp.ClientError, OSError) as error:
        raise unreachable(error, host) from None


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


def _host(url: str) -> str:
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
