"""Teams: one card a state, within what the workflow passes on."""

import json
from collections.abc import AsyncIterator

import aiohttp
import pytest

from responder.errors import Permanent, Reason, Temporary, Trouble
from responder.flow.buttons import Addresses
from responder.flow.message import compose
from responder.flow.sample import stages
from responder.model.message import Line
from responder.signing import Signer
from responder.sinks._chat import SIZES
from responder.sinks._teams_card import MOST, request
from tests.fakes.sinks.teams import Fake
from tests.makers import NOW
from tests.sinks.medium import medium
from tests.sinks.reports import diagnosed

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


async def test_a_card_has_all_there_is_to_say_and_to_open(fake: Fake, http: aiohttp.ClientSession) -> None:
    await fake.sink().deliver(STAGES["diagnosed"], "", medium(http))
    [card] = fake.cards
    assert [action["title"] for action in card["actions"]] == ["Acknowledge", "Useful", "Not useful"]
    assert card["actions"][0]["url"] == STAGES["diagnosed"].buttons[0].url
    said = fake.things()[0].text.splitlines()
    assert said[0] == "🟠 P1 · firing 4 min · shop"
    assert "1. Roll back to revision 41" in said
    assert card["body"][0]["style"] == "warning"
    await fake.sink().deliver(STAGES["resolved"], "", medium(http))
    assert fake.cards[1]["body"][0]["style"] == "good"


@pytest.mark.parametrize("character", ["x", "ü", "🔥", '"'])
async def test_the_limit_is_in_bytes(fake: Fake, http: aiohttp.ClientSession, character: str) -> None:
    """Of every length of text there is some size that fits, and what is left out is said."""
    lines = tuple(Line(text=f"{number} {character * 390}") for number in range(12))
    message = STAGES["diagnosed"].model_copy(update={"because": lines, "not_it": lines, "next_steps": lines})
    await fake.sink().deliver(message, "", medium(http))
    assert fake.sizes[0] <= MOST
    assert len(SIZES) > 1


def test_a_card_at_the_limit_is_whole_and_one_byte_more_is_cut() -> None:
    base = STAGES["diagnosed"].model_copy(update={"pictures": (), "links": (), "buttons": ()})

    def size(padding: int) -> int:
        return len(json.dumps(request(base.model_copy(update={"key": "k" * padding})), ensure_ascii=False).encode())

    room = MOST - size(0)
    assert size(room) == MOST
    cut = request(base.model_copy(update={"key": "k" * (room + 1), "headline": "h" * 350}))
    assert "h" * 350 not in json.dumps(cut)


async def test_pictures_without_https_are_left_out(fake: Fake, http: aiohttp.ClientSession) -> None:
    message = compose(diagnosed(), addresses=Addresses("http://responder.example", Signer("key")))
    await fake.sink().deliver(message, "", medium(http))
    assert fake.things()[0].pictures == 0


@pytest.mark.parametrize(
    ("status", "kind", "reason"),
    [
        (400, Permanent, Reason.BAD_REQUEST),
        (401, Permanent, Reason.UNAUTHORIZED),
        (403, Permanent, Reason.FORBIDDEN),
        (404, Permanent, Reason.NOT_FOUND),
        (502, Temporary, Reason.SERVER_ERROR),
    ],
)
async def test_an_answer_says_whether_to_try_again(
    fake: Fake, http: aiohttp.ClientSession, status: int, kind: type[Trouble], reason: Reason
) -> None:
    fake.status = status
    with pytest.raises(kind) as caught:
        await fake.sink().deliver(STAGES["diagnosed"], "", medium(http))
    assert caught.value.reason is reason
    assert "s3cr3t" not in str(caught.value)


async def test_a_second_try_says_that_it_is_one(fake: Fake, http: aiohttp.ClientSession) -> None:
    await fake.sink().deliver(STAGES["diagnosed"], "", medium(http, doubtful=True))
    assert "re-sent" in fake.things()[0].text
