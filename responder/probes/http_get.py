"""`http.get`: what an address answers, asked from where Responder runs."""

from collections.abc import Iterator
from dataclasses import dataclass

import re2
from pydantic import Field, NonNegativeFloat, PositiveFloat
from yarl import URL

from responder.clients import Clients
from responder.errors import Reason, Temporary, Trouble
from responder.model.evidence import HttpAnswer, Observation, Reproduction
from responder.model.network import TlsAnswer
from responder.model.numbers import seconds
from responder.probes import Inquiry, Probe
from responder.probes._headers import ExpectedHeaders, Headers
from responder.probes._network import FROM_HERE, chain_of, command, openssl, told
from responder.templating import Regex, UrlText

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
            answer = await clients.http.get(self.url, headers=dict(self.headers))
        except Temporary as trouble:
            if trouble.reason in _NOBODY and (why := await self._why(clients)) is not None:
                return why
            raise Temporary(f"{trouble} ({FROM_HERE})", trouble.reason, trouble.after) from None
        shown = await self._shown(clients) if self.url.startswith("https:") else None
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
        sent = [word for name, value in self.headers for word in ("-H", f"{name}: {value}")]
        asked = command("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code} %{time_total}s\\n", *sent, self.url)
        place = _place(self.url)
        return (openssl(place.written, place.host), asked) if place and place.secure else (asked,)

    def _unexpected(self, answer: HttpAnswer) -> Iterator[str]:
        if self.expect_status and answer.status not in self.expect_status:
            yield f"wanted is status {', '.join(map(str, self.expect_status))}"
        elif not self.expect_status and not 200 <= answer.status < 400:
            yield "wanted is status 2xx or 3xx"
        have = {name.lower(): value for name, value in answer.headers.items()}
        for name, expression in self.expect_header:
            if name.lower() not in have:
                yield f"there is no header {name}"
            elif not re2.search(expression, have[name.lower()]):
                yield f"the header {name} is {have[name.lower()]!r}, wanted is {expression!r}"
        if self.expect_body and not re2.search(self.expect_body, answer.body):
            yield f"the body does not contain {self.expect_body!r}"

    async def _why(self, clients: Clients) -> Observation | None:
        """Why nothing answered, where the connection or the certificate tells."""
        place = _place(self.url)
        if place is None or clients.network_client is None:
            return None
        try:
            reached = await clients.network.connect(place.host, place.port, timeout=2)
        except Trouble:
            return None
        if not reached.connected:
            return Observation(
                summary=f"{reached.address}: {reached.error} after {seconds(reached.seconds)} ({FROM_HERE})",
                data=reached,
                breached=True,
            )
        shown = await self._shown(clients) if place.secure else None
        if shown is None or not shown.problems:
            return None
        return Observation(summary=f"{told(shown)} ({FROM_HERE})", data=shown, facts=chain_of(shown), breached=True)

    async def _shown(self, clients: Clients) -> TlsAnswer | None:
        """The certificate, where it can be seen at all."""
        place = _place(self.url)
        if place is None or clients.network_client is None:
            return None
        try:
            found = await clients.network.certificate(place.host, place.port, timeout=2)
        except Trouble:
            return None
        return found.model_copy(update={"min_days": self.min_days})


@dataclass(frozen=True)
class _Place:
    """Where a URL leads."""

    host: str
    port: int
    secure: bool

    @property
    def written(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _place(url: str) -> _Place | None:
    try:
        target = URL(url)
    except ValueError:
        return None
    return _Place(target.host, target.port, target.scheme == "https") if target.host and target.port else None


def _redirect(answer: HttpAnswer) -> Iterator[str]:
    location = next((value for name, value in answer.headers.items() if name.lower() == "location"), "")
    if location and 300 <= answer.status < 400:
        yield f"leads to another server, which was not asked: {location}"
