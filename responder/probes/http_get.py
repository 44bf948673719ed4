"""`http.get`: what an address answers, asked from where Responder runs."""

import shlex
from collections.abc import Iterator

import re2
from pydantic import Field, PositiveFloat

from responder.clients import Clients
from responder.errors import Temporary
from responder.model.evidence import HttpAnswer, Observation, Reproduction
from responder.model.numbers import seconds
from responder.probes import Inquiry, Probe
from responder.templating import Regex, UrlText


class HttpGet(Probe):
    """What an address answers: status, time, headers, expected text. `value` is the time in seconds.

    It is asked from where Responder runs; redirects are followed on the same host only.
    """

    url: UrlText = Field(description="the address, http or https")
    expect_status: tuple[int, ...] = Field((), description="what it should answer; 2xx and 3xx if empty")
    expect_body: Regex = Field("", description="an RE2 expression that the beginning of the body should contain")
    max_seconds: PositiveFloat | None = Field(None, description="how long it may take")

    async def run(self, inquiry: Inquiry, clients: Clients) -> Observation:
        try:
            answer = await clients.http.get(self.url)
        except Temporary as trouble:
            raise Temporary(f"{trouble} (asked from where Responder runs)", trouble.reason, trouble.after) from None
        problems = list(self._problems(answer))
        verdict = "; ".join(problems) if problems else "as expected"
        return Observation(
            summary=f"{answer.url} answered {answer.status} in {seconds(answer.seconds)}: {verdict}",
            data=answer,
            facts=tuple(_redirect(answer)),
            value=answer.seconds,
            breached=bool(problems),
        )

    def reproduce(self, inquiry: Inquiry, clients: Clients) -> tuple[Reproduction, ...]:
        command = ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code} %{time_total}s\\n", self.url]
        return (Reproduction(command=shlex.join(command)),)

    def _problems(self, answer: HttpAnswer) -> Iterator[str]:
        if self.expect_status and answer.status not in self.expect_status:
            yield f"wanted is status {', '.join(map(str, self.expect_status))}"
        elif not self.expect_status and not 200 <= answer.status < 400:
            yield "wanted is status 2xx or 3xx"
        if self.expect_body and not re2.search(self.expect_body, answer.body):
            yield f"the body does not contain {self.expect_body!r}"
        if self.max_seconds is not None and answer.seconds > self.max_seconds:
            yield f"wanted is an answer within {seconds(self.max_seconds)}"


def _redirect(answer: HttpAnswer) -> Iterator[str]:
    location = next((value for name, value in answer.headers.items() if name.lower() == "location"), "")
    if location and 300 <= answer.status < 400:
        yield f"leads to another server, which was not asked: {location}"
