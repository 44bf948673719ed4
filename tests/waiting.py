"""Waiting for what must come, as long as a busy machine may take."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

T = TypeVar("T")

LONG = 60.0
"""Seconds: far more than anything takes, less than a test may."""


async def eventually(ask: Callable[[], Awaitable[T] | T], within: float = LONG, pause: float = 0.02) -> T:
    """The first answer that is true; fails with the last one. `ask` may be a coroutine function."""
    answer: Any = None
    try:
        async with asyncio.timeout(within):
            while True:
                answer = ask()
                if inspect.isawaitable(answer):
                    answer = await answer
                if answer:
                    return answer  # type: ignore[no-any-return]
                await asyncio.sleep(pause)
    except TimeoutError:
        raise AssertionError(f"not within {within:g} s; the last answer was {answer!r}") from None
