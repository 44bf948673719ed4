"""The database: units of work in, commits out.

Everything that waits to be written while a commit is under way goes into the next one, so that one
fsync serves many. Announcements made in a unit of work reach the listeners after its commit.
"""

import asyncio
import fcntl
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import QueuePool

from responder.errors import ConfigError, Reason, Temporary
from responder.store import migrate
from responder.store.tables import SCHEMA

T = TypeVar("T")
Work = Callable[[Connection], Any]
Listener = Callable[[str], None]

_READERS = 4


def announce(connection: Connection, channel: str, payload: str = "") -> None:
    """Tell the listeners of a channel, once this unit of work is committed."""
    connection.info.setdefault("announcements", {})[channel, payload] = None


@dataclass
class _Waiting:
    work: Work
    done: asyncio.Future[Any]


class Database:
    """One database by URL. `open` before use, `close` after; SQLite files are held by one process only."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url)
        if self._url.get_backend_name() != "sqlite":
            raise ConfigError(f"database: {self._url.render_as_string()} is not supported, use sqlite:///FILE")
        self._writer = _engine(url, "BEGIN IMMEDIATE", 1)
        self._reader = _engine(url, "BEGIN", _READERS)
        self._write_thread = ThreadPoolExecutor(1, thread_name_prefix="store-write")
        self._read_threads = ThreadPoolExecutor(_READERS, thread_name_prefix="store-read")
        self._waiting: list[_Waiting] = []
        self._committing: asyncio.Task[None] | None = None
        self._listeners: dict[str, list[Listener]] = {}
        self._lock: int | None = None

    async def open(self) -> None:
        """Take the lock, bring the schema up to date. Raises ConfigError."""
        await asyncio.get_running_loop().run_in_executor(self._write_thread, self._open)

    async def close(self) -> None:
        """Finish what waits, then let go."""
        while self._committing is not None:
            await self._committing
        self._write_thread.shutdown()
        self._read_threads.shutdown()
        self._writer.dispose()
        self._reader.dispose()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def listen(self, channel: str, listener: Listener) -> Callable[[], None]:
        """Call the listener (on the loop) with the payload of each announcement; returns how to stop that."""
        self._listeners.setdefault(channel, []).append(listener)
        return lambda: self._listeners[channel].remove(listener)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run the work in a transaction; what it did is on disk when this returns.

        Raises Temporary where the database cannot be written, and whatever the work raised (its
        changes are then undone, those of others are not).
        """
        loop = asyncio.get_running_loop()
        waiting = _Waiting(work, loop.create_future())
        self._waiting.append(waiting)
        if self._committing is None:
            self._committing = loop.create_task(self._commit_all())
        result: T = await waiting.done
        return result

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run the work on a consistent snapshot."""
        return await asyncio.get_running_loop().run_in_executor(self._read_threads, self.read_now, work)

    def read_now(self, work: Callable[[Connection], T]) -> T:
        """As `read`, for a caller that is in a thread of its own."""
        try:
            with self._reader.connect() as connection, connection.begin():
                return work(connection)
        except OperationalError as error:
            raise _unavailable(error) from error

    async def _commit_all(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                try:
                    results, announcements = await loop.run_in_executor(self._write_thread, self._commit, batch)
                except Exception as error:
                    results, announcements = [error] * len(batch), []
                for waiting, result in zip(batch, results, strict=True):
                    _settle(waiting.done, result)
                for channel, payload in announcements:
                    for listener in tuple(self._listeners.get(channel, ())):
                        listener(payload)
        finally:
            self._committing = None

    def _commit(self, batch: Sequence[_Waiting]) -> tuple[list[Any], list[tuple[str, str]]]:
        try:
            with self._writer.connect() as connection:
                connection.info.clear()
                with connection.begin():
                    results = [_attempt(connection, waiting.work, alone=len(batch) == 1) for waiting in batch]
                    if len(batch) == 1 and isinstance(results[0], Exception):
                        raise results[0]
                return results, list(connection.info.pop("announcements", {}))
        except OperationalError as error:
            raise _unavailable(error) from error

    def _open(self) -> None:
        path = self._url.database
        if path and path != ":memory:":
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            self._lock = _lock(Path(path + ".lock"))
            _hide(path)
        try:
            with self._writer.connect() as connection:
                known = inspect(connection).has_table("alembic_version")
                version = connection.scalar(text("SELECT version_num FROM alembic_version")) if known else None
            if version != SCHEMA:
                migrate.upgrade(self._writer)
        except DBAPIError as error:
            raise ConfigError(f"database: {self._url.render_as_string()} cannot be used: {error.orig}") from error


def _engine(url: str, begin: str, size: int) -> Engine:
    engine = create_engine(url, poolclass=QueuePool, pool_size=size, max_overflow=0)

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "busy_timeout=5000",
            "cache_size=-16000",
            "wal_autocheckpoint=4000",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _attempt(connection: Connection, work: Work, *, alone: bool) -> Any:
    """The work's result, or what it raised; one that fails among others is undone alone."""
    try:
        if alone:
            return work(connection)
        with connection.begin_nested():
            return work(connection)
    except OperationalError:
        raise
    except Exception as error:
        return error


def _settle(future: asyncio.Future[Any], result: Any) -> None:
    if future.done():
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)


def _unavailable(error: OperationalError) -> Temporary:
    return Temporary(f"the database cannot be used: {error.orig}", Reason.OVERLOADED)


def _hide(path: str) -> None:
    """Let nobody else read the database: it holds the key of signed addresses, and what webhooks brought.

    SQLite gives the files beside it the rights of the database.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        for file in (path, f"{path}-wal", f"{path}-shm"):
            if Path(file).exists():
                Path(file).chmod(0o600)
    except OSError as error:
        raise ConfigError(f"database: cannot write {path}: {error.strerror}") from None


def _lock(path: Path) -> int:
    try:
        held = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigError(f"database: cannot write {path}: {error.strerror}") from None
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(held)
        raise ConfigError(f"database: another responder holds {path}; give each its own database") from None
    return held
