"""What fills PostgreSQL's disk, what of it is waste, and what its transaction ids come to."""

from collections.abc import Iterator

from responder.detectors._datastores import cause
from responder.detectors._writing import LIKELY, POSSIBLE, because, found, plural, quote
from responder.model.finding import Finding
from responder.model.numbers import shown
from responder.model.postgres_health import PostgresHealth
from responder.model.subject import Subject

DISK = cause(
    "postgres-disk-nearly-full", "PostgreSQL's disk is nearly full",
    "Without room for WAL the server stops.", "df -h on the data directory; SELECT pg_database_size(datname)",
    "Enlarge the volume; drop what is not needed and the slots that keep WAL. Never delete files of pg_wal",
    symptom_of=("postgres-slot-keeps-wal", "postgres-bloat", "postgres-temporary-files"),
)  # fmt: skip
SLOT = cause(
    "postgres-slot-keeps-wal", "A replication slot of PostgreSQL keeps much WAL",
    "Whoever reads the slot is gone or slow; the WAL it has not read fills the disk.",
    "SELECT slot_name, active, restart_lsn FROM pg_replication_slots",
    "Start its reader again, or drop the slot with pg_drop_replication_slot; set max_slot_wal_keep_size",
)  # fmt: skip
WRAPAROUND = cause(
    "postgres-wraparound", "PostgreSQL's transaction ids come near their end",
    "Before they wrap around the server takes no more writes.",
    "SELECT datname, age(datfrozenxid) FROM pg_database",
    "Remove what holds vacuum back (long transactions, slots, prepared transactions), then VACUUM FREEZE",
    symptom_of=("postgres-long-transaction", "postgres-idle-transaction"),
)  # fmt: skip
BLOAT = cause(
    "postgres-bloat", "Tables of PostgreSQL are mostly dead rows",
    "Rows that were changed or deleted are still there: they take room, and every scan reads them.",
    "SELECT relname, n_dead_tup, n_live_tup, last_autovacuum FROM pg_stat_user_tables",
    "Remove what holds vacuum back, then VACUUM the table; tune autovacuum for it. VACUUM FULL gives room back, "
    "and locks the table meanwhile",
    symptom_of=("postgres-long-transaction", "postgres-idle-transaction", "postgres-slot-keeps-wal"),
)  # fmt: skip
TEMPORARY = cause(
    "postgres-temporary-files", "Statements of PostgreSQL write large temporary files",
    "Sorts and hashes that do not fit into work_mem go to the disk: they are slow, and fill it.",
    "SELECT * FROM pg_ls_tmpdir(); EXPLAIN (ANALYZE, BUFFERS) of the statement",
    "Change the statement, give it an index or more work_mem; set temp_file_limit",
)  # fmt: skip
UNUSED = cause(
    "postgres-unused-indexes", "PostgreSQL keeps large indexes that nobody uses",
    "They take room, and every write has to change them.",
    "SELECT indexrelname, idx_scan FROM pg_stat_user_indexes on the primary and its replicas",
    "Make sure that no replica uses them either, then DROP INDEX CONCURRENTLY",
)  # fmt: skip
CAUSES = (DISK, SLOT, WRAPAROUND, BLOAT, TEMPORARY, UNUSED)


def findings(about: Subject, name: str, health: PostgresHealth) -> Iterator[Finding]:
    if health.full:
        stored = f"{size(health.disk_bytes)} of {size(health.disk_size)} ({shown(health.disk_used or 0, 'ratio')})"
        reasons = [because(f"{stored} are stored, {size(health.wal_bytes)} of it WAL", name)]
        reasons += [
            because(f"table {item.schema_name}.{item.name} has {size(item.bytes)}, "
                    f"{shown(item.dead_ratio, 'ratio')} of its rows dead", name)
            for item in health.tables[:3]
        ]  # fmt: skip
        yield found(DISK, about, LIKELY, f"The disk of {about} is nearly full: {stored}", reasons)
    for slot in health.hoarding:
        reader = "is read" if slot.active else "is not read by anybody"
        headline = f"Slot {slot.name} of {about} keeps {size(slot.kept_bytes)} of WAL and {reader}"
        yield found(
            SLOT, about, LIKELY, headline, [because(f"slot {slot.name}: {size(slot.kept_bytes)}, {reader}", name)],
            next_steps=[f"Start what reads slot {slot.name}; if it is gone for good, drop the slot"],
        )  # fmt: skip
    if health.wrapping:
        oldest = max(health.databases, key=lambda item: item.age)
        age = f"{oldest.age} transactions, {shown(health.wraparound_used, 'ratio')} of all ids"
        headline = f"Transaction ids of {about} come near their end: database {oldest.name} is {age} old"
        yield found(WRAPAROUND, about, LIKELY, headline, [because(f"database {oldest.name}: age {age}", name)])
    yield from _waste(about, name, health)


def _waste(about: Subject, name: str, health: PostgresHealth) -> Iterator[Finding]:
    if bloated := health.bloated:
        reasons = [
            because(f"{item.schema_name}.{item.name}: {item.dead_rows} dead and {item.live_rows} live rows, "
                    f"{size(item.bytes)}, vacuumed {item.vacuumed_at or 'never'}", name)
            for item in bloated[:3]
        ]  # fmt: skip
        first = bloated[0]
        part = shown(first.dead_ratio, "ratio")
        headline = f"{part} of the rows of {first.schema_name}.{first.name} in {about} are dead"
        steps = [f'VACUUM (VERBOSE) "{first.schema_name}"."{first.name}" says what it cannot remove, and why']
        yield found(BLOAT, about, POSSIBLE, headline, reasons, next_steps=steps)
    if spilling := health.spilling:
        total = size(sum(item.bytes for item in spilling))
        reasons = [
            because(f"pid {item.pid} ({item.user}): {size(item.bytes)} in {plural(item.files, 'file')}: "
                    f"{quote(item.statement)}", name)
            for item in spilling[:3]
        ]  # fmt: skip
        steps = [f"SELECT pg_cancel_backend({spilling[0].pid}) ends its statement; ask its owner first"]
        headline = f"Statements of {about} have {total} of temporary files open"
        yield found(TEMPORARY, about, POSSIBLE, headline, reasons, next_steps=steps)
    if unused := health.unused:
        total = size(sum(item.bytes for item in unused))
        reasons = [
            because(f"{item.schema_name}.{item.name} on {item.table}: {size(item.bytes)}, never used", name)
            for item in unused[:3]
        ]
        headline = f"Indexes of {about} that nobody uses take {total}"
        yield found(UNUSED, about, POSSIBLE, headline, reasons)


def size(value: float | None) -> str:
    """A number of bytes, as people read it."""
    return shown(value, "bytes") if value is not None else "an unknown size"
