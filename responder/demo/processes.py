"""Servers of the demo's own: each in a process group that ends with it, whatever happens to us."""

import asyncio
import os
import shutil
import signal
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import aiohttp

from responder.errors import ConfigError

START_WITHIN = 20.0
STOP_WITHIN = 5.0


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
        return port


def find(*names: str, package: str) -> str:
    """The first of the programs that is installed; raises ConfigError with the command that installs it."""
    for name in names:
        if path := shutil.which(name):
            return path
    raise ConfigError(
        f"{names[0]} is not installed. On Debian and Ubuntu, as root: apt-get install --no-install-recommends {package}"
    )


@asynccontextmanager
async def running(command: Sequence[str], log: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a server; its output goes to `log`. On the way out its whole process group is ended.

    setpriv (util-linux) has the kernel end the server if we are killed ourselves.
    """
    guard = [path, "--pdeathsig", "KILL", "--"] if (path := shutil.which("setpriv")) else []
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *guard,
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        await asyncio.shield(_end(process))


async def _end(process: asyncio.subprocess.Process) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), STOP_WITHIN)


async def healthy(process: asyncio.subprocess.Process, url: str, http: aiohttp.ClientSession, log: Path) -> None:
    """Wait until the URL answers 200; raises ConfigError with the end of the log if it does not."""
    with suppress(TimeoutError):
        async with asyncio.timeout(START_WITHIN):
            while process.returncode is None:
                with suppress(aiohttp.ClientError):
                    async with http.get(url) as response:
                        if response.status == 200:
                            return
                await asyncio.sleep(0.05)
    raise ConfigError(f"{log.stem} did not start:\n{tail(log)}")


def tail(log: Path, lines: int = 15) -> str:
    """The end of a server's output."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


async def start(
    stack: AsyncExitStack, name: str, command: Sequence[str], url: str, http: aiohttp.ClientSession, folder: Path
) -> asyncio.subprocess.Process:
    """Run a server until the stack unwinds, and wait until the URL says that it is ready."""
    log = folder / f"{name}.log"
    process = await stack.enter_async_context(running(command, log))
    await healthy(process, url, http, log)
    return process
