"""Charts as PNG, for media that show pictures. Drawn in a process of its own (`plot.py`), so that ours stays small."""

import asyncio
import importlib.util
import sys
from collections import OrderedDict

import structlog

from responder.model.message import Picture

log = structlog.get_logger(__name__)

TIMEOUT = 10.0
KEPT = 32


class Gallery:
    """Draws pictures one at a time, and remembers the last few."""

    def __init__(self) -> None:
        self._drawn: OrderedDict[str, bytes] = OrderedDict()
        self._one_at_a_time = asyncio.Lock()
        self._possible = importlib.util.find_spec("matplotlib") is not None
        if not self._possible:
            log.info("pictures.missing", note="messages come without charts: pip install 'responder[pictures]'")

    async def draw(self, picture: Picture) -> bytes:
        """The PNG; empty where it cannot be drawn: a message without its chart is better than none."""
        if not self._possible:
            return b""
        told = picture.model_dump_json(exclude={"url"})
        async with self._one_at_a_time:
            if told not in self._drawn:
                self._drawn[told] = await _draw(told)
                while len(self._drawn) > KEPT:
                    self._drawn.popitem(last=False)
            self._drawn.move_to_end(told)
            return self._drawn[told]


async def _draw(told: str) -> bytes:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "responder.plot",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(TIMEOUT):
            drawn, _ = await process.communicate(told.encode())
    except TimeoutError:
        drawn = b""
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0 or not drawn.startswith(b"\x89PNG"):
        log.warning("pictures.failed", returncode=process.returncode)
        return b""
    return drawn
