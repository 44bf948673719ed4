"""What clients share."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from responder.clients.sharing import Shared
from responder.errors import Permanent, Reason, Temporary
from responder.metrics import Metrics


class LoopClock:
    """The loop's time, so that looptime turns it."""

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=asyncio.get_running_loop().time())

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Server:
    """Counts requests and does as it is told."""

    def __init__(self) -> None:
        self.requests = 0
        self.at_once = 0
        self.most_at_once = 0

    def answers(self, value: str = "yes", after: float = 0.0) -> Callable[[], Awaitable[str]]:
        async def request() -> str:
            self.requests += 1
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            try:
                await asyncio.sleep(after)
                return value
            finally:
                self.at_once -= 1

        return request

    def fails(self, reason: Reason, why: str = "no", *, permanent: bool = False) -> Callable[[], Awaitable[str]]:
        async def request() -> str:
            self.requests += 1
            raise Permanent(why, reason) if permanent else Temporary(why, reason)

        return request


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def shared(metrics: Metrics) -> Shared:
    return Shared("the server", "kubernetes", concurrency=2, timeout=10, cache=5, metrics=metrics, clock=LoopClock())


pytestmark = pytest.mark.looptime


async def test_the_same_question_at_once_is_one_request(shared: Shared) -> None:
    server = Server()
    answers = await asyncio.gather(*(shared.ask("pods", server.answers(after=1)) for _ in range(50)))
    assert answers == ["yes"] * 50
    assert server.requests == 1


async def test_an_answer_is_reused_for_some_seconds_and_no_longer(shared: Shared) -> None:
    server = Server()
    await shared.ask("pods", server.answers("old"))
    await asyncio.sleep(4)
    assert await shared.ask("pods", server.answers("new")) == "old"
    await asyncio.sleep(2)
    assert await shared.ask("pods", server.answers("new")) == "new"


async def test_what_must_be_fresh_is_asked_each_time(shared: Shared) -> None:
    server = Server()
    await shared.ask("pods", server.answers("old"), cache=False)
    assert await shared.ask("pods", server.answers("new"), cache=False) == "new"


async def test_trouble_is_not_remembered(shared: Shared) -> None:
    server = Server()
    with pytest.raises(Temporary):
        await shared.ask("pods", server.fails(Reason.SERVER_ERROR))
    assert await shared.ask("pods", server.answers()) == "yes"


async def test_who_leaves_does_not_take_the_answer_from_the_others(shared: Shared) -> None:
    server = Server()
    first = asyncio.create_task(shared.ask("pods", server.answers(after=1)))
    await asyncio.sleep(0.1)
    second = asyncio.create_task(shared.ask("pods", server.answers(after=1)))
    await asyncio.sleep(0.1)
    first.cancel()
    assert await second == "yes"
    assert server.requests == 1
    assert first.cancelled()


async def test_no_more_requests_at_once_than_allowed(shared: Shared) -> None:
    server = Server()
    await asyncio.gather(*(shared.ask(number, server.answers(after=1)) for number in range(9)))
    assert (server.requests, server.most_at_once) == (9, 2)


async def test_a_slow_question_takes_one_place_only(shared: Shared, looptime: int) -> None:
    server = Server()
    slow = asyncio.create_task(shared.ask("slow", server.answers(after=9)))
    await asyncio.sleep(0)
    for number in range(5):
        await shared.ask(number, server.answers(after=1))
    assert looptime == 5
    await slow


async def test_a_hanging_server_costs_the_timeout_and_then_nothing(shared: Shared, looptime: int) -> None:
    server = Server()
    for number in range(5):
        with pytest.raises(Temporary) as caught:
            await shared.ask(number, server.answers(after=3600), timeout=2)
        assert caught.value.reason is Reason.TIMEOUT
    assert looptime == 10
    with pytest.raises(Temporary, match="did not answer within 2 s; it is asked again in 15 s") as caught:
        await shared.ask("more", server.answers(after=3600))
    assert caught.value.reason is Reason.BREAKER_OPEN
    assert caught.value.after == pytest.approx(15)
    assert looptime == 10
    assert server.requests == 5


