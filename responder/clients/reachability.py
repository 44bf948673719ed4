"""Whether the servers that probes ask are there, which version they are, and what time they have."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from responder.clients import Alertmanager, Clients, Kubernetes, Loki, Postgres, Prometheus, Redis, Statement
from responder.errors import Trouble

_POSTGRES = Statement(
    "SELECT current_setting('server_version') AS version, extract(epoch FROM clock_timestamp())::float8 AS time"
)


@dataclass(frozen=True)
class Answered:
    """What a server said of itself, as far as it says so."""

    version: str = ""
    time: datetime | None = None


Ask = Callable[[], Awaitable[Answered]]
"""Asks a server; raises Temporary or Permanent."""


def questions(clusters: Mapping[str, Clients]) -> Iterator[tuple[str, Ask]]:
    """A question for each server that is configured, by a name for people; an Alertmanager of several clusters once."""
    asked: list[Alertmanager] = []
    for cluster, clients in clusters.items():
        named = f" {cluster}" if cluster else ""
        if (kubernetes := clients.kubernetes_client) is not None:
            yield f"Kubernetes{named}", partial(_kubernetes, kubernetes)
        if (prometheus := clients.prometheus_client) is not None:
            yield f"Prometheus{named}", partial(_prometheus, prometheus)
        if (loki := clients.loki_client) is not None:
            yield f"Loki{named}", partial(_loki, loki)
        for name, server in clients.databases.items():
            yield f"PostgreSQL{named}{f' {name}' if name else ''}", partial(_postgres, server)
        for name, cache in clients.redis_servers.items():
            yield f"Redis{named}{f' {name}' if name else ''}", partial(_redis, cache)
        alertmanager = clients.alertmanager_client
        if alertmanager is not None and not any(alertmanager is known for known in asked):
            asked.append(alertmanager)
            yield f"Alertmanager{named}", partial(_alertmanager, alertmanager)


async def _kubernetes(server: Kubernetes) -> Answered:
    return Answered(await server.version())


async def _prometheus(server: Prometheus) -> Answered:
    found = await server.query("time()")
    return Answered(time=datetime.fromtimestamp(found[0].value, UTC) if found else None)


async def _loki(server: Loki) -> Answered:
    return Answered(await server.ready())


async def _postgres(server: Postgres) -> Answered:
    answer = (await server.read({"version": _POSTGRES}))["version"]
    if isinstance(answer, Trouble):
        raise answer
    row = answer.rows[0]
    return Answered(str(row["version"]), datetime.fromtimestamp(float(row["time"]), UTC))


async def _redis(server: Redis) -> Answered:
    (reply,) = await server.ask("INFO server")
    if isinstance(reply, Trouble):
        raise reply
    said = reply.value if isinstance(reply.value, Mapping) else {}
    moment = said.get("server_time_usec")
    at = datetime.fromtimestamp(moment / 1e6, UTC) if isinstance(moment, int) else None
    return Answered(str(said.get("redis_version", "")), at)


async def _alertmanager(server: Alertmanager) -> Answered:
    await server.alerts('alertname=""')
    return Answered()
