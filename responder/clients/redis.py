"""Redis, Valkey and KeyDB, through redis-py: a connection per question, commands that read only."""

import asyncio
import importlib
import re
import shlex
import socket
import time
from collections.abc import Sequence
from typing import Any

from yarl import URL

from responder.clients import Reply, addresses
from responder.clients.answers import SHOWN_OF_BODY, SecretFile, unconnected
from responder.clients.sharing import Shared
from responder.clients.silence import PATIENCE, accepts, silent
from responder.clock import Clock
from responder.errors import ConfigError, Permanent, Reason, Temporary, Trouble
from responder.metrics import Metrics
from responder.model.datastore import Server
from responder.model.redaction import redact
from responder.settings import RedisSettings

PORT = 6379
CODES = {
    "BusyLoadingError": "LOADING",
    "ClusterDownError": "CLUSTERDOWN",
    "MasterDownError": "MASTERDOWN",
    "NoPermissionError": "NOPERM",
    "OutOfMemoryError": "OOM",
    "ReadOnlyError": "READONLY",
}
"""Redis' own names of the errors whose texts the driver gives without them."""
_NOT_NOW = re.compile("LOADING|MISCONF|MASTERDOWN|BUSY |CLUSTERDOWN|Errors writing")
"""What a server says that would answer at another time."""
IN_PLACE = (Reason.FORBIDDEN, Reason.BAD_REQUEST, Reason.SERVER_ERROR)
"""What goes wrong with one command alone."""
MOST_SERVERS = 64
PARTING = 0.5
"""Seconds to wait for the words of a server that closes every connection."""
_CUT_OFF = re.compile(r"(?i)connection (?:lost|closed|reset)|broken pipe|while (?:writing|reading)")
READABLE = (
    "maxmemory", "maxmemory-policy", "maxclients", "timeout", "save", "appendonly", "stop-writes-on-bgsave-error",
    "slowlog-log-slower-than", "replica-read-only", "min-replicas-to-write", "cluster-enabled",
)  # fmt: skip
"""The settings that may be asked for: none holds a secret."""
ALLOWED = re.compile(
    r"(?i)PING|INFO(?: [a-z]+)?|CONFIG GET (?:" + "|".join(READABLE) + r")|CLIENT (?:LIST|INFO)"
    r"|SLOWLOG (?:GET \d{1,3}|LEN)|LATENCY (?:LATEST|DOCTOR|HISTORY [a-z-]+)|DBSIZE|MEMORY STATS|ROLE|CLUSTER INFO"
)
_ADDRESS = re.compile(r"(?i)(?P<host>[a-z0-9]([-a-z0-9._]{0,252}[a-z0-9])?|\[[0-9a-f:.]+\])(?::(?P<port>\d{1,5}))?")


