"""`http.get`: what was expected, and what came."""

import shlex
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from responder.clients import Clients
from responder.errors import Reason, Temporary
from responder.model.certificates import Certificate, Handshake
from responder.model.evidence import HttpAnswer, Observation, Shape
from responder.model.failures import FailureKind
from responder.model.network import TcpAnswer, TlsAnswer
from responder.probes.http_get import HttpGet
from tests.fakes.clients import FakeNetwork
from tests.makers import NOW
from tests.probes.prometheus import inquiry


class FakeHttp:
    """Answers one thing, or raises it."""

    def __init__(self, answer: HttpAnswer | Exception) -> None:
        self._answer = answer

    async def get(
        self, url: str, *, headers: Mapping[str, str] | None = None, timeout: float = 10, limit: int = 65536
    ) -> HttpAnswer:
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer

    async def close(self) -> None:
        """Nothing to close."""


async def ask(answer: HttpAnswer | Exception, **options: Any) -> Observation:
    return await HttpGet(url="http://web/health", **options).run(inquiry(), Clients("", FakeHttp(answer)))


def answered(status: int = 200, seconds: float = 0.02, body: str = "ok", **headers: str) -> HttpAnswer:
    return HttpAnswer(url="http://web/health", status=status, seconds=seconds, body=body, headers=headers)


@pytest.mark.parametrize(
    ("answer", "options", "problem"),
    [
        (answered(204), {}, ""),
        (answered(301), {}, ""),
        (answered(500), {}, "2xx or 3xx"),
        (answered(200), {"expect_status": (401,)}, "wanted is status 401"),
        (answered(401), {"expect_status": (401,)}, ""),
        (answered(body="All Systems GO"), {"expect_body": "(?i)systems go"}, ""),
        (answered(body="down"), {"expect_body": "ok"}, "the body is not as expected"),
        (answered(seconds=3.0), {"max_seconds": 1}, "within 1 s"),
    ],
)
async def test_what_differs_from_what_was_expected_is_said(
    answer: HttpAnswer, options: dict[str, Any], problem: str
) -> None:
    seen = await ask(answer, **options)
    assert seen.breached is bool(problem)
    assert problem in seen.summary
    assert seen.value == answer.seconds


async def test_a_redirect_to_elsewhere_is_told() -> None:
    seen = await ask(answered(302, Location="https://login.example/"))
    assert "https://login.example/" in seen.facts[0]


async def test_no_answer_says_from_where_it_was_asked() -> None:
    with pytest.raises(Temporary, match="from where Responder runs") as caught:
        await ask(Temporary("cannot connect", Reason.UNREACHABLE))
    assert caught.value.reason is Reason.UNREACHABLE


@pytest.mark.parametrize("options", [{"expect_body": "("}, {"expect_body": "(?=x)"}, {"max_seconds": 0}, {"method": 1}])
def test_wrong_options_are_refused_at_once(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        HttpGet(url="http://web/", **options)


def test_the_command_survives_a_shell() -> None:
    url = "http://web/?q='; rm -rf / #$(x)"
    (found,) = HttpGet(url=url).reproduce(inquiry(), Clients("", FakeHttp(answered())))
    assert shlex.split(found.command)[-1] == url


async def test_headers_are_sent_and_those_that_should_come_are_looked_for() -> None:
    seen = await ask(answered(Server="nginx/1.2"), headers=("X-Shop: 1",), expect_header=("server: ^nginx",))
    assert seen.breached is False
    missing = await ask(answered(Server="apache"), expect_header=("Server: ^nginx", "X-Trace: .+"))
    assert "the header Server is 'apache', not as expected" in missing.summary
    assert "there is no header X-Trace" in missing.summary


@pytest.mark.parametrize("options", [{"headers": ("Authorization: x",)}, {"expect_header": ("Server: (",)}])
def test_headers_that_are_secret_or_wrong_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        HttpGet(url="http://web/", **options)


def secured(days: float) -> TlsAnswer:
    leaf = Certificate(
        subject="CN=web",
        issuer="CN=authority",
        names=("web",),
        not_before=NOW - timedelta(days=90),
        not_after=NOW + timedelta(days=days),
    )
    return TlsAnswer(address="web:443", seconds=0.01, handshake=Handshake(server_name="web", chain=(leaf,)), at=NOW)


async def over(url: str, answer: HttpAnswer | Exception, *answers: Shape) -> Observation:
    clients = Clients("", FakeHttp(answer), network_client=FakeNetwork(answers, Temporary("no", Reason.UNREACHABLE)))
    return await HttpGet(url=url).run(inquiry(), clients)


async def test_the_certificate_of_a_secure_server_is_looked_at_too() -> None:
    fine = await over("https://web/", answered(), secured(60))
    soon = await over("https://web/", answered(), secured(3))
    assert fine.breached is False
    assert soon.breached is True
    assert "expires in 3 d" in soon.summary
    assert isinstance(soon.data, HttpAnswer)
    assert soon.data.handshake is not None


UNREACHABLE = Temporary("cannot connect", Reason.UNREACHABLE)
REACHED = TcpAnswer(address="web:443", connected=True, seconds=0.01)


async def test_why_nothing_answers_is_said_where_connection_or_certificate_tell() -> None:
    refused = TcpAnswer(address="web:80", connected=False, seconds=0.01, error=FailureKind.REFUSED)
    assert "connection refused" in (await over("http://web/", UNREACHABLE, refused)).summary
    expired = await over("https://web/", UNREACHABLE, REACHED, secured(-3))
    assert "expired 3 d ago" in expired.summary
    assert isinstance(expired.data, TlsAnswer)
    for answers in ((), (REACHED,), (REACHED, secured(60))):
        with pytest.raises(Temporary, match="cannot connect"):
            await over("https://web/", UNREACHABLE, *answers)
