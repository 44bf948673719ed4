"""Mattermost: the bot, and the webhook."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from pydantic import ValidationError

from responder.flow.buttons import Addresses
from responder.flow.sample import stages
from responder.model.message import Line
from responder.signing import Signer
from responder.sinks._mattermost import LONGEST, escape, whole
from tests.fakes.sinks import mattermost_webhook
from tests.fakes.sinks.mattermost import Fake, Post
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


async def test_the_channel_has_the_verdict_and_the_thread_the_rest(fake: Fake, http: aiohttp.ClientSession) -> None:
    sink, receipt = fake.sink(), ""
    for message in STAGES.values():
        receipt = await sink.deliver(message, receipt, medium(http))
    [root] = fake.roots
    assert root.message.startswith("**🟢 P1 · resolved after 4 min · shop**\n**Sample\\: checkout is killed")
    assert "Loki" not in root.message
    details, end = fake.thread(root)
    assert "Loki answered 401" in details.message
    assert len(details.files) == 1
    assert end.message == "🟢 P1 · resolved after 4 min · shop"
    requests = fake.requests
    assert await sink.deliver(STAGES["resolved"], receipt, medium(http)) == receipt
    assert fake.requests == requests


@pytest.mark.parametrize("steps", range(1, 4))
async def test_a_delivery_goes_on_where_it_stopped(fake: Fake, http: aiohttp.ClientSession, steps: int) -> None:
    sink, keeper = fake.sink(), Keeper()
    first = await sink.deliver(STAGES["announced"], "", medium(http))
    await sink.deliver(STAGES["resolved"], first, medium(http, keeper=keeper))
    posts = len(fake.posts)
    assert len(keeper.receipts) == 3, "root, details, end"
    receipt = "" if steps == 1 else keeper.receipts[steps - 2]
    await sink.deliver(STAGES["resolved"], receipt, medium(http, doubtful=True))
    assert len(fake.posts) == posts


async def test_a_post_that_somebody_deleted_is_posted_anew(fake: Fake, http: aiohttp.ClientSession) -> None:
    sink = fake.sink()
    receipt = await sink.deliver(STAGES["announced"], "", medium(http))
    fake.posts.clear()
    await sink.deliver(STAGES["diagnosed"], receipt, medium(http))
    assert len(fake.roots) == 1
    assert len(fake.thread(fake.roots[0])) == 1


async def test_others_posts_are_not_taken_for_ours(fake: Fake, http: aiohttp.ClientSession) -> None:
    fake.posts = [
        Post("x" * 26, "hello", {}),
        Post("y" * 26, "another incident", {"responder": {"key": "another", "kind": "root"}}),
        Post("z" * 26, "odd", {"responder": "text"}),
    ]
    await fake.sink().deliver(STAGES["announced"], "", medium(http, doubtful=True))
    assert len(fake.roots) == 4


async def test_where_the_channel_cannot_be_read_a_second_post_says_that_it_is_one(
    fake: Fake, http: aiohttp.ClientSession
) -> None:
    fake.deny = ("channels/",)
    await fake.sink().deliver(STAGES["announced"], "", medium(http, doubtful=True))
    assert "re-sent" in fake.roots[0].message


async def test_charts_that_are_refused_do_not_hold_up_the_words(fake: Fake, http: aiohttp.ClientSession) -> None:
    fake.deny = ("files",)
    await fake.sink().deliver(STAGES["diagnosed"], "", medium(http))
    [thing] = fake.things()
    assert thing.pictures == 0
    assert "Loki" in thing.replies[0]


async def test_a_channel_is_an_id(fake: Fake) -> None:
    with pytest.raises(ValidationError, match="channel"):
        fake.sink(channel="../posts")


@pytest.mark.parametrize("character", ["x", "*", "@a", "🔥"])
def test_a_post_is_within_its_limit_after_escaping(character: str) -> None:
    lines = tuple(Line(text=character * 400) for _ in range(40))
    message = STAGES["diagnosed"].model_copy(update={"because": lines, "not_it": lines, "next_steps": lines})
    text = whole(message)
    assert 4000 < len(text) <= LONGEST
    assert "… and " in text


def test_nobody_is_called_and_nothing_is_formatted() -> None:
    assert escape("@all <!here> **x** ~town-square") == ("@\u200ball \\<\u200b!here\\> \\*\\*x\\*\\* \\~town-square")
    assert escape("1. x\n2) y") == "1\\. x\n2\\) y"


async def test_the_webhook_has_all_in_one_post(http: aiohttp.ClientSession) -> None:
    async with mattermost_webhook.Fake() as hook:
        await hook.sink().deliver(STAGES["diagnosed"], "", medium(http, doubtful=True))
        [thing] = hook.things()
        for said in ("Loki answered 401", "Roll back to revision 41", "[Acknowledge](<https://", "re-sent"):
            assert said in thing.text
        assert thing.pictures == 1
        assert hook.complaints == []
