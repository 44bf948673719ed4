"""Alertmanager's POST /api/v2/alerts: an alert is its label set; it burns until `endsAt`."""

import re
from datetime import datetime
from typing import Any

from aiohttp import web

from responder.sinks import Sink
from responder.sinks.alertmanager import Alertmanager
from tests import fakes
from tests.makers import NOW

TOKEN = "t0ken-of-alertmanager"
FIELDS = {"labels", "annotations", "startsAt", "endsAt", "generatorURL"}


class Fake(fakes.sinks.Fake):
    """Keeps alerts by their labels; incidents are told apart by our label."""

    def __init__(self) -> None:
        super().__init__()
        self.alerts: dict[tuple[tuple[str, str], ...], dict[str, Any]] = {}

    @property
    def secrets(self) -> tuple[str, ...]:
        return (TOKEN,)

    def sink(self, **options: Any) -> Sink:
        given = {"name": "alerts", "urls": [self.url], "token": TOKEN, "announce": True}
        return Alertmanager.model_validate({"timeout": self.timeout, **given, **options})

    def burning(self) -> list[dict[str, str]]:
        """The labels of alerts that have not ended."""
        return [alert["labels"] for alert in self.alerts.values() if self._end(alert) > NOW]

    def things(self) -> list[fakes.sinks.Thing]:
        incidents: dict[str, list[dict[str, Any]]] = {}
        for alert in self.alerts.values():
            incidents.setdefault(alert["labels"].get("responder_incident", ""), []).append(alert)
        return [
            fakes.sinks.Thing(
                "\n".join(str(alert["annotations"]) for alert in alerts),
                open=any(self._end(alert) > NOW for alert in alerts),
            )
            for alerts in incidents.values()
        ]

    async def answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self.unauthorized()
        if (request.method, request.path, request.content_type) != ("POST", "/api/v2/alerts", "application/json"):
            self.refuse(f"{request.method} {request.path}")
            return web.Response(status=404)
        wrong = ""
        for alert in fakes.sinks.document(body):
            if fault := self._fault(alert):
                self.refuse(fault)
                wrong = fault
            else:
                # as the server does: what is valid is kept even where another one is not
                self.alerts[tuple(sorted(alert["labels"].items()))] = alert
        return web.json_response(wrong, status=400) if wrong else web.Response(status=200)

    def unauthorized(self) -> web.Response:
        return web.Response(status=401, text=f"Unauthorized {TOKEN}")

    def _end(self, alert: dict[str, Any]) -> datetime:
        return datetime.fromisoformat(alert["endsAt"])

    def _fault(self, alert: dict[str, Any]) -> str:
        if set(alert) - FIELDS or not alert.get("labels"):
            return f"fields {sorted(alert)}"
        for name, value in {**alert["labels"], **alert.get("annotations", {})}.items():
            if not re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", name) or not isinstance(value, str):
                return f"name {name}"
        if "" in alert["labels"].values():
            return "an empty label"
        if self._end(alert) < datetime.fromisoformat(alert["startsAt"]):
            return "start time must be before end time"
        if not re.match(r"https?://", alert.get("generatorURL", "http://")):
            return "generatorURL"
        return ""
