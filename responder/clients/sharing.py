"""What clients share: one request for identical questions, a short memory, a cap, a time limit, a breaker."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from responder.clients.spending import spend
from responder.clock import Clock
from responder.errors import Reason, Temporary, Trouble
from responder.metrics import Metrics, begin

T = TypeVar("T")

FAILURES_TO_OPEN = 5
OPEN_SECONDS = 15.0
UNANSWERED = (Reason.TIMEOUT, Reason.UNREACHABLE)


@dataclass(frozen=True)
class _Answer:
    value: Any
    until: float


class Breaker:
    """Opens after some failures in a row; while open, asking costs nothing; then one try at a time decides."""

    def __init__(self, clock: Clock, failures: int = FAILURES_TO_OPEN, seconds: float = OPEN_SECONDS) -> None:
        self._clock = clock
        self._allowed = failures
        self._seconds = seconds
        self._failures = 0
        self._why = ""
        self._open_until = 0.0

    def check(self, name: str) -> None:
        """Raise Temporary while open, with the reason of the first failure."""
        wait = self._open_until - self._clock.now().timestamp()
        if self._failures >= self._allowed and wait > 0:
            message = f"{self._why or f'{name} did not answer'}; it is asked again in {wait:.0f} s"
            raise Temporary(message, Reason.BREAKER_OPEN, after=wait)

    def enter(self, name: str) -> None:
        """Begin a try; raise Temporary while open. The first one after that time keeps the others waiting."""
        self.check(name)
        if self._failures >= self._allowed:
            self._reopen()

    def succeeded(self) -> None:
        """It answered."""
        self._failures = 0

    def failed(self, why: str) -> None:
        """It did not answer, and why; of several failures in a row the first says what began it."""
        self._why = self._why if self._failures else why
        self._failures += 1
        if self._failures >= self._allowed:
            self._reopen()

    def _reopen(self) -> None:
        self._open_until = self._clock.now().timestamp() + self._seconds


class Shared:
    """Asks one server. `client` is the kind of client, the metric label; times are in seconds."""

    def __init__(
        self,
        name: str,
        client: str,
        *,
        concurrency: int,
        timeout: float,
        cache: float,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self.name = name
        self._client = client
        self._timeout = timeout
        self._remember = cache
        self._metrics = metrics
        self._clock = clock
        self._places = asyncio.Semaphore(concurrency)
        self._breaker = Breaker(clock)
        begin(metrics.client_requests, (client,), ("ok", "cancelled", *Reason))
        begin(metrics.client_shared, (client,), ("cache", "flight"))
        self._under_way: dict[Hashable, asyncio.Task[Any]] = {}
        self._answers: dict[Hashable, _Answer] = {}

    async def ask(
        self,
        key: Hashable,
        request: Callable[[], Awaitable[T]],
        *,
        timeout: float | None = None,
        cache: bool = True,
    ) -> T:
        """The answer to the question `key`; who asks the same meanwhile, or soon after, gets the same.

        Raises Temporary when there is no answer in time or the breaker is open, and what `request` raises.
        A caller that is cancelled leaves the request to the others.
        """
        if cache and (known := self._known(key)) is not None:
            self._metrics.client_shared.labels(self._client, "cache").inc()
            return cast(T, known.value)
        task = self._under_way.get(key)
        if task is None:
            self._breaker.check(self.name)
            spend()
            task = asyncio.create_task(self._do(key, request, timeout or self._timeout, cache))
            self._under_way[key] = task
            task.add_done_callback(lambda _done: self._under_way.pop(key, None))
            task.add_done_callback(_retrieve)
        else:
            self._metrics.client_shared.labels(self._client, "flight").inc()
        return cast(T, await asyncio.shield(task))

    async def close(self) -> None:
        """Give up what is under way."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _known(self, key: Hashable) -> _Answer | None:
        answer = self._answers.get(key)
        return answer if answer is not None and answer.until > self._clock.now().timestamp() else None

    async def _do(self, key: Hashable, request: Callable[[], Awaitable[T]], timeout: float, cache: bool) -> T:
        outcome = "cancelled"
        started = time.perf_counter()
        try:
            async with asyncio.timeout(timeout), self._places:
                self._breaker.enter(self.name)
                started = time.perf_counter()
                value = await request()
            outcome = "ok"
            self._breaker.succeeded()
        except TimeoutError:
            outcome = Reason.TIMEOUT
            late = Temporary(f"{self.name} did not answer within {timeout:g} s", Reason.TIMEOUT)
            self._breaker.failed(str(late))
            raise late from None
        except Trouble as trouble:
            outcome = trouble.reason
            if trouble.reason in UNANSWERED:
                self._breaker.failed(str(trouble))
            elif trouble.reason is not Reason.BREAKER_OPEN:
                self._breaker.succeeded()
            raise
        except Exception:
            outcome = Reason.BUG
            raise
        finally:
            self._metrics.client_requests.labels(self._client, outcome).inc()
            self._metrics.client_seconds.labels(self._client).observe(time.perf_counter() - started)
        if cache and self._remember > 0:
            self._keep(key, value)
        return value

    def _keep(self, key: Hashable, value: Any) -> None:
        now = self._clock.now().timestamp()
        if len(self._answers) > 500:
            self._answers = {known: answer for known, answer in self._answers.items() if answer.until > now}
        self._answers[key] = _Answer(value, now + self._remember)
        asyncio.get_running_loop().call_later(self._remember, self._forget, key)

    def _forget(self, key: Hashable) -> None:
        if key in self._answers and self._known(key) is None:
            del self._answers[key]


def _retrieve(task: asyncio.Task[Any]) -> None:
    """Look at the outcome, so that a request nobody waits for any more does not complain."""
    if not task.cancelled():
        task.exception()
