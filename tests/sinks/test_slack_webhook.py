"""Slack's incoming webhook: one message a state, and no way back."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from responder.errors import Permanent, Reason, Temporary, Trouble
from responder.flow.buttons import Addresses
from responder.flow.sample import stages
from responder.signing import Signer
from tests.fakes.sinks.slack_webhook import Fake
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


async def test_all_is_in_the_one_message(fake: Fake, http: aiohttp.ClientSession) -> None:
    await fake.sink().deliver(STAGES["diagnosed"], "", medium(http))
    [thing] = fake.things()
    for said in ("Loki answered 401", "Roll back to revision 41", "Acknowledge", "SampleAlert"):
        assert said in thing.text


async def test_charts_that_slack_cannot_fetch_do_not_hold_up_the_words(fake: Fake, http: aiohttp.ClientSession) -> None:
    fake.fetches = False
    await fake.sink().deliver(STAGES["diagnosed"], "", medium(http))
    [thing] = fake.things()
    assert thing.pictures == 0


async def test_a_second_try_says_that_it_is_one(fake: Fake, http: aiohttp.ClientSession) -> None:
    await fake.sink().deliver(STAGES["diagnosed"], "", medium(http, doubtful=True))
    assert "re-sent" in fake.things()[0].text


@pytest.mark.parametrize(
    ("status", "text", "kind", "reason"),
    [
        (400, "invalid_payload", Permanent, Reason.BAD_REQUEST),
        (403, "action_prohibited", Permanent, Reason.FORBIDDEN),
        (404, "no_service", Permanent, Reason.NOT_FOUND),
        (410, "channel_is_archived", Permanent, Reason.NOT_FOUND),
        (500, "rollup_error", Temporary, Reason.SERVER_ERROR),
        (200, "not ok", Temporary, Reason.BAD_ANSWER),
    ],
)
async def test_an_answer_says_whether_to_try_again(
    fake: Fake, http: aiohttp.ClientSession, status: int, text: str, kind: type[Trouble], reason: Reason
) -> None:
    fake.says = (status, text)
    with pytest.raises(kind) as caught:
        await fake.sink().deliver(STAGES["diagnosed"], "", medium(http))
    assert caught.value.reason is reason
    assert text in str(caught.value)
    assert fake.secrets[0] not in str(caught.value)


@pytest.mark.parametrize("url", ["ftp://x/s3cr3t", "s3cr3t", "https://x y/s3cr3t"])
async def test_an_address_that_is_none_is_said_without_it(http: aiohttp.ClientSession, fake: Fake, url: str) -> None:
    with pytest.raises(Permanent) as caught:
        await fake.sink(url=url).deliver(STAGES["diagnosed"], "", medium(http))
    assert caught.value.reason is Reason.NOT_CONFIGURED
    assert "s3cr3t" not in str(caught.value)
