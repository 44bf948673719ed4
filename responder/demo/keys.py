"""Keys as they are pressed, without Enter."""

import asyncio
import sys
import termios
import tty
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


@asynccontextmanager
async def pressed(key: str) -> AsyncIterator[asyncio.Event]:
    """An event that is set when the key is pressed; never, where standard input is no terminal."""
    event = asyncio.Event()
    if not sys.stdin.isatty():
        yield event
        return

    def read() -> None:
        if sys.stdin.read(1).lower() == key:
            event.set()

    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    loop = asyncio.get_running_loop()
    tty.setcbreak(descriptor)
    loop.add_reader(descriptor, read)
    try:
        yield event
    finally:
        loop.remove_reader(descriptor)
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
