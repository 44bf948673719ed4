"""`http.get`: what was expected, and what came."""

import shlex
from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import ValidationError

from responder.clients import Clients
from responder.errors import Reason, Temporary
from responder.model.evidence import HttpAnswer, Observation
from responder.probes.http_get import HttpGet
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
        (answered(body="down"), {"expect_body": "ok"}, "does not contain"),
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
