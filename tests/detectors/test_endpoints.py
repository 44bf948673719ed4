"""Endpoints: what their answers prove, and what they do not."""

from datetime import timedelta
from typing import Any

import pytest

from responder.detectors import Case, endpoints, load
from responder.errors import Reason
from responder.flow.ranking import ranked
from responder.model.certificates import Certificate, Handshake
from responder.model.evidence import EvidenceStatus, HttpAnswer, KubernetesObjects, Shape
from responder.model.failures import FailureKind
from responder.model.finding import Confidence
from responder.model.network import DnsAnswer, DnsStatus, TcpAnswer, TlsAnswer, WebSocketAnswer
from responder.model.subject import Target
from tests.detectors import cases
from tests.makers import NOW, alert, evidence

DAY = timedelta(days=1)


def case(*answers: Shape, **fields: Any) -> Case:
    seen = {f"e{number}": evidence(f"e{number}", answer, **fields) for number, answer in enumerate(answers)}
    return Case(Target(namespace="shop"), (alert(),), NOW, NOW, seen)


def told(*answers: Shape, **fields: Any) -> list[tuple[str, Confidence]]:
    return [(item.cause, item.confidence) for item in cases.findings(endpoints.detect, case(*answers, **fields))]


def tcp(error: FailureKind | None) -> TcpAnswer:
    return TcpAnswer(address="web:8080", connected=error is None, seconds=0.1, error=error)


def dns(status: DnsStatus, *records: str) -> DnsAnswer:
    return DnsAnswer(name="web", type="A", server="10.96.0.10", status=status, seconds=0.1, records=records)


def leaf(days: float = 60, *names: str, **fields: Any) -> Certificate:
    given: dict[str, Any] = {"subject": "CN=web", "issuer": "CN=authority", "not_before": NOW - 90 * DAY}
    return Certificate(names=names or ("web",), not_after=NOW + days * DAY, **(given | fields))


def tls(*chain: Certificate, min_days: float = 14, **fields: Any) -> TlsAnswer:
    shown = Handshake(server_name="web", chain=chain or (leaf(),), **fields)
    return TlsAnswer(address="web:443", seconds=0.1, handshake=shown, min_days=min_days, at=NOW)


def http(status: int = 200, *unexpected: str, **fields: Any) -> HttpAnswer:
    return HttpAnswer(url="http://web/health", status=status, seconds=0.5, unexpected=unexpected, **fields)


def socket(status: int, error: FailureKind | None = FailureKind.WRONG_PROTOCOL, **headers: str) -> WebSocketAnswer:
    return WebSocketAnswer(
        url="ws://web/chat",
        connected=error is None,
        seconds=0.1,
        status=status,
        error=error,
        message=f"answered {status} instead of 101",
        headers=headers,
    )


SURE, LIKELY, MAYBE = Confidence.CERTAIN, Confidence.LIKELY, Confidence.POSSIBLE


@pytest.mark.parametrize(
    ("answer", "cause", "confidence"),
    [
        (tcp(FailureKind.REFUSED), "endpoint-refuses-connections", LIKELY),
        (tcp(FailureKind.TIMED_OUT), "endpoint-silent", MAYBE),
        (tcp(FailureKind.NO_SUCH_HOST), "endpoint-name-does-not-resolve", LIKELY),
        (tcp(FailureKind.UNREACHABLE), "endpoint-no-route", LIKELY),
        (tcp(FailureKind.RESET), "endpoint-resets-connections", MAYBE),
        (dns(DnsStatus.NXDOMAIN), "endpoint-name-does-not-resolve", SURE),
        (dns(DnsStatus.NO_ANSWER), "endpoint-name-does-not-resolve", LIKELY),
        (dns(DnsStatus.SERVFAIL), "endpoint-name-server-fails", LIKELY),
        (dns(DnsStatus.REFUSED), "endpoint-name-server-fails", LIKELY),
        (dns(DnsStatus.TIMED_OUT), "endpoint-name-server-silent", LIKELY),
        (tls(leaf(-3)), "endpoint-certificate-expired", SURE),
        (tls(leaf(), leaf(-3, subject="CN=middle")), "endpoint-certificate-expired", SURE),
        (tls(leaf(3)), "endpoint-certificate-expires-soon", SURE),
        (tls(leaf(60, not_before=NOW + DAY)), "endpoint-certificate-not-yet-valid", SURE),
        (tls(leaf(60, "other")), "endpoint-certificate-other-name", SURE),
        (tls(verdict="self-signed certificate"), "endpoint-certificate-untrusted", LIKELY),
        (tls(verdict="unable to get", incomplete=True), "endpoint-certificate-chain-incomplete", MAYBE),
        (tls(verdict="unable to get", linked=False), "endpoint-certificate-chain-incomplete", LIKELY),
        (
            tls(leaf(subject="CN=Kubernetes Ingress Controller Fake Certificate"), verdict="unable"),
            "ingress-default-certificate",
            LIKELY,
        ),
        (
            TlsAnswer(address="web:443", seconds=0.1, error=FailureKind.TLS, message="WRONG_VERSION_NUMBER", at=NOW),
            "endpoint-tls-handshake-failed",
            LIKELY,
        ),
        (http(503, "wanted is status 2xx or 3xx"), "endpoint-server-error", LIKELY),
        (http(404, "wanted is status 2xx or 3xx"), "endpoint-unexpected-answer", LIKELY),
        (http(200, "the body does not contain 'ok'"), "endpoint-unexpected-answer", LIKELY),
        (http(200, max_seconds=0.2), "endpoint-slow", LIKELY),
        (http(handshake=Handshake(server_name="web", chain=(leaf(2),))), "endpoint-certificate-expires-soon", SURE),
        (socket(426), "endpoint-websocket-not-upgraded", LIKELY),
        (socket(101), "endpoint-websocket-not-upgraded", LIKELY),
        (socket(400), "endpoint-websocket-not-upgraded", MAYBE),
        (socket(200), "endpoint-websocket-not-upgraded", MAYBE),
        (socket(401), "endpoint-websocket-denied", LIKELY),
        (socket(404), "endpoint-unexpected-answer", LIKELY),
        (socket(502), "endpoint-server-error", LIKELY),
        (socket(0, FailureKind.REFUSED), "endpoint-refuses-connections", LIKELY),
    ],
)
def test_an_answer_names_one_cause(answer: Shape, cause: str, confidence: Confidence) -> None:
    assert told(answer) == [(cause, confidence)]
    assert cause in {item.slug for item in endpoints.CAUSES}


