"""Secrets of sinks: given in the settings, or in a file that is read each time, so that it can be rotated."""

import asyncio
from pathlib import Path

from pydantic import SecretStr

from responder.errors import Permanent, Reason

LARGEST = 64 * 1024


async def read(secret: SecretStr | None, file: Path | None, option: str) -> str:
    """The secret, never empty. Raises Permanent where there is none; `option` is what the settings call it."""
    if secret is not None and (given := secret.get_secret_value().strip()):
        return given
    if file is None:
        raise Permanent(f"set {option} or {option}_file", Reason.NOT_CONFIGURED)
    return await asyncio.to_thread(_read, file)


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
