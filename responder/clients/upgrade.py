"""A WebSocket's opening handshake (RFC 6455, 4.1), so told that one sees which part failed."""

import base64
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence

import aiohttp
from yarl import URL

from responder.clients import addresses
from responder.model.failures import FailureKind
from responder.model.network import WebSocketAnswer
from responder.model.redaction import redact

_MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CLOSE = b"\x88\x82\x00\x00\x00\x00\x03\xe8"
"""A close frame with code 1000, masked with nothing."""
_SHOWN_HEADERS = (
    "server",
    "via",
    "upgrade",
    "connection",
    "location",
    "www-authenticate",
    "content-type",
    "retry-after",
)
_SHOWN_OF_BODY = 256


async def upgrade(
    session: aiohttp.ClientSession, url: URL, protocols: Sequence[str], headers: Mapping[str, str]
) -> WebSocketAnswer:
    """The handshake, closed again. Raises aiohttp's errors and OSError where nothing answers."""
    key = base64.b64encode(os.urandom(16)).decode()
    asked = {
        **headers,
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": key,
    }
    if protocols:
        asked["Sec-WebSocket-Protocol"] = ", ".join(protocols)
    plain = url.with_scheme("https" if url.scheme == "wss" else "http")
    async with session.get(plain, headers=asked, allow_redirects=False) as response:
        connection = response.connection
        transport = connection.transport if connection else None
        if transport is not None and (peer := transport.get_extra_info("peername")):
            addresses.refuse(str(peer[0]), url.host or "")
        problems = list(_problems(response, key, protocols))
        if response.status != 101:
            body = await response.content.read(_SHOWN_OF_BODY)
            said = " ".join(redact(body.decode("utf-8", "replace")).split())
            problems = [f"answered {response.status} instead of 101{f': {said}' if said else ''}"]
        elif transport is not None:
            transport.write(_CLOSE)
        connected = not problems
        response.close()
        return WebSocketAnswer(
            url=redact(str(url)),
            connected=connected,
            seconds=0.0,
            status=response.status,
            protocol=response.headers.get("Sec-WebSocket-Protocol", ""),
            error=None if connected else FailureKind.WRONG_PROTOCOL,
            message="; ".join(problems)[:512],
            headers={
                name: redact(value)[:256] for name, value in response.headers.items() if name.lower() in _SHOWN_HEADERS
            },
        )


def _problems(response: aiohttp.ClientResponse, key: str, protocols: Sequence[str]) -> Iterator[str]:
    """What is missing in an answer that says 101."""
    if response.headers.get("Upgrade", "").lower() != "websocket":
        yield "the header Upgrade is missing: something on the way does not pass it on"
    if "upgrade" not in response.headers.get("Connection", "").lower():
        yield "the header Connection does not say Upgrade"
    wanted = base64.b64encode(hashlib.sha1((key + _MAGIC).encode(), usedforsecurity=False).digest()).decode()
    if response.headers.get("Sec-WebSocket-Accept", "") != wanted:
        yield "Sec-WebSocket-Accept is not the answer to our key"
    chosen = response.headers.get("Sec-WebSocket-Protocol", "")
    if protocols and chosen not in protocols:
        yield f"none of the protocols {', '.join(protocols)} was chosen" if not chosen else f"it chose {chosen}"
