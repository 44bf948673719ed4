"""The journal: deliveries are on disk before they are answered.

Deliveries that come while a commit is under way go together in the next one.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog

from responder.errors import Reason, Temporary
from responder.intake.problems import Problem
from responder.metrics import Metrics
from responder.model.redaction import redact
from responder.store import notifications
from responder.store.database import Database
from responder.store.notifications import Delivery

COMMIT_TIMEOUT = 4.0
"""Seconds; a delivery waits for two commits at most, and Alertmanager at least 10 s for the answer."""
KEPT_BYTES = 65_536
"""How much of a refused body is kept."""
_REMEMBERED = 1000

_log = structlog.get_logger(__name__)


def digest(body: bytes) -> str:
    """The same for a body sent again, byte for byte."""
    return hashlib.sha256(body).hexdigest()


@dataclass
class _Waiting:
    delivery: Delivery
    number: asyncio.Future[int]


class Journal:
    """Stores deliveries and tells folding, by calling `stored`, after each commit."""

    def __init__(
        self,
        database: Database,
        metrics: Metrics,
        *,
        stored: Callable[[], None],
        max_pending: int,
        keep_rejected: int,
    ) -> None:
        self._database = database
        self._metrics = metrics
        self._stored = stored
        self._max_pending = max_pending
        self._keep_rejected = keep_rejected
        self._waiting: list[_Waiting] = []
        self._committing: asyncio.Task[None] | None = None
        self._refused: OrderedDict[tuple[str, str], None] = OrderedDict()

    async def store(self, delivery: Delivery) -> int:
        """The delivery's id, once it is on disk; raises Temporary where it is not."""
        if len(self._waiting) >= self._max_pending:
            raise Temporary("too many deliveries wait to be stored", Reason.OVERLOADED)
        waiting = _Waiting(delivery, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._committing is None:
            self._committing = asyncio.create_task(self._commit_all(), name="journal")
        return await waiting.number

    async def refuse(self, received_at: datetime, reason: str, problems: Sequence[Problem], body: bytes) -> None:
        """Keep the beginning of a refused body for the operator, once, however often it comes.

        Raises Temporary where the store cannot be written.
        """
        key = (reason, digest(body))
        if key in self._refused:
            self._refused.move_to_end(key)
            return
        self._refused[key] = None
        if len(self._refused) > _REMEMBERED:
            self._refused.popitem(last=False)
        listed = [{"pointer": problem.pointer, "detail": problem.detail} for problem in problems]
        kept = body[:KEPT_BYTES]
        try:
            async with asyncio.timeout(COMMIT_TIMEOUT):
                await self._database.write(
                    lambda connection: notifications.reject(
                        connection, received_at, reason, listed, kept, self._keep_rejected
                    )
                )
        except (TimeoutError, Temporary) as error:
            self._refused.pop(key, None)
            raise Temporary(f"the refused body is not kept: {error}", Reason.OVERLOADED) from None

    async def refused(self) -> list[dict[str, Any]]:
        """The refused bodies, newest first, ready for JSON, without secrets. Raises Temporary."""
        found = await self._database.read(notifications.rejected)
        return [
            {**item, "received_at": item["received_at"].isoformat(), "body": redact(item["body"])} for item in found
        ]

    async def drain(self) -> None:
        """Wait until everything that was given is on disk or was refused."""
        while self._committing is not None:
            await asyncio.wait([self._committing])

    async def _commit_all(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                await self._commit(batch)
        finally:
            self._committing = None

    async def _commit(self, batch: Sequence[_Waiting]) -> None:
        deliveries = [waiting.delivery for waiting in batch]
        try:
            async with asyncio.timeout(COMMIT_TIMEOUT):
                numbers = await self._database.write(lambda connection: notifications.insert(connection, deliveries))
        except Exception as error:
            _log.exception("deliveries are not stored", deliveries=len(batch))
            for waiting in batch:
                if not waiting.number.done():
                    waiting.number.set_exception(_as_temporary(error))
            return
        self._metrics.commit_deliveries.observe(len(batch))
        for waiting, number in zip(batch, numbers, strict=True):
            if not waiting.number.done():
                waiting.number.set_result(number)
        self._stored()


def _as_temporary(error: Exception) -> Temporary:
    if isinstance(error, Temporary):
        return Temporary(str(error), error.reason, error.after)
    if isinstance(error, TimeoutError):
        return Temporary("the store takes too long", Reason.TIMEOUT)
    return Temporary(f"the store failed ({type(error).__name__})", Reason.BUG)
