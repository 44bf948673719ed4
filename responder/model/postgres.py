"""What is known of a PostgreSQL server: the answer to a statement, and the records of `postgres.health`."""

from collections.abc import Mapping

from pydantic import AwareDatetime, JsonValue

from responder.model.evidence import Shape
from responder.model.record import Record


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
    """A session with an open transaction: for how long it, its state and its statement have lasted."""

    pid: int
    database: str = ""
    user: str = ""
    application: str = ""
    client: str = ""
    state: str = ""
    seconds: float
    state_seconds: float
    statement_seconds: float = 0.0
    waiting_for: str = ""
    statement: str = ""

    @property
    def who(self) -> str:
        """`pid 4711 (shopkeeper, checkout)`."""
        return f"pid {self.pid} ({', '.join(filter(None, (self.user, self.application)))})"

    @property
    def waits_for_lock(self) -> bool:
        """Whether it does nothing but wait for a lock."""
        return self.waiting_for.startswith("Lock ")


class PostgresLock(Record):
    """A session that waits for a lock, and one that holds it (pid 0: a prepared transaction)."""

    pid: int
    seconds: float
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
    """A statement that ended while it was watched: how long it took now, and usually since the last reset."""

    statement: str
    database: str = ""
    calls: int
    mean_seconds: float
    usual_seconds: float | None = None
    rows: int
    temp_bytes: int = 0


class PostgresTemporary(Record):
    """Files that a session has written because its work does not fit into work_mem."""

    pid: int
    database: str = ""
    user: str = ""
    application: str = ""
    files: int
    bytes: int
    statement: str = ""


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

    @property
    def dead_bytes(self) -> float:
        """About how much of it is dead rows."""
        return self.bytes * self.dead_ratio


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
    counted_seconds: float = 0.0
