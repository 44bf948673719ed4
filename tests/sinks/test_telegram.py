"""Telegram: one message an incident, with its charts as replies."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from pydantic import ValidationError

from responder.errors import Permanent, Reason, Temporary, Trouble
from responder.flow.buttons import Addresses
from responder.flow.sample import stages
from responder.model.message import Line
from responder.signing import Signer
from responder.sinks._text import utf16
from responder.sinks.telegram import LONGEST, render
from tests.fakes.sinks.telegram import Fake, read
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


async def test_the_end_is_told_by_a_reply(fake: Fake, http: aiohttp.ClientSession) -> None:
    sink, receipt, keeper = fake.sink(), "", Keeper()
    for message in STAGES.values():
        receipt = await sink.deliver(message, receipt, medium(http, keeper=keeper))
    [thing] = fake.things()
    assert thing.text.startswith("🟢 P1 · resolved after 4 min · shop\nSample: checkout is killed")
    assert thing.replies == ["Memory that checkout's pods use", "🟢 P1 · resolved after 4 min · shop"]
    assert len(keeper.receipts) == 5, "three states, a chart, an end"
    requests = fake.requests
    await sink.deliver(STAGES["resolved"], receipt, medium(http))
    assert fake.requests == requests


async def test_a_topic_holds_all_of_it(fake: Fake, http: aiohttp.ClientSession) -> None:
    sink = fake.sink(topic=7)
    receipt = await sink.deliver(STAGES["diagnosed"], "", medium(http))
    await sink.deliver(STAGES["resolved"], receipt, medium(http))
    assert [sent.topic for sent in fake.sent] == [7, 7, 7]


async def test_what_was_not_modified_is_fine(fake: Fake, http: aiohttp.ClientSession) -> None:
    sink = fake.sink()
    receipt = await sink.deliver(STAGES["diagnosed"], "", medium(http))
    again = STAGES["diagnosed"].model_copy(update={"digest": "another"})
    assert await sink.deliver(again, receipt, medium(http)) != receipt
    assert len(fake.things()) == 1


@pytest.mark.parametrize("why", ["message to edit not found", "message can't be edited"])
async def test_what_cannot_be_edited_is_posted_anew(fake: Fake, http: aiohttp.ClientSession, why: str) -> None:
    sink = fake.sink()
    receipt = await sink.deliver(STAGES["announced"], "", medium(http))
    fake.refuses["editMessageText"] = (400, f"Bad Request: {why}")
    await sink.deliver(STAGES["diagnosed"], receipt, medium(http))
    assert len(fake.things()) == 2


async def test_a_chart_that_is_refused_does_not_hold_up_the_words(fake: Fake, http: aiohttp.ClientSession) -> None:
    fake.refuses["sendPhoto"] = (400, "Bad Request: not enough rights to send photos to the chat")
    sink = fake.sink()
    receipt = await sink.deliver(STAGES["diagnosed"], "", medium(http))
    fake.refuses.clear()
    await sink.deliver(STAGES["resolved"], receipt, medium(http))
    assert fake.things()[0].pictures == 0, "it is not asked for again"


@pytest.mark.parametrize(
    ("status", "description", "kind", "reason"),
    [
        (400, "Bad Request: chat not found", Permanent, Reason.BAD_REQUEST),
        (401, "Unauthorized", Permanent, Reason.UNAUTHORIZED),
        (403, "Forbidden: bot was kicked from the supergroup chat", Permanent, Reason.FORBIDDEN),
        (404, "Not Found", Permanent, Reason.NOT_FOUND),
        (429, "Too Many Requests", Temporary, Reason.OVERLOADED),
    ],
)
async def test_a_refusal_says_why(
    fake: Fake, http: aiohttp.ClientSession, status: int, description: str, kind: type[Trouble], reason: Reason
) -> None:
    fake.refuses["sendMessage"] = (status, description)
    with pytest.raises(kind) as caught:
        await fake.sink().deliver(STAGES["diagnosed"], "", medium(http))
    assert caught.value.reason is reason
    assert description in str(caught.value)


@pytest.mark.parametrize("character", ["x", "&", "🔥", "@a"])
def test_a_message_is_within_its_limit_in_utf16(character: str) -> None:
    lines = tuple(Line(text=character * 400) for _ in range(12))
    message = STAGES["diagnosed"].model_copy(update={"because": lines, "not_it": lines, "next_steps": lines})
    text = render(message)
    assert utf16(text) <= LONGEST
    assert read(text, LONGEST)[1] == []
    assert "… and " in text


async def test_a_chat_is_an_id_or_a_name(fake: Fake) -> None:
    for chat in ("@alerts", "-100123", "42"):
        assert fake.sink(chat=chat)
    with pytest.raises(ValidationError, match="chat"):
        fake.sink(chat="alerts")
