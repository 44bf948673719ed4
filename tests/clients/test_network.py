"""The network: real sockets, name servers, certificates and WebSockets on loopback."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
import trustme
from aiohttp import web

from responder.clients.network import AsyncNetwork
from responder.clock import SystemClock
from responder.errors import Permanent, Reason, Temporary
from responder.metrics import Metrics
from responder.model.failures import FailureKind
from responder.model.network import DnsStatus
from tests import nameserver
from tests.nameserver import NameServer
from tests.servers import free_port

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
DAY = timedelta(days=1)


@pytest.fixture
async def network() -> AsyncIterator[AsyncNetwork]:
    async with aiohttp.ClientSession() as session:
        found = AsyncNetwork(session, Metrics(), SystemClock())
        yield found
        await found.close()


@contextmanager
def silent() -> Iterator[int]:
    """A port whose queue of connections is full: the system drops what comes."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        port: int = server.getsockname()[1]
        for _ in range(4):
            one = stack.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        yield port


@asynccontextmanager
async def listening(
    handler: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[int]:
    server = await asyncio.start_server(handler, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


@asynccontextmanager
async def serving(handler: Handler, certificate: trustme.LeafCert | None = None) -> AsyncIterator[int]:
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handler)
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


async def fine(request: web.Request) -> web.Response:
    return web.Response(text="fine")


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """An authority that the system trusts."""
    found = trustme.CA()
    found.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return found


async def test_a_port_that_listens_is_connected(network: AsyncNetwork) -> None:
    async with serving(fine) as port:
        answer = await network.connect("localhost", port)
    assert answer.connected
    assert answer.error is None
    assert answer.address == f"localhost:{port}"
    assert answer.reached in ("127.0.0.1", "::1")


async def test_refused_and_silent_are_told_apart(network: AsyncNetwork) -> None:
    refused = await network.connect("127.0.0.1", free_port())
    with silent() as port:
        lost = await network.connect("127.0.0.1", port, timeout=0.4)
    assert (refused.connected, refused.error) == (False, FailureKind.REFUSED)
    assert (lost.connected, lost.error) == (False, FailureKind.TIMED_OUT)


async def test_a_name_that_does_not_resolve_is_said(network: AsyncNetwork) -> None:
    answer = await network.connect("no-such-host.invalid", 80)
    assert answer.error is FailureKind.NO_SUCH_HOST


@pytest.mark.parametrize("host", ["169.254.169.254", "fd00:ec2::254", "::ffff:169.254.169.254", "fe80::1"])
async def test_addresses_that_hand_out_credentials_are_not_asked(network: AsyncNetwork, host: str) -> None:
    asked = (network.connect(host, 80), network.certificate(host, 443), network.websocket(f"ws://[{host}]/"))
    for question in asked:
        with pytest.raises(Permanent) as caught:
            await question
        assert caught.value.reason in (Reason.FORBIDDEN, Reason.BAD_REQUEST)


async def test_a_name_that_means_such_an_address_is_not_asked(
    network: AsyncNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def resolve(*_: object, **__: object) -> list[object]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", 80))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
    for question in (
        network.connect("innocent.example", 80),
        network.certificate("innocent.example", 443),
        network.websocket("ws://innocent.example/"),
    ):
        with pytest.raises(Permanent) as caught:
            await question
        assert caught.value.reason is Reason.FORBIDDEN


async def test_a_server_that_stays_silent_is_left_alone_for_a_while(network: AsyncNetwork) -> None:
    with silent() as port:
        for _ in range(5):
            assert not (await network.connect("127.0.0.1", port, timeout=0.05)).connected
        with pytest.raises(Temporary) as caught:
            await network.connect("127.0.0.1", port, timeout=0.05)
    assert caught.value.reason is Reason.BREAKER_OPEN


async def test_one_that_refuses_is_asked_again_and_again(network: AsyncNetwork) -> None:
    port = free_port()
    for _ in range(8):
        assert (await network.connect("127.0.0.1", port)).error is FailureKind.REFUSED


ZONE = {
    "web.shop.example": {"A": ["10.0.0.1", "10.0.0.2"], "TXT": ['"v=spf1 -all"']},
    "large.example": {"TXT": [f'"{number} {"x" * 200}"' for number in range(6)]},
    "broken.example": "SERVFAIL",
    "closed.example": "REFUSED",
    "lost.example": "silence",
}


@pytest.fixture
async def names() -> AsyncIterator[NameServer]:
    async with nameserver.serving(NameServer(ZONE)) as server:
        yield server


async def test_a_name_is_resolved(network: AsyncNetwork, names: NameServer) -> None:
    answer = await network.resolve("web.shop.example", "A", names.address)
    assert answer.status is DnsStatus.OK
    assert answer.records == ("10.0.0.1", "10.0.0.2")
    assert answer.ttl == 30
    assert answer.server == names.address


@pytest.mark.parametrize(
    ("name", "kind", "status"),
    [
        ("no.such.example", "A", DnsStatus.NXDOMAIN),
        ("web.shop.example", "AAAA", DnsStatus.NO_ANSWER),
        ("broken.example", "A", DnsStatus.SERVFAIL),
        ("closed.example", "A", DnsStatus.REFUSED),
        ("lost.example", "A", DnsStatus.TIMED_OUT),
    ],
)
async def test_how_a_name_fails_is_told(
    network: AsyncNetwork, names: NameServer, name: str, kind: str, status: DnsStatus
) -> None:
    answer = await network.resolve(name, kind, names.address, timeout=1)
    assert answer.status is status
    assert answer.records == ()


async def test_an_answer_that_is_cut_is_asked_for_over_tcp(network: AsyncNetwork, names: NameServer) -> None:
    answer = await network.resolve("large.example", "TXT", names.address)
    assert len(answer.records) == 6
    assert [transport for _, transport in names.asked] == ["udp", "tcp"]


async def test_an_address_can_be_asked_for_its_name(network: AsyncNetwork) -> None:
    zone = {"1.0.0.10.in-addr.arpa": {"PTR": ["web.shop.example."]}}
    async with nameserver.serving(NameServer(zone)) as server:
        answer = await network.resolve("10.0.0.1", "PTR", server.address)
    assert answer.records == ("web.shop.example.",)


@pytest.mark.parametrize(
    ("name", "kind", "server"),
    [("a..b", "A", "127.0.0.1"), ("a", "NOPE", "127.0.0.1"), ("a", "A", "dns.example"), ("a", "A", "1.2.3.4:x")],
)
async def test_what_is_no_question_is_refused(network: AsyncNetwork, name: str, kind: str, server: str) -> None:
    with pytest.raises(Permanent) as caught:
        await network.resolve(name, kind, server)
    assert caught.value.reason is Reason.BAD_REQUEST


async def test_a_link_local_server_may_be_asked_for_names_only(network: AsyncNetwork) -> None:
    with pytest.raises(Permanent) as caught:
        await network.resolve("a.example", "A", "169.254.169.254:80")
    assert caught.value.reason is Reason.FORBIDDEN


async def test_a_good_certificate_has_no_problems(network: AsyncNetwork, authority: trustme.CA) -> None:
    now = datetime.now(UTC)
    certificate = authority.issue_cert("localhost", "127.0.0.1", not_after=now + 60 * DAY)
    async with serving(fine, certificate) as port:
        named = await network.certificate("localhost", port)
        numbered = await network.certificate("127.0.0.1", port)
    assert named.problems == numbered.problems == ()
    assert named.handshake is not None
    assert named.handshake.protocol.startswith("TLSv1.")
    assert named.handshake.leaf is not None
    assert named.handshake.leaf.names == ("localhost", "127.0.0.1")
    assert 59 * DAY < named.handshake.left(now) < 60 * DAY


async def test_what_is_wrong_with_a_certificate_is_said(network: AsyncNetwork, authority: trustme.CA) -> None:
    now = datetime.now(UTC)
    expired = authority.issue_cert("localhost", not_before=now - 9 * DAY, not_after=now - 3 * DAY)
    soon = authority.issue_cert("localhost", not_after=now + 3 * DAY)
    other = authority.issue_cert("web.example", "*.shop.example", not_after=now + 60 * DAY)
    strange = trustme.CA().issue_cert("localhost", not_after=now + 60 * DAY)
    early = authority.issue_cert("localhost", not_before=now + 3 * DAY, not_after=now + 60 * DAY)
    told = []
    for certificate in (expired, soon, other, strange, early):
        async with serving(fine, certificate) as port:
            told.append((await network.certificate("localhost", port)).problems)
    assert "expired 3 d ago" in told[0][0]
    assert "expires in 3 d, wanted are 14 d" in told[1][0]
    assert "for web.example, *.shop.example, not for localhost" in told[2][0]
    assert "not trusted: unable to get local issuer certificate" in told[3][0]
    assert "not valid before" in told[4][0]
    assert [len(problems) for problems in told] == [1, 1, 1, 1, 1]


async def test_another_name_can_be_asked_for(network: AsyncNetwork, authority: trustme.CA) -> None:
    certificate = authority.issue_cert("*.shop.example", not_after=datetime.now(UTC) + 60 * DAY)
    async with serving(fine, certificate) as port:
        assert (await network.certificate("127.0.0.1", port, "web.shop.example")).problems == ()
        wrong = await network.certificate("127.0.0.1", port, "a.b.shop.example")
    assert "not for a.b.shop.example" in wrong.problems[0]


async def test_a_chain_without_its_middle_is_incomplete(network: AsyncNetwork, authority: trustme.CA) -> None:
    middle = trustme.CA(parent_cert=authority)
    certificate = middle.issue_cert("localhost", not_after=datetime.now(UTC) + 60 * DAY)
    async with serving(fine, certificate) as port:
        whole = await network.certificate("localhost", port)
    alone = trustme.LeafCert(certificate.private_key_pem.bytes(), certificate.cert_chain_pems[0].bytes(), [])
    async with serving(fine, alone) as port:
        cut = await network.certificate("localhost", port)
    assert whole.handshake is not None
    assert cut.handshake is not None
    assert (len(whole.handshake.chain), whole.handshake.linked, whole.handshake.incomplete) == (2, True, False)
    assert (len(cut.handshake.chain), cut.handshake.incomplete) == (1, True)
    assert cut.problems


async def test_a_server_that_speaks_no_tls_is_said_to(network: AsyncNetwork) -> None:
    async with serving(fine) as port:
        answer = await network.certificate("localhost", port, timeout=2)
    assert answer.error is FailureKind.TLS
    assert answer.handshake is None


async def test_a_server_that_hangs_up_or_refuses_is_told_apart_from_bad_certificates(network: AsyncNetwork) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with listening(hang_up) as port:
        assert (await network.certificate("127.0.0.1", port)).error in (FailureKind.RESET, FailureKind.TLS)
    assert (await network.certificate("127.0.0.1", free_port())).error is FailureKind.REFUSED


async def echo(request: web.Request) -> web.StreamResponse:
    socket = web.WebSocketResponse(protocols=("chat",))
    await socket.prepare(request)
    async for _ in socket:
        pass
    return socket


async def test_a_websocket_is_opened_and_closed(network: AsyncNetwork) -> None:
    ended = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        assert request.headers["X-Shop"] == "1"
        found = await echo(request)
        ended.set()
        return found

    async with serving(answer) as port:
        seen = await network.websocket(f"ws://127.0.0.1:{port}/chat", protocols=["chat"], headers={"X-Shop": "1"})
        async with asyncio.timeout(5):
            await ended.wait()
    assert (seen.connected, seen.status, seen.protocol, seen.error) == (True, 101, "chat", None)


async def test_a_secure_websocket_needs_a_trusted_certificate(network: AsyncNetwork) -> None:
    certificate = trustme.CA().issue_cert("localhost")
    async with serving(echo, certificate) as port:
        seen = await network.websocket(f"wss://localhost:{port}/chat")
    assert (seen.connected, seen.status, seen.error) == (False, 0, FailureKind.TLS)


@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 404, 426, 502, 503])
async def test_a_handshake_that_is_refused_says_the_status(network: AsyncNetwork, status: int) -> None:
    async def answer(request: web.Request) -> web.Response:
        headers = {"Location": "http://169.254.169.254/", "Server": "nginx"}
        return web.Response(status=status, text="no upgrade here", headers=headers)

    async with serving(answer) as port:
        seen = await network.websocket(f"ws://127.0.0.1:{port}/chat")
    assert (seen.connected, seen.status) == (False, status)
    assert f"answered {status} instead of 101" in seen.message
    assert seen.headers["Server"] == "nginx"


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        (["Connection: Upgrade"], "Upgrade is missing"),
        (["Upgrade: websocket"], "Connection does not say Upgrade"),
        (["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Accept: x"], "not the answer to our key"),
    ],
)
async def test_a_header_that_a_proxy_swallows_is_named(network: AsyncNetwork, headers: list[str], message: str) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write("\r\n".join(["HTTP/1.1 101 Switching Protocols", *headers, "", ""]).encode())
        await writer.drain()
        await reader.read()
        writer.close()

    async with listening(answer) as port:
        seen = await network.websocket(f"ws://127.0.0.1:{port}/", timeout=2)
    assert not seen.connected
    assert message in seen.message


