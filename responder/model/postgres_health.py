"""What is known of a PostgreSQL server: the shape of `postgres.health`, and what of it is past its bounds."""

from collections.abc import Mapping, Sequence

from pydantic import AwareDatetime, Field

from responder.model.evidence import Shape
from responder.model.postgres import (
    PostgresCount,
    PostgresDatabase,
    PostgresIndex,
    PostgresLock,
    PostgresReplica,
    PostgresSession,
    PostgresSlot,
    PostgresStatement,
    PostgresTable,
)
from responder.model.record import Record
from responder.model.sql import is_query

WRAPAROUND = 2**31
"""Transactions after which ids would wrap around; PostgreSQL stops writing about three million before."""
IDLE = "idle in transaction"


class PostgresLimits(Record):
    """The bounds past which something counts as trouble: ratios of 1, seconds, bytes."""

    connections: float = 0.8
    transaction: float = 300.0
    idle_in_transaction: float = 60.0
    lock_wait: float = 5.0
    statement: float = 1.0
    replication_lag: float = 60.0
    slot_bytes: int = 10 * 1024**3
    disk: float = 0.85
    wraparound: float = 0.5


class PostgresHealth(Shape):
    """A server's state as a database administrator looks at it. Sequences are cut, the worst first."""

    name: str = ""
    place: str
    database: str = ""
    version: str = ""
    version_number: int = 0
    in_recovery: bool = False
    read_only: bool = False
    started_at: AwareDatetime | None = None
    uptime_seconds: float = 0.0
    connections: int = 0
    max_connections: int = 0
    reserved_connections: int = 0
    connections_used: float = 0.0
    by_state: Mapping[str, int] = Field(default_factory=dict)
    by_application: tuple[PostgresCount, ...] = ()
    by_user: tuple[PostgresCount, ...] = ()
    by_database: tuple[PostgresCount, ...] = ()
    transactions: tuple[PostgresSession, ...] = ()
    locks: tuple[PostgresLock, ...] = ()
    statements: tuple[PostgresStatement, ...] = ()
    tables: tuple[PostgresTable, ...] = ()
    indexes: tuple[PostgresIndex, ...] = ()
    replicas: tuple[PostgresReplica, ...] = ()
    slots: tuple[PostgresSlot, ...] = ()
    receiving: bool | None = None
    behind_seconds: float | None = None
    databases: tuple[PostgresDatabase, ...] = ()
    tablespaces_bytes: int | None = None
    wal_bytes: int | None = None
    disk_bytes: int | None = None
    disk_size: int | None = None
    disk_used: float | None = None
    deadlocks: int = 0
    hit_ratio: float | None = None
    wraparound_age: int = 0
    wraparound_used: float = 0.0
    checkpoints_timed: int | None = None
    checkpoints_requested: int | None = None
    limits: PostgresLimits = PostgresLimits()

    @property
    def crowded(self) -> bool:
        """Whether its sessions are nearly all in use."""
        return self.connections_used > self.limits.connections

    @property
    def long_transactions(self) -> Sequence[PostgresSession]:
        """Transactions that are open for too long, whatever they do."""
        return [item for item in self.transactions if item.seconds > self.limits.transaction and item not in self.idle]

    @property
    def idle(self) -> Sequence[PostgresSession]:
        """Transactions that are open and wait for their client for too long."""
        limit = self.limits.idle_in_transaction
        return [item for item in self.transactions if item.state.startswith(IDLE) and item.state_seconds > limit]

    @property
    def blocked(self) -> Sequence[PostgresLock]:
        """Sessions that wait for a lock for too long."""
        return [item for item in self.locks if item.seconds > self.limits.lock_wait]

    @property
    def slow(self) -> Sequence[PostgresStatement]:
        """Queries that take too long on average."""
        return [
            item for item in self.statements if item.mean_seconds > self.limits.statement and is_query(item.statement)
        ]

    @property
    def behind(self) -> Sequence[PostgresReplica]:
        """Replicas that are too far behind."""
        return [item for item in self.replicas if (item.behind_seconds or 0) > self.limits.replication_lag]

    @property
    def late(self) -> bool:
        """Whether it is a replica that is too far behind."""
        return self.in_recovery and (self.behind_seconds or 0) > self.limits.replication_lag

    @property
    def hoarding(self) -> Sequence[PostgresSlot]:
        """Slots that keep too much WAL."""
        return [item for item in self.slots if (item.kept_bytes or 0) > self.limits.slot_bytes]

    @property
    def full(self) -> bool:
        """Whether what it stores nearly fills the disk that it is said to have."""
        return self.disk_used is not None and self.disk_used > self.limits.disk

    @property
    def wrapping(self) -> bool:
        """Whether transaction ids come near their end."""
        return self.wraparound_used > self.limits.wraparound

    @property
    def troubled(self) -> bool:
        """Whether any bound is passed."""
        return bool(
            self.crowded or self.long_transactions or self.idle or self.blocked or self.slow or self.behind
            or self.late or self.hoarding or self.full or self.wrapping
        )  # fmt: skip
