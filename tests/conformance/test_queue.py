"""What every queue does with jobs. One suite over all of them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from responder.clock import SystemClock
from responder.errors import Permanent, Reason, Temporary
from responder.metrics import Metrics
from responder.queue import Handler, Queue
from responder.queue.embedded import EmbeddedQueue
from responder.store import jobs
from responder.store.database import Database

MakeQueue = Callable[..., Queue]


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/responder.db")
    await database.open()
    yield database
    await database.close()


@pytest.fixture(params=["embedded"])
def make_queue(request: pytest.FixtureRequest, database: Database) -> MakeQueue:
    kinds = {"embedded": EmbeddedQueue}
    return lambda **options: kinds[request.param](database, SystemClock(), Metrics(), **({"workers": 8} | options))


async def defer(database: Database, kind: str, key: str, seconds: float = 0, lane: str = "") -> None:
    now = SystemClock().now()
    await database.write(lambda c: jobs.defer(c, kind, key, now + timedelta(seconds=seconds), now, lane))


class Running:
    """A queue that runs until the block ends; then it drains."""

    def __init__(self, queue: Queue, **handlers: Handler) -> None:
        self._queue, self._handlers = queue, handlers

    async def __aenter__(self) -> None:
        self._task = asyncio.create_task(self._queue.run(self._handlers))

    async def __aexit__(self, *_: object) -> None:
        self._queue.drain()
        async with asyncio.timeout(10):
            await self._task


class Recorder:
    """A handler that notes its keys and can be told to fail."""

    def __init__(self, *failures: Exception) -> None:
        self.keys: list[str] = []
        self.failures = list(failures)
        self.called = asyncio.Condition()

    async def __call__(self, key: str) -> datetime | None:
        async with self.called:
            self.keys.append(key)
            self.called.notify_all()
        if self.failures:
            raise self.failures.pop(0)
        return None

    async def wait_for(self, calls: int) -> None:
        async with asyncio.timeout(10), self.called:
            await self.called.wait_for(lambda: len(self.keys) >= calls)


async def jobs_left(database: Database, expected: int) -> int:
    for _ in range(200):
        left = sum((await database.read(jobs.depth)).values())
        if left == expected:
            break
        await asyncio.sleep(0.02)
    return left


async def test_a_job_is_done_once_and_then_gone(database: Database, make_queue: MakeQueue) -> None:
    handler = Recorder()
    async with Running(make_queue(), greet=handler):
        await defer(database, "greet", "a")
        await handler.wait_for(1)
        assert await jobs_left(database, 0) == 0
    assert handler.keys == ["a"]


async def test_a_job_deferred_before_the_start_is_done_after_it(database: Database, make_queue: MakeQueue) -> None:
    await defer(database, "greet", "a")
    handler = Recorder()
    async with Running(make_queue(), greet=handler):
        await handler.wait_for(1)


async def test_a_job_waits_until_it_is_due(database: Database, make_queue: MakeQueue) -> None:
    handler = Recorder()
    async with Running(make_queue(), greet=handler):
        await defer(database, "greet", "later", 0.3)
        await defer(database, "greet", "now")
        await handler.wait_for(2)
    assert handler.keys == ["now", "later"]


async def test_deferring_twice_while_it_waits_runs_it_once_at_the_earlier_time(
    database: Database, make_queue: MakeQueue
) -> None:
    await defer(database, "greet", "a", 3600)
    await defer(database, "greet", "a")
    handler = Recorder()
    async with Running(make_queue(), greet=handler):
        await handler.wait_for(1)
        assert await jobs_left(database, 0) == 0
    assert handler.keys == ["a"]


async def test_deferring_while_it_runs_runs_it_again_afterwards(database: Database, make_queue: MakeQueue) -> None:
    calls: list[str] = []
    done = asyncio.Event()

    async def handler(key: str) -> None:
        calls.append(key)
        if len(calls) == 1:
            await defer(database, "greet", "a")
        else:
            done.set()

    async with Running(make_queue(), greet=handler):
        await defer(database, "greet", "a")
        async with asyncio.timeout(10):
            await done.wait()
        assert await jobs_left(database, 0) == 0
    assert calls == ["a", "a"]


async def test_one_key_never_runs_twice_at_once(database: Database, make_queue: MakeQueue) -> None:
    running = overlaps = runs = 0

    async def handler(key: str) -> None:
        nonlocal running, overlaps, runs
        running += 1
        overlaps = max(overlaps, running)
        await asyncio.sleep(0.02)
        running -= 1
        runs += 1

    async with Running(make_queue(), greet=handler):
        for _ in range(5):
            await defer(database, "greet", "a")
            await asyncio.sleep(0.01)
        assert await jobs_left(database, 0) == 0
    assert overlaps == 1
    assert runs >= 2


async def test_a_failed_job_is_tried_again(database: Database, make_queue: MakeQueue) -> None:
    handler = Recorder(Temporary("busy", Reason.OVERLOADED, after=0.1), RuntimeError("bug"))
    async with Running(make_queue(), greet=handler):
        await defer(database, "greet", "a")
        await handler.wait_for(3)
        assert await jobs_left(database, 0) == 0
    assert handler.keys == ["a", "a", "a"]


async def test_a_job_that_can_never_work_is_given_up(database: Database, make_queue: MakeQueue) -> None:
    handler = Recorder(Permanent("gone", Reason.NOT_FOUND))
    async with Running(make_queue(), greet=handler):
        await defer(database, "greet", "a")
        await handler.wait_for(1)
        assert await jobs_left(database, 0) == 0
    assert handler.keys == ["a"]


async def test_a_handler_may_ask_for_the_next_time(database: Database, make_queue: MakeQueue) -> None:
    times: list[datetime] = []
    twice = asyncio.Event()

    async def handler(key: str) -> datetime | None:
        times.append(SystemClock().now())
        if len(times) == 2:
            twice.set()
            return None
        return times[0] + timedelta(seconds=0.2)

    async with Running(make_queue(), look=handler):
        await defer(database, "look", "")
        async with asyncio.timeout(10):
            await twice.wait()
        assert await jobs_left(database, 0) == 0
    assert times[1] - times[0] >= timedelta(seconds=0.2)


async def test_a_kind_that_hangs_leaves_room_for_the_others(database: Database, make_queue: MakeQueue) -> None:
    release = asyncio.Event()
    quick = Recorder()

    async def hang(key: str) -> None:
        await release.wait()

    async with Running(make_queue(workers=4, shares={"slow": 3}), slow=hang, quick=quick):
        for number in range(6):
            await defer(database, "slow", str(number))
        await defer(database, "quick", "a")
        await quick.wait_for(1)
        release.set()


async def test_draining_finishes_what_runs_and_keeps_what_waits(database: Database, make_queue: MakeQueue) -> None:
    started, release = asyncio.Event(), asyncio.Event()
    finished: list[str] = []

    async def handler(key: str) -> None:
        started.set()
        await release.wait()
        finished.append(key)

    queue = make_queue(workers=1)
    await defer(database, "greet", "first")
    await defer(database, "greet", "second", 0.05)
    task = asyncio.create_task(queue.run({"greet": handler}))
    await started.wait()
    queue.drain()
    release.set()
    async with asyncio.timeout(10):
        await task
    assert finished == ["first"]
    assert await database.read(jobs.depth) == {"greet": 1}


async def test_a_job_cut_off_by_a_crash_is_done_after_the_restart(database: Database, make_queue: MakeQueue) -> None:
    started = asyncio.Event()

    async def hang(key: str) -> None:
        started.set()
        await asyncio.Event().wait()

    await defer(database, "greet", "a")
    task = asyncio.create_task(make_queue().run({"greet": hang}))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    handler = Recorder()
    async with Running(make_queue(), greet=handler):
        await handler.wait_for(1)


async def test_a_lane_that_hangs_holds_up_its_own_jobs_alone(make_queue: MakeQueue, database: Database) -> None:
    for number in range(10):
        await defer(database, "investigate", f"stuck-{number}", lane="stuck")
    await defer(database, "investigate", "fine", lane="good")
    answered, started = asyncio.Event(), []

    async def investigate(key: str) -> None:
        started.append(key)
        if key != "fine":
            await answered.wait()
        else:
            answered.set()

    async with Running(make_queue(lane=3), investigate=investigate):
        async with asyncio.timeout(10):
            await answered.wait()
        assert sum(key.startswith("stuck") for key in started) <= 3
        await jobs_left(database, 0)