@pytest.mark.parametrize(
    "answer",
    [
        tcp(None),
        dns(DnsStatus.OK, "10.0.0.1"),
        tls(),
        tls(leaf(20)),
        tls(leaf(3), min_days=2),
        http(),
        http(503),
        http(200, max_seconds=0.6),
        http(handshake=Handshake(server_name="web", chain=(leaf(),))),
        socket(101, None),
    ],
)
def test_what_is_as_wanted_is_cleared_with_its_numbers(answer: Shape) -> None:
    assert told(answer) == []
    (text,) = cases.cleared(endpoints.detect, case(answer))
    assert "1 answer as expected" in text
    assert any(digit in text for digit in "0123456789")


def test_expired_and_for_another_name_are_two_findings() -> None:
    assert [cause for cause, _ in told(tls(leaf(-3, "other"), verdict="certificate has expired"))] == [
        "endpoint-certificate-expired",
        "endpoint-certificate-other-name",
    ]


def test_records_that_are_not_the_expected_ones_are_told() -> None:
    assert told(dns(DnsStatus.OK, "10.0.0.1"), breached=True) == [("endpoint-name-wrong-records", LIKELY)]


def test_who_answered_a_handshake_is_named() -> None:
    (finding,) = cases.findings(endpoints.detect, case(socket(400, Server="nginx/1.25")))
    assert finding.because[1].text == "it was nginx/1.25 that answered"
    assert "where Responder runs" in finding.explanation


def test_the_service_behind_an_address_is_the_subject() -> None:
    service = {"kind": "Service", "metadata": {"name": "web", "namespace": "shop"}, "spec": {}}
    seen = case(tcp(FailureKind.REFUSED), KubernetesObjects(objects=(service,)))
    (finding,) = cases.findings(endpoints.detect, seen)
    assert str(finding.subject) == "service/web"
    (stranger,) = cases.findings(endpoints.detect, case(tcp(FailureKind.REFUSED)))
    assert str(stranger.subject) == "endpoint/web:8080"


def test_questions_without_an_answer_conclude_nothing() -> None:
    denied = evidence("e", status=EvidenceStatus.ERROR, reason=Reason.UNREACHABLE, summary="cannot connect")
    empty = Case(Target(), (alert(),), NOW, NOW, {"e": denied})
    assert list(endpoints.detect(empty)) == []


def test_a_server_that_accepts_and_stays_silent_is_not_called_down() -> None:
    silent = TcpAnswer(address="web:8080", connected=True, seconds=4, error=FailureKind.TIMED_OUT, message="no answer")
    (finding,) = cases.findings(endpoints.detect, case(silent))
    assert (finding.cause, finding.confidence) == ("endpoint-accepts-and-does-not-answer", LIKELY)
    assert "down" not in finding.headline
    assert cases.cleared(endpoints.detect, case(silent)) == []


def named(name: str, status: DnsStatus) -> DnsAnswer:
    return DnsAnswer(name=name, type="A", server="10.96.0.10", status=status, seconds=0.1)


def first(*answers: Shape) -> str:
    """The cause that ranks first."""
    seen, detectors = case(*answers), load()
    return ranked(cases.findings(endpoints.detect, seen), detectors.causes, seen)[0].cause


def test_dns_is_broken_before_names_do_not_exist_where_nothing_resolves() -> None:
    gone, other = named("web", DnsStatus.NXDOMAIN), named("api.example.com", DnsStatus.NXDOMAIN)
    assert first(gone, other) == "endpoint-name-server-fails"
    assert first(gone, named("api.example.com", DnsStatus.SERVFAIL)) == "endpoint-name-server-fails"
    assert first(gone, tcp(FailureKind.NO_SUCH_HOST).model_copy(update={"address": "db:5432"})) == (
        "endpoint-name-server-fails"
    )


@pytest.mark.parametrize("well", [named("api.example.com", DnsStatus.OK), http(), tcp(None), tcp(FailureKind.REFUSED)])
def test_a_name_does_not_exist_where_another_resolves(well: Shape) -> None:
    gone = named("gone.example.com", DnsStatus.NXDOMAIN)
    found = cases.findings(endpoints.detect, case(gone, well))
    assert [item.cause for item in found if "name" in item.cause] == ["endpoint-name-does-not-resolve"]
    assert next(item.confidence for item in found if "name" in item.cause) is Confidence.CERTAIN