async def test_a_protocol_that_is_not_spoken_is_named(network: AsyncNetwork) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for _ in socket:
            pass
        return socket

    async with serving(answer) as port:
        seen = await network.websocket(f"ws://127.0.0.1:{port}/", protocols=["chat"])
    assert "none of the protocols chat was chosen" in seen.message


async def test_nobody_there_is_said(network: AsyncNetwork) -> None:
    seen = await network.websocket(f"ws://127.0.0.1:{free_port()}/")
    assert (seen.status, seen.error) == (0, FailureKind.REFUSED)
    with silent() as port:
        lost = await network.websocket(f"ws://127.0.0.1:{port}/?token=hunter2", timeout=0.3)
    assert lost.error is FailureKind.TIMED_OUT
    assert "hunter2" not in lost.model_dump_json()


async def test_a_server_that_takes_connections_and_says_nothing_is_not_called_down(network: AsyncNetwork) -> None:
    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)
        writer.close()

    async with listening(mute) as port:
        socket = await network.websocket(f"ws://127.0.0.1:{port}/", timeout=0.3)
        tls = await network.certificate("127.0.0.1", port, timeout=0.3)
    assert (socket.error, socket.accepted) == (FailureKind.TIMED_OUT, True)
    assert (tls.error, tls.accepted) == (FailureKind.TIMED_OUT, True)
    with silent() as port:
        assert not (await network.certificate("127.0.0.1", port, timeout=0.3)).accepted


@pytest.mark.parametrize("url", ["http://host/", "ws://", "x", "ws://h:99999/"])
async def test_what_is_no_websocket_url_is_refused(network: AsyncNetwork, url: str) -> None:
    with pytest.raises(Permanent) as caught:
        await network.websocket(url)
    assert caught.value.reason is Reason.BAD_REQUEST
