"""Grafana OnCall: groups open, take news and close; the address is a secret."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from responder.errors import Permanent, Reason
from responder.flow.message import compose
from responder.model.incident import IncidentStatus
from responder.model.message import Message
from responder.sinks.grafana_oncall import payload
from tests.fakes.sinks.grafana_oncall import TOKEN, Fake
from tests.makers import NOW
from tests.sinks.medium import medium
from tests.sinks.reports import announced, diagnosed


@pytest.fixture
async def fake() -> AsyncIterator[Fake]:
    async with Fake() as running:
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


async def told(fake: Fake, http: aiohttp.ClientSession, *messages: Message, receipt: str = "") -> str:
    for one in messages:
        receipt = await fake.sink().deliver(one, receipt, medium(http))
    return receipt


async def test_a_group_opens_takes_the_finding_and_closes(fake: Fake, http: aiohttp.ClientSession) -> None:
    await told(fake, http, compose(announced()), message(2), message(3), resolved(4), resolved(5))
    [group] = fake.groups
    assert [alert["state"] for alert in group] == ["alerting", "alerting", "ok"]
    assert group[1]["link_to_upstream_details"] == "http://responder.example/incidents/4f2a"


async def test_an_incident_that_comes_back_is_another_group(fake: Fake, http: aiohttp.ClientSession) -> None:
    await told(fake, http, message(1), resolved(2), message(3))
    assert [thing.open for thing in fake.things()] == [False, True]


async def test_what_comes_late_opens_nothing_after_the_end(fake: Fake, http: aiohttp.ClientSession) -> None:
    receipt = await told(fake, http, message(1), resolved(5))
    await told(fake, http, message(4, headline="late"), receipt=receipt)
    assert [thing.open for thing in fake.things()] == [False]


async def test_the_address_can_be_in_a_file(fake: Fake, http: aiohttp.ClientSession, tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text(f"{fake.url}/integrations/v1/formatted_webhook/{TOKEN}/\n")
    await fake.sink(url=None, url_file=file).deliver(message(), "", medium(http))
    assert len(fake.groups) == 1
    file.write_text("no address")
    with pytest.raises(Permanent) as caught:
        await fake.sink(url=None, url_file=file).deliver(message(), "", medium(http))
    assert caught.value.reason is Reason.NOT_CONFIGURED


async def test_a_wrong_address_is_forbidden_and_not_shown(fake: Fake, http: aiohttp.ClientSession) -> None:
    wrong = f"{fake.url}/integrations/v1/formatted_webhook/wr0ng-t0ken/"
    with pytest.raises(Permanent) as caught:
        await fake.sink(url=wrong).deliver(message(), "", medium(http))
    assert caught.value.reason is Reason.FORBIDDEN
    assert "wr0ng-t0ken" not in str(caught.value)


@pytest.mark.parametrize("length", [16_000, 20_000])
def test_long_texts_are_cut(length: int) -> None:
    alert = payload(message().model_copy(update={"headline": "x" * length, "cause": "y" * length}))
    assert len(alert["title"]) == 500
    assert len(alert["message"]) == 16_000
