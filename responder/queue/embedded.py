"""The queue of a single process: a claim is a row in memory, so nothing has to be released after a crash."""

import asyncio
import random
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta

import structlog

from responder.clock import Clock
from responder.errors import Permanent, Temporary
from responder.metrics import Metrics, begin
from responder.queue import Handler
from responder.store import jobs
from responder.store.database import Database
from responder.store.jobs import Job

log = structlog.get_logger(__name__)

LONGEST_PAUSE = 300.0
IDLE = 60.0


class EmbeddedQueue:
    """Runs at most `workers` jobs at once.

    A kind may have a smaller share, and so has each lane of it, so that what hangs cannot starve others.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        metrics: Metrics,
        *,
        workers: int,
        shares: Mapping[str, int] | None = None,
        lane: int | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._metrics = metrics
        self._workers = workers
        self._shares = dict(shares or {})
        self._lane = lane or workers
        self._busy: dict[tuple[str, str], Job] = {}
        self._changed = asyncio.Event()
        self._draining = False
        self._kinds: set[str] = set()

    async def run(self, handlers: Mapping[str, Handler]) -> None:
        begin(self._metrics.jobs, handlers, ("done", "failed", "given_up"))
        stop_listening = self._database.listen("jobs", lambda _payload: self._changed.set())
        try:
            async with asyncio.TaskGroup() as group:
                while not self._draining:
                    self._changed.clear()
                    pause = await self._start_due(group, handlers)
                    await self._wait(pause)
        finally:
            stop_listening()

    def drain(self) -> None:
        self._draining = True
        self._changed.set()

    async def _wait(self, pause: float) -> None:
        sleep = asyncio.ensure_future(self._clock.sleep(pause))
        change = asyncio.ensure_future(self._changed.wait())
        try:
            await asyncio.wait((sleep, change), return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleep.cancel()
            change.cancel()

    async def _start_due(self, group: asyncio.TaskGroup, handlers: Mapping[str, Handler]) -> float:
        """Start what is due; returns the seconds until the next job is."""
        now = self._clock.now()
        kinds = [kind for kind in handlers if self._room(kind) > 0]
        room = self._workers - len(self._busy)
        if room <= 0 or not kinds:
            return IDLE
        busy = tuple(self._busy)
        full = [lane for lane, running in self._lanes().items() if running >= self._lane]
        try:
            found = await self._database.read(lambda connection: jobs.due(connection, now, kinds, busy, full, room))
            next_due = await self._database.read(lambda connection: jobs.next_due(connection, kinds, busy, now))
            await self._count(now)
        except Temporary as error:
            log.warning("queue.unreadable", error=str(error))
            return 1.0
        left_out = False
        for job in found:
            if self._room(job.kind) > 0 and self._lanes()[job.kind, job.lane] < self._lane:
                self._busy[job.kind, job.key] = job
                group.create_task(self._do(job, handlers[job.kind]), name=f"{job.kind} {job.key}")
            else:
                left_out = True
        if left_out:
            # behind those of a full lane there may be others
            return 0.0
        return min(IDLE, (next_due - now).total_seconds()) if next_due else IDLE

    def _room(self, kind: str) -> int:
        running = sum(1 for busy_kind, _ in self._busy if busy_kind == kind)
        return self._shares.get(kind, self._workers) - running

    def _lanes(self) -> Counter[tuple[str, str]]:
        """How many jobs run in each lane."""
        return Counter((job.kind, job.lane) for job in self._busy.values())

    async def _do(self, job: Job, handler: Handler) -> None:
        try:
            with structlog.contextvars.bound_contextvars(job=job.kind, key=job.key):
                again = await handler(job.key)
                outcome = "done"
                await self._database.write(lambda connection: jobs.finish(connection, job, again))
        except Permanent as error:
            outcome = "given_up"
            log.error("queue.job_given_up", kind=job.kind, key=job.key, error=str(error))
            await self._settle(job, None, str(error))
        except Exception as error:
            outcome = "failed"
            pause = _pause(job, error)
            log.warning(
                "queue.job_failed",
                kind=job.kind,
                key=job.key,
                again_in=round(pause, 1),
                error=str(error) or type(error).__name__,
                exc_info=not isinstance(error, Temporary),
            )
            await self._settle(job, pause, str(error))
        finally:
            self._busy.pop((job.kind, job.key), None)
            self._changed.set()
        self._metrics.jobs.labels(job.kind, outcome).inc()

    async def _settle(self, job: Job, pause: float | None, trouble: str) -> None:
        """Have the job tried again after the pause, or never; if the database is away it stays as it is."""
        again = None if pause is None else self._clock.now() + timedelta(seconds=pause)
        try:
            if again is None:
                await self._database.write(lambda connection: jobs.finish(connection, job))
            else:
                await self._database.write(lambda connection: jobs.retry(connection, job, again, trouble[:256]))
        except Temporary:
            log.warning("queue.unwritable", kind=job.kind, key=job.key)
            await self._clock.sleep(min(5.0, pause or 1.0))

    async def _count(self, now: object) -> None:
        depth = await self._database.read(jobs.depth)
        for kind in self._kinds | set(depth):
            self._metrics.jobs_pending.labels(kind).set(depth.get(kind, 0))
        self._kinds |= set(depth)


def _pause(job: Job, error: Exception) -> float:
    """Seconds until the next try: what the other side asked for, else 0.5 s doubled, with jitter."""
    if isinstance(error, Temporary) and error.after is not None:
        return min(LONGEST_PAUSE, max(0.1, error.after))
    grown = min(LONGEST_PAUSE, 0.5 * 2.0 ** min(job.attempts, 12))
    return grown * random.uniform(0.75, 1.25)  # noqa: S311 - jitter, not a secret
