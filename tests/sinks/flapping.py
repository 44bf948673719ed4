"""A delivery as the outbox makes it, to a service that fails again and again."""

import random
from collections.abc import Iterable

import aiohttp

from responder.errors import Temporary
from responder.model.message import Message
from responder.sinks import Sink
from tests.fakes.sinks import Fake, Mode
from tests.sinks.medium import Keeper, medium

FAILURES: tuple[Mode, ...] = ("broken", "broken after", "reset after")


async def deliver_all(
    fake: Fake, sink: Sink, messages: Iterable[Message], http: aiohttp.ClientSession, *, share: float = 0.4
) -> int:
    """Bring the sink to each state in turn, however often that takes; returns how many tries it took."""
    chance = random.Random(1)
    receipt, doubtful, tries = "", False, 0
    for message in messages:
        done = False
        while not done:
            tries += 1
            fake.mode = chance.choice(FAILURES) if chance.random() < share else "ok"
            keeper = Keeper()
            try:
                receipt = await sink.deliver(message, receipt, medium(http, doubtful=doubtful, keeper=keeper))
                done, doubtful = True, False
            except Temporary:
                receipt, doubtful = keeper.receipts[-1] if keeper.receipts else receipt, True
    fake.mode = "ok"
    return tries
