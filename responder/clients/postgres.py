"""PostgreSQL, through asyncpg: a connection per question, in a read-only transaction.

Errors are told apart by their SQLSTATE (postgresql.org/docs/current/errcodes-appendix.html).
"""

import asyncio
import importlib
import shlex
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from yarl import URL

from responder.clients import Rows, Statement
from responder.clients._values import parameter, plain
from responder.clients.answers import SHOWN_OF_BODY, SecretFile, unconnected
from responder.clients.sharing import Shared
from responder.clients.silence import PATIENCE, accepts, silent
from responder.clock import Clock
from responder.errors import ConfigError, Permanent, Reason, Temporary, Trouble
from responder.metrics import Metrics
from responder.model.datastore import Server
from responder.model.redaction import redact
from responder.settings import PostgresSettings

APPLICATION = "responder"
LOCK_TIMEOUT = 1000
"""Milliseconds that a statement waits for a lock."""
LARGEST_ANSWER = 512 * 1024
"""Characters of one statement's answer that are kept."""
GOODBYE = 2.0
"""Seconds that parting in good order may take."""

_STATES: Mapping[str, tuple[type[Temporary] | type[Permanent], Reason]] = {
    "28": (Permanent, Reason.UNAUTHORIZED),
    "3D000": (Permanent, Reason.NOT_FOUND),
    "53": (Temporary, Reason.OVERLOADED),
    "57P": (Temporary, Reason.SERVER_ERROR),
    "58": (Temporary, Reason.SERVER_ERROR),
    "XX": (Temporary, Reason.SERVER_ERROR),
    "57014": (Temporary, Reason.TIMEOUT),
    "55P03": (Temporary, Reason.TIMEOUT),
    "55000": (Permanent, Reason.NOT_CONFIGURED),
    "42501": (Permanent, Reason.FORBIDDEN),
    "25006": (Permanent, Reason.FORBIDDEN),
    "42P01": (Permanent, Reason.NOT_FOUND),
    "42703": (Permanent, Reason.NOT_FOUND),
    "42883": (Permanent, Reason.NOT_FOUND),
}


