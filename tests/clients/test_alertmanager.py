"""Alertmanager's API, as it answers, as it misbehaves, and for real."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from responder.clients.alertmanager import HttpAlertmanager, connect, same_silence
from responder.clock import SystemClock
from responder.errors import Permanent, Reason, Temporary
from responder.metrics import Metrics
from responder.settings import AlertmanagerSettings
from tests.servers import Servers, route

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
OLD = {"uptime": (datetime.now(UTC) - timedelta(days=1)).isoformat()}


@asynccontextmanager
async def client(answer: Answer, status: Any = OLD, **settings: Any) -> AsyncIterator[HttpAlertmanager]:
    """The client of a server whose alerts are answered so."""

    async def tell_status(request: web.Request) -> web.StreamResponse:
        return web.json_response(status) if status is not None else web.Response(status=404)

    application = web.Application()
    application.router.add_get("/api/v2/alerts", answer)
    application.router.add_get("/api/v2/status", tell_status)
    async with TestServer(application) as server, aiohttp.ClientSession() as session:
        given = {"timeout": "2s", **settings}
        found = connect(AlertmanagerSettings(url=str(server.make_url("/")), **given), session, Metrics(), SystemClock())
        assert found is not None
        yield found
        await found.close()


def answering(status: int, body: str = "[]", **headers: str) -> Answer:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=status, text=body, headers=headers)

    return answer


async def test_without_a_url_there_is_no_client() -> None:
    async with aiohttp.ClientSession() as session:
        assert connect(AlertmanagerSettings(), session, Metrics(), SystemClock()) is None


async def test_matchers_and_credentials_are_sent_as_they_are() -> None:
    seen: list[web.Request] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request)
        return web.json_response([{"fingerprint": "a"}])

    async with client(answer, token=SecretStr("secret"), headers={"X-Scope-OrgID": SecretStr("t")}) as alertmanager:
        assert await alertmanager.alerts('a="b&c"', "d!=e") == [{"fingerprint": "a"}]
    (request,) = seen
    assert request.query.getall("filter") == ['a="b&c"', "d!=e"]
    assert (request.headers["Authorization"], request.headers["X-Scope-OrgID"]) == ("Bearer secret", "t")


@pytest.mark.parametrize(
    ("status", "kind", "reason"),
    [
        (301, Permanent, Reason.BAD_REQUEST),
        (302, Permanent, Reason.BAD_REQUEST),
        (400, Permanent, Reason.BAD_REQUEST),
        (401, Permanent, Reason.UNAUTHORIZED),
        (403, Permanent, Reason.FORBIDDEN),
        (404, Permanent, Reason.NOT_FOUND),
        (410, Permanent, Reason.BAD_REQUEST),
        (429, Temporary, Reason.OVERLOADED),
        (500, Temporary, Reason.SERVER_ERROR),
        (503, Temporary, Reason.SERVER_ERROR),
    ],
)
async def test_an_error_says_what_it_is_worth_and_no_redirect_is_followed(
    status: int, kind: type[Exception], reason: Reason
) -> None:
    async with client(answering(status, "", Location="/elsewhere"), token=SecretStr("tok-3")) as alertmanager:
        with pytest.raises(kind) as caught:
            await alertmanager.alerts()
    assert caught.value.reason is reason  # type: ignore[attr-defined]
    assert "Alertmanager at http://" in str(caught.value)
    assert "tok-3" not in str(caught.value)


@pytest.mark.parametrize("body", ["", "{}", "[1]", "<html>", "nul"])
async def test_an_answer_that_is_no_list_of_alerts_is_refused(body: str) -> None:
    async with client(answering(200, body)) as alertmanager:
        with pytest.raises(Temporary) as caught:
            await alertmanager.alerts()
    assert caught.value.reason is Reason.BAD_ANSWER


async def test_a_server_that_is_gone_is_unreachable() -> None:
    async with aiohttp.ClientSession() as session:
        settings = AlertmanagerSettings(url="http://127.0.0.1:1")
        gone = HttpAlertmanager(settings, session, Metrics(), SystemClock())
        with pytest.raises(Temporary) as caught:
            await gone.alerts()
    assert caught.value.reason is Reason.UNREACHABLE


async def test_an_alertmanager_that_just_started_is_not_relied_on() -> None:
    young = {"uptime": datetime.now(UTC).isoformat()}
    async with client(answering(200), status=young) as alertmanager:
        with pytest.raises(Temporary) as caught:
            await alertmanager.alerts()
    assert caught.value.after == pytest.approx(120, abs=5)
    assert "may not know" in str(caught.value)


@pytest.mark.parametrize("status", [None, {}, [], {"uptime": 7}, {"uptime": "long"}, {"uptime": "2020-01-01T00:00:00"}])
async def test_one_that_does_not_tell_its_age_is_relied_on(status: Any) -> None:
    async with client(answering(200), status=status) as alertmanager:
        assert await alertmanager.alerts() == []


@pytest.mark.parametrize("version", ["0.25", "0.33"])
async def test_recorded_answers_are_read(shared: Path, version: str) -> None:
    path = shared / "alertmanager" / "recorded" / f"70-api-shapes-am{version}.json"
    answers = [item for item in json.loads(path.read_text(encoding="utf-8")) if item["scenario"] == "alerts"]
    async with client(answering(200, json.dumps(answers[0]["response"]["body"]))) as alertmanager:
        alerts = await alertmanager.alerts()
    assert {alert["status"]["state"] for alert in alerts} == {"active", "suppressed"}


@pytest.mark.integration
async def test_a_real_alertmanager_tells_active_and_suppressed_alerts(servers: Servers) -> None:
    process = await servers.alertmanager(route("http://127.0.0.1:1/"))
    await process.silence(alertname="Quiet")
    await process.post({"labels": {"alertname": "Loud"}}, {"labels": {"alertname": "Quiet"}})
    async with aiohttp.ClientSession() as session:
        settings = AlertmanagerSettings(url=process.url, warm_up=timedelta(0))
        alertmanager = HttpAlertmanager(settings, session, Metrics(), SystemClock())
        told = {alert["labels"]["alertname"]: alert["status"]["state"] for alert in await alertmanager.alerts()}
        assert told == {"Loud": "active", "Quiet": "suppressed"}
        (only,) = await alertmanager.alerts('alertname="Loud"')
        assert only["labels"] == {"alertname": "Loud"}
        with pytest.raises(Permanent) as caught:
            await alertmanager.alerts("not a matcher")
        assert caught.value.reason is Reason.BAD_REQUEST
        careful = HttpAlertmanager(AlertmanagerSettings(url=process.url), session, Metrics(), SystemClock())
        with pytest.raises(Temporary):
            await careful.alerts()


MATCHERS = [{"name": "alertname", "value": "Loud", "isRegex": False, "isEqual": True}]


def silenced(**fields: Any) -> dict[str, Any]:
    given = {"id": "1", "startsAt": "a", "endsAt": "b", "comment": "x (mark)", "status": {"state": "active"}}
    return {"matchers": MATCHERS, **given, **fields}


def test_a_silence_is_known_by_its_matchers_and_its_mark() -> None:
    assert same_silence([silenced(comment="y"), silenced()], MATCHERS, "mark") == {
        "id": "1",
        "startsAt": "a",
        "endsAt": "b",
    }
    old = [{name: value for name, value in MATCHERS[0].items() if name != "isEqual"}]
    assert same_silence([silenced(matchers=old)], MATCHERS, "mark"), "older servers know no isEqual"


@pytest.mark.parametrize(
    "other",
    [
        {"comment": "of somebody"},
        {"status": {"state": "expired"}},
        {"matchers": [{**MATCHERS[0], "value": "Quiet"}]},
        {"matchers": [{**MATCHERS[0], "isRegex": True}]},
        {"matchers": [{**MATCHERS[0], "isEqual": False}]},
        {"matchers": None},
        {"status": None},
    ],
)
def test_other_silences_are_left_alone(other: dict[str, Any]) -> None:
    assert same_silence([silenced(**other), 7, None], MATCHERS, "mark") is None
    assert same_silence({}, MATCHERS, "mark") is None


@pytest.mark.integration
async def test_a_real_alertmanager_silences_once_and_prolongs(servers: Servers) -> None:
    process = await servers.alertmanager(route("http://127.0.0.1:1/"))
    await process.post({"labels": {"alertname": "Loud", "path": 'a"b\\c\nd'}})
    async with aiohttp.ClientSession() as session:
        settings = AlertmanagerSettings(url=process.url, warm_up=timedelta(0))
        alertmanager = HttpAlertmanager(settings, session, Metrics(), SystemClock())
        labels = {"alertname": "Loud", "path": 'a"b\\c\nd'}
        given: dict[str, Any] = {"reason": "known", "by": "ada", "mark": "incident 1"}
        until = datetime.now(UTC) + timedelta(hours=1)
        first = await alertmanager.silence(labels, until=until, **given)
        assert await alertmanager.silence(labels, until=until, **given) == first
        assert await alertmanager.silence(labels, until=until + timedelta(hours=1), **given) == first
        assert await alertmanager.silence(labels, until=until, **{**given, "mark": "incident 2"}) != first
        (alert,) = await alertmanager.alerts()
        assert alert["status"]["state"] == "suppressed"
        with pytest.raises(Permanent) as caught:
            await alertmanager.silence({"alertname": "Loud"}, until=datetime.now(UTC) - timedelta(hours=1), **given)
        assert caught.value.reason is Reason.BAD_REQUEST
