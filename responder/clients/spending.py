"""What an investigation costs the servers that it asks: its requests are counted where they are made."""

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass
class Spending:
    """Requests so far; an answer that others asked for, or that was known, costs nothing."""

    requests: int = 0


_current: ContextVar[Spending | None] = ContextVar("spending", default=None)


def count_requests() -> Spending:
    """Count the requests of the running task, and of the tasks that it starts from now on."""
    spending = Spending()
    _current.set(spending)
    return spending


def spend() -> None:
    """A request is made."""
    if (spending := _current.get()) is not None:
        spending.requests += 1
