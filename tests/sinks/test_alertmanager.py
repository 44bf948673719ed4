"""Alertmanager: the finding burns as an alert until the incident ends; against the fake and against Debian's."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from responder import plugins, sinks
from responder.errors import ConfigError, Reason, Temporary, Trouble
from responder.flow.message import compose
from responder.model.incident import IncidentStatus
from responder.model.message import Message
from responder.sinks import Sink
from responder.sinks.alertmanager import Alertmanager, _read
from tests.fakes.sinks.alertmanager import TOKEN, Fake
from tests.makers import NOW
from tests.servers import AlertmanagerProcess, Servers, route
from tests.sinks.medium import Keeper, medium
from tests.sinks.reports import announced, diagnosed, finding, tracked


@pytest.fixture
async def fake() -> AsyncIterator[Fake]:
    async with Fake() as running:
        yield running
    assert running.complaints == []


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def message(cause: str = "memory-limit-reached", **fields: Any) -> Message:
    return compose(diagnosed(findings=(finding(cause=cause),), **fields))


def resolved(cause: str = "memory-limit-reached") -> Message:
    return message(cause, status=IncidentStatus.RESOLVED, resolved_at=NOW)


async def told(fake: Fake, http: aiohttp.ClientSession, *messages: Message, receipt: str = "", **options: Any) -> str:
    for one in messages:
        receipt = await fake.sink(**options).deliver(one, receipt, medium(http))
    return receipt


async def test_the_finding_is_an_alert_with_labels_to_route_by(fake: Fake, http: aiohttp.ClientSession) -> None:
    await told(fake, http, message(), labels={"severity": "info"})
    [labels] = fake.burning()
    assert labels == {
        "alertname": "ResponderFinding",
        "cause": "memory-limit-reached",
        "confidence": "certain",
        "namespace": "kubechat-system",
        "priority": "P1",
        "responder_incident": "4f2a",
        "severity": "info",
        "subject": "deployment/api-gateway",
    }
    [alert] = fake.alerts.values()
    assert alert["annotations"]["incident_url"] == alert["generatorURL"]
    assert datetime.fromisoformat(alert["endsAt"]) == NOW + timedelta(hours=24)


async def test_without_a_finding_there_is_no_alert_unless_asked_for(fake: Fake, http: aiohttp.ClientSession) -> None:
    await told(fake, http, compose(announced()), announce=False)
    assert fake.alerts == {}
    await told(fake, http, compose(announced()))
    assert len(fake.burning()) == 1


async def test_another_cause_ends_the_alert_of_the_first(fake: Fake, http: aiohttp.ClientSession) -> None:
    receipt = await told(fake, http, message("memory-limit-reached"), message("node-memory-pressure"))
    assert [labels["cause"] for labels in fake.burning()] == ["node-memory-pressure"]
    await told(fake, http, resolved("node-memory-pressure"), receipt=receipt)
    assert fake.burning() == []
    assert len(fake.alerts) == 2


async def test_an_incident_that_comes_back_burns_again(fake: Fake, http: aiohttp.ClientSession) -> None:
    receipt = await told(fake, http, message(), resolved())
    assert fake.burning() == []
    await told(fake, http, message(), receipt=receipt)
    assert len(fake.burning()) == 1


async def test_an_alert_of_which_nobody_heard_is_ended_all_the_same(fake: Fake, http: aiohttp.ClientSession) -> None:
    keeper = Keeper()
    fake.mode = "broken after"
    with pytest.raises(Temporary):
        await fake.sink().deliver(message(), "", medium(http, keeper=keeper))
    fake.mode = "ok"
    await told(fake, http, resolved(), receipt=keeper.receipts[-1])
    assert fake.burning() == []


async def test_a_cause_that_changes_twice_leaves_nothing_behind(fake: Fake, http: aiohttp.ClientSession) -> None:
    keeper = Keeper()
    receipt = await told(fake, http, message("one"))
    fake.mode = "broken after"
    with pytest.raises(Temporary):
        await fake.sink().deliver(message("two"), receipt, medium(http, keeper=keeper))
    fake.mode = "ok"
    await told(fake, http, message("three"), receipt=keeper.receipts[-1])
    assert [labels["cause"] for labels in fake.burning()] == ["three"]


@pytest.mark.parametrize("place", ["common", "one of them"])
async def test_our_own_alert_is_never_answered_with_another(
    fake: Fake, http: aiohttp.ClientSession, place: str
) -> None:
    own = tracked("ResponderFinding").model_copy(
        update={"labels": {"alertname": "ResponderFinding", "responder_incident": "4f2a"}}
    )
    alerts = (own,) if place == "common" else (own, tracked("Other"))
    await told(fake, http, message(alerts=alerts, id="loop"))
    assert fake.alerts == {}


async def test_one_alertmanager_of_the_cluster_is_enough(fake: Fake, http: aiohttp.ClientSession) -> None:
    await told(fake, http, message(), urls=["http://127.0.0.1:9", fake.url])
    assert len(fake.burning()) == 1
    with pytest.raises(Temporary) as caught:
        await told(fake, http, message(), urls=["http://127.0.0.1:9", "http://127.0.0.1:9"])
    assert caught.value.reason is Reason.UNREACHABLE


async def test_a_password_is_sent_and_never_shown(fake: Fake, http: aiohttp.ClientSession, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("s3cr3t-passw0rd\n")
    options = {"token": None, "username": "ada", "password_file": file}
    with pytest.raises(Trouble) as caught:
        await told(fake, http, message(), **options)
    assert caught.value.reason is Reason.UNAUTHORIZED
    assert "s3cr3t-passw0rd" not in str(caught.value)
    assert TOKEN not in repr(Alertmanager(name="x", urls=("http://x",), token=TOKEN))


@pytest.mark.parametrize(
    "options",
    [{"urls": []}, {"urls": ["x"]}, {"labels": {"alertname": "x"}}, {"labels": {"a-b": "x"}}, {"expire": "x"}],
)
def test_bad_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        plugins.load(sinks, Sink, "sink").build("alertmanager", {"name": "x", "urls": ["http://x"]} | options)
    assert next(iter(options)) in str(caught.value)


@pytest.mark.parametrize("receipt", ["", "x", "x {", "x 1", "x [1]", 'x [{"alertname": "Other"}]'])
def test_receipts_of_others_are_ignored(receipt: str) -> None:
    assert _read(receipt) == []


async def burning(server: AlertmanagerProcess, http: aiohttp.ClientSession) -> list[dict[str, Any]]:
    async with http.get(f"{server.url}/api/v2/alerts") as answer:
        found: list[dict[str, Any]] = await answer.json()
        return found


@pytest.mark.integration
async def test_debians_alertmanager_routes_and_ends_the_finding(servers: Servers, http: aiohttp.ClientSession) -> None:
    receiver = await servers.webhook()
    server = await servers.alertmanager(route(receiver.url, group_wait="0s", group_interval="1s"))
    sink = Alertmanager(name="alerts", urls=(server.url,))
    now = datetime.now(UTC)
    hostile = '"\\\n{{ .X }} ü 🔥'
    times = {"started_at": now - timedelta(minutes=4), "updated_at": now}
    first = message("memory-limit-reached", headline=hostile, **times)
    receipt = await sink.deliver(first, "", replace(medium(http), now=now))
    [alert] = await burning(server, http)
    assert alert["labels"]["cause"] == "memory-limit-reached"
    assert alert["status"]["state"] in ("active", "unprocessed")
    receipt = await sink.deliver(first, receipt, replace(medium(http), now=now))
    assert len(await burning(server, http)) == 1, "a repeat is the same alert"
    [told] = await receiver.until(1)
    assert told["alerts"][0]["annotations"]["summary"] == " ".join(hostile.split())

    other = message("node-memory-pressure", **times)
    receipt = await sink.deliver(other, receipt, replace(medium(http), now=datetime.now(UTC)))
    assert [one["labels"]["cause"] for one in await burning(server, http)] == ["node-memory-pressure"]

    end = datetime.now(UTC)
    over = message("node-memory-pressure", status=IncidentStatus.RESOLVED, resolved_at=end, **times)
    await sink.deliver(over, receipt, replace(medium(http), now=end))
    assert await burning(server, http) == []
    async with asyncio.timeout(20):
        while receiver.bodies[-1]["status"] != "resolved":
            await receiver.until(len(receiver.bodies) + 1)
