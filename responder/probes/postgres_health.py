"""`postgres.health`: what a database administrator looks at first."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from pydantic import ByteSize, Field, field_validator

from responder.clients import Clients, Postgres, Row, Statement
from responder.errors import Trouble
from responder.model.datastore import Server
from responder.model.evidence import Observation, Reproduction
from responder.model.numbers import shown
from responder.model.postgres import (
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
from responder.model.postgres_health import WRAPAROUND, PostgresHealth, PostgresLimits
from responder.model.runbook import Duration
from responder.probes import Inquiry, Probe
from responder.probes._postgres import questions
from responder.probes._postgres_answers import Answers
from responder.templating import Plain

_LISTED = 6


class PostgresHealthCheck(Probe):
    """A PostgreSQL server: connections, locks, transactions, statements, tables, replication, disk, wraparound.

    `value` is the used part of `max_connections` (0 to 1); `breached` says whether any of the bounds is passed.
    What rights, extension or version do not allow to see is named, the rest is told.
    """

    database: Plain = Field("", description="the server's name in the settings; may be empty where there is one")
    connections: float = Field(0.8, gt=0, le=1, description="used part of max_connections that is too much")
    transaction: Duration = Field(timedelta(minutes=5), description="how long a transaction may be open")
    idle_in_transaction: Duration = Field(
        timedelta(minutes=1), description="how long one may wait for its client with a transaction open"
    )
    lock_wait: Duration = Field(timedelta(seconds=5), description="how long one may wait for a lock")
    statement: Duration = Field(timedelta(seconds=1), description="mean time now of a statement that is too long")
    running: Duration = Field(timedelta(seconds=10), description="how long a statement may have been running")
    watch: Duration = Field(
        timedelta(seconds=1),
        description="for how long statements are watched, to see how long they take now; less than `statement_timeout`",
    )
    replication_lag: Duration = Field(timedelta(minutes=1), description="how far a replica may be behind")
    slot_size: ByteSize = Field(ByteSize(10 * 1024**3), description="WAL that a slot may keep, as `10GiB`")
    disk_size: ByteSize | None = Field(None, description="size of the server's disk, as `100GiB`: SQL cannot see it")
    disk: float = Field(0.85, gt=0, le=1, description="part of the disk that is too much")
    wraparound: float = Field(0.5, gt=0, le=1, description="part of the 2^31 transaction ids that is too much")
    dead_rows: float = Field(0.5, gt=0, le=1, description="part of a table's rows that may be dead")
    waste: ByteSize = Field(
        ByteSize(1024**3),
        description="room that dead rows, temporary files or unused indexes may take; less on a disk that is full",
    )
    unused: Duration = Field(timedelta(days=7), description="an index that was not used for so long is not needed")
    index_scans: int = Field(100, ge=0, description="indexes used less often are listed")

    @field_validator("slot_size", "disk_size", "waste", mode="before")
    @classmethod
    def _as_kubernetes_writes_it(cls, size: Any) -> Any:
        if size == "":
            return None
        return f"{size}B" if isinstance(size, str) and size.endswith("i") else size

    async def run(self, inquiry: Inquiry, clients: Clients) -> Observation:
        server = clients.postgres(self.database)
        given = await server.read(self._questions)
        if isinstance(trouble := given.get("server"), Trouble):
            raise trouble
        answers = Answers(given)
        health = self._health(server, answers)
        return Observation(
            summary=_summary(health),
            data=health,
            facts=tuple(_facts(health))[:_LISTED],
            value=health.connections_used,
            breached=health.troubled,
            gaps=tuple(answers.gaps()),
        )

    def reproduce(self, inquiry: Inquiry, clients: Clients) -> tuple[Reproduction, ...]:
        statements = (
            " ".join(question.sql.split()) for question in self._questions.values() if question.for_every_version
        )
        return (Reproduction(command=clients.postgres(self.database).psql(*statements)),)

    @property
    def _questions(self) -> Mapping[str, Statement]:
        return questions(self.watch.total_seconds())

    @property
    def _limits(self) -> PostgresLimits:
        return PostgresLimits(
            connections=self.connections,
            transaction=self.transaction.total_seconds(),
            idle_in_transaction=self.idle_in_transaction.total_seconds(),
            lock_wait=self.lock_wait.total_seconds(),
            statement=self.statement.total_seconds(),
            running=self.running.total_seconds(),
            replication_lag=self.replication_lag.total_seconds(),
            slot_bytes=int(self.slot_size),
            disk=self.disk,
            wraparound=self.wraparound,
            dead_rows=self.dead_rows,
            waste_bytes=int(self.waste),
            unused=self.unused.total_seconds(),
        )

    def _health(self, server: Postgres, answers: Answers) -> PostgresHealth:
        known = answers.first("server")
        most, connections = known.get("max_connections", 0), known.get("connections", 0)
        databases = answers.records("databases", PostgresDatabase)
        own = next((item for item in databases if item.name == known.get("database")), None)
        age = max((item.age for item in databases), default=0)
        disk = answers.first("tablespaces", "WAL")
        used = disk["tablespaces_bytes"] + disk.get("wal_bytes", 0) if disk.get("tablespaces_bytes") else None
        indexes = answers.records("indexes", PostgresIndex)
        return PostgresHealth(
            name=server.name,
            place=server.place,
            **known,
            connections_used=round(connections / most, 4) if most else 0.0,
            **_counted(answers.rows("sessions")),
            transactions=answers.records("transactions", PostgresSession),
            locks=answers.records("locks", PostgresLock),
            statements=answers.records("slow statements", PostgresStatement),
            tables=answers.records("tables", PostgresTable),
            indexes=tuple(index for index in indexes if index.scans < self.index_scans),
            temporary=answers.records("temporary files", PostgresTemporary),
            replicas=answers.records("replicas", PostgresReplica),
            slots=answers.records("replication slots", PostgresSlot),
            **answers.first("standby"),
            databases=databases,
            **disk,
            disk_bytes=used,
            disk_size=int(self.disk_size) if self.disk_size else None,
            disk_used=round(used / self.disk_size, 4) if used and self.disk_size else None,
            deadlocks=own.deadlocks if own else 0,
            hit_ratio=own.hit_ratio if own else None,
            wraparound_age=age,
            wraparound_used=round(age / WRAPAROUND, 4),
            **answers.first("checkpoints", "checkpoints since version 17"),
            limits=self._limits,
        )


def _counted(rows: Sequence[Row]) -> dict[str, Any]:
    counted: dict[str, Counter[str]] = {}
    for row in rows:
        for name in ("state", "application", "user", "database"):
            counted.setdefault(f"by_{name}", Counter())[row.get(name) or "unknown"] += row.get("count") or 0
    most = {name: counts.most_common(20) for name, counts in counted.items()}
    return {
        name: dict(counts) if name == "by_state" else [{"name": key, "sessions": count} for key, count in counts]
        for name, counts in most.items()
    }


def _summary(health: PostgresHealth) -> str:
    server = Server("PostgreSQL", health.name, health.place)
    text = f"{server}: {health.connections} of {health.max_connections} connections"
    if health.in_recovery:
        text += ", a replica"
    elif health.read_only:
        text += ", read-only by default"
    worst = next(_facts(health), "") if health.troubled else ""
    return f"{text}; {worst}" if worst else f"{text}, version {health.version}, up {_span(health.uptime_seconds)}"


def _facts(health: PostgresHealth) -> Iterator[str]:
    """What is past its bound, the worst first; then how it is used."""
    if health.crowded:
        who = ", ".join(f"{item.name} {item.sessions}" for item in health.by_application[:3])
        yield f"{shown(health.connections_used, 'ratio')} of the connections are in use: {who}"
    for lock in health.blocked[:3]:
        held = f"pid {lock.blocker_pid} ({lock.blocker_user}, {lock.blocker_state or 'prepared transaction'})"
        yield f"pid {lock.pid} has waited {_span(lock.seconds)} for a lock ({lock.lock}) that {held} holds"
    if health.full:
        used = f"{shown(health.disk_bytes or 0, 'bytes')} of {shown(health.disk_size or 0, 'bytes')}"
        yield f"{used} are stored, {shown(health.disk_used or 0, 'ratio')} of the disk"
    if health.wrapping:
        yield f"oldest transaction id is {health.wraparound_age} old, {shown(health.wraparound_used, 'ratio')} of all"
    for session in (*health.idle, *health.long_transactions)[:3]:
        yield f"{session.who} has a transaction open for {_span(session.seconds)}, {session.state}: {session.statement}"
    yield from _work(health)
    for replica in health.behind[:3]:
        yield f"replica {replica.application or replica.client} is {_span(replica.behind_seconds or 0)} behind"
    if health.late:
        yield f"this replica is {_span(health.behind_seconds or 0)} behind"
    for slot in health.hoarding[:3]:
        yield f"slot {slot.name} keeps {shown(slot.kept_bytes or 0, 'bytes')} of WAL"
    yield ", ".join(f"{count} {state}" for state, count in health.by_state.items()) or "no other sessions"
    if health.hit_ratio is not None:
        yield f"{shown(health.hit_ratio, 'ratio')} of reads come from its cache, {health.deadlocks} deadlocks so far"


def _work(health: PostgresHealth) -> Iterator[str]:
    """Statements that are slow, and what is left of others."""
    for slow in health.slow[:3]:
        yield f"{_span(slow.mean_seconds)} on average now, {slow.calls} calls: {slow.statement}"
    for session in health.running[:3]:
        yield f"{session.who} has been running for {_span(session.statement_seconds)}: {session.statement}"
    if health.spilling:
        yield f"{_size(health.spilling)} of temporary files, most of pid {health.spilling[0].pid}"
    for table in health.bloated[:3]:
        yield f"{shown(table.dead_ratio, 'ratio')} of the rows of {table.schema_name}.{table.name} are dead"
    if health.unused:
        yield f"{_size(health.unused)} of indexes that nobody uses"


def _size(items: Sequence[PostgresTemporary] | Sequence[PostgresIndex]) -> str:
    return shown(sum(item.bytes for item in items), "bytes")


def _span(seconds: float) -> str:
    return shown(seconds, "seconds")
