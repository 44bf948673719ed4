"""Under a sub-path everything works: pages, style, API, events and links, whether a proxy strips the path or not."""

import re
from collections.abc import AsyncIterator, Iterator
from html import unescape
from urllib.parse import urljoin, urlsplit

import aiohttp
import pytest
from aiohttp import web

from tests.servers import free_port
from tests.service import Running, Starter, alert, start_service

__all__ = ["start_service"]

ROOT = "/ops/responder"
_ADDRESS = re.compile(r'(?:href|src|action|formaction|data-events)="([^"]*)"')
PAGES = ("/", "/runbooks", "/causes", "/sinks", "/sinks/console", "/runbooks/kubechat-pod-crash-loop")


class Proxy:
    """A reverse proxy that has Responder under a path."""

    def __init__(self, strips: bool) -> None:
        self.strips = strips
        self.target = ""
        self.url = ""

    async def pass_on(self, request: web.Request) -> web.Response:
        path = request.path_qs.removeprefix(ROOT) if self.strips else request.path_qs
        headers = {name: value for name, value in request.headers.items() if name not in ("Host", "Accept-Encoding")}
        async with (
            aiohttp.ClientSession(auto_decompress=False) as session,
            session.request(
                request.method,
                self.target + path,
                data=await request.read(),
                headers={**headers, "Accept-Encoding": "identity"},
                allow_redirects=False,
            ) as answer,
        ):
            kept = ("Location", "Content-Type", "Link", "X-More")
            headers = {name: answer.headers[name] for name in kept if name in answer.headers}
            return web.Response(status=answer.status, body=await answer.read(), headers=headers)


@pytest.fixture(params=[True, False], ids=["the proxy strips the path", "the proxy keeps the path"])
async def proxy(request: pytest.FixtureRequest) -> AsyncIterator[Proxy]:
    found = Proxy(request.param)
    application = web.Application()
    application.router.add_route("*", ROOT + "{rest:.*}", found.pass_on)
    runner = web.AppRunner(application)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    found.url = f"http://127.0.0.1:{port}"
    yield found
    await runner.cleanup()


async def served(proxy: Proxy, start_service: Starter) -> tuple[Running, str]:
    """The service, and an incident of it."""
    service = await start_service(
        "crash_loop", external_url=proxy.url + ROOT, sinks=[{"name": "console", "kind": "log"}]
    )
    proxy.target = service.url
    await service.post(alert("KubeChatPodCrashLooping", pod="api-gateway-547ccb84b6-llcn9"))
    incident = await service.incident()
    assert incident["url"] == f"{proxy.url}{ROOT}/incidents/{incident['id']}"
    return service, incident["id"]


def addresses(page: str, at: str) -> Iterator[str]:
    for address in map(unescape, _ADDRESS.findall(page)):
        if not address.startswith(("#", "http://prometheus.example", "https://kubernetes.io", "https://www.")):
            yield urljoin(at, address)


async def test_every_address_on_every_page_stays_under_the_path_and_is_there(
    proxy: Proxy, start_service: Starter
) -> None:
    service, incident = await served(proxy, start_service)
    seen: set[str] = set()
    for path in (*PAGES, f"/incidents/{incident}"):
        at = proxy.url + ROOT + path
        async with service.session.get(at) as answer:
            assert answer.status == 200, at
            page = await answer.text()
        own = [address for address in addresses(page, at) if address.startswith(proxy.url)]
        assert own
        assert [address for address in own if not urlsplit(address).path.startswith(f"{ROOT}/")] == []
        seen.update(address.partition("#")[0] for address in own if "events" not in address)
    for address in sorted(seen)[:60]:
        async with service.session.get(address) as answer:
            assert answer.status in (200, 405), address


async def test_forms_come_back_to_the_page_and_the_api_answers(proxy: Proxy, start_service: Starter) -> None:
    service, incident = await served(proxy, start_service)
    api = f"{proxy.url}{ROOT}/api/v1"
    async with service.session.post(f"{api}/incidents/{incident}/acknowledge", data={"by": "Ada"}) as answer:
        assert answer.status == 200
        assert str(answer.url) == f"{proxy.url}{ROOT}/incidents/{incident}"
        assert "Ada" in await answer.text()
    async with service.session.get(f"{api}/incidents", params={"limit": 1}) as answer:
        assert [item["id"] for item in await answer.json()] == [incident]
    async with service.session.get(f"{api}/nothing") as answer:
        assert answer.content_type == "application/problem+json"
    async with service.session.get(f"{api}/openapi.json") as answer:
        assert (await answer.json())["servers"] == [{"url": ROOT}]
    async with service.session.post(f"{api}/alertmanager", json={"alerts": [alert("QueueStuck")]}) as answer:
        assert answer.status == 200
    async with service.session.get(f"{service.url}{'' if proxy.strips else ROOT}/api/v1/events") as answer:
        assert answer.content_type == "text/event-stream"


async def test_without_a_sub_path_there_is_none(start_service: Starter) -> None:
    service = await start_service()
    async with service.session.get(service.url) as answer:
        assert 'href="/runbooks"' in await answer.text()