@dataclass(frozen=True)
class _Login:
    """Where to log in, as whom; the password apart."""

    host: str
    port: int
    user: str
    database: str
    ssl: str
    ca_file: Path | None
    password: str = field(default="", repr=False)

    @classmethod
    def of(cls, settings: PostgresSettings) -> "_Login":
        """What the URL says, over it the other keys. Raises ConfigError without the URL's text."""
        try:
            url = URL(settings.url.get_secret_value())
            port = url.port or settings.port
        except ValueError:
            raise ConfigError(f"postgres {settings.name!r}: url is no URL") from None
        if unknown := set(url.query) - {"sslmode", "sslrootcert", "application_name", "connect_timeout"}:
            raise ConfigError(f"postgres {settings.name!r}: the url has the unknown parameter {min(unknown)!r}")
        mode = url.query.get("sslmode", settings.ssl)
        if mode not in ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"):
            raise ConfigError(f"postgres {settings.name!r}: sslmode {mode!r} is unknown")
        given = url.query.get("sslrootcert")
        ca_file = settings.ca_file or (Path(given) if given else None)
        if ca_file and not ca_file.is_file():
            raise ConfigError(f"postgres {settings.name!r}: there is no file {ca_file}")
        return cls(
            host=settings.host or url.host or "localhost",
            port=port,
            user=settings.user or url.user or "postgres",
            database=settings.database or url.path.lstrip("/") or settings.user or url.user or "postgres",
            ssl=mode,
            ca_file=ca_file,
            password=url.password or "",
        )

    @property
    def place(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def shown(self) -> str:
        """What psql wants to know, without the password."""
        query = {} if self.ssl == "prefer" else {"sslmode": self.ssl}
        if self.host.startswith("/"):
            return f"host={self.host} port={self.port} user={self.user} dbname={self.database}"
        url = URL.build(
            scheme="postgresql", user=self.user, host=self.host, port=self.port, path=f"/{self.database}", query=query
        )
        return str(url)

    def security(self) -> Any:
        """What asyncpg wants as `ssl`."""
        if self.ssl in ("disable", "allow", "prefer") or (self.ssl == "require" and not self.ca_file):
            return self.ssl
        context = ssl.create_default_context(cafile=str(self.ca_file) if self.ca_file else None)
        context.check_hostname = self.ssl == "verify-full"
        return context


class AsyncpgPostgres:
    """One PostgreSQL server. A connection is open only while it is asked."""

    def __init__(self, settings: PostgresSettings, metrics: Metrics, clock: Clock) -> None:
        self._login = _Login.of(settings)
        self.name = settings.name
        self.place = self._login.place
        self._what = str(Server("PostgreSQL", self.name, self.place))
        self._settings = settings
        self._password = SecretFile(settings.password, settings.password_file)
        self._shared = Shared(
            self._what,
            "postgres",
            concurrency=settings.concurrency,
            timeout=settings.timeout.total_seconds(),
            cache=settings.cache.total_seconds(),
            metrics=metrics,
            clock=clock,
        )

    def psql(self, *statements: str) -> str:
        """The equivalent command, quoted for a shell, without the password."""
        asked = [part for statement in statements for part in ("-c", statement)]
        return shlex.join(["psql", "-X", self._login.shown, *asked])

    async def read(self, statements: Mapping[str, Statement], *, limit: int = 200) -> Mapping[str, Rows | Trouble]:
        """All statements over one connection; one that fails is trouble in its place."""
        key = (tuple(statements.items()), limit)
        return await self._shared.ask(key, lambda: self._heard(statements, limit))

    async def close(self) -> None:
        """Give up what is under way."""
        await self._shared.close()

    async def _heard(self, statements: Mapping[str, Statement], limit: int) -> Mapping[str, Rows | Trouble]:
        """The answers; of silence it is said whether the server still takes connections."""
        try:
            return await self._read(statements, limit)
        except Temporary as trouble:
            if trouble.reason is Reason.TIMEOUT and await accepts(self._login.host, self._login.port):
                raise Temporary(silent(self._what), Reason.TIMEOUT) from None
            raise

    async def _read(self, statements: Mapping[str, Statement], limit: int) -> Mapping[str, Rows | Trouble]:
        # imported with the first question: who has no database need not carry the driver
        asyncpg: Any = await asyncio.to_thread(importlib.import_module, "asyncpg")
        found: dict[str, Rows | Trouble] = {}
        try:
            async with self._connection(asyncpg) as connection:
                version = _number(connection.get_server_version())
                for name, statement in statements.items():
                    if statement.since <= version < statement.until:
                        found[name] = await self._answer(asyncpg, connection, statement, limit)
        except asyncpg.PostgresError as error:
            raise _trouble(error, self._what) from None
        except asyncpg.InterfaceError as error:
            raise Temporary(f"{self._what}: {_cut(error)}", Reason.BAD_ANSWER) from None
        except TimeoutError:
            raise Temporary(f"{self._what}: no answer in time", Reason.TIMEOUT) from None
        except ssl.SSLError as error:
            raise Temporary(f"{self._what}: TLS failed ({_cut(error)})", Reason.UNREACHABLE) from None
        except (OSError, EOFError) as error:
            raise Temporary(f"{self._what}: cannot connect ({unconnected(error)})", Reason.UNREACHABLE) from None
        return found

    @asynccontextmanager
    async def _connection(self, asyncpg: Any) -> AsyncIterator[Any]:
        login = self._login
        connection = await asyncpg.connect(
            host=login.host,
            port=login.port,
            user=login.user,
            database=login.database,
            password=self._password.get() or login.password or None,
            ssl=await asyncio.to_thread(login.security),
            timeout=self._settings.timeout.total_seconds() * PATIENCE,
            statement_cache_size=0,  # a pooler in between may change the server connection
            server_settings={"application_name": APPLICATION},
        )
        try:
            yield connection
            await connection.close(timeout=GOODBYE)
        finally:
            connection.terminate()

    async def _answer(self, asyncpg: Any, connection: Any, statement: Statement, limit: int) -> Rows | Trouble:
        patience = int(self._settings.statement_timeout.total_seconds() * 1000)
        try:
            await connection.execute(
                f"BEGIN READ ONLY; SET LOCAL statement_timeout = {patience}; SET LOCAL lock_timeout = {LOCK_TIMEOUT}"
            )
            try:
                prepared = await connection.prepare(statement.sql)
                given = _converted(statement.parameters, prepared.get_parameters())
                rows = [row async for row in _rows(prepared.cursor(*given, prefetch=50), limit + 1)]
                columns = [attribute.name for attribute in prepared.get_attributes()]
            finally:
                if not connection.is_closed():
                    await connection.execute("ROLLBACK")
        except asyncpg.PostgresError as error:
            if connection.is_closed():
                raise
            return _trouble(error, self._what)
        except Permanent as trouble:
            return trouble
        return _bounded(columns, rows, limit)


def connect(
    settings: Sequence[PostgresSettings], metrics: Metrics, clock: Clock, where: str = "postgres"
) -> dict[str, AsyncpgPostgres]:
    """The clients by name; raises ConfigError where names are missing or alike."""
    found: dict[str, AsyncpgPostgres] = {}
    for place, item in enumerate(settings):
        if item.name in found or (not item.name and len(settings) > 1):
            raise ConfigError(f"{where}[{place}]: each of several servers needs a name of its own")
        found[item.name] = AsyncpgPostgres(item, metrics, clock)
    return found


async def _rows(cursor: Any, most: int) -> AsyncIterator[Any]:
    count = 0
    async for row in cursor:
        yield row
        count += 1
        if count >= most:
            return


def _bounded(columns: Sequence[str], rows: Sequence[Any], limit: int) -> Rows:
    kept: list[dict[str, Any]] = []
    size = 0
    for row in rows[:limit]:
        values = {name: plain(value) for name, value in zip(columns, row.values(), strict=True)}
        size += sum(len(value) if isinstance(value, str) else 8 for value in values.values())
        if size > LARGEST_ANSWER:
            return Rows(columns, kept, f"only the first {len(kept)} rows: the answer is too large")
        kept.append(values)
    return Rows(columns, kept, f"only the first {limit} rows" if len(rows) > limit else "")


def _converted(texts: Sequence[str], wanted: Sequence[Any]) -> Iterator[Any]:
    """The parameters as the types that the statement has them."""
    if len(texts) != len(wanted):
        raise Permanent(f"the statement has {len(wanted)} parameters, given are {len(texts)}", Reason.BAD_REQUEST)
    return iter(
        [parameter(text, kind.name, place) for place, (text, kind) in enumerate(zip(texts, wanted, strict=True), 1)]
    )


def _trouble(error: Any, what: str) -> Trouble:
    """The trouble behind an error of the server, in its own words."""
    state = str(error.sqlstate or "")
    kind, reason = next(
        (_STATES[state[:size]] for size in (5, 3, 2) if state[:size] in _STATES), (Permanent, Reason.BAD_REQUEST)
    )
    return kind(f"{what}: {_cut(error)}", reason)


def _cut(error: BaseException) -> str:
    said = redact(" ".join(str(error).split()) or type(error).__name__)
    return said[:SHOWN_OF_BODY]


def _number(version: Any) -> int:
    """15.4 as 150004, 9.6.2 as 90602: what `server_version_num` has."""
    if version.major >= 10:
        return int(version.major * 10000 + version.micro if version.micro else version.major * 10000 + version.minor)
    return int(version.major * 10000 + version.minor * 100 + version.micro)
