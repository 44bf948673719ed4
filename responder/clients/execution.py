"""Commands in containers over a WebSocket (Kubernetes, `remotecommand` in versions 4 and 5).

Every message begins with the number of its channel: 1 is standard output, 2 standard error, 3 the `Status` at the end.
There is no standard input and no terminal.
"""

from collections.abc import Mapping
from typing import Any

import aiohttp
from pydantic_core import from_json

from responder.clients import Execution
from responder.model.redaction import redact

PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
_STDOUT, _STDERR, _STATUS = 1, 2, 3


async def execute(
    session: aiohttp.ClientSession,
    url: str,
    headers: Mapping[str, str],
    *,
    limit: int,
    proxy: str | None = None,
    server_hostname: str | None = None,
) -> Execution:
    """Run the command of the URL to its end; of each output at most `limit` bytes are kept.

    Raises aiohttp's WSServerHandshakeError where the server refuses.
    """
    output: dict[int, bytearray] = {_STDOUT: bytearray(), _STDERR: bytearray(), _STATUS: bytearray()}
    truncated = False
    async with session.ws_connect(
        url, headers=headers, protocols=PROTOCOLS, proxy=proxy, server_hostname=server_hostname
    ) as socket:
        if socket.protocol not in PROTOCOLS:
            return Execution(None, error="the server speaks none of the protocols of exec")
        async for message in socket:
            data = message.data.encode() if message.type is aiohttp.WSMsgType.TEXT else message.data
            if not isinstance(data, bytes) or not data or data[0] not in output:
                continue
            kept = output[data[0]]
            room = limit - len(kept)
            kept += data[1 : 1 + max(0, room)]
            truncated = truncated or (len(data) - 1 > room and data[0] != _STATUS)
            if data[0] == _STATUS:
                break
    code, error = _ended(bytes(output[_STATUS]))
    return Execution(code, _text(output[_STDOUT]), _text(output[_STDERR]), error, truncated)


def _ended(told: bytes) -> tuple[int | None, str]:
    """Exit code and error of the `Status` at the end."""
    try:
        status = from_json(told)
        if status["status"] == "Success":
            return 0, ""
        causes: list[Mapping[str, Any]] = (status.get("details") or {}).get("causes") or []
        for cause in causes:
            if cause.get("reason") == "ExitCode":
                return int(cause["message"]), ""
        return None, redact(str(status.get("message", "")))[:512] or "the command did not start"
    except (ValueError, KeyError, TypeError, AttributeError):
        return None, "the connection ended before the command did"


def _text(data: bytearray) -> str:
    return redact(data.decode("utf-8", "replace"))
