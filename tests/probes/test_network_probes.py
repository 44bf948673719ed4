"""`tcp.connect`, `dns.resolve`, `tls.certificate`, `websocket.connect`: what they tell of the answers."""

import re
import shlex
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from responder.clients import Clients
from responder.errors import ConfigError
from responder.model.certificates import Certificate, Handshake
from responder.model.evidence import Observation, Shape
from responder.model.failures import FailureKind
from responder.model.network import DnsAnswer, DnsStatus, TcpAnswer, TlsAnswer, WebSocketAnswer
from responder.probes import Probe
from responder.probes.dns_resolve import DnsResolve
from responder.probes.tcp_connect import TcpConnect
from responder.probes.tls_certificate import TlsCertificate
from responder.probes.websocket_connect import WebSocketConnect
from responder.templating import render
from tests.fakes.clients import FailingHttp, FakeNetwork
from tests.makers import NOW
from tests.probes.prometheus import inquiry


def clients(*answers: Shape) -> Clients:
    return Clients("", FailingHttp(), network_client=FakeNetwork(answers))


async def ask(probe: Probe, answer: Shape) -> Observation:
    return await probe.run(inquiry(), clients(answer))


def commands(probe: Probe) -> list[list[str]]:
    return [shlex.split(item.command) for item in probe.reproduce(inquiry(), clients())]


def certificate(days: float = 60, *names: str, verdict: str = "") -> TlsAnswer:
    leaf = Certificate(
        subject="CN=web",
        issuer="CN=authority",
        names=names or ("web.example",),
        not_before=NOW - timedelta(days=9),
        not_after=NOW + timedelta(days=days),
    )
    shown = Handshake(server_name="web.example", protocol="TLSv1.3", chain=(leaf,), verdict=verdict)
    return TlsAnswer(address="web.example:443", seconds=0.01, handshake=shown, at=NOW)


async def test_an_open_port_is_told_with_its_time() -> None:
    seen = await ask(TcpConnect(address="db:5432"), TcpAnswer(address="db:5432", connected=True, seconds=0.002))
    assert seen.summary == "db:5432 accepts connections (2 ms; asked from where Responder runs)"
    assert (seen.breached, seen.value) == (False, 0.002)


@pytest.mark.parametrize(
    ("error", "meaning"), [(FailureKind.REFUSED, "nothing listens"), (FailureKind.TIMED_OUT, "drops the packets")]
)
async def test_a_closed_port_says_how_it_is_closed(error: FailureKind, meaning: str) -> None:
    answer = TcpAnswer(address="db:5432", connected=False, seconds=3, error=error, reached="10.0.0.5")
    seen = await ask(TcpConnect(address="db:5432"), answer)
    assert seen.breached
    assert f"{error} after 3 s" in seen.summary
    assert meaning in seen.facts[0]
    assert seen.facts[1] == "tried 10.0.0.5"


