"""`http.get`: what an address answers, asked from where Responder runs."""

import re2
from pydantic import field_validator

from responder.clients import Clients
from responder.errors import Temporary
from responder.model.evidence import HttpAnswer, Observation, Reproduction
from responder.model.numbers import seconds
from responder.probes import Inquiry, Probe
from responder.runbooks.templating import UrlText


class HttpGet(Probe):
    """What an address answers: status, time, headers, expected text. `value` is the time in seconds."""

    url: UrlText
    expect_status: tuple[int, ...] = ()
    expect_body: str = ""
    max_seconds: float | None = None

    @field_validator("expect_body")
    @classmethod
    def _expression(cls, text: str) -> str:
        try:
            re2.compile(text)
        except re2.error as error:
            raise ValueError(f"{text!r} is not an RE2 expression: {error}") from None
        return text

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
            value=answer.seconds,
            breached=bool(problems),
        )

    def reproduce(self, inquiry: Inquiry, clients: Clients) -> tuple[Reproduction, ...]:
        quoted = self.url.replace("'", "%27")
        return (Reproduction(command=f"curl -sS -o /dev/null -w '%{{http_code}} %{{time_total}}s\\n' '{quoted}'"),)

    def _problems(self, answer: HttpAnswer) -> list[str]:
        problems = []
        wanted = self.expect_status or tuple(range(200, 400))
        if answer.status not in wanted:
            named = ", ".join(map(str, self.expect_status)) or "2xx or 3xx"
            problems.append(f"wanted is status {named}")
        if self.expect_body and not re2.search(self.expect_body, answer.body):
            problems.append(f"the body does not contain {self.expect_body!r}")
        if self.max_seconds is not None and answer.seconds > self.max_seconds:
            problems.append(f"wanted is an answer within {seconds(self.max_seconds)}")
        return problems
