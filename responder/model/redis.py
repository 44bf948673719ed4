"""What is known of a Redis server: the shape of `redis.health`."""

from collections.abc import Mapping, Sequence

from pydantic import AwareDatetime, Field

from responder.model.evidence import Shape
from responder.model.record import Record

NO_EVICTION = "noeviction"


class RedisReplica(Record):
    """Who follows this server, and how far it is behind."""

    address: str
    state: str = ""
    lag_seconds: float | None = None
    behind_bytes: int | None = None


class RedisSlowCommand(Record):
    """An entry of the slow log, without its arguments: those may be secrets."""

    command: str
    arguments: int
    seconds: float
    at: AwareDatetime


class RedisLimits(Record):
    """The bounds past which something counts as trouble: ratios of 1, seconds."""

    ping: float = 0.1
    memory: float = 0.9
    clients: float = 0.8
    slow: float = 0.1
    replication_lag: float = 10.0


class RedisHealth(Shape):
    """A server's state. `errors` counts what it refused since its start, by Redis' own names."""

    name: str = ""
    place: str
    version: str = ""
    mode: str = ""
    role: str = ""
    uptime_seconds: float = 0.0
    ping_seconds: float | None = None
    ping_error: str = ""
    loading: bool = False
    loading_left_seconds: float | None = None
    master: str = ""
    master_link: str = ""
    master_down_seconds: float | None = None
    replica_read_only: bool | None = None
    replicas: tuple[RedisReplica, ...] = ()
    used_memory: int | None = None
    max_memory: int | None = None
    memory_used: float | None = None
    policy: str = ""
    fragmentation: float | None = None
    evicted_keys: int = 0
    expired_keys: int = 0
    clients: int | None = None
    max_clients: int | None = None
    clients_used: float | None = None
    blocked_clients: int = 0
    rejected_connections: int = 0
    rdb_status: str = ""
    rdb_saved_at: AwareDatetime | None = None
    rdb_changes: int = 0
    aof_enabled: bool = False
    aof_status: str = ""
    stops_writes: bool | None = None
    keys: int | None = None
    hits: int = 0
    misses: int = 0
    hit_ratio: float | None = None
    cluster_state: str = ""
    min_replicas: int = 0
    good_replicas: int | None = None
    slow: tuple[RedisSlowCommand, ...] = ()
    errors: Mapping[str, int] = Field(default_factory=dict)
    limits: RedisLimits = RedisLimits()

    @property
    def full(self) -> bool:
        """Whether it takes no writes for want of memory, or nearly so: nothing may be evicted."""
        return self.policy == NO_EVICTION and (self.memory_used or 0) > self.limits.memory

    @property
    def evicting(self) -> bool:
        """Whether it throws keys away for want of memory."""
        return self.policy != NO_EVICTION and self.evicted_keys > 0 and (self.memory_used or 0) > self.limits.memory

    @property
    def crowded(self) -> bool:
        """Whether its connections are nearly all in use."""
        return (self.clients_used or 0) > self.limits.clients

    @property
    def unsaved(self) -> bool:
        """Whether it cannot write to its disk."""
        return "err" in (self.rdb_status, self.aof_status)

    @property
    def cut_off(self) -> bool:
        """Whether it is a replica that does not hear of its master."""
        return self.role == "replica" and self.master_link == "down"

    @property
    def lonely(self) -> bool:
        """Whether it refuses writes because too few replicas follow it."""
        return self.role == "master" and self.good_replicas is not None and self.good_replicas < self.min_replicas

    @property
    def behind(self) -> Sequence[RedisReplica]:
        """Replicas that are too far behind."""
        limit = self.limits.replication_lag
        return [item for item in self.replicas if item.state != "online" or (item.lag_seconds or 0) > limit]

    @property
    def sluggish(self) -> Sequence[RedisSlowCommand]:
        """Commands that took too long; meanwhile it did nothing else."""
        return [item for item in self.slow if item.seconds > self.limits.slow]

    @property
    def troubled(self) -> bool:
        """Whether anything is wrong, or any bound is passed."""
        return bool(
            self.loading or self.full or self.evicting or self.crowded or self.unsaved or self.cut_off or self.lonely
            or self.behind or self.sluggish or self.cluster_state == "fail"
            or (self.ping_seconds or 0) > self.limits.ping
        )  # fmt: skip
