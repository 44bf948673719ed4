"""Secrets of sinks: given in the settings, or in a file that is read each time, so that it can be rotated."""

import asyncio
import base64
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

from responder.errors import Permanent, Reason
from responder.model.links import web_address

LARGEST = 64 * 1024
SHORTEST = 6
"""Characters: less is no secret."""


async def every(secret: SecretStr | None, file: Path | None) -> list[str]:
    """The secret, and the lines of the file, so that several are valid while they are rotated; empty without both.

    Raises Permanent where the file cannot be read or holds nothing.
    """
    given = [secret.get_secret_value()] if secret else []
    if file is None:
        return given
    lines = (await asyncio.to_thread(_read, file)).splitlines()
    return given + [line for line in map(str.strip, lines) if line]


async def reveal(secret: SecretStr | None, file: Path | None) -> str:
    """The secret, or empty where none is set. Raises Permanent where the file cannot be read or is empty."""
    if secret is not None:
        return secret.get_secret_value()
    return await asyncio.to_thread(_read, file) if file is not None else ""


async def read(secret: SecretStr | None, file: Path | None, option: str) -> str:
    """The secret, never empty. Raises Permanent where there is none; `option` is what the settings call it."""
    if secret is not None and (given := secret.get_secret_value().strip()):
        return given
    if file is None:
        raise Permanent(f"set {option} or {option}_file", Reason.NOT_CONFIGURED)
    return await asyncio.to_thread(_read, file)


async def read_address(secret: SecretStr | None, file: Path | None, option: str = "url") -> str:
    """A web address that is the credential by itself. Raises Permanent where it is none, without saying it."""
    url = await read(secret, file, option)
    if not web_address(url):
        raise Permanent(f"{option} must be an address that starts with http:// or https://", Reason.NOT_CONFIGURED)
    return url


def pieces(url: str) -> tuple[str, ...]:
    """What an answer may repeat of an address that is a secret, longest first: the parts long enough to be one."""
    split = urlsplit(url)
    found = {url, split.path, *split.path.split("/"), *split.query.split("&")}
    found |= {value for pair in split.query.split("&") for value in pair.split("=", 1)[1:]}
    found |= {unquote(piece) for piece in found}
    return tuple(sorted((piece for piece in found if len(piece) >= SHORTEST), key=len, reverse=True))


def web_secret(url: SecretStr | None) -> SecretStr | None:
    """Validates an option that is an address and a secret, without showing it."""
    if url is not None and not web_address(url.get_secret_value()):
        raise ValueError("must be an address that starts with http:// or https://")
    return url


def basic(user: str, password: str) -> str:
    """The value of `Authorization` for basic authentication (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _read(file: Path) -> str:
    try:
        with file.open(encoding="utf-8") as opened:
            found = opened.read(LARGEST).strip()
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "it is not text"
        raise Permanent(f"{file} cannot be read: {said}", Reason.NOT_CONFIGURED) from None
    if not found:
        raise Permanent(f"{file} is empty", Reason.NOT_CONFIGURED)
    return found
