"""GitHub's own: rate limits that look like refusals, limits of texts, options."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from responder import plugins, sinks
from responder.errors import ConfigError, Permanent, Reason, Temporary, Trouble
from responder.flow.message import compose
from responder.model.message import Message
from responder.sinks import Sink
from tests.fakes.sinks.github import TOKEN, Fake
from tests.makers import NOW
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


async def trouble(fake: Fake, http: aiohttp.ClientSession, status: int, said: str = "", **headers: str) -> Trouble:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    fake.mode = "unauthorized"
    fake.unauthorized = lambda: web.json_response({"message": said}, status=status, headers=given)  # type: ignore[method-assign]
    with pytest.raises(Trouble) as caught:
        await fake.sink().deliver(message(), "", medium(http))
    return caught.value


@pytest.mark.parametrize("status", [403, 429])
@pytest.mark.parametrize(
    ("said", "headers", "after"),
    [
        ("secondary", {"retry_after": "7"}, 7.0),
        ("primary", {"x_ratelimit_remaining": "0", "x_ratelimit_reset": str(int(NOW.timestamp()) + 90)}, 90.0),
        ("primary", {"x_ratelimit_remaining": "0", "x_ratelimit_reset": "soon"}, 60.0),
        ("You have exceeded a secondary rate limit", {}, 60.0),
    ],
)
async def test_a_limit_of_rates_says_when_to_come_back(
    fake: Fake, http: aiohttp.ClientSession, status: int, said: str, headers: dict[str, str], after: float
) -> None:
    found = await trouble(fake, http, status, said, **headers)
    assert isinstance(found, Temporary)
    assert (found.reason, found.after) == (Reason.OVERLOADED, after)


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (401, Reason.UNAUTHORIZED),
        (403, Reason.FORBIDDEN),
        (404, Reason.NOT_FOUND),
        (410, Reason.NOT_FOUND),
        (422, Reason.BAD_REQUEST),
    ],
)
async def test_refusals_are_permanent_and_show_no_token(
    fake: Fake, http: aiohttp.ClientSession, status: int, reason: Reason
) -> None:
    found = await trouble(fake, http, status, f"no: {TOKEN}", x_ratelimit_remaining="4999")
    assert isinstance(found, Permanent)
    assert found.reason is reason
    assert TOKEN not in str(found)


@pytest.mark.parametrize("length", [255, 256, 257])
async def test_a_title_is_cut_at_its_limit(fake: Fake, http: aiohttp.ClientSession, length: int) -> None:
    await fake.sink().deliver(message().model_copy(update={"headline": "ü" * length}), "", medium(http))
    assert len(fake.issues[0].title) == min(length, 256)


async def test_a_body_is_never_longer_than_it_may_be(fake: Fake, http: aiohttp.ClientSession) -> None:
    steps = message().because * 200
    long = message().model_copy(
        update={"because": tuple(step.model_copy(update={"text": "🔥" * 400}) for step in steps)}
    )
    await fake.sink().deliver(long, "", medium(http))
    assert 64_000 < len(fake.issues[0].text.encode("utf-16-le")) // 2 <= 65_536


async def test_labels_and_assignees_are_given(fake: Fake, http: aiohttp.ClientSession) -> None:
    await fake.sink(labels=["incident"], assignees=["ada"]).deliver(message(), "", medium(http))
    [(_, sent)] = fake.sent
    assert sent["labels"] == ["responder", "incident"]
    assert sent["assignees"] == ["ada"]


@pytest.mark.parametrize(
    "options",
    [{"repository": "x"}, {"repository": "a/b/c"}, {"repository": "../x"}, {"when": ["never"]}, {"severities": ["P9"]}],
)
def test_bad_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        plugins.load(sinks, Sink, "sink").build("github", {"name": "x", "repository": "a/b"} | options)
    assert next(iter(options)) in str(caught.value)
