"""A receiver as strict as Standard Webhooks allows. It knows deliveries by their id, so that none counts twice."""

import base64
from typing import Any

from aiohttp import web
from standardwebhooks.webhooks import Webhook as Verifier

from responder.model.report import Report
from responder.sinks import Sink
from responder.sinks.webhook import Webhook
from tests import fakes

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()


class Fake(fakes.sinks.Fake):
    """Keeps the last state of each incident."""

    def __init__(self) -> None:
        super().__init__()
        self.reports: dict[str, Report] = {}

    @property
    def secrets(self) -> tuple[str, ...]:
        return (SECRET, "t0ken-of-the-webhook")

    def sink(self, **options: Any) -> Sink:
        given = {"name": "hook", "url": f"{self.url}/in", "secret": SECRET, "token": self.secrets[1], **options}
        return Webhook.model_validate({"timeout": self.timeout, **given})

    def things(self) -> list[fakes.sinks.Thing]:
        return [
            fakes.sinks.Thing(report.model_dump_json(), open=report.resolved_at is None)
            for report in self.reports.values()
        ]

    async def answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        Verifier(SECRET).verify(body, headers)
        if request.method != "POST" or headers["content-type"] != "application/json":
            self.refuse(f"{request.method} {headers['content-type']}")
        if headers["authorization"] != f"Bearer {self.secrets[1]}":
            self.refuse("the token is missing")
        report = Report.model_validate_json(body)
        self.reports[report.id] = report
        return web.Response(status=204)

    def malformed(self) -> web.Response:
        return web.Response(status=200, text="<html>")
