"""Splunk On-Call's generic REST endpoint: alerts with one `entity_id` are one incident until `RECOVERY`."""

from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from responder.sinks import Sink
from responder.sinks.splunk_oncall import SplunkOncall
from tests import fakes

KEY = "36437a5e-api-key-of-splunk"
PATH = f"/integrations/generic/20131114/alert/{KEY}/shop"
FIELDS = {
    *("message_type", "entity_id", "entity_display_name", "state_message", "state_start_time", "monitoring_tool"),
    *("ack_author", "ack_msg"),
}
KINDS = ("CRITICAL", "WARNING", "INFO", "ACKNOWLEDGEMENT", "RECOVERY")


@dataclass
class Incident:
    """One incident."""

    key: str
    state: str = "open"
    alerts: list[dict[str, Any]] = field(default_factory=list)


class Fake(fakes.sinks.Fake):
    """Keeps incidents and what was posted to them."""

    def __init__(self) -> None:
        super().__init__()
        self.incidents: list[Incident] = []
        self.kinds: list[str] = []

    @property
    def secrets(self) -> tuple[str, ...]:
        return (KEY,)

    def sink(self, **options: Any) -> Sink:
        given = {"name": "oncall", "url": f"{self.url}{PATH}", "timeout": self.timeout}
        return SplunkOncall.model_validate({**given, **options})

    def things(self) -> list[fakes.sinks.Thing]:
        return [
            fakes.sinks.Thing(
                f"{one.alerts[-1]['entity_display_name']}\n{one.alerts[-1]['state_message']}",
                open=one.state != "recovered",
            )
            for one in self.incidents
        ]

    async def answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        if request.path != PATH:
            return web.json_response({"result": "failure", "message": "Unknown API key"}, status=404)
        alert = fakes.sinks.document(body)
        if wrong := self._fault(request, alert):
            self.refuse(wrong)
            return web.json_response({"result": "failure", "message": wrong})
        kind, key = alert["message_type"], alert["entity_id"]
        self.kinds.append(kind)
        found = next((one for one in self.incidents if one.key == key and one.state != "recovered"), None)
        if found is None and kind in ("CRITICAL", "WARNING"):
            found = Incident(key)
            self.incidents.append(found)
        if found is not None:
            states = {"ACKNOWLEDGEMENT": "acknowledged", "RECOVERY": "recovered"}
            found.state = states.get(kind, "open")
            found.alerts.append(alert)
        return web.json_response({"result": "success", "entity_id": key})

    def _fault(self, request: web.Request, alert: dict[str, Any]) -> str:
        if request.method != "POST" or request.content_type != "application/json" or set(alert) - FIELDS:
            return f"{request.method} {request.content_type} {sorted(alert)}"
        if alert.get("message_type") not in KINDS or not alert.get("entity_id"):
            return "message_type or entity_id"
        if len(alert["state_message"]) > 20_480 or len(alert["entity_id"]) > 512:
            return "too long"
        return "" if isinstance(alert["state_start_time"], int) else "state_start_time"
