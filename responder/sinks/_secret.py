"""Credentials of sinks: given, or in a file that is read each time, so that it can be rotated."""

import asyncio
from pathlib import Path

from pydantic import SecretStr

from responder.errors import Permanent, Reason


async def reveal(secret: SecretStr | None, file: Path | None) -> str:
    """The secret, or empty where there is none; raises Permanent where the file cannot be read or is empty."""
    if secret is not None:
        return secret.get_secret_value()
    return await asyncio.to_thread(_read, file) if file is not None else ""


def _read(file: Path) -> str:
    try:
        found = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "it is no UTF-8"
        raise Permanent(f"{file} cannot be read: {said}", Reason.NOT_CONFIGURED) from None
    if not found:
        raise Permanent(f"{file} is empty", Reason.NOT_CONFIGURED)
    return found
