"""Servers that take connections and stay silent: busy, swapped out or stopped, but not gone."""

import asyncio
from contextlib import suppress

from responder.model.datastore import SILENT

PATIENCE = 0.75
"""Part of the time for a question after which silence is looked into."""
_WITHIN = 1.0


def silent(what: str) -> str:
    """The message about such a server."""
    return f"{what}: {SILENT}"


async def accepts(host: str, port: int) -> bool:
    """Whether the server takes a connection, whatever it says on it."""
    with suppress(OSError):  # TimeoutError is one
        async with asyncio.timeout(_WITHIN):
            _, writer = await asyncio.open_connection(host, port)
        writer.close()
        return True
    return False
