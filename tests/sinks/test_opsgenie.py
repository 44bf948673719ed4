"""Opsgenie: states, the poll after 202, limits at the edge."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from responder.errors import Permanent, Reason, Temporary
from responder.flow.message import compose
from responder.model.incident import IncidentStatus, Severity
from responder.model.message import Message
from responder.sinks.opsgenie import Opsgenie
from tests.fakes.sinks.opsgenie import KEY, Fake
from tests.makers import NOW
from tests.sinks.medium import Keeper, medium
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


def resolved(revision: int = 5) -> Message:
    return message(revision, status=IncidentStatus.RESOLVED, resolved_at=NOW)


def acknowledged(revision: int = 3) -> Message:
    return message(revision, acknowledged_at=NOW, acknowledged_by="ada")


async def told(fake: Fake, http: aiohttp.ClientSession, *messages: Message, receipt: str = "", **options: Any) -> str:
    for one in messages:
        receipt = await fake.sink(**options).deliver(one, receipt, medium(http))
    return receipt


async def test_an_alert_is_created_changed_acknowledged_and_closed(fake: Fake, http: aiohttp.ClientSession) -> None:
    await told(fake, http, compose(announced()), message(2), acknowledged(3), resolved(4), resolved(5))
    assert fake.actions == ["create", "message", "description", "priority", "notes", "acknowledge", "close"]
    [alert] = fake.alerts
    assert alert.status == "closed"
    assert "OOMKilled" in alert.fields["description"]
    assert "OOMKilled" in alert.notes[0]


async def test_an_incident_that_comes_back_is_another_alert(fake: Fake, http: aiohttp.ClientSession) -> None:
    await told(fake, http, message(1), resolved(2), message(3))
    assert [alert.status for alert in fake.alerts] == ["closed", "open"]


async def test_what_comes_late_opens_nothing_after_the_end(fake: Fake, http: aiohttp.ClientSession) -> None:
    receipt = await told(fake, http, message(1), resolved(5))
    await told(fake, http, message(4, headline="late"), receipt=receipt)
    assert [alert.status for alert in fake.alerts] == ["closed"]


async def test_an_alert_that_people_closed_is_left_closed(fake: Fake, http: aiohttp.ClientSession) -> None:
    receipt = await told(fake, http, message(1))
    fake.alerts[0].status = "closed"
    await told(fake, http, message(2, headline="news"), acknowledged(3), resolved(4), receipt=receipt)
    assert [alert.status for alert in fake.alerts] == ["closed"]


async def test_an_alert_that_people_acknowledged_stays_so(fake: Fake, http: aiohttp.ClientSession) -> None:
    receipt = await told(fake, http, message(1))
    fake.alerts[0].status = "acknowledged"
    await told(fake, http, acknowledged(2), receipt=receipt)
    assert fake.alerts[0].status == "acknowledged"


async def test_a_request_that_is_done_later_is_waited_for(fake: Fake, http: aiohttp.ClientSession) -> None:
    fake.looks = 3
    await told(fake, http, message())
    assert len(fake.alerts) == 1


async def test_a_request_that_is_never_done_is_tried_again(
    fake: Fake, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("responder.sinks.opsgenie.LOOKS", (0.0, 0.0))
    fake.looks = 9
    with pytest.raises(Temporary) as caught:
        await told(fake, http, message())
    assert caught.value.reason is Reason.TIMEOUT
    fake.looks = 1
    await told(fake, http, message())
    assert len(fake.alerts) == 1
    assert fake.alerts[0].count == 2


async def test_a_request_that_was_taken_and_refused_is_permanent(fake: Fake, http: aiohttp.ClientSession) -> None:
    fake._do = lambda *_: (False, "Responder team is missing")  # type: ignore[method-assign]
    with pytest.raises(Permanent, match="Responder team is missing"):
        await told(fake, http, message())


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (401, Reason.UNAUTHORIZED),
        (402, Reason.BAD_REQUEST),
        (403, Reason.FORBIDDEN),
        (404, Reason.NOT_FOUND),
        (422, Reason.BAD_REQUEST),
    ],
)
async def test_refusals_are_permanent_and_show_no_key(
    fake: Fake, http: aiohttp.ClientSession, status: int, reason: Reason
) -> None:
    fake.mode = "unauthorized"
    fake.unauthorized = lambda: web.json_response({"message": f"Key {KEY}", "took": 0, "requestId": "x"}, status=status)  # type: ignore[method-assign]
    with pytest.raises(Permanent) as caught:
        await told(fake, http, message())
    assert caught.value.reason is reason
    assert KEY not in str(caught.value)


async def test_a_delivery_that_stopped_goes_on_where_it_was(fake: Fake, http: aiohttp.ClientSession) -> None:
    keeper = Keeper()
    await fake.sink().deliver(acknowledged(), "", medium(http, keeper=keeper))
    fake.actions.clear()
    await told(fake, http, acknowledged(), receipt=keeper.receipts[1])
    assert fake.actions == ["acknowledge"]


@pytest.mark.parametrize(
    ("severity", "priority"), [(Severity.P0, "P1"), (Severity.P1, "P2"), (Severity.P2, "P3"), (Severity.P3, "P4")]
)
async def test_severities_are_priorities(
    fake: Fake, http: aiohttp.ClientSession, severity: Severity, priority: str
) -> None:
    await told(fake, http, message(severity=severity))
    assert fake.alerts[0].fields["priority"] == priority


@pytest.mark.parametrize("length", [129, 130, 131])
async def test_a_message_is_cut_at_its_limit(fake: Fake, http: aiohttp.ClientSession, length: int) -> None:
    await told(fake, http, message().model_copy(update={"headline": "ü" * length}))
    assert len(fake.alerts[0].fields["message"]) == min(length, 130)


async def test_a_description_is_cut_at_its_limit(fake: Fake, http: aiohttp.ClientSession) -> None:
    await told(fake, http, message().model_copy(update={"cause": "ü" * 20_000}))
    assert len(fake.alerts[0].fields["description"]) == 15_000


async def test_tags_and_teams_are_given(fake: Fake, http: aiohttp.ClientSession) -> None:
    await told(fake, http, message(), teams=["shop"], tags=["a,b", "x" * 60, *map(str, range(30))])
    fields = fake.alerts[0].fields
    assert fields["responders"] == [{"name": "shop", "type": "team"}]
    assert fields["tags"][:4] == ["responder", "P1", "KubePodCrashLooping", "a b"]
    assert len(fields["tags"]) == 20


async def test_the_path_of_jira_service_management_is_kept(fake: Fake, http: aiohttp.ClientSession) -> None:
    seen = []

    async def answer(request: web.Request, body: bytes) -> web.StreamResponse:
        seen.append((request.method, request.path))
        if request.method == "POST":
            return web.json_response({"requestId": "1"}, status=202)
        return web.json_response({"data": {"isSuccess": True}})

    fake.answer = answer  # type: ignore[method-assign]
    await told(fake, http, message(), url=f"{fake.url}/jsm/ops/integration/")
    assert seen[0] == ("POST", "/jsm/ops/integration/v2/alerts")
    assert seen[1] == ("GET", "/jsm/ops/integration/v2/alerts/requests/1")


async def test_an_alias_cannot_leave_its_place_in_the_path(fake: Fake, http: aiohttp.ClientSession) -> None:
    strange = message().model_copy(update={"key": "../x?y#z%2F/é"})
    receipt = await told(fake, http, strange)
    await told(fake, http, strange.model_copy(update={"acknowledged_by": "ada"}), receipt=receipt)
    assert fake.actions[-1] == "acknowledge"


async def test_the_key_can_be_in_a_file(fake: Fake, http: aiohttp.ClientSession, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")
    await told(fake, http, message(), api_key=None, api_key_file=file)
    assert len(fake.alerts) == 1
    with pytest.raises(Permanent, match="api_key"):
        await Opsgenie(name="x").deliver(message(), "", medium(http))
