"""What all pagers have in common: an incident opens, takes news, closes, comes back, and nothing late opens it."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from responder.errors import Permanent, Reason
from responder.flow.message import compose
from responder.model.incident import IncidentStatus, Severity
from responder.model.message import Message
from responder.sinks._issue_markdown import finding as markdown
from tests.fakes.sinks import Fake, find
from tests.fakes.sinks.splunk_oncall import Fake as Splunk
from tests.makers import NOW
from tests.sinks.medium import medium
from tests.sinks.reports import announced, diagnosed


@pytest.fixture(params=["pagerduty", "opsgenie", "grafana_oncall", "splunk_oncall", "incident_io"])
async def fake(request: pytest.FixtureRequest) -> AsyncIterator[Fake]:
    async with find(request.param)() as running:
        yield running
    assert running.complaints == []


@pytest.fixture
async def splunk() -> AsyncIterator[Splunk]:
    async with Splunk() as running:
        yield running
    assert running.complaints == []


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def message(revision: int = 1, **fields: Any) -> Message:
    return compose(diagnosed(revision=revision, **fields))


def resolved(revision: int) -> Message:
    return message(revision, status=IncidentStatus.RESOLVED, resolved_at=NOW)


def acknowledged(revision: int) -> Message:
    return message(revision, acknowledged_at=NOW, acknowledged_by="ada")


async def told(fake: Fake, http: aiohttp.ClientSession, *messages: Message, receipt: str = "") -> str:
    for one in messages:
        receipt = await fake.sink().deliver(one, receipt, medium(http))
    return receipt


async def test_an_incident_opens_takes_the_finding_and_closes(fake: Fake, http: aiohttp.ClientSession) -> None:
    receipt = await told(fake, http, compose(announced()))
    assert "OOMKilled" not in fake.things()[0].text
    receipt = await told(fake, http, message(2), acknowledged(3), receipt=receipt)
    [thing] = fake.things()
    assert "OOMKilled" in thing.text
    assert thing.open
    await told(fake, http, resolved(4), resolved(5), receipt=receipt)
    [thing] = fake.things()
    assert not thing.open


async def test_an_incident_that_comes_back_pages_again(fake: Fake, http: aiohttp.ClientSession) -> None:
    await told(fake, http, message(1), resolved(2), message(3))
    assert [thing.open for thing in fake.things()] == [False, True]


async def test_what_comes_late_opens_nothing_after_the_end(fake: Fake, http: aiohttp.ClientSession) -> None:
    receipt = await told(fake, http, message(1), resolved(5))
    before = fake.requests
    assert await told(fake, http, message(4, headline="late"), acknowledged(5), receipt=receipt) == receipt
    assert fake.requests == before


async def test_what_is_not_new_is_not_told(fake: Fake, http: aiohttp.ClientSession) -> None:
    receipt = await told(fake, http, message(1))
    before = fake.requests
    await told(fake, http, message(2, alerts=announced().alerts[:1]), receipt=receipt)
    assert fake.requests == before


async def test_an_end_of_which_nobody_knew_the_beginning_pages_nobody(fake: Fake, http: aiohttp.ClientSession) -> None:
    await told(fake, http, resolved(5))
    assert not [thing for thing in fake.things() if thing.open]


async def test_splunk_hears_who_has_it_also_after_news(splunk: Splunk, http: aiohttp.ClientSession) -> None:
    news = acknowledged(3).model_copy(update={"headline": "news"})
    await told(splunk, http, message(1), acknowledged(2), news)
    assert splunk.kinds == ["CRITICAL", "ACKNOWLEDGEMENT", "CRITICAL", "ACKNOWLEDGEMENT"]
    assert splunk.incidents[0].alerts[-1]["ack_author"] == "ada"


@pytest.mark.parametrize(("severity", "kind"), [(Severity.P0, "CRITICAL"), (Severity.P3, "WARNING")])
async def test_splunk_is_told_the_severity(
    splunk: Splunk, http: aiohttp.ClientSession, severity: Severity, kind: str
) -> None:
    await told(splunk, http, message(severity=severity))
    assert splunk.kinds == [kind]


async def test_a_failure_that_splunk_tells_with_200_is_trouble(splunk: Splunk, http: aiohttp.ClientSession) -> None:
    splunk._fault = lambda *_: "no such routing key"  # type: ignore[method-assign]
    with pytest.raises(Permanent, match="no such routing key") as caught:
        await told(splunk, http, message())
    assert caught.value.reason is Reason.BAD_REQUEST
    splunk.complaints.clear()


async def test_a_state_message_is_cut_at_its_limit(splunk: Splunk, http: aiohttp.ClientSession) -> None:
    await told(splunk, http, message().model_copy(update={"cause": "ü" * 30_000}))
    assert len(splunk.incidents[0].alerts[0]["state_message"]) == 20_480


@pytest.mark.parametrize("most", [200, 500, 16_000])
def test_a_finding_in_markdown_has_as_many_lines_as_fit(most: int) -> None:
    assert len(markdown(message().model_copy(update={"cause": "*" * most}), most)) <= most
