"""A clock that the test turns: hours pass in milliseconds, and whoever sleeps is woken in its turn."""

import asyncio
from datetime import UTC, datetime, timedelta

NAP = 0.5
"""Our seconds after which a sleeper wakes at the latest."""


class TurnedClock:
    """Stands until it is turned."""

    def __init__(self, at: datetime | None = None) -> None:
        self._now = at or datetime.now(UTC)
        self._sleepers: dict[asyncio.Future[None], datetime] = {}

    def now(self) -> datetime:
        return self._now

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers[woken] = self._now + timedelta(seconds=seconds)
        try:
            # whoever counted the seconds before the clock was turned would wait for too long: it may look again
            await asyncio.wait((woken,), timeout=NAP)
        finally:
            self._sleepers.pop(woken, None)

    def turn(self, by: timedelta) -> None:
        """Let time pass at once."""
        self._now += by
        for woken, at in tuple(self._sleepers.items()):
            if at <= self._now and not woken.done():
                woken.set_result(None)
