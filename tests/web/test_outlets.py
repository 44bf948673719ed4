"""Sinks on the pages: previews, dead letters, signed buttons and pictures."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from responder.flow.buttons import BUTTON, PICTURE
from responder.signing import Signer
from tests.makers import NOW
from tests.service import Running, Starter, alert

pytestmark = pytest.mark.integration


class Receiver(TestServer):
    """A receiver that refuses until it is told otherwise."""

    status = 400

    def __init__(self) -> None:
        app = web.Application()
        app.router.add_post("/", self._receive)
        super().__init__(app)

    async def _receive(self, _request: web.Request) -> web.Response:
        return web.Response(status=self.status, text="no")


@pytest.fixture
async def refusing() -> AsyncIterator[Receiver]:
    async with Receiver() as server:
        yield server


async def page(service: Running, path: str, status: int = 200) -> str:
    async with service.session.get(f"{service.url}{path}", headers={"Accept": "text/html"}) as answer:
        assert answer.status == status, await answer.text()
        return await answer.text()


async def test_a_sink_is_previewed_in_all_stages_without_sending(start_service: Starter) -> None:
    service = await start_service(sinks=[{"name": "console", "kind": "log"}])
    assert "console" in await page(service, "/sinks")
    shown = await page(service, "/sinks/console")
    for words in ("First word", "Finding", "Resolved", "OOMKilled"):
        assert words in shown
    await page(service, "/sinks/nobody", 404)


async def test_an_incident_is_previewed_as_it_is_now(start_service: Starter) -> None:
    service = await start_service("crash_loop", sinks=[{"name": "console", "kind": "log"}])
    await service.post(alert("KubeChatPodCrashLooping", pod="api-gateway-547ccb84b6-llcn9"))
    incident = await service.incident()
    assert "256Mi (OOMKilled)" in await page(service, f"/sinks/console?incident={incident['id']}")


async def test_what_was_refused_is_seen_and_sent_again(start_service: Starter, refusing: Receiver) -> None:
    service = await start_service(sinks=[{"name": "hook", "kind": "webhook", "url": str(refusing.make_url("/"))}])
    await service.post(alert("Unknown"))

    async def state() -> dict[str, object]:
        [found] = await service.get("sinks")
        return dict(found)

    while not (await state())["dead"]:
        await service.incident()
    assert "answered 400" in await page(service, "/sinks")
    refusing.status = 204
    async with service.session.post(f"{service.url}/api/v1/sinks/hook/replay", json={}) as answer:
        assert (await answer.json())["replayed"] == 1
    while not (await state())["last"]:
        await service.incident()
    assert not (await state())["letters"]
    async with service.session.post(f"{service.url}/api/v1/sinks/nobody/replay", json={}) as answer:
        assert answer.status == 404


async def test_a_signed_button_asks_before_it_acts_and_acts_for_its_holder(start_service: Starter) -> None:
    service = await start_service(auth={"tokens": ["secret"]})
    service.session.headers["Authorization"] = "Bearer secret"
    await service.post(alert("Unknown"))
    incident = await service.incident()
    token = (await signer(service)).sign(BUTTON, incident["id"], "acknowledge", until=NOW.replace(year=2100))
    async with aiohttp.ClientSession() as stranger:
        async with stranger.get(f"{service.url}/say/{token}") as answer:
            assert "Acknowledge the incident" in await answer.text()
        assert not (await service.get(f"incidents/{incident['id']}"))["acknowledged_at"]
        async with stranger.post(f"{service.url}/say/{token}", data={"by": "anna"}) as answer:
            assert "Acknowledged" in await answer.text()
        async with stranger.get(f"{service.url}/say/{token}x") as answer:
            assert answer.status == 404
        async with stranger.post(f"{service.url}/say/{token}", headers={"Sec-Fetch-Site": "cross-site"}) as answer:
            assert answer.status == 403
    assert (await service.get(f"incidents/{incident['id']}"))["acknowledged_by"] == "anna"


async def test_a_signed_picture_is_only_that_picture(start_service: Starter) -> None:
    service = await start_service()
    await service.post(alert("Unknown"))
    incident = await service.incident()
    token = (await signer(service)).sign(PICTURE, incident["id"], "nothing", until=NOW.replace(year=2100))
    for path in (f"/pictures/{token}.png", "/pictures/made-up.png"):
        await page(service, path, 404)


async def test_a_medium_that_cannot_prove_who_it_is_is_refused_and_counted(start_service: Starter) -> None:
    service = await start_service(sinks=[{"name": "console", "kind": "log"}])
    for name in ("console", "nobody"):
        async with service.session.post(f"{service.url}/api/v1/sinks/{name}/events", data=b"{}") as answer:
            assert answer.status == 404
            assert answer.content_type == "application/problem+json"
    async with service.session.get(f"{service.url}/metrics") as answer:
        assert 'responder_sink_calls_total{outcome="not_found"} 2.0' in await answer.text()


async def signer(service: Running) -> Signer:
    """The service's own."""
    import sqlite3

    with sqlite3.connect(f"file:{service.database}?mode=ro", uri=True) as connection:
        return Signer(connection.execute("SELECT value FROM keys WHERE name = 'signing'").fetchone()[0])
