"""Work that must happen, done. Jobs are deferred with `responder.store.jobs.defer`, in the transaction that
demands them; a queue runs each when it is due, one at a time for each kind and key, and again after a crash.

Handlers are idempotent: driven by the stored state, so that a second run does no harm.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Protocol

Handler = Callable[[str], Awaitable[datetime | None]]
"""Does a job; gets the job's key and returns when it is to be done again, if so. Raising `Permanent` gives
the job up, any other error has it tried again later."""


class Queue(Protocol):
    """Runs due jobs."""

    async def run(self, handlers: Mapping[str, Handler]) -> None:
        """Run jobs until `drain` is called, then finish those under way."""
        ...

    def drain(self) -> None:
        """Start no more jobs."""
        ...
