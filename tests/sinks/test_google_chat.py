"""Google Chat: a card a state, in the thread of the incident."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from responder.flow.buttons import Addresses
from responder.flow.sample import stages
from responder.model.message import Line
from responder.signing import Signer
from tests.fakes.sinks.google_chat import Fake
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


async def test_all_states_of_an_incident_are_in_one_thread(fake: Fake, http: aiohttp.ClientSession) -> None:
    receipt = await fake.sink().deliver(STAGES["diagnosed"], "", medium(http))
    await fake.sink().deliver(STAGES["resolved"], receipt, medium(http))
    assert [post["thread"]["threadKey"] for post in fake.posted] == ["sample", "sample"]
    first, last = fake.things()
    assert first.text.startswith("<b>🟠 P1 · firing 4 min · shop</b><br><b>Sample: checkout is killed")
    assert "1. Roll back to revision 41" in first.text
    assert last.text.startswith("<b>🟢 P1 · resolved")


async def test_a_repetition_has_the_id_of_the_first_try_and_a_new_state_another(
    fake: Fake, http: aiohttp.ClientSession
) -> None:
    sink = fake.sink()
    receipt = await sink.deliver(STAGES["diagnosed"], "", medium(http))
    await sink.deliver(STAGES["diagnosed"], "", medium(http, doubtful=True))
    await sink.deliver(STAGES["resolved"], receipt, medium(http))
    first, again, then = fake.numbers
    assert first == again != then
    assert "re-sent" in fake.things()[1].text


@pytest.mark.parametrize("character", ["x", "ü", "<", "🔥"])
async def test_the_limit_is_in_bytes(fake: Fake, http: aiohttp.ClientSession, character: str) -> None:
    lines = tuple(Line(text=f"{number} {character * 398}") for number in range(40))
    message = STAGES["diagnosed"].model_copy(update={"because": lines, "not_it": lines, "next_steps": lines})
    await fake.sink().deliver(message, "", medium(http))
    assert "… and " in fake.things()[0].text
