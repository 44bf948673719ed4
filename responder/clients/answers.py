"""HTTP answers of servers that are asked: what counts as trouble, and of which kind."""

import email.utils
import os
import re
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
from pydantic import SecretStr

from responder.errors import Permanent, Reason, Temporary
from responder.model.redaction import redact

SHOWN_OF_BODY = 256
_ERRNO = re.compile(r"\b(?:Errno|Error) (\d{1,3})\b")
_REASONS = {400: Reason.BAD_REQUEST, 401: Reason.UNAUTHORIZED, 403: Reason.FORBIDDEN, 404: Reason.NOT_FOUND}


def check(status: int, what: str, body: str, retry_after: str = "") -> None:
    """Raise Temporary or Permanent unless the status is one of success; `what` names the question.

    429 and the 5xx are worth another try, `Retry-After` (RFC 9110, 10.2.3) says when.
    """
    if 200 <= status < 300:
        return
    said = " ".join(redact(body).split())[:SHOWN_OF_BODY]
    message = f"{what} answered {status}{': ' + said if said else ''}"
    if status == 429:
        raise Temporary(message, Reason.OVERLOADED, _pause(retry_after))
    if status >= 500:
        raise Temporary(message, Reason.SERVER_ERROR, _pause(retry_after))
    raise Permanent(message, _REASONS.get(status, Reason.BAD_REQUEST))


def unreachable(error: Exception, what: str) -> Temporary:
    """The trouble behind a failed connection, without secrets of its URL."""
    reason = Reason.TIMEOUT if isinstance(error, TimeoutError) else Reason.UNREACHABLE
    said = str(error) or type(error).__name__
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        said = f"its certificate is not accepted ({error.certificate_error})"
    elif isinstance(error, aiohttp.ClientConnectorError):
        said = f"cannot connect to {error.host}:{error.port} ({error.os_error.strerror or error.os_error})"
    return Temporary(f"{what}: {redact(said)[:SHOWN_OF_BODY]}", reason)


def unconnected(error: BaseException) -> str:
    """Why a connection failed, in the operating system's words: `connection refused`."""
    text = " ".join(str(error).split())
    number = getattr(error, "errno", None) or next(iter(map(int, _ERRNO.findall(text))), 0)
    if number > 0 and "SSL" not in text:
        return os.strerror(number).lower()
    return redact(text or type(error).__name__)[:SHOWN_OF_BODY]


async def read_bounded(response: aiohttp.ClientResponse, limit: int, what: str) -> bytes:
    """The body, at most `limit` bytes of it; raises Permanent where it is larger."""
    parts: list[bytes] = []
    size = 0
    async for part in response.content.iter_chunked(65536):
        size += len(part)
        if size > limit:
            raise Permanent(f"{what} answered with more than {limit} bytes", Reason.TOO_LARGE)
        parts.append(part)
    return b"".join(parts)


class SecretFile:
    """A secret that is given, or in a file that is read again when it changes."""

    def __init__(self, secret: SecretStr | None, file: Path | None) -> None:
        self._secret = secret.get_secret_value() if secret else ""
        self._file = file
        self._read_at = 0.0

    def get(self) -> str:
        """The secret, or empty; raises Permanent where the file cannot be read."""
        if self._file is None:
            return self._secret
        try:
            changed = self._file.stat().st_mtime
            if changed != self._read_at:
                self._secret = self._file.read_text(encoding="utf-8").strip()
                self._read_at = changed
        except OSError as error:
            raise Permanent(f"cannot read {self._file}: {error.strerror}", Reason.UNAUTHORIZED) from None
        return self._secret


def _pause(retry_after: str) -> float | None:
    """Seconds that a `Retry-After` asks for."""
    if retry_after.strip().isdigit():
        return float(retry_after)
    try:
        return max(0.0, (email.utils.parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None
