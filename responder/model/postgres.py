"""What is known of a PostgreSQL server: the shapes of `postgres.health` and `postgres.query`."""

import re
from collections.abc import Mapping, Sequence

from pydantic import AwareDatetime, Field, JsonValue

from responder.model.evidence import Shape
from responder.model.record import Record

LONGEST_STATEMENT = 300
WRAPAROUND = 2**31
"""Transactions after which ids would wrap around; PostgreSQL stops writing about three million before."""
IDLE = "idle in transaction"
_QUERY = re.compile(r"(?i)[\s(]*(?:SELECT|INSERT|UPDATE|DELETE|MERGE|WITH|VALUES|TABLE|FETCH|CALL|EXECUTE)\b|<")
_LITERALS = re.compile(
    r"""--[^\n]*|/\*.*?(?:\*/|\Z)|\$(?P<tag>(?:[A-Za-z_]\w*)?)\$.*?(?:\$(?P=tag)\$|\Z)"""
    r"""|(?P<escape>[eE]'(?:\\.|''|[^'\\])*(?:'|\Z))|(?:[bBxXnN]|[uU]&)?'(?:''|[^'])*(?:'|\Z)"""
    r"""|(?P<keep>"(?:""|[^"])*"|\$\d+|[A-Za-z_]\w*)|\d+(?:\.\d+)?(?:[eE][-+]?\d+)?""",
    re.DOTALL,
)


def masked(statement: str) -> str:
    """A statement on one line without comments and values, cut where it is long: values may be secrets."""
    text = " ".join(_LITERALS.sub(_hide, statement).split())
    return text if len(text) <= LONGEST_STATEMENT else f"{text[: LONGEST_STATEMENT - 1]}…"


def _hide(found: re.Match[str]) -> str:
    if found["keep"]:
        return found[0]
    return " " if found[0].startswith(("--", "/*")) else "?"


class PostgresRows(Shape):
    """The answer to a statement."""

    server: str = ""
    columns: tuple[str, ...] = ()
    rows: tuple[Mapping[str, JsonValue], ...] = ()


class PostgresCount(Record):
    """How many sessions an application, a user or a database has."""

    name: str
    sessions: int


class PostgresSession(Record):
    """A session with an open transaction: how long it is open, and how long it has been in its state."""

    pid: int
    database: str = ""
    user: str = ""
    application: str = ""
    client: str = ""
    state: str = ""
    seconds: float = 0.0
    state_seconds: float = 0.0
    waiting_for: str = ""
    statement: str = ""

    @property
    def who(self) -> str:
        """`pid 4711 (shopkeeper, checkout)`."""
        return f"pid {self.pid} ({', '.join(filter(None, (self.user, self.application)))})"


class PostgresLock(Record):
    """A session that waits for a lock, and one that holds it (pid 0: a prepared transaction)."""

    pid: int
    seconds: float = 0.0
    database: str = ""
    user: str = ""
    application: str = ""
    lock: str = ""
    statement: str = ""
    blocker_pid: int = 0
    blocker_user: str = ""
    blocker_application: str = ""
    blocker_state: str = ""
    blocker_seconds: float | None = None
    blocker_statement: str = ""


class PostgresStatement(Record):
    """A statement as pg_stat_statements counts it since its last reset."""

    statement: str
    database: str = ""
    calls: int
    mean_seconds: float
    total_seconds: float
    rows: int


class PostgresTable(Record):
    """A table with its indexes; `dead_ratio` is the part of its rows that vacuum has yet to remove."""

    schema_name: str
    name: str
    bytes: int
    live_rows: int = 0
    dead_rows: int = 0
    dead_ratio: float = 0.0
    vacuumed_at: AwareDatetime | None = None
    analyzed_at: AwareDatetime | None = None


class PostgresIndex(Record):
    """An index that is seldom used; `unique` ones are needed all the same."""

    schema_name: str
    table: str
    name: str
    scans: int
    bytes: int
    unique: bool = False


class PostgresReplica(Record):
    """Who follows this server, and how far it is behind."""

    application: str = ""
    client: str = ""
    state: str = ""
    sync: str = ""
    behind_bytes: float | None = None
    behind_seconds: float | None = None


class PostgresSlot(Record):
    """A replication slot, and the WAL that is kept for it."""

    name: str
    type: str = ""
    active: bool = False
    kept_bytes: float | None = None
    wal_status: str = ""


class PostgresDatabase(Record):
    """A database, with its counters since `counted_since`."""

    name: str
    bytes: int | None = None
    age: int = 0
    deadlocks: int = 0
    temp_files: int = 0
    temp_bytes: int = 0
    commits: int = 0
    rollbacks: int = 0
    conflicts: int = 0
    hit_ratio: float | None = None
    counted_since: AwareDatetime | None = None


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
        """Queries that take too long on average; that COPY, VACUUM or CREATE INDEX take long is no news."""
        return [
            item
            for item in self.statements
            if item.mean_seconds > self.limits.statement and _QUERY.match(item.statement)
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
