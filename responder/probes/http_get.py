"""`http.get`: what an address answers, asked from where Responder runs."""

from collections.abc import Iterator

import re2
from pydantic import Field, NonNegativeFloat, PositiveFloat

from responder.clients import Clients
from responder.errors import Reason, Temporary, Trouble
from responder.model.evidence import HttpAnswer, Observation, Reproduction
from responder.model.failures import FailureKind
from responder.model.numbers import seconds
from responder.probes import Inquiry, Probe
from responder.probes._headers import ExpectedHeaders, Headers, pairs
from responder.probes._network import FROM_HERE, bad_certificate, certificate_of, chain_of, command, openssl, place_of
from responder.templating import Regex, UrlText

_PATIENCE = 0.75
"""The share of the time after which a silent server is given up on, so that the connection can be looked at."""
_NOBODY = (Reason.UNREACHABLE, Reason.TIMEOUT)


class HttpGet(Probe):
    """What an address answers: status, time, headers, expected text, certificate. `value` is the time in seconds.

    It is asked from where Responder runs; redirects are followed on the same host only. Where nothing answers, the
    connection (and with https the certificate) is looked at, to say why.
    """

    url: UrlText = Field(description="the address, http or https")
    headers: Headers = Field((), description="headers to send, as `Name: value`, without secrets")
    expect_status: tuple[int, ...] = Field((), description="what it should answer; 2xx and 3xx if empty")
    expect_header: ExpectedHeaders = Field((), description="headers that should be there, as `Name: expression` (RE2)")
    expect_body: Regex = Field("", description="an RE2 expression that the beginning of the body should contain")
    max_seconds: PositiveFloat | None = Field(None, description="how long it may take")
    min_days: NonNegativeFloat = Field(
        14, description="with https: how many days the certificate should still be valid"
    )

    async def run(self, inquiry: Inquiry, clients: Clients) -> Observation:
        try:
            patience = inquiry.seconds * _PATIENCE
            answer = await clients.http.get(self.url, headers=dict(pairs(self.headers)), timeout=patience)
        except Temporary as trouble:
            if trouble.reason in _NOBODY and (why := await self._why(clients, trouble)) is not None:
                return why
            raise Temporary(f"{trouble} ({FROM_HERE})", trouble.reason, trouble.after) from None
        shown = await certificate_of(clients, self.url, self.min_days)
        answer = answer.model_copy(
            update={
                "unexpected": tuple(self._unexpected(answer)),
                "max_seconds": self.max_seconds,
                "min_days": self.min_days,
                "handshake": shown.handshake if shown else None,
            }
        )
        problems = [*answer.unexpected, *(shown.problems if shown and shown.handshake else ())]
        if self.max_seconds is not None and answer.slow:
            problems.append(f"wanted is an answer within {seconds(self.max_seconds)}")
        verdict = "; ".join(problems) if problems else "as expected"
        return Observation(
            summary=f"{answer.url} answered {answer.status} in {seconds(answer.seconds)}: {verdict}",
            data=answer,
            facts=(*_redirect(answer), *(chain_of(shown) if shown else ())),
            value=answer.seconds,
            breached=bool(problems),
        )

    def reproduce(self, inquiry: Inquiry, clients: Clients) -> tuple[Reproduction, ...]:
        sent = [word for name, value in pairs(self.headers) for word in ("-H", f"{name}: {value}")]
        asked = command("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code} %{time_total}s\\n", *sent, self.url)
        where = place_of(self.url)
        return (openssl(where.written, where.host), asked) if where and where.secure else (asked,)

    def _unexpected(self, answer: HttpAnswer) -> Iterator[str]:
        if self.expect_status and answer.status not in self.expect_status:
            yield f"wanted is status {', '.join(map(str, self.expect_status))}"
        elif not self.expect_status and not 200 <= answer.status < 400:
            yield "wanted is status 2xx or 3xx"
        have = {name.lower(): value for name, value in answer.headers.items()}
        for name, expression in pairs(self.expect_header):
            if name.lower() not in have:
                yield f"there is no header {name}"
            elif not re2.search(expression, have[name.lower()]):
                yield f"the header {name} is {have[name.lower()][:80]!r}, not as expected"
        if self.expect_body and not re2.search(self.expect_body, answer.body):
            yield "the body is not as expected"

    async def _why(self, clients: Clients, trouble: Temporary) -> Observation | None:
        """Why nothing answered, where the connection or the certificate tells."""
        where = place_of(self.url)
        if where is None or clients.network_client is None:
            return None
        try:
            reached = await clients.network.connect(where.host, where.port, timeout=1)
        except Trouble:
            return None
        if not reached.connected:
            return Observation(
                summary=f"{reached.address}: {reached.error} after {seconds(reached.seconds)} ({FROM_HERE})",
                data=reached,
                breached=True,
            )
        shown = await certificate_of(clients, self.url, self.min_days)
        if shown is not None and shown.handshake is not None and shown.problems:
            return bad_certificate(shown)
        if trouble.reason is not Reason.TIMEOUT:
            return None
        silent = reached.model_copy(update={"error": FailureKind.TIMED_OUT, "message": str(trouble)[:256]})
        summary = f"{self.url}: the server accepts the connection and does not answer ({FROM_HERE})"
        return Observation(summary=summary, data=silent, breached=True)


def _redirect(answer: HttpAnswer) -> Iterator[str]:
    location = next((value for name, value in answer.headers.items() if name.lower() == "location"), "")
    if location and 300 <= answer.status < 400:
        yield f"leads to another server, which was not asked: {location}"