@pytest.mark.parametrize("address", ["db", "db:", ":5432", "db:0", "db:99999", "a b:1", "db:5432/x", "-x:1", "u@db:1"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ValidationError):
        TcpConnect(address=address)


@pytest.mark.parametrize("label", ["evil.com", "a:22", "a/b", "a@b", "", "x y", "$(id)", "..", "a\n"])
def test_a_label_cannot_lead_elsewhere(label: str) -> None:
    options = {"address": "web.{{ labels.namespace }}:8080"}
    with pytest.raises(ConfigError):
        TcpConnect.model_validate(render(TcpConnect, options, {"labels": {"namespace": label}}))


@pytest.mark.parametrize(
    ("source", "label", "address"),
    [
        ("{{ labels.instance }}", "10.0.0.1:9100", "10.0.0.1:9100"),
        ("{{ labels.instance }}:8080", "web.shop.example", "web.shop.example:8080"),
        ("web.{{ labels.instance }}.svc:80", "shop", "web.shop.svc:80"),
        ("{{ labels.instance }}", "[fd00::1]:53", "[fd00::1]:53"),
    ],
)
def test_a_label_can_be_an_address_or_a_part_of_one(source: str, label: str, address: str) -> None:
    options = render(TcpConnect, {"address": source}, {"labels": {"instance": label}})
    assert TcpConnect.model_validate(options).address == address


def answered(status: DnsStatus = DnsStatus.OK, *records: str, **more: Any) -> DnsAnswer:
    return DnsAnswer(name="web", type="A", server="10.96.0.10", status=status, seconds=0.003, records=records, **more)


async def test_records_are_listed() -> None:
    seen = await ask(DnsResolve(name="web"), answered(DnsStatus.OK, "10.0.0.1", asked="web.shop.svc", ttl=30))
    assert seen.summary == "A web: 10.0.0.1 (3 ms; asked from where Responder runs)"
    assert "asked as web.shop.svc" in seen.facts
    assert not seen.breached


@pytest.mark.parametrize("status", [status for status in DnsStatus if status is not DnsStatus.OK])
async def test_a_name_that_fails_says_how(status: DnsStatus) -> None:
    seen = await ask(DnsResolve(name="web"), answered(status))
    assert f"{status} from 10.96.0.10" in seen.summary
    assert seen.breached


async def test_a_record_that_is_expected_is_missed() -> None:
    probe = DnsResolve(name="web", expect=("10.0.0.2",))
    assert "wanted is 10.0.0.2" in (await ask(probe, answered(DnsStatus.OK, "10.0.0.1"))).summary
    assert not (await ask(probe, answered(DnsStatus.OK, "10.0.0.1", "10.0.0.2"))).breached


async def test_a_certificate_is_told_with_its_days() -> None:
    seen = await ask(TlsCertificate(address="web.example:443"), certificate())
    assert "fine for another 60 d" in seen.summary
    assert (seen.value, seen.breached) == (60, False)
    assert "issued by CN=authority" in seen.facts[0]


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (certificate(-2), "expired 2 d ago"),
        (certificate(20), "expires in 20 d, wanted are 30 d"),
        (certificate(60, "other.example"), "is for other.example, not for web.example"),
        (certificate(60, verdict="self-signed certificate"), "not trusted: self-signed certificate"),
        (TlsAnswer(address="web:443", seconds=1, error=FailureKind.REFUSED, at=NOW), "connection refused"),
    ],
)
async def test_what_is_wrong_with_a_certificate_is_in_the_summary(answer: TlsAnswer, problem: str) -> None:
    seen = await ask(TlsCertificate(address="web.example:443", min_days=30), answer)
    assert problem in seen.summary
    assert seen.breached


async def test_a_websocket_that_works_and_one_that_does_not() -> None:
    good = WebSocketAnswer(url="ws://web/chat", connected=True, seconds=0.01, status=101, protocol="chat")
    bad = WebSocketAnswer(
        url="ws://web/chat", connected=False, seconds=0.01, status=400, message="answered 400 instead of 101",
        headers={"Server": "nginx"},
    )  # fmt: skip
    probe = WebSocketConnect(url="ws://web/chat")
    assert "the handshake works in 10 ms, protocol chat" in (await ask(probe, good)).summary
    seen = await ask(probe, bad)
    assert "answered 400" in seen.summary
    assert seen.facts == ("Server: nginx",)
    assert seen.breached


@pytest.mark.parametrize(
    "header",
    [
        *("Authorization: Bearer x", "Cookie: a=b", "X-Api-Key: 1", "X-Auth-Token: 1"),
        *("Host: other", "Upgrade: x", "no colon", "A: b\r\nC: d"),
    ],
)
def test_headers_hold_no_secrets_and_nothing_of_the_protocol(header: str) -> None:
    with pytest.raises(ValidationError):
        WebSocketConnect(url="ws://web/", headers=(header,))


def test_the_commands_survive_a_shell() -> None:
    assert commands(TcpConnect(address="[fd00::1]:53")) == [["nc", "-z", "-v", "-w", "3", "fd00::1", "53"]]
    assert commands(DnsResolve(name="web", server="10.0.0.1")) == [["dig", "@10.0.0.1", "A", "web"]]
    assert commands(DnsResolve(name="web", server="10.0.0.1:5353"))[0][:4] == ["dig", "@10.0.0.1", "-p", "5353"]
    assert commands(DnsResolve(name="10.0.0.1", type="PTR")) == [["dig", "+search", "-x", "10.0.0.1"]]
    (shown,) = commands(TlsCertificate(address="10.0.0.1:443", server_name="web.example"))
    assert shown[:6] == ["openssl", "s_client", "-connect", "10.0.0.1:443", "-servername", "web.example"]
    url = "ws://web/?q='; rm -rf / #"
    asked = WebSocketConnect(url=url, headers=("X-Shop: it's",))
    assert commands(asked)[0] == ["wscat", "-H", "X-Shop: it's", "-c", url]
    assert commands(asked)[1][-1] == url.replace("ws:", "http:")


@given(st.text(max_size=30))
def test_no_label_at_all_changes_port_or_domain(label: str) -> None:
    try:
        options = render(TcpConnect, {"address": "web.{{ labels.x }}.svc:8080"}, {"labels": {"x": label}})
        probe = TcpConnect.model_validate(options)
    except (ConfigError, ValidationError):
        return
    assert re.fullmatch(r"web\.[A-Za-z0-9_-]+\.svc:8080", probe.address)
