"""What the options of sinks share: addresses, and secrets that are given or in a file."""

import asyncio
import base64
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, SecretStr

from responder.errors import Permanent, Reason
from responder.sinks._text import web_address


def _checked(url: str) -> str:
    if not web_address(url):
        raise ValueError("must be an address that starts with http:// or https://")
    return url.rstrip("/")


Address = Annotated[str, AfterValidator(_checked)]
"""An http or https address, without a slash at its end."""


async def secrets_of(secret: SecretStr | None, file: Path | None) -> list[str]:
    """The secret and the lines of the file, which is read each time so that it can be rotated; empty without both.

    Raises Permanent with Reason.NOT_CONFIGURED where the file cannot be read or holds nothing.
    """
    given = [secret.get_secret_value()] if secret else []
    if file is None:
        return given
    try:
        text = await asyncio.to_thread(file.read_text, encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Permanent(f"{file} cannot be read: {error}", Reason.NOT_CONFIGURED) from None
    lines = [line for line in map(str.strip, text.splitlines()) if line]
    if not lines:
        raise Permanent(f"{file} is empty", Reason.NOT_CONFIGURED)
    return given + lines


async def secret_of(secret: SecretStr | None, file: Path | None, option: str) -> str:
    """The first of them; raises Permanent, naming the option, where there is none."""
    if found := await secrets_of(secret, file):
        return found[0]
    raise Permanent(f"no credentials: set {option} or {option}_file", Reason.NOT_CONFIGURED)


def web_secret(url: SecretStr | None) -> SecretStr | None:
    """Validates an address that is a secret, without showing it."""
    if url is not None and not web_address(url.get_secret_value()):
        raise ValueError("must be an address that starts with http:// or https://")
    return url


async def secret_address_of(url: SecretStr | None, file: Path | None) -> tuple[str, list[str]]:
    """An address that is a secret, given or in a file, and what of it must not be shown."""
    found = await secret_of(url, file, "url")
    if not web_address(found):
        raise Permanent("what url_file holds is no address", Reason.NOT_CONFIGURED)
    return found, [found, *(part for part in found.split("/")[3:] if len(part) > 7)]


def basic(user: str, password: str) -> str:
    """The value of `Authorization` for basic authentication (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
