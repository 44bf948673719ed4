"""What the benchmarks share: processes that are started and stopped, and a client that costs little."""

import asyncio
import contextlib
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
        return port


@dataclass
class Running:
    """A process that listens."""

    process: subprocess.Popen[bytes]
    port: int
    ready_after: float

    def kill(self) -> None:
        """As if the power went."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def memory(self) -> float:
        """Resident megabytes."""
        fields = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        kilobytes = next(line.split()[1] for line in fields if line.startswith("VmRSS"))
        return int(kilobytes) / 1024

    def cpu_seconds(self) -> float:
        """Processor time used since the start."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def running(command: Sequence[str], port: int, path: str = "/-/ready", log: Path | None = None) -> Iterator[Running]:
    """Start a process, wait until it answers on the path, stop it at the end."""
    started = time.perf_counter()
    output = log.open("ab") if log else subprocess.DEVNULL
    process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        _await_answer(process, port, path)
        yield Running(process, port, time.perf_counter() - started)
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _await_answer(process: subprocess.Popen[bytes], port: int, path: str) -> None:
    deadline = time.perf_counter() + 30
    while time.perf_counter() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as connection:
            connection.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            if b" 200 " in connection.recv(64):
                return
        time.sleep(0.01)
    raise RuntimeError(f"{process.args!r} did not answer on port {port}")


def configuration(folder: Path, port: int, **settings: Any) -> list[str]:
    """Write a configuration; returns the command that serves it."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "responder.yaml"
    given = {
        "listen": f"127.0.0.1:{port}",
        "database": f"sqlite:///{folder}/responder.db",
        "log_level": "warning",
        "sinks": [],
        **settings,
    }
    file.write_text(yaml.safe_dump(given))
    return [sys.executable, "-m", "responder", "serve", "--config", str(file)]


def request(path: str, body: bytes) -> bytes:
    """A POST as Alertmanager sends it."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: Alertmanager/0.33.1\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@dataclass
class Load:
    """What a load did: answers by status, and how long each took."""

    statuses: dict[int, int]
    seconds: list[float]
    elapsed: float

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.seconds) / self.elapsed

    @property
    def p99(self) -> float:
        """The time, in seconds, that 99 of 100 answers were faster than."""
        return statistics.quantiles(self.seconds, n=100)[98]


async def post_all(port: int, requests: Sequence[bytes], connections: int) -> Load:
    """Send the requests over some connections, each as soon as its connection is free."""
    waiting = iter(requests)
    statuses: dict[int, int] = {}
    seconds: list[float] = []

    async def connection() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for sent in waiting:
            started = time.perf_counter()
            writer.write(sent)
            status = await _answer(reader)
            seconds.append(time.perf_counter() - started)
            statuses[status] = statuses.get(status, 0) + 1
        writer.close()

    started = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(connection())
    return Load(statuses, seconds, time.perf_counter() - started)


async def _answer(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    lowered = head.lower()
    start = lowered.find(b"content-length:")
    length = int(lowered[start + 15 : lowered.index(b"\r\n", start)]) if start >= 0 else 0
    if length:
        await reader.readexactly(length)
    return int(head[9:12])