async def test_while_it_is_not_asked_the_reason_of_the_first_failure_is_given(shared: Shared) -> None:
    server = Server()
    for number, why in enumerate(("its certificate is not accepted", *["connection reset"] * 4)):
        with pytest.raises(Temporary):
            await shared.ask(number, server.fails(Reason.UNREACHABLE, why))
    with pytest.raises(Temporary, match=r"^its certificate is not accepted; it is asked again in 15 s$") as caught:
        await shared.ask("more", server.answers())
    assert caught.value.reason is Reason.BREAKER_OPEN


async def test_waiting_for_a_place_counts_towards_the_timeout(shared: Shared, looptime: int) -> None:
    server = Server()
    answers = await asyncio.gather(
        *(shared.ask(number, server.answers(after=3600)) for number in range(20)), return_exceptions=True
    )
    assert all(isinstance(answer, Temporary) for answer in answers)
    assert looptime == 10


async def _break(shared: Shared, server: Server) -> None:
    for number in range(5):
        with pytest.raises(Temporary):
            await shared.ask(number, server.fails(Reason.UNREACHABLE))


async def test_after_a_pause_one_question_tries_and_the_others_wait_for_its_luck(shared: Shared) -> None:
    server = Server()
    await _break(shared, server)
    await asyncio.sleep(15.1)
    answers = await asyncio.gather(
        *(shared.ask(("again", number), server.answers(after=1)) for number in range(4)), return_exceptions=True
    )
    assert answers[0] == "yes"
    assert all(isinstance(answer, Temporary) and answer.reason is Reason.BREAKER_OPEN for answer in answers[1:])
    assert await shared.ask("and now", server.answers()) == "yes"


async def test_a_failed_try_keeps_it_open(shared: Shared) -> None:
    server = Server()
    await _break(shared, server)
    await asyncio.sleep(15.1)
    with pytest.raises(Temporary):
        await shared.ask("again", server.fails(Reason.UNREACHABLE))
    with pytest.raises(Temporary) as caught:
        await shared.ask("and again", server.answers())
    assert caught.value.reason is Reason.BREAKER_OPEN


@pytest.mark.parametrize("reason", [Reason.FORBIDDEN, Reason.NOT_FOUND, Reason.SERVER_ERROR])
async def test_a_server_that_answers_no_is_alive(shared: Shared, reason: Reason) -> None:
    server = Server()
    for number in range(20):
        with pytest.raises((Temporary, Permanent)):
            await shared.ask(number, server.fails(reason, permanent=reason is not Reason.SERVER_ERROR))
    assert await shared.ask("more", server.answers()) == "yes"


async def test_only_failures_in_a_row_count(shared: Shared) -> None:
    server = Server()
    for number in range(20):
        with pytest.raises(Temporary):
            await shared.ask(number, server.fails(Reason.UNREACHABLE))
        if number % 4 == 3:
            with pytest.raises(Permanent):
                await shared.ask((number, "no"), server.fails(Reason.NOT_FOUND, permanent=True))
    assert server.requests == 25


async def test_closing_ends_what_is_under_way(shared: Shared) -> None:
    server = Server()
    asking = asyncio.create_task(shared.ask("pods", server.answers(after=3600)))
    await asyncio.sleep(0)
    await shared.close()
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_requests_and_what_was_spared_are_counted(shared: Shared, metrics: Metrics) -> None:
    server = Server()
    await asyncio.gather(shared.ask("a", server.answers(after=1)), shared.ask("a", server.answers()))
    await shared.ask("a", server.answers())
    with pytest.raises(Permanent):
        await shared.ask("b", server.fails(Reason.FORBIDDEN, permanent=True))

    def value(name: str, **labels: str) -> float | None:
        return metrics.registry.get_sample_value(name, {"client": "kubernetes", **labels})

    assert value("responder_client_requests_total", outcome="ok") == 1
    assert value("responder_client_requests_total", outcome="forbidden") == 1
    assert value("responder_client_shared_total", how="flight") == 1
    assert value("responder_client_shared_total", how="cache") == 1
