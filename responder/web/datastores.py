"""What is known of a database server as tables. Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Literal

from responder.model.numbers import plain, shown
from responder.model.postgres import PostgresRows
from responder.model.postgres_health import PostgresHealth
from responder.model.record import Record
from responder.model.redis import RedisHealth
from responder.web.blocks import Cell, Column, Table, TableMaker

_CODE = ("statement", "name", "table", "lock", "user", "application", "command", "address")


def postgres(health: PostgresHealth) -> Iterator[Table]:
    """The server at a glance, then what is worth a table; what is seldom needed is folded."""
    disk = f" of {shown(health.disk_size, 'bytes')}" if health.disk_size else ""
    yield _facts(
        health.place,
        {
            "Version": health.version,
            "Role": "replica" if health.in_recovery else "primary",
            "Takes writes": "no" if health.read_only or health.in_recovery else "yes",
            "Up for": shown(health.uptime_seconds, "seconds"),
            "Connections": f"{health.connections} of {health.max_connections}, {health.reserved_connections} reserved",
            "By state": ", ".join(f"{count} {state}" for state, count in health.by_state.items()),
            "By application": ", ".join(f"{item.sessions} {item.name}" for item in health.by_application),
            "By user": ", ".join(f"{item.sessions} {item.name}" for item in health.by_user),
            "Stored": shown(health.disk_bytes, "bytes") + disk if health.disk_bytes is not None else "",
            "WAL": shown(health.wal_bytes, "bytes") if health.wal_bytes is not None else "",
            "Read from its cache": shown(health.hit_ratio, "ratio") if health.hit_ratio is not None else "",
            "Deadlocks so far": str(health.deadlocks),
            "Oldest transaction id": f"{health.wraparound_age}, {shown(health.wraparound_used, 'ratio')} of all",
        },
    )
    yield from _tables(
        ("Who waits for whose lock", health.locks, False),
        ("Open transactions", health.transactions, False),
        ("Slowest statements now", health.statements, False),
        ("Temporary files", health.temporary, False),
        ("Replicas", health.replicas, False),
        ("Replication slots", health.slots, False),
        ("Largest tables", health.tables, True),
        ("Indexes that are seldom used", health.indexes, True),
        ("Databases", health.databases, True),
    )


def rows(answer: PostgresRows) -> Iterator[Table]:
    """The rows as they came."""
    made = TableMaker(answer.server, [Column(name, "code") for name in answer.columns])
    made.rows += [tuple(_cell("", row.get(name)) for name in answer.columns) for row in answer.rows]
    yield made.table()


def redis(health: RedisHealth) -> Iterator[Table]:
    """The server at a glance, its replicas and its slow commands."""
    most = f" of {shown(health.max_memory, 'bytes')}" if health.max_memory else ""
    link = f", link {health.master_link}" if health.master_link else ""
    yield _facts(
        health.place,
        {
            "Version": health.version,
            "PONG": shown(health.ping_seconds, "seconds") if health.ping_seconds is not None else health.ping_error,
            "Role": f"{health.role}{f' of {health.master}{link}' if health.master else ''}",
            "Memory": f"{shown(health.used_memory, 'bytes')}{most}, {health.policy}" if health.used_memory else "",
            "Keys": f"{health.keys if health.keys is not None else 'unknown'}, {health.evicted_keys} evicted so far",
            "Clients": f"{health.clients} of {health.max_clients or 'unknown'}, {health.blocked_clients} blocked, "
            f"{health.rejected_connections} turned away so far",
            "Last save": health.rdb_status,
            "Append-only file": health.aof_status,
            "Reads that find their key": shown(health.hit_ratio, "ratio") if health.hit_ratio is not None else "",
            "Refused so far": ", ".join(f"{count} {name}" for name, count in health.errors.items()),
            "Cluster": health.cluster_state,
        },
    )
    yield from _tables(("Replicas", health.replicas, False), ("Slow commands", health.slow, False))


def _facts(title: str, facts: dict[str, str]) -> Table:
    return Table(
        title, (Column(""), Column("", "wide")), [(Cell(name), Cell(text)) for name, text in facts.items() if text]
    )


def _tables(*parts: tuple[str, Sequence[Record], bool]) -> Iterator[Table]:
    """A table for each sequence of records that has any, with a column for each field that says something."""
    for title, records, folded in parts:
        if not records:
            continue
        names = [
            name
            for name in type(records[0]).model_fields
            if any(getattr(item, name) not in ("", None) for item in records)
        ]
        cells = [tuple(_cell(name, getattr(item, name)) for name in names) for item in records]
        yield Table(title, [Column(_title(name), _form(name, records)) for name in names], cells, folded=folded)


def _title(name: str) -> str:
    return name.removesuffix("_name").replace("_", " ").capitalize()


def _form(name: str, records: Sequence[Record]) -> Literal["", "number", "code", "wide"]:
    if all(isinstance(getattr(item, name), int | float) for item in records) and name != "pid":
        return "number"
    return "code" if name.rpartition("_")[2] in _CODE else ""


def _cell(name: str, value: object) -> Cell:
    match value:
        case None:
            return Cell("")
        case bool():
            return Cell("yes" if value else "no")
        case datetime():
            return Cell(at=value)
        case int() | float():
            unit = name.rpartition("_")[2]
            return Cell(shown(value, unit) if unit in ("seconds", "bytes", "ratio") else plain(value))
        case _:
            return Cell(str(value))
