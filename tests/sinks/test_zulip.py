"""Zulip: a topic an incident."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from responder.flow.buttons import Addresses
from responder.flow.sample import stages
from responder.model.message import Line
from responder.signing import Signer
from responder.sinks.zulip import LONGEST, TOPIC, _escape, render, topic
from tests.fakes.sinks.zulip import Fake
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


async def test_an_incident_is_a_topic_with_its_charts(fake: Fake, http: aiohttp.ClientSession) -> None:
    sink, receipt = fake.sink(), ""
    for message in STAGES.values():
        receipt = await sink.deliver(message, receipt, medium(http))
    assert {sent.topic for sent in fake.sent} == {topic(STAGES["resolved"])}
    [thing] = fake.things()
    assert thing.text.startswith("**🟢 P1 · resolved after 4 min · shop**\n**Sample: checkout is killed")
    assert thing.text.endswith(f"[chart 1]({fake.uploads[0]})")
    assert thing.replies == ["🟢 P1 · resolved after 4 min · shop"]
    requests = fake.requests
    assert await sink.deliver(STAGES["resolved"], receipt, medium(http)) == receipt
    assert fake.requests == requests


async def test_a_delivery_goes_on_where_it_stopped(fake: Fake, http: aiohttp.ClientSession) -> None:
    sink, keeper = fake.sink(), Keeper()
    await sink.deliver(STAGES["diagnosed"], "", medium(http, keeper=keeper))
    for receipt in ["", *keeper.receipts]:
        await sink.deliver(STAGES["diagnosed"], receipt, medium(http, doubtful=True))
    assert len(fake.sent) == 1


async def test_what_is_too_old_to_be_edited_is_told_anew_in_the_topic(fake: Fake, http: aiohttp.ClientSession) -> None:
    sink = fake.sink()
    receipt = await sink.deliver(STAGES["announced"], "", medium(http))
    fake.refuses["PATCH", "messages"] = "The time limit for editing this message has passed"
    await sink.deliver(STAGES["diagnosed"], receipt, medium(http))
    assert len({sent.topic for sent in fake.sent}) == 1
    assert len(fake.sent) == 2


async def test_charts_that_are_refused_do_not_hold_up_the_words(fake: Fake, http: aiohttp.ClientSession) -> None:
    fake.refuses["POST", "user_uploads"] = "Uploaded file is larger than the allowed limit"
    sink = fake.sink()
    receipt = await sink.deliver(STAGES["diagnosed"], "", medium(http))
    fake.refuses.clear()
    await sink.deliver(STAGES["resolved"], receipt, medium(http))
    assert fake.uploads == [], "it is not asked for again"


async def test_where_the_channel_cannot_be_read_a_second_message_says_that_it_is_one(
    fake: Fake, http: aiohttp.ClientSession
) -> None:
    fake.refuses["GET", "messages"] = "Invalid narrow operator: unknown channel"
    await fake.sink().deliver(STAGES["announced"], "", medium(http, doubtful=True))
    assert "re-sent" in fake.sent[0].text


@pytest.mark.parametrize("length", [5, 36, 200])
def test_a_topic_is_within_its_limit_and_has_the_id(length: int) -> None:
    message = STAGES["diagnosed"].model_copy(update={"key": "k" * length, "place": "p" * 300, "subject": "s" * 300})
    found = topic(message)
    assert len(found) <= TOPIC
    assert "k" * min(length, 35) in found


@pytest.mark.parametrize("character", ["x", "*", "$", "🔥"])
def test_a_message_is_within_its_limit(character: str) -> None:
    lines = tuple(Line(text=f"{number} {character * 398}") for number in range(30))
    message = STAGES["diagnosed"].model_copy(update={"because": lines, "not_it": lines, "next_steps": lines})
    text = render(message, ("/user_uploads/2/a/chart.png",) * 3)
    assert len(text) <= LONGEST
    assert "… and " in text


def test_markup_of_strangers_is_none() -> None:
    escaped = _escape("@**all** #**general** `x` $$y$$ ~~z~~ [a](http://b) <time:2020> &lt; :fire:")
    for markup in ("**", "`", "$$", "~~", "](", "<time:", "&lt;", ":fire:"):
        assert markup not in escaped
