"""HTTP requests of runbooks: what servers answer, what they try, and where nobody may ask."""

import asyncio
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from responder.clients.http import AioHttp
from responder.clock import SystemClock
from responder.errors import Permanent, Reason, Temporary, Trouble
from responder.metrics import Metrics
from tests.servers import free_port, program

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@pytest.fixture
async def http() -> AsyncIterator[AioHttp]:
    async with aiohttp.ClientSession() as session:
        found = AioHttp(session, Metrics(), SystemClock())
        yield found
        await found.close()


@asynccontextmanager
async def serving(handler: Handler, **options: Any) -> AsyncIterator[str]:
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handler)
    async with TestServer(application, **options) as server:
        yield str(server.make_url("/")).rstrip("/")


def saying(text: str = "fine", status: int = 200, **headers: str) -> Handler:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=status, text=text, headers=headers)

    return answer


async def refusal(http: AioHttp, url: str) -> Trouble:
    with pytest.raises(Trouble) as caught:
        await http.get(url)
    return caught.value


@pytest.mark.parametrize("status", [200, 204, 404, 503])
async def test_any_status_is_an_answer(http: AioHttp, status: int) -> None:
    async with serving(saying("fine", status)) as url:
        answer = await http.get(f"{url}/health")
    assert answer.status == status
    assert answer.seconds > 0


async def test_a_body_is_cut_and_its_secrets_are_hidden(http: AioHttp) -> None:
    async with serving(saying("password=hunter2 " + "x" * 200_000, **{"Set-Cookie": "session=abc"})) as url:
        answer = await http.get(f"{url}/?token=hunter2", limit=1000)
    assert len(answer.body) < 1100
    assert "hunter2" not in answer.model_dump_json()
    assert answer.headers["Set-Cookie"] == "[redacted]"


async def test_a_body_that_comes_in_pieces_is_read_up_to_the_limit(http: AioHttp) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(10):
            await response.write(b"0123456789")
            await asyncio.sleep(0.005)
        return response

    async with serving(answer) as url:
        assert len((await http.get(url, limit=95)).body) == 95


async def test_a_body_without_end_is_cut(http: AioHttp) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 65536)

    async with serving(answer) as url:
        assert len((await http.get(url, limit=4096)).body) == 4096


async def test_a_server_that_hangs_is_given_up_on(http: AioHttp) -> None:
    released = asyncio.Event()

    async def answer(request: web.Request) -> web.Response:
        await released.wait()
        return web.Response()

    async with serving(answer) as url:
        with pytest.raises(Temporary) as caught:
            await http.get(url, timeout=0.2)
        released.set()
    assert caught.value.reason is Reason.TIMEOUT


async def test_redirects_are_followed_on_the_same_server_only(http: AioHttp) -> None:
    async def answer(request: web.Request) -> web.Response:
        if request.path == "/here":
            return web.Response(status=302, headers={"Location": "/there"})
        if request.path == "/away":
            return web.Response(status=302, headers={"Location": "http://example.com/x"})
        return web.Response(text="there")

    async with serving(answer) as url:
        assert (await http.get(f"{url}/here")).body == "there"
        away = await http.get(f"{url}/away")
    assert (away.status, away.headers["Location"]) == (302, "http://example.com/x")


async def test_a_circle_of_redirects_ends(http: AioHttp) -> None:
    async with serving(saying(status=302, Location="/again")) as url:
        assert "redirects more than" in str(await refusal(http, f"{url}/again"))


@pytest.mark.parametrize(
    "url",
    ["", "x", "ftp://host/", "file:///etc/passwd", "http://", "gopher://127.0.0.1/", "http://[::1", "http://h:99999/"],
)
async def test_what_is_no_http_url_is_refused(http: AioHttp, url: str) -> None:
    trouble = await refusal(http, url)
    assert isinstance(trouble, Permanent)
    assert trouble.reason is Reason.BAD_REQUEST


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://169.254.0.1/",
        "http://[fe80::1]/",
        "http://[fd00:ec2::254]/",
        "http://[::ffff:169.254.169.254]/",
        "http://100.100.100.200/",
        "http://2852039166/",
        "http://0xa9fea9fe/",
        "http://0251.0376.0251.0376/",
    ],
)
async def test_addresses_that_hand_out_credentials_are_not_asked(http: AioHttp, url: str) -> None:
    trouble = await refusal(http, url)
    assert isinstance(trouble, Permanent)
    assert trouble.reason is Reason.FORBIDDEN


async def test_a_name_that_means_such_an_address_is_not_asked(http: AioHttp, monkeypatch: pytest.MonkeyPatch) -> None:
    async def resolve(*_: object, **__: object) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", 80))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
    assert (await refusal(http, "http://innocent.example/")).reason is Reason.FORBIDDEN


async def test_a_name_that_does_not_resolve_is_unreachable(http: AioHttp) -> None:
    trouble = await refusal(http, "http://no-such-host.invalid/")
    assert isinstance(trouble, Temporary)
    assert trouble.reason is Reason.UNREACHABLE


async def test_nobody_listening_is_said_with_the_address(http: AioHttp) -> None:
    port = free_port()
    trouble = await refusal(http, f"http://u:hunter2@127.0.0.1:{port}/")
    assert str(port) in str(trouble)
    assert "hunter2" not in str(trouble)


async def test_a_certificate_that_is_not_accepted_is_named(http: AioHttp, tmp_path: Path) -> None:
    openssl = program("openssl", package="openssl")
    options = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    command = [openssl, "req", *options, "-keyout", f"{tmp_path}/key", "-out", f"{tmp_path}/cert"]
    await asyncio.to_thread(subprocess.run, command, capture_output=True, check=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert", tmp_path / "key")
    application = web.Application()
    runner = web.AppRunner(application)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=context).start()
    try:
        assert "certificate is not accepted" in str(await refusal(http, f"https://127.0.0.1:{port}/"))
    finally:
        await runner.cleanup()


async def test_a_dead_host_delays_nobody_else(http: AioHttp) -> None:
    port = free_port()
    for _ in range(6):
        last = await refusal(http, f"http://127.0.0.1:{port}/")
    assert last.reason is Reason.BREAKER_OPEN
    async with serving(saying()) as url:
        assert (await http.get(url)).status == 200


async def test_hosts_are_forgotten_when_there_are_too_many(http: AioHttp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("responder.clients.http.MOST_HOSTS", 3)
    for _ in range(5):
        await refusal(http, f"http://127.0.0.1:{free_port()}/")
    assert len(http._hosts) == 3
