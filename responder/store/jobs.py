"""Work that must happen: kind, key and due time, deferred in the transaction that demands it.

One row for each kind and key: deferring again while it waits keeps the earlier due time; while it runs,
it makes it run once more.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, delete, func, select, tuple_, update
from sqlalchemy.dialects.sqlite import insert

from responder.store.database import announce
from responder.store.tables import jobs


@dataclass(frozen=True)
class Job:
    """A job that is due. `generation` tells whether it was deferred again since it was claimed."""

    kind: str
    key: str
    lane: str
    due_at: datetime
    generation: int
    attempts: int


def defer(connection: Connection, kind: str, key: str, due_at: datetime, now: datetime, lane: str = "") -> None:
    """Have the job done when it is due. The lane names what it depends on, so that one that hangs holds up its own."""
    row = {
        "kind": kind,
        "key": key,
        "lane": lane,
        "due_at": due_at,
        "deferred_at": now,
        "generation": 1,
        "attempts": 0,
        "trouble": "",
    }
    statement = insert(jobs).values(row)
    again = statement.on_conflict_do_update(
        index_elements=["kind", "key"],
        set_={
            "due_at": func.min(jobs.c.due_at, statement.excluded.due_at),
            "generation": jobs.c.generation + 1,
            "attempts": 0,
        },
    )
    connection.execute(again)
    announce(connection, "jobs")


def due(
    connection: Connection,
    now: datetime,
    kinds: Collection[str],
    busy: Collection[tuple[str, str]],
    full: Collection[tuple[str, str]],
    limit: int,
) -> list[Job]:
    """Jobs of these kinds that are due, longest due first; not the busy ones, nor those in a full (kind, lane)."""
    waiting = _free(kinds, busy, full).where(jobs.c.due_at <= now).order_by(jobs.c.due_at).limit(limit)
    return [
        Job(row.kind, row.key, row.lane, row.due_at, row.generation, row.attempts)
        for row in connection.execute(waiting)
    ]


def next_due(
    connection: Connection, kinds: Collection[str], busy: Collection[tuple[str, str]], after: datetime
) -> datetime | None:
    """When the next job of these kinds becomes due that is not busy."""
    waiting = _free(kinds, busy, ()).where(jobs.c.due_at > after).order_by(jobs.c.due_at).limit(1)
    row = connection.execute(waiting).one_or_none()
    return row.due_at if row else None


def finish(connection: Connection, job: Job, again: datetime | None = None) -> None:
    """The job is done, or is to be done again then; deferred meanwhile, it stays and is due at once."""
    unchanged = _same(job) & (jobs.c.generation == job.generation)
    if again is None:
        connection.execute(delete(jobs).where(unchanged))
    else:
        connection.execute(update(jobs).where(unchanged).values(due_at=again, attempts=0, trouble=""))
    announce(connection, "jobs")


def retry(connection: Connection, job: Job, due_at: datetime, trouble: str) -> None:
    """The job failed; try again later."""
    again = update(jobs).where(_same(job), jobs.c.generation == job.generation)
    connection.execute(again.values(due_at=due_at, attempts=job.attempts + 1, trouble=trouble))
    announce(connection, "jobs")


def depth(connection: Connection) -> dict[str, int]:
    """How many jobs of each kind wait or run."""
    counted = select(jobs.c.kind, func.count()).group_by(jobs.c.kind)
    return {row[0]: row[1] for row in connection.execute(counted)}


def oldest_due(connection: Connection, now: datetime) -> datetime | None:
    """Since when the longest waiting job has been due."""
    return connection.scalar(select(jobs.c.due_at).where(jobs.c.due_at <= now).order_by(jobs.c.due_at).limit(1))


def _same(job: Job) -> ColumnElement[bool]:
    return (jobs.c.kind == job.kind) & (jobs.c.key == job.key)


def _free(kinds: Collection[str], busy: Collection[tuple[str, str]], full: Collection[tuple[str, str]]) -> Select[Any]:
    free = select(jobs).where(jobs.c.kind.in_(kinds))
    if busy:
        free = free.where(tuple_(jobs.c.kind, jobs.c.key).not_in(list(busy)))
    return free.where(tuple_(jobs.c.kind, jobs.c.lane).not_in(list(full))) if full else free
