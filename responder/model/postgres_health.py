"""What is known of a PostgreSQL server: the shape of `postgres.health`, and what of it is past its bounds."""

import re
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
    PostgresTemporary,
)
from responder.model.record import Record
from responder.model.sql import alike, is_query

WRAPAROUND = 2**31
"""Transactions after which ids would wrap around; PostgreSQL stops writing about three million before."""
IDLE = "idle in transaction"
FEW_ROWS = 10_000
"""Dead rows that slow no statement down."""
LITTLE = 0.05
"""Part of a disk that is nearly full that is not worth a word."""
_WORDS = re.compile(r"\w+")


class PostgresLimits(Record):
    """The bounds past which something counts as trouble: ratios of 1, seconds, bytes."""

    connections: float = 0.8
    transaction: float = 300.0
    idle_in_transaction: float = 60.0
    lock_wait: float = 5.0
    statement: float = 1.0
    running: float = 10.0
    replication_lag: float = 60.0
    slot_bytes: int = 10 * 1024**3
    disk: float = 0.85
    wraparound: float = 0.5
    dead_rows: float = 0.5
    waste_bytes: int = 1024**3
    unused: float = 7 * 86400.0


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
    temporary: tuple[PostgresTemporary, ...] = ()
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
        return self.connections_used > self.limits.connections or self.exhausted

    @property
    def exhausted(self) -> bool:
        """Whether all that are not reserved are in use: the one that asks has the last."""
        return 0 < self.max_connections - self.reserved_connections <= self.connections + 1

    @property
    def long_transactions(self) -> Sequence[PostgresSession]:
        """Transactions that are open for too long, whatever they do but wait for a lock: those are `blocked`."""
        return [
            item
            for item in self.transactions
            if item.seconds > self.limits.transaction and item not in self.idle and not item.waits_for_lock
        ]

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
    def longest_queue(self) -> Sequence[PostgresLock]:
        """Those that wait for too long, directly or not, for the one session that keeps the most of them waiting."""
        waits = {item.pid: item for item in reversed(self.locks)}
        queues: dict[int, dict[int, PostgresLock]] = {}
        for item in self.blocked:
            seen, last = {item.pid}, item
            while last.blocker_pid in waits and last.blocker_pid not in seen:
                seen.add(last.blocker_pid)
                last = waits[last.blocker_pid]
            queues.setdefault(last.blocker_pid, {})[item.pid] = item
        longest = max(queues.values(), key=len, default={})
        # first who waits for that session itself
        return sorted(longest.values(), key=lambda item: (item.blocker_pid not in queues, -item.seconds))

    @property
    def slow(self) -> Sequence[PostgresStatement]:
        """Queries that take too long now, unless they wait for locks."""
        waiting = {alike(item.statement) for item in self.locks}
        late = [item for item in self.statements if item.mean_seconds > self.limits.statement]
        return [item for item in late if is_query(item.statement) and alike(item.statement) not in waiting]

    @property
    def running(self) -> Sequence[PostgresSession]:
        """Queries that have been running for too long and wait for no lock, the longest first."""
        late = [item for item in self.transactions if item.statement_seconds > self.limits.running]
        busy = [item for item in late if item.state == "active" and not item.waits_for_lock]
        return sorted((item for item in busy if is_query(item.statement)), key=lambda item: -item.statement_seconds)

    @property
    def bloated(self) -> Sequence[PostgresTable]:
        """Tables with so many dead rows that it matters: to the disk, or to a statement that is slow."""
        late = [item.statement for item in self.slow] + [item.statement for item in self.running]
        words = _WORDS.findall(" ".join(late))
        return [
            item
            for item in self.tables
            if item.dead_ratio >= self.limits.dead_rows
            and (self._matters(item.dead_bytes) or (item.name in words and item.dead_rows >= FEW_ROWS))
        ]

    @property
    def spilling(self) -> Sequence[PostgresTemporary]:
        """Sessions with temporary files, where those take so much room that it matters."""
        return self.temporary if self._matters(sum(item.bytes for item in self.temporary)) else ()

    @property
    def unused(self) -> Sequence[PostgresIndex]:
        """Indexes that nobody has used for long, where they take so much room that it matters."""
        own = next((item for item in self.databases if item.name == self.database), None)
        if own is None or own.counted_seconds < self.limits.unused:
            return ()
        never = [item for item in self.indexes if item.scans == 0 and not item.unique]
        return never if self._matters(sum(item.bytes for item in never)) else ()

    def _matters(self, size: float) -> bool:
        return size > self.limits.waste_bytes or (self.full and size > LITTLE * (self.disk_bytes or 0))

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
            self.crowded or self.long_transactions or self.idle or self.blocked or self.slow or self.running
            or self.behind or self.bloated or self.spilling or self.unused or self.late
            or self.hoarding or self.full or self.wrapping
        )  # fmt: skip
