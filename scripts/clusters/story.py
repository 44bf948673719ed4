"""The time that a recording tells: a story of weeks, played on a real API server within a minute.

The story's "now" is `NOW`. The API server stamps objects with real time; every phase of the story says
at which moment of the story its real beginning was, and `Story.retell` moves the stamps there. What is
written with story time already (the past of a container) is left alone.
"""

import asyncio
import re
import time
from datetime import UTC, datetime, timedelta

NOW = datetime(2020, 1, 1, tzinfo=UTC)
STAMP = re.compile(r"\b2\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(?:Z|\+00:00)")


def stamp(at: datetime) -> str:
    """As the API server writes times."""
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def ago(**duration: float) -> str:
    """A moment of the story, before its now: `ago(minutes=5)`."""
    return stamp(NOW - timedelta(**duration))


class Story:
    """The phases so far, as (real beginning, moment of the story)."""

    def __init__(self) -> None:
        self._phases: list[tuple[datetime, datetime]] = []

    async def turn(self, **before: float) -> None:
        """From here on, what happens happens so long before the story's now.

        The API server's times are whole seconds: a phase begins with a second of its own.
        """
        await asyncio.sleep(1.01 - time.time() % 1)
        self._phases.append((datetime.now(UTC).replace(microsecond=0), NOW - timedelta(**before)))

    def retell(self, text: str) -> str:
        """The text with every real time replaced by the story's."""
        return STAMP.sub(self._moved, text)

    def _moved(self, found: re.Match[str]) -> str:
        real = datetime.fromisoformat(found[0][:19]).replace(tzinfo=UTC)
        if real <= NOW + timedelta(days=365):
            return found[0]
        begun, told = max((phase for phase in self._phases if phase[0] <= real), default=self._phases[0])
        return f"{min(told + (real - begun), NOW):%Y-%m-%dT%H:%M:%S}{found[1] or ''}Z"
