"""ntfy: one notification an incident."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from pydantic import ValidationError

from responder.errors import Permanent, Reason, Temporary, Trouble
from responder.flow.buttons import Addresses
from responder.flow.sample import stages
from responder.model.incident import Severity
from responder.model.message import Line
from responder.signing import Signer
from tests.fakes.sinks.ntfy import TOPIC, Fake
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


async def test_a_notification_can_be_opened_and_answered(fake: Fake, http: aiohttp.ClientSession) -> None:
    await fake.sink().deliver(STAGES["diagnosed"], "", medium(http))
    [shown] = fake.shown.values()
    assert shown["title"] == "🟠 P1 · firing 4 min · shop"
    assert shown["click"] == STAGES["diagnosed"].url
    assert [action["label"] for action in shown["actions"]] == ["Acknowledge", "Useful", "Not useful"]
    assert shown["message"].startswith("Sample: checkout is killed")


async def test_the_worse_the_louder_and_the_end_is_not(fake: Fake, http: aiohttp.ClientSession) -> None:
    heard = []
    for severity in Severity:
        await fake.sink().deliver(STAGES["diagnosed"].model_copy(update={"severity": severity}), "", medium(http))
        heard += [shown["priority"] for shown in fake.shown.values()]
    assert heard == [5, 4, 3, 2]
    worst = STAGES["resolved"].model_copy(update={"severity": Severity.P0})
    await fake.sink().deliver(worst, "", medium(http))
    assert next(iter(fake.shown.values()))["priority"] == 3


async def test_an_old_server_shows_each_state(fake: Fake, http: aiohttp.ClientSession) -> None:
    fake.old = True
    receipt = ""
    for message in STAGES.values():
        receipt = await fake.sink().deliver(message, receipt, medium(http))
    assert len(fake.things()) == 3


async def test_a_topic_without_access_control_needs_no_token(fake: Fake, http: aiohttp.ClientSession) -> None:
    await fake.sink(token=None).deliver(STAGES["diagnosed"], "", medium(http))
    assert len(fake.things()) == 1
    with pytest.raises(ValidationError, match="topic"):
        fake.sink(topic="a/b")


def test_the_preview_does_not_tell_the_topic(fake: Fake) -> None:
    preview = fake.sink(url="http://127.0.0.1:9").preview(STAGES["diagnosed"])
    assert TOPIC not in preview.model_dump_json()


@pytest.mark.parametrize("character", ["x", "ü", "🔥"])
async def test_the_limit_is_in_bytes(fake: Fake, http: aiohttp.ClientSession, character: str) -> None:
    lines = tuple(Line(text=f"{number} {character * 398}") for number in range(12))
    message = STAGES["diagnosed"].model_copy(update={"because": lines, "not_it": lines, "next_steps": lines})
    await fake.sink().deliver(message, "", medium(http))
    assert "… and " in fake.things()[0].text


@pytest.mark.parametrize(
    ("code", "kind", "reason"),
    [
        (40001, Permanent, Reason.BAD_REQUEST),
        (40101, Permanent, Reason.UNAUTHORIZED),
        (40301, Permanent, Reason.FORBIDDEN),
        (41301, Permanent, Reason.TOO_LARGE),
        (42908, Temporary, Reason.OVERLOADED),
        (50701, Temporary, Reason.SERVER_ERROR),
    ],
)
async def test_an_error_says_whether_to_try_again(
    fake: Fake, http: aiohttp.ClientSession, code: int, kind: type[Trouble], reason: Reason
) -> None:
    fake.refuses = code
    with pytest.raises(kind) as caught:
        await fake.sink().deliver(STAGES["diagnosed"], "", medium(http))
    assert caught.value.reason is reason
    assert str(code) in str(caught.value)
