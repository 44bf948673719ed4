"""Discord: one message an incident, edited with its charts."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from pydantic import ValidationError

from responder.errors import Permanent, Reason, Temporary, Trouble
from responder.flow.buttons import Addresses
from responder.flow.sample import stages
from responder.model.incident import Severity
from responder.model.message import Line
from responder.signing import Signer
from responder.sinks.discord import DESCRIPTION, escape, payload
from tests.fakes.sinks.discord import THREAD, Fake
from tests.makers import NOW
from tests.sinks.medium import medium

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


async def test_an_edit_replaces_the_charts(fake: Fake, http: aiohttp.ClientSession) -> None:
    sink = fake.sink()
    receipt = await sink.deliver(STAGES["announced"], "", medium(http))
    assert fake.things()[0].pictures == 0
    receipt = await sink.deliver(STAGES["diagnosed"], receipt, medium(http))
    assert fake.things()[0].pictures == 1
    without = STAGES["resolved"].model_copy(update={"pictures": ()})
    await sink.deliver(without, receipt, medium(http))
    [thing] = fake.things()
    assert thing.pictures == 0
    assert thing.text.startswith("🟢 P1 · resolved after 4 min")


async def test_several_charts_are_one_message(fake: Fake, http: aiohttp.ClientSession) -> None:
    [picture] = STAGES["diagnosed"].pictures
    message = STAGES["diagnosed"].model_copy(update={"pictures": (picture,) * 3})
    await fake.sink().deliver(message, "", medium(http))
    [shown] = fake.messages.values()
    assert {embed["url"] for embed in shown["embeds"]} == {message.url}
    assert len(shown["embeds"]) == 3


async def test_a_chart_that_cannot_be_drawn_is_left_out(fake: Fake, http: aiohttp.ClientSession) -> None:
    async def nothing(_picture: object) -> bytes:
        return b""

    given = medium(http)
    await fake.sink().deliver(STAGES["diagnosed"], "", type(given)(**{**vars(given), "draw": nothing}))
    assert fake.things()[0].pictures == 0


async def test_a_message_that_somebody_deleted_is_posted_anew(fake: Fake, http: aiohttp.ClientSession) -> None:
    sink = fake.sink()
    receipt = await sink.deliver(STAGES["announced"], "", medium(http))
    fake.messages.clear()
    again = await sink.deliver(STAGES["diagnosed"], receipt, medium(http))
    assert len(fake.messages) == 1
    assert again != receipt


async def test_a_thread_is_posted_to_and_edited_in(fake: Fake, http: aiohttp.ClientSession) -> None:
    sink = fake.sink(thread_id=THREAD)
    receipt = await sink.deliver(STAGES["announced"], "", medium(http))
    await sink.deliver(STAGES["diagnosed"], receipt, medium(http))
    assert fake.threads == {THREAD}
    with pytest.raises(ValidationError):
        fake.sink(thread_id="1&wait=false")


@pytest.mark.parametrize(
    ("refusal", "kind", "reason"),
    [
        ((400, {"code": 50035, "message": "Invalid Form Body"}), Permanent, Reason.BAD_REQUEST),
        ((400, {"code": 50006, "message": "empty"}), Permanent, Reason.BAD_REQUEST),
        ((413, {"code": 40005, "message": "Request entity too large"}), Permanent, Reason.TOO_LARGE),
        ((401, {"code": 50027, "message": "Invalid Webhook Token"}), Permanent, Reason.UNAUTHORIZED),
        ((404, {"code": 10015, "message": "Unknown Webhook"}), Permanent, Reason.NOT_FOUND),
        ((502, {}), Temporary, Reason.SERVER_ERROR),
        ((200, {"attachments": []}), Temporary, Reason.BAD_ANSWER),
        ((200, []), Temporary, Reason.BAD_ANSWER),
    ],
)
async def test_a_refusal_says_whether_to_try_again(
    fake: Fake, http: aiohttp.ClientSession, refusal: Any, kind: type[Trouble], reason: Reason
) -> None:
    fake.refuses = refusal
    with pytest.raises(kind) as caught:
        await fake.sink().deliver(STAGES["diagnosed"], "", medium(http))
    assert caught.value.reason is reason


async def test_a_webhook_that_is_gone_is_not_taken_for_a_message_that_is(
    fake: Fake, http: aiohttp.ClientSession
) -> None:
    sink = fake.sink()
    receipt = await sink.deliver(STAGES["announced"], "", medium(http))
    fake.refuses = (404, {"code": 10015, "message": "Unknown Webhook"})
    with pytest.raises(Permanent) as caught:
        await sink.deliver(STAGES["diagnosed"], receipt, medium(http))
    assert caught.value.reason is Reason.NOT_FOUND


@pytest.mark.parametrize("character", ["x", "*", "@", "🔥"])
def test_the_description_is_within_its_limit_after_escaping(character: str) -> None:
    lines = tuple(Line(text=character * 400) for _ in range(12))
    message = STAGES["diagnosed"].model_copy(
        update={"because": lines, "not_it": lines, "headline": character * 400, "place": character * 400}
    )
    [embed, *_] = payload(message, [])["embeds"]
    assert 200 < len(embed["description"]) <= DESCRIPTION
    assert len(embed["title"]) <= 256
    assert not embed["title"].endswith("\\")


def test_colours_say_how_bad_it_is() -> None:
    colours = [
        payload(STAGES["diagnosed"].model_copy(update={"severity": severity}), [])["embeds"][0]["color"]
        for severity in Severity
    ]
    assert len(set(colours)) == 4
    assert payload(STAGES["resolved"], [])["embeds"][0]["color"] not in colours


def test_markdown_of_strangers_means_itself() -> None:
    assert escape("**a** [x](http://y) <@1> @here 1. `") == (
        r"\*\*a\*\* \[x\](http://y) \<" + "\\@\u200b1\\> \\@\u200bhere 1. \\`"
    )
    assert escape("1. a") == "1\\. a"
    assert escape("- a") == "\\- a"
