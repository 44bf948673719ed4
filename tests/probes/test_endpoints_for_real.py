"""From a broken server to its cause: real servers, the real clients, the probes, and what is concluded."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme
from aiohttp import web

from responder import plugins, probes
from responder.clients import Clients
from responder.clients.http import AioHttp
from responder.clients.network import AsyncNetwork
from responder.clock import SystemClock
from responder.detectors import Case, endpoints
from responder.flow.investigate import Investigator
from responder.metrics import Metrics
from responder.model.evidence import Evidence
from responder.model.finding import Finding
from responder.model.runbook import Step
from responder.model.subject import Target
from responder.probes import Inquiry, Probe
from tests import nameserver
from tests.clients.test_network import DAY, listening, silent
from tests.makers import alert
from tests.nameserver import NameServer
from tests.servers import free_port

CATALOG = plugins.load(probes, Probe, "probe", dotted=True)  # type: ignore[type-abstract]


@asynccontextmanager
async def serving(certificate: trustme.LeafCert | None = None) -> AsyncIterator[int]:
    async def answer(request: web.Request) -> web.StreamResponse:
        match request.path:
            case "/broken":
                return web.Response(status=503, text="no healthy upstream")
            case "/slow":
                await asyncio.sleep(0.3)
            case "/chat" if "Upgrade" in request.headers:
                return web.Response(status=426, headers={"Server": "nginx"})
        return web.Response(text="ok")

    application = web.Application()
    application.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def concluded(probe: str, **options: Any) -> tuple[Evidence, list[str], list[str]]:
    """The evidence of one step, the causes that are found, and what is cleared."""
    now = datetime.now(UTC)
    async with aiohttp.ClientSession() as session:
        metrics, clock = Metrics(), SystemClock()
        http, network = AioHttp(session, metrics, clock), AsyncNetwork(session, metrics, clock)

        async def keep(found: Evidence) -> None:
            """Nothing is stored."""

        investigator = Investigator(
            inquiry=Inquiry(Target(), (alert(),), now, now),
            clients=Clients("", http, network_client=network),
            probes=CATALOG,
            clock=clock,
            metrics=metrics,
            keep=keep,
        )
        step = Step.model_validate({"id": "step", "probe": probe, **options})
        found = (await investigator.ask_all((step,), 10))["step"]
        await http.close()
        await network.close()
    said = list(endpoints.detect(Case(Target(), (alert(),), now, now, {"step": found})))
    causes = [item.cause for item in said if isinstance(item, Finding)]
    return found, causes, [item.text for item in said if not isinstance(item, Finding)]


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    found = trustme.CA()
    found.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return found


@pytest.mark.parametrize(
    ("path", "options", "cause"),
    [
        ("/broken", {}, "endpoint-server-error"),
        ("/slow", {"max_seconds": 0.1}, "endpoint-slow"),
        ("/", {"expect_body": "^never"}, "endpoint-unexpected-answer"),
    ],
)
async def test_http_servers_that_fail(path: str, options: dict[str, Any], cause: str) -> None:
    async with serving() as port:
        found, causes, _ = await concluded("http.get", url=f"http://127.0.0.1:{port}{path}", **options)
    assert causes == [cause]
    assert found.breached


async def test_an_http_server_that_is_fine_is_cleared_with_its_numbers() -> None:
    async with serving() as port:
        found, causes, cleared = await concluded("http.get", url=f"http://127.0.0.1:{port}/", expect_body="ok")
    assert (found.breached, causes) == (False, [])
    assert "status 200 in" in cleared[0]


async def test_http_servers_that_are_not_there() -> None:
    _, causes, _ = await concluded("http.get", url=f"http://127.0.0.1:{free_port()}/")
    assert causes == ["endpoint-refuses-connections"]
    _, causes, _ = await concluded("http.get", url="http://no-such-host.invalid/")
    assert causes == ["endpoint-name-does-not-resolve"]


@pytest.mark.parametrize("probe", ["http.get", "tls.certificate", "websocket.connect"])
@pytest.mark.parametrize(
    ("names", "days", "cause"),
    [(["localhost"], -2, "endpoint-certificate-expired"), (["other.example"], 60, "endpoint-certificate-other-name")],
)
async def test_certificates_that_clients_refuse(
    authority: trustme.CA, probe: str, names: list[str], days: int, cause: str
) -> None:
    now = datetime.now(UTC)
    certificate = authority.issue_cert(*names, not_before=now - 90 * DAY, not_after=now + days * timedelta(days=1))
    async with serving(certificate) as port:
        options = {
            "http.get": {"url": f"https://localhost:{port}/"},
            "tls.certificate": {"address": f"localhost:{port}"},
            "websocket.connect": {"url": f"wss://localhost:{port}/chat"},
        }[probe]
        found, causes, _ = await concluded(probe, **options)
    assert causes == [cause]
    assert found.breached


async def test_a_websocket_that_a_proxy_does_not_pass_on() -> None:
    async with serving() as port:
        _, causes, _ = await concluded("websocket.connect", url=f"ws://127.0.0.1:{port}/chat")
    assert causes == ["endpoint-websocket-not-upgraded"]


async def test_ports_that_are_silent_and_servers_that_hang_up() -> None:
    with silent() as port:
        _, causes, _ = await concluded("tcp.connect", address=f"127.0.0.1:{port}", max_seconds=0.3)
    assert causes == ["endpoint-silent"]

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)
        writer.close()

    async with listening(mute) as port:
        for probe, options in {
            "http.get": {"url": f"http://127.0.0.1:{port}/"},
            "tls.certificate": {"address": f"127.0.0.1:{port}", "max_seconds": 0.5},
            "websocket.connect": {"url": f"ws://127.0.0.1:{port}/", "max_seconds": 0.5},
        }.items():
            _, causes, _ = await concluded(probe, **options)
            assert causes == ["endpoint-accepts-and-does-not-answer"]

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with listening(hang_up) as port:
        _, causes, _ = await concluded("websocket.connect", url=f"ws://127.0.0.1:{port}/")
    assert causes == ["endpoint-resets-connections"]


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("absent.example", "endpoint-name-does-not-resolve"),
        ("broken.example", "endpoint-name-server-fails"),
        ("lost.example", "endpoint-name-server-silent"),
    ],
)
async def test_names_that_fail(name: str, cause: str) -> None:
    zone = {"broken.example": "SERVFAIL", "lost.example": "silence"}
    async with nameserver.serving(NameServer(zone)) as server:
        _, causes, _ = await concluded("dns.resolve", name=name, server=server.address, max_seconds=1)
    assert causes == [cause]
