"""Jira's own: workflows, limits, the Atlassian Document Format, options."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from responder import plugins, sinks
from responder.errors import ConfigError, Permanent, Reason
from responder.flow.message import compose
from responder.model.incident import IncidentStatus
from responder.model.message import Message
from responder.sinks import Sink
from responder.sinks._adf import description, size
from tests.fakes.sinks.jira import Fake
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


def message(**fields: Any) -> Message:
    return compose(diagnosed(**fields))


def resolved() -> Message:
    return message(status=IncidentStatus.RESOLVED, resolved_at=NOW)


async def told(fake: Fake, http: aiohttp.ClientSession, *messages: Message, receipt: str = "", **options: Any) -> str:
    for one in messages:
        receipt = await fake.sink(**options).deliver(one, receipt, medium(http))
    return receipt


async def test_the_workflow_is_asked_for_the_way_to_done_and_back(fake: Fake, http: aiohttp.ClientSession) -> None:
    await told(fake, http, message(), resolved(), message(headline="back"))
    assert fake.moves == ["Finish", "Back to work"]


async def test_an_issue_that_people_moved_is_closed_from_there(fake: Fake, http: aiohttp.ClientSession) -> None:
    receipt = await told(fake, http, message())
    fake.issues[0].status = "In Progress"
    receipt = await told(fake, http, resolved(), receipt=receipt)
    assert fake.issues[0].status == "Done"


async def test_an_issue_that_people_closed_is_closed_no_more(fake: Fake, http: aiohttp.ClientSession) -> None:
    receipt = await told(fake, http, message())
    fake.issues[0].status = "Done"
    await told(fake, http, resolved(), receipt=receipt)
    assert fake.moves == []


async def test_a_transition_can_be_named(fake: Fake, http: aiohttp.ClientSession) -> None:
    receipt = await told(fake, http, message())
    with pytest.raises(Permanent, match="OPS-1 has no transition Ship it: set done") as caught:
        await told(fake, http, resolved(), receipt=receipt, done="Ship it")
    assert caught.value.reason is Reason.NOT_CONFIGURED
    await told(fake, http, resolved(), receipt=receipt, done="Finish")
    assert fake.issues[0].status == "Done"


async def test_a_workflow_without_a_way_to_done_is_said(fake: Fake, http: aiohttp.ClientSession) -> None:
    fake.workflow = {**fake.workflow, "To Do": {"11": "In Progress"}}
    receipt = await told(fake, http, message())
    with pytest.raises(Permanent, match="into Done: set done"):
        await told(fake, http, resolved(), receipt=receipt)


async def test_labels_find_it_again(fake: Fake, http: aiohttp.ClientSession) -> None:
    await told(fake, http, message(), labels=["incident"])
    labels = fake.issues[0].fields["labels"]
    assert labels[0] == "responder"
    assert labels[1].startswith("responder-")
    assert labels[2] == "incident"


@pytest.mark.parametrize("length", [254, 255, 256])
async def test_a_summary_is_cut_at_its_limit(fake: Fake, http: aiohttp.ClientSession, length: int) -> None:
    await told(fake, http, message().model_copy(update={"headline": "ü" * length}))
    assert len(fake.issues[0].fields["summary"]) == min(length, 255)


def test_a_description_has_as_many_blocks_as_fit() -> None:
    long = message().model_copy(update={"cause": "ü" * 31_000, "because": message().because * 100})
    written = description(long, 32_767)
    assert size(written) <= 32_767
    assert written["content"][-1]["type"] == "bulletList", "the links are always there"


@pytest.mark.parametrize(
    "options", [{"project": 'OPS" OR 1'}, {"labels": ["a b"]}, {"url": "x"}, {"labels": [""]}, {"email": None}]
)
def test_bad_options_are_refused(options: dict[str, Any]) -> None:
    given = {"name": "x", "url": "https://x.atlassian.net", "email": "a@b", "project": "OPS"}
    with pytest.raises(ConfigError) as caught:
        plugins.load(sinks, Sink, "sink").build("jira", given | options)
    assert next(iter(options)) in str(caught.value)
