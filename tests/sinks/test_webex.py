"""Webex: one message an incident, as long as it may be edited."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from responder.errors import Reason, Temporary
from responder.flow.buttons import Addresses
from responder.flow.sample import stages
from responder.model.message import Line
from responder.signing import Signer
from responder.sinks.webex import LONGEST, render
from tests.fakes.sinks.webex import Fake
from tests.makers import NOW
from tests.sinks.medium import Keeper, medium

STAGES = stages(NOW, Addresses("https://responder.example", Signer("key")))


@pytest.fixture
async def fake() -> AsyncIterator[Fake]:
    async with Fake() as running:
        yield running
    assert running.complaints == []


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def test_after_ten_edits_the_message_is_replaced(fake: Fake, http: aiohttp.ClientSession) -> None:
    sink = fake.sink(charts=False)
    receipt = await sink.deliver(STAGES["announced"], "", medium(http))
    first = fake.sent[0].id
    for number in range(15):
        message = STAGES["diagnosed"].model_copy(update={"digest": f"{number}", "headline": f"state {number}"})
        receipt = await sink.deliver(message, receipt, medium(http))
    [sent] = fake.sent
    assert sent.id != first
    assert (sent.edits, "state 14" in sent.text) == (4, True)


async def test_a_message_that_cannot_be_edited_is_replaced_even_after_a_lost_answer(
    fake: Fake, http: aiohttp.ClientSession
) -> None:
    sink, keeper = fake.sink(charts=False), Keeper()
    receipt = await sink.deliver(STAGES["announced"], "", medium(http))
    fake.sent[0].edits = 10
    await sink.deliver(STAGES["diagnosed"], receipt, medium(http, keeper=keeper))
    assert len(fake.sent) == 1
    replacing = next(kept for kept in keeper.receipts if '"replaced":"Y' in kept)
    await sink.deliver(STAGES["diagnosed"], replacing, medium(http, doubtful=True))
    assert len(fake.things()) == 1, "what was deleted already is not missed"


async def test_the_end_and_the_chart_are_replies(fake: Fake, http: aiohttp.ClientSession) -> None:
    sink, receipt = fake.sink(), ""
    for message in STAGES.values():
        receipt = await sink.deliver(message, receipt, medium(http))
    [thing] = fake.things()
    assert thing.replies == ["Memory that checkout's pods use", "🟢 P1 · resolved after 4 min · shop"]
    requests = fake.requests
    assert await sink.deliver(STAGES["resolved"], receipt, medium(http)) == receipt
    assert fake.requests == requests


async def test_a_message_that_somebody_deleted_is_posted_anew(fake: Fake, http: aiohttp.ClientSession) -> None:
    sink = fake.sink()
    receipt = await sink.deliver(STAGES["announced"], "", medium(http))
    fake.sent.clear()
    await sink.deliver(STAGES["diagnosed"], receipt, medium(http))
    assert fake.things()[0].pictures == 1


async def test_a_chart_that_is_refused_does_not_hold_up_the_words(fake: Fake, http: aiohttp.ClientSession) -> None:
    fake.no_files = True
    receipt = await fake.sink().deliver(STAGES["diagnosed"], "", medium(http))
    await fake.sink().deliver(STAGES["resolved"], receipt, medium(http))
    assert fake.things()[0].replies == ["🟢 P1 · resolved after 4 min · shop"]


async def test_a_locked_space_is_waited_for(fake: Fake, http: aiohttp.ClientSession) -> None:
    fake.locks = True
    with pytest.raises(Temporary) as caught:
        await fake.sink().deliver(STAGES["diagnosed"], "", medium(http))
    assert caught.value.reason is Reason.OVERLOADED
    assert caught.value.after == 1.0


@pytest.mark.parametrize("character", ["x", "<", "🔥", "*"])
def test_a_message_is_within_its_limit_in_bytes(character: str) -> None:
    lines = tuple(Line(text=f"{number} {character * 398}") for number in range(12))
    message = STAGES["diagnosed"].model_copy(update={"because": lines, "not_it": lines, "next_steps": lines})
    text = render(message)
    assert len(text.encode()) <= LONGEST
    assert "… and " in text
