"""GitLab's own: paths of projects, limits, options."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from responder import plugins, sinks
from responder.errors import ConfigError, Permanent, Reason
from responder.flow.message import compose
from responder.model.message import Message
from responder.sinks import Sink
from tests.fakes.sinks.gitlab import Fake
from tests.sinks.medium import medium
from tests.sinks.reports import diagnosed


@pytest.fixture
async def fake() -> AsyncIterator[Fake]:
    async with Fake() as running:
        yield running
    assert running.complaints == []


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def message() -> Message:
    return compose(diagnosed())


async def test_the_path_of_a_project_is_one_segment(fake: Fake, http: aiohttp.ClientSession) -> None:
    await fake.sink(project="shop/ops").deliver(message(), "", medium(http))
    with pytest.raises(Permanent) as caught:
        await fake.sink(project="shop/../ops?x").deliver(message(), "", medium(http))
    assert caught.value.reason is Reason.NOT_FOUND


@pytest.mark.parametrize("length", [254, 255, 256])
async def test_a_title_is_cut_at_its_limit(fake: Fake, http: aiohttp.ClientSession, length: int) -> None:
    await fake.sink().deliver(message().model_copy(update={"headline": "ü" * length}), "", medium(http))
    assert len(fake.issues[0].title) == min(length, 255)


async def test_labels_and_confidence_are_given(fake: Fake, http: aiohttp.ClientSession) -> None:
    await fake.sink(labels=["incident"], confidential=True).deliver(message(), "", medium(http))
    [(_, sent)] = fake.sent
    assert sent["labels"] == "responder,incident"
    assert sent["confidential"] is True


def test_a_label_with_a_comma_is_refused() -> None:
    with pytest.raises(ConfigError, match="comma"):
        plugins.load(sinks, Sink, "sink").build("gitlab", {"name": "x", "project": "a/b", "labels": ["a,b"]})
