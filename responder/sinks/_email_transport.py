"""Hands a mail to an SMTP server, and says what its answers mean for the outbox."""

import asyncio
import re
import ssl
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import aiosmtplib
from aiosmtplib import SMTPResponseException

from responder.clients.answers import unreachable
from responder.errors import Permanent, Reason, Temporary, Trouble
from responder.sinks._http import Answer

Security = Literal["starttls", "tls", "none"]
PORTS: Mapping[Security, int] = {"starttls": 587, "tls": 465, "none": 25}
PAUSE = 60.0
"""Seconds to wait after a server says that it is too much: SMTP has no way to tell for how long."""
_ENHANCED = re.compile(r"([245])\.(\d{1,3})\.(\d{1,3})\b")
_UNAUTHORIZED = (530, 534, 535, 538)
_TOO_MUCH = (421, 450, 452)
_TOO_LARGE = 552
_NO_SERVICE = 554


@dataclass(frozen=True)
class Server:
    """Where mail is handed in."""

    host: str
    port: int
    security: Security
    username: str
    password: str
    hello: str
    ca_file: Path | None
    timeout: float

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def secrets(self) -> tuple[str, ...]:
        return (self.password,) if self.password else ()


async def hand_in(server: Server, sender: str, to: Sequence[str], content: bytes) -> dict[str, Trouble]:
    """Send it; returns the recipients that were refused though others were not. Raises Temporary or Permanent."""
    try:
        async with asyncio.timeout(server.timeout):
            context = await asyncio.to_thread(_context, server)
            client = _client(server, context)
            try:
                await client.connect()
                _still_wanted()
                refused, _ = await client.sendmail(sender, to, content)
                # what was accepted is accepted, however the goodbye goes
                with suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
                    await client.quit(timeout=1)
            finally:
                client.close()
    except TimeoutError:
        raise Temporary(f"{server} did not answer within {server.timeout:g} s", Reason.TIMEOUT) from None
    except (aiosmtplib.SMTPException, OSError, ValueError) as error:
        raise _trouble(server, error) from None
    return {address: judge(server, response.code, response.message) for address, response in refused.items()}


def judge(server: Server, code: int, words: str) -> Trouble:
    """What a reply means (RFC 5321, 4.2; enhanced codes: RFC 3463)."""
    said = f"{server} answered {code} {Answer(str(server), code, {}, _bytes(words), server.secrets).text}".rstrip()
    found = _ENHANCED.match(words)
    subject, detail = (int(found[2]), int(found[3])) if found else (0, 0)
    if 400 <= code < 500:
        if code in _TOO_MUCH or subject == 7:
            return Temporary(said, Reason.OVERLOADED, PAUSE)
        return Temporary(said, Reason.SERVER_ERROR)
    if not 500 <= code < 600:
        return Temporary(said, Reason.BAD_ANSWER)
    if code in _UNAUTHORIZED:
        return Permanent(said, Reason.UNAUTHORIZED)
    if code == _TOO_LARGE or (subject, detail) == (3, 4):
        return Permanent(said, Reason.TOO_LARGE)
    if subject == 1:
        return Permanent(said, Reason.NOT_FOUND)
    return Permanent(said, Reason.FORBIDDEN if subject == 7 or code == _NO_SERVICE else Reason.BAD_REQUEST)


def _still_wanted() -> None:
    """Before Python 3.12 `wait_for` may lose a cancellation (gh-86296): nobody waits for this mail then."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _bytes(words: str) -> bytes:
    """What a server says need not be UTF-8."""
    return words.encode("utf-8", "replace")


def _context(server: Server) -> ssl.SSLContext | None:
    if server.security == "none":
        return None
    try:
        return ssl.create_default_context(cafile=str(server.ca_file) if server.ca_file else None)
    except (OSError, ssl.SSLError):
        raise Permanent(f"{server.ca_file} cannot be read as certificates", Reason.NOT_CONFIGURED) from None


def _client(server: Server, context: ssl.SSLContext | None) -> aiosmtplib.SMTP:
    return aiosmtplib.SMTP(
        hostname=server.host,
        port=server.port,
        username=server.username or None,
        password=server.password or None,
        local_hostname=server.hello or None,
        timeout=server.timeout,
        use_tls=server.security == "tls",
        start_tls=server.security == "starttls",
        tls_context=context,
    )


def _trouble(server: Server, error: Exception) -> Trouble:
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return _worst([judge(server, one.code, one.message) for one in error.recipients])
    if isinstance(error, SMTPResponseException):
        return judge(server, error.code, error.message)
    if isinstance(error, TimeoutError):
        return Temporary(f"{server} did not answer within {server.timeout:g} s", Reason.TIMEOUT)
    cause = error.__cause__
    if isinstance(error, ssl.SSLCertVerificationError) or isinstance(cause, ssl.SSLCertVerificationError):
        verified = error if isinstance(error, ssl.SSLCertVerificationError) else cause
        said = f"{server}: its certificate is not accepted ({getattr(verified, 'verify_message', '')}): see ca_file"
        return Temporary(said, Reason.UNREACHABLE)
    if isinstance(error, aiosmtplib.SMTPServerDisconnected | aiosmtplib.SMTPConnectError | OSError):
        return unreachable(_without(error, server.secrets), str(server))
    words = Answer(str(server), 0, {}, _bytes(str(error)), server.secrets).text
    said = f"{server} cannot do what is asked of it ({words}): check security and username"
    return Permanent(said, Reason.NOT_CONFIGURED)


def _worst(troubles: Sequence[Trouble]) -> Trouble:
    """Of several refusals the one that is worth another try, if there is one."""
    return next((trouble for trouble in troubles if isinstance(trouble, Temporary)), troubles[0])


def _without(error: Exception, secrets: Collection[str]) -> Exception:
    said = str(error)
    for secret in secrets:
        said = said.replace(secret, "[redacted]")
    return ConnectionError(said)