class RedisServer:
    """One server. A connection is open only while it is asked."""

    def __init__(self, settings: RedisSettings, metrics: Metrics, clock: Clock, *, guarded: bool = False) -> None:
        try:
            url = URL(settings.url.get_secret_value())
            host, port = url.host or "localhost", url.port or PORT
        except ValueError:
            raise ConfigError(f"redis {settings.name!r}: url is no URL") from None
        if settings.ca_file and not settings.ca_file.is_file():
            raise ConfigError(f"redis {settings.name!r}: there is no file {settings.ca_file}")
        self.name = settings.name
        self.place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._host, self._port = host, port
        self._secure = url.scheme == "rediss"
        self._username = settings.username or url.user or ""
        self._in_url = url.password or ""
        self._password = SecretFile(settings.password, settings.password_file)
        self._settings = settings
        self._guarded = guarded
        self._what = str(Server("Redis", self.name, self.place))
        self._shared = Shared(
            self._what,
            "redis",
            concurrency=settings.concurrency,
            timeout=settings.timeout.total_seconds(),
            cache=settings.cache.total_seconds(),
            metrics=metrics,
            clock=clock,
        )

    def cli(self, *commands: str) -> str:
        """The equivalent commands, quoted for a shell, without the password."""
        base = ["redis-cli", "-h", self._host, "-p", str(self._port)]
        base += ["--user", self._username] * bool(self._username) + ["--tls"] * self._secure
        return "; ".join(shlex.join([*base, *command.split()]) for command in commands)

    async def ask(self, *commands: str) -> Sequence[Reply | Trouble]:
        """All commands over one connection; one that fails is trouble in its place."""
        for command in commands:
            if not ALLOWED.fullmatch(command):
                raise Permanent(f"{command[:80]!r} is none of the commands that only read", Reason.FORBIDDEN)
        return await self._shared.ask(commands, lambda: self._heard(commands))

    async def close(self) -> None:
        """Give up what is under way."""
        await self._shared.close()

    async def _heard(self, commands: Sequence[str]) -> Sequence[Reply | Trouble]:
        """The replies; of silence it is said whether the server still takes connections."""
        try:
            return await self._ask(commands)
        except Temporary as trouble:
            if trouble.reason is Reason.TIMEOUT and await accepts(await self._address(), self._port):
                raise Temporary(silent(self._what), Reason.TIMEOUT) from None
            raise

    async def _ask(self, commands: Sequence[str]) -> Sequence[Reply | Trouble]:
        # imported with the first question: who has no Redis need not carry the driver
        driver: Any = await asyncio.to_thread(importlib.import_module, "redis.asyncio")
        client: Any = None
        host = self._host
        try:
            host = await self._address()
            client = self._client(driver, host)
            # the driver would join the arguments of a command to one text
            client.set_response_callback("SLOWLOG GET", lambda reply, **_options: reply)
            async with client:
                return [await self._reply(driver, client, command) for command in commands]
        except (driver.RedisError, OSError, EOFError) as error:
            if _CUT_OFF.search(str(error)) and (said := await self._parting(host)):
                raise self._trouble(ConnectionError(said)) from None
            raise self._trouble(error) from None
        finally:
            if client is not None:
                await client.aclose()

    def _client(self, driver: Any, host: str) -> Any:
        seconds = self._settings.timeout.total_seconds() * PATIENCE
        return driver.Redis(
            host=host,
            port=self._port,
            username=self._username or None,
            password=self._password.get() or self._in_url or None,
            socket_timeout=seconds,
            socket_connect_timeout=seconds,
            single_connection_client=True,
            retry=None,
            decode_responses=True,
            encoding_errors="replace",
            protocol=2,
            **({"ssl": True, "ssl_ca_certs": str(self._settings.ca_file or "") or None} if self._secure else {}),
        )

    async def _reply(self, driver: Any, client: Any, command: str) -> Reply | Trouble:
        started = time.perf_counter()
        try:
            value = await client.execute_command(*_words(command))
        except driver.RedisError as error:
            trouble = self._trouble(error)
            if trouble.reason in IN_PLACE:
                return trouble
            raise trouble from None
        return Reply(value, time.perf_counter() - started)

    async def _parting(self, host: str) -> str:
        """What the server says to whom it turns away: the driver may notice only that the connection is gone."""
        if self._secure:
            return ""
        try:
            async with asyncio.timeout(PARTING):
                reader, writer = await asyncio.open_connection(host, self._port)
                try:
                    said = await reader.readline()
                finally:
                    writer.close()
        except (OSError, ValueError):
            return ""
        return said.decode("utf-8", "replace").lstrip("-").strip() if said.startswith(b"-") else ""

    async def _address(self) -> str:
        """The host; of an address that a runbook named the very address that was looked at."""
        if not self._guarded:
            return self._host
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        for *_, address in found:
            addresses.refuse(str(address[0]), self._host)
        return str(found[0][4][0])

    def _trouble(self, error: BaseException) -> Trouble:
        """The trouble behind an error, in the server's own words (redis.io/docs, `errorstats` has their names)."""
        errors: Any = importlib.import_module("redis.exceptions")
        said = redact(" ".join(str(error).split()) or type(error).__name__)[:SHOWN_OF_BODY]
        if code := CODES.get(type(error).__name__):
            said = f"{code} {said}"
        message = f"{self._what}: {said}"
        if re.search(r"NOAUTH|WRONGPASS|invalid (?:username-)?password|Authentication required|AUTH ", said, re.I):
            return Permanent(message, Reason.UNAUTHORIZED)
        if re.search(r"max(?:imum)? number of clients reached", said, re.I):
            return Temporary(message, Reason.OVERLOADED)
        if _NOT_NOW.match(said):
            return Temporary(message, Reason.SERVER_ERROR)
        if isinstance(error, errors.TimeoutError | TimeoutError):
            return Temporary(f"{self._what}: no answer in time", Reason.TIMEOUT)
        if isinstance(error, errors.ConnectionError | OSError):
            return Temporary(f"{self._what}: cannot connect ({unconnected(error)})", Reason.UNREACHABLE)
        if isinstance(error, errors.NoPermissionError):
            return Permanent(message, Reason.FORBIDDEN)
        return Permanent(message, Reason.BAD_REQUEST)


class Dialer:
    """Servers that runbooks name by address. Those that hand out a cloud's credentials are refused."""

    def __init__(self, metrics: Metrics, clock: Clock) -> None:
        self._metrics = metrics
        self._clock = clock
        self._known: dict[str, RedisServer] = {}

    def at(self, address: str) -> RedisServer:
        """The server at `host:port`, or at `host` with Redis' own port; asked without credentials."""
        found = _ADDRESS.fullmatch(address)
        if not found or not 0 < int(found["port"] or PORT) < 65536:
            raise Permanent(f"{address[:80]!r} is no address: write it as host:port", Reason.BAD_REQUEST)
        place = f"{found['host']}:{found['port'] or PORT}"
        if place not in self._known:
            if len(self._known) >= MOST_SERVERS:
                self._known.pop(next(iter(self._known)))
            settings = RedisSettings.model_validate({"url": f"redis://{place}"})
            self._known[place] = RedisServer(settings, self._metrics, self._clock, guarded=True)
        return self._known[place]

    async def close(self) -> None:
        """Give up what is under way."""
        for server in self._known.values():
            await server.close()


def connect(
    settings: Sequence[RedisSettings], metrics: Metrics, clock: Clock, where: str = "redis"
) -> dict[str, RedisServer]:
    """The clients by name; raises ConfigError where names are missing or alike."""
    found: dict[str, RedisServer] = {}
    for place, item in enumerate(settings):
        if item.name in found or (not item.name and len(settings) > 1):
            raise ConfigError(f"{where}[{place}]: each of several servers needs a name of its own")
        found[item.name] = RedisServer(item, metrics, clock)
    return found


def _words(command: str) -> list[str]:
    """A command as redis-py wants it, so that it reads the reply: `CONFIG GET` is one word there."""
    words = command.split()
    if words[0].upper() in ("CONFIG", "CLIENT", "SLOWLOG", "MEMORY", "LATENCY", "CLUSTER"):
        return [" ".join(words[:2]).upper(), *words[2:]]
    return words
