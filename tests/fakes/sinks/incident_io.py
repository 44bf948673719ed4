"""incident.io's HTTP alert source: events with one deduplication key are one alert until it is resolved."""

from typing import Any

from aiohttp import web

from responder.sinks import Sink
from responder.sinks.incident_io import IncidentIo
from tests import fakes
from tests.fakes.sinks._issues import faults

TOKEN = "t0ken-of-the-alert-source"
PATH = "/v2/alert_events/http/01GW2G3V0S59R238FAHPDS1R66"
FIELDS = {"title", "status", "deduplication_key", "description", "source_url", "metadata"}


class Fake(fakes.sinks.Fake):
    """Keeps alerts as lists of the events that came."""

    def __init__(self) -> None:
        super().__init__()
        self.alerts: list[list[dict[str, Any]]] = []

    @property
    def secrets(self) -> tuple[str, ...]:
        return (TOKEN,)

    def sink(self, **options: Any) -> Sink:
        given = {"name": "incidents", "url": f"{self.url}{PATH}", "token": TOKEN, "timeout": self.timeout}
        return IncidentIo.model_validate({**given, **options})

    def things(self) -> list[fakes.sinks.Thing]:
        return [
            fakes.sinks.Thing(f"{alert[-1]['title']}\n{alert[-1]['description']}", open=alert[-1]["status"] == "firing")
            for alert in self.alerts
        ]

    async def answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self.unauthorized()
        event = fakes.sinks.document(body)
        if wrong := self._fault(request, event):
            self.refuse(wrong)
            return web.json_response({"type": "validation_error", "status": 422, "errors": []}, status=422)
        same = (one for one in self.alerts if one[0]["deduplication_key"] == event["deduplication_key"])
        alert = next((one for one in same if one[-1]["status"] == "firing"), None)
        if alert is not None:
            alert.append(event)
        elif event["status"] == "firing":
            self.alerts.append([event])
        said = {"status": "success", "message": "Event accepted for processing"}
        return web.json_response(said | {"deduplication_key": event["deduplication_key"]}, status=202)

    def _fault(self, request: web.Request, event: dict[str, Any]) -> str:
        if (request.method, request.path, request.content_type) != ("POST", PATH, "application/json"):
            return f"{request.method} {request.path}"
        if set(event) - FIELDS or not event.get("title") or event.get("status") not in ("firing", "resolved"):
            return f"fields {sorted(event)}"
        if not event.get("deduplication_key") or any(
            not isinstance(value, str) for value in event["metadata"].values()
        ):
            return "deduplication_key or metadata"
        return "; ".join(faults(event.get("description", ""), commented=True))
