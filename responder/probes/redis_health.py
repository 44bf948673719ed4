"""`redis.health`: whether a Redis server answers, and how it is."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Self

from pydantic import Field, model_validator

from responder.clients import Clients, Redis, Reply
from responder.errors import Trouble
from responder.model.datastore import Server
from responder.model.evidence import Gap, Observation, Reproduction
from responder.model.numbers import plain, shown
from responder.model.redis import RedisHealth, RedisLimits
from responder.model.runbook import Duration
from responder.probes import Inquiry, Probe
from responder.probes._redis import CLUSTER, COMMANDS, SLOW_LOG, health, info_of
from responder.templating import Plain


class RedisHealthCheck(Probe):
    """A Redis server: its answer to PING, memory, clients, replication, persistence, slow commands.

    `value` is the time that PING took in seconds; `breached` says whether anything is wrong or a bound is passed.
    `server` is one of the settings, with its credentials; `address` any other, asked without.
    """

    server: Plain = Field("", description="the server's name in the settings; may be empty where there is one")
    address: Plain = Field("", description="`host:port` of one that is not in the settings")
    ping: Duration = Field(timedelta(milliseconds=100), description="how long PING may take")
    memory: float = Field(0.9, gt=0, le=1, description="used part of maxmemory that is too much")
    clients: float = Field(0.8, gt=0, le=1, description="used part of maxclients that is too much")
    slow: Duration = Field(
        timedelta(milliseconds=100), description="how long a command of the last hour may have taken"
    )
    replication_lag: Duration = Field(timedelta(seconds=10), description="how far a replica may be behind")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.server and self.address:
            raise ValueError("set server or address, not both")
        return self

    async def run(self, inquiry: Inquiry, clients: Clients) -> Observation:
        server = self._server(clients)
        replies: dict[str, Reply | Trouble] = dict(zip(COMMANDS, await server.ask(*COMMANDS), strict=True))
        info, ping = info_of(replies), replies["PING"]
        if isinstance(ping, Trouble) and not info:
            raise ping
        if info.get("cluster_enabled") == 1:
            replies[CLUSTER] = (await server.ask(CLUSTER))[0]
        found = health(server, replies, self._limits, inquiry.now)
        return Observation(
            summary=_summary(found),
            data=found,
            facts=tuple(_facts(found)),
            value=found.ping_seconds,
            breached=found.troubled,
            gaps=tuple(_gaps(replies)),
        )

    def reproduce(self, inquiry: Inquiry, clients: Clients) -> tuple[Reproduction, ...]:
        return (Reproduction(command=self._server(clients).cli("PING", "INFO", SLOW_LOG)),)

    @property
    def _limits(self) -> RedisLimits:
        return RedisLimits(
            ping=self.ping.total_seconds(),
            memory=self.memory,
            clients=self.clients,
            slow=self.slow.total_seconds(),
            replication_lag=self.replication_lag.total_seconds(),
        )

    def _server(self, clients: Clients) -> Redis:
        return clients.redis_at(self.address) if self.address else clients.redis(self.server)


def _gaps(replies: Mapping[str, Reply | Trouble]) -> Iterator[Gap]:
    for command, reply in replies.items():
        if isinstance(reply, Trouble):
            yield Gap(what=f"Redis' {command}", reason=reply.reason, message=str(reply))


def _summary(health: RedisHealth) -> str:
    pong = f"PONG in {shown(health.ping_seconds, 'seconds')}" if health.ping_seconds is not None else "no PONG"
    text = f"{Server('Redis', health.name, health.place)}: {pong}"
    if worst := next(_wrong(health), ""):
        return f"{text}; {worst}"
    memory = f", {shown(health.used_memory, 'bytes')} used" if health.used_memory is not None else ""
    return f"{text}, {health.role or 'role unknown'}, version {health.version or 'unknown'}{memory}"


def _facts(health: RedisHealth) -> Iterator[str]:
    yield from _wrong(health)
    if health.max_memory:
        yield (
            f"{shown(health.used_memory or 0, 'bytes')} of {shown(health.max_memory, 'bytes')} used, "
            f"{health.policy}, {health.evicted_keys} keys evicted so far"
        )
    if health.clients is not None:
        most = f" of {health.max_clients}" if health.max_clients else ""
        yield f"{health.clients}{most} clients, {health.rejected_connections} turned away so far"
    if health.hit_ratio is not None:
        yield f"{shown(health.hit_ratio, 'ratio')} of reads find their key"


def _wrong(health: RedisHealth) -> Iterator[str]:
    """What is wrong or past its bound, the worst first."""
    used = f"{shown(health.used_memory or 0, 'bytes')} of maxmemory {shown(health.max_memory or 0, 'bytes')}"
    if health.loading:
        left = f", {shown(health.loading_left_seconds, 'seconds')} to go" if health.loading_left_seconds else ""
        yield f"it is loading its data{left}"
    if health.full:
        refused = f", {health.errors['OOM']} commands refused" if "OOM" in health.errors else ""
        yield f"{used} used, and nothing may be evicted{refused}"
    if health.unsaved:
        effect = ", so it refuses writes" if health.stops_writes or "MISCONF" in health.ping_error else ""
        yield f"it cannot save its data (rdb {health.rdb_status}, aof {health.aof_status or 'off'}){effect}"
    if health.cut_off:
        down = health.master_down_seconds or 0
        since = f" for {shown(down, 'seconds')}" if down > 0 else ""
        yield f"a replica whose link to {health.master} is down{since}"
    if health.lonely:
        yield f"{health.good_replicas} of {health.min_replicas} replicas follow it, so it refuses writes"
    if health.cluster_state == "fail":
        yield "the cluster is in state fail"
    if health.evicting:
        yield f"{used} used, {health.evicted_keys} keys evicted ({health.policy})"
    if health.crowded:
        yield f"{health.clients} of {health.max_clients} clients"
    for replica in health.behind[:3]:
        yield f"replica {replica.address} is {replica.state}, {plain(replica.lag_seconds or 0)} s behind"
    for slow in health.sluggish[:3]:
        took = shown(slow.seconds, "seconds")
        yield f"{slow.command} with {slow.arguments} arguments took {took} at {slow.at:%H:%M} UTC"
    if (health.ping_seconds or 0) > health.limits.ping:
        yield f"PING may take {shown(health.limits.ping, 'seconds')}"
