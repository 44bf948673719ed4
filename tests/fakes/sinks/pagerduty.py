"""PagerDuty's Events API v2: what it takes, its limits, and the states of an alert."""

import json
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from responder.sinks import Sink
from responder.sinks.pagerduty import Pagerduty
from tests import fakes

KEY = "0123456789abcdef0123456789abcdef"
SECRET = "webhook-s3cret"
EVENT = {"routing_key", "event_action", "dedup_key", "payload", "client", "client_url", "links", "images"}
PAYLOAD = {"summary", "source", "severity", "timestamp", "component", "group", "class", "custom_details"}
CHANGE = {"routing_key", "payload", "links", "images"}


@dataclass
class Alert:
    """One alert; `log` are the triggers that it got."""

    key: str
    state: str = "triggered"
    log: list[dict[str, Any]] = field(default_factory=list)


class Fake(fakes.sinks.Fake):
    """Keeps alerts; a trigger after a resolve is another one."""

    shows_pictures = True

    def __init__(self) -> None:
        super().__init__()
        self.alerts: list[Alert] = []
        self.changes: list[dict[str, Any]] = []
        self.actions: list[str] = []

    @property
    def secrets(self) -> tuple[str, ...]:
        return (KEY,)

    def sink(self, **options: Any) -> Sink:
        given = {"name": "pager", "routing_key": KEY, "url": self.url, "timeout": self.timeout}
        return Pagerduty.model_validate({**given, **options})

    def things(self) -> list[fakes.sinks.Thing]:
        return [
            fakes.sinks.Thing(
                json.dumps(alert.log[-1], ensure_ascii=False),
                pictures=len(alert.log[-1].get("images", ())),
                open=alert.state != "resolved",
                replies=[json.dumps(event) for event in alert.log[1:]],
            )
            for alert in self.alerts
        ]

    async def answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        if len(body) > 512_000:
            return web.Response(status=413)
        event = fakes.sinks.document(body)
        if wrong := self._faults(request, event):
            self.refuse(wrong)
            said = {"status": "invalid event", "message": "Event object is invalid", "errors": [wrong]}
            return web.json_response(said, status=400)
        if request.path.endswith("/change/enqueue"):
            self.changes.append(event)
            return web.json_response({"status": "success", "message": "Change event processed"}, status=202)
        self._apply(event)
        said = {"status": "success", "message": "Event processed", "dedup_key": event["dedup_key"]}
        return web.json_response(said, status=202)

    def too_many_requests(self) -> web.Response:
        said = {"status": "throttle exceeded", "message": "Requests for this service are arriving too quickly."}
        return web.json_response(said, status=429, headers={"Retry-After": f"{fakes.sinks.RETRY_AFTER:g}"})

    def unauthorized(self) -> web.Response:
        said = {"status": "invalid event", "message": "Event object is invalid", "errors": ["Invalid routing key"]}
        return web.json_response(said | {"routing_key": KEY}, status=400)

    def _apply(self, event: dict[str, Any]) -> None:
        self.actions.append(event["event_action"])
        alert = next((one for one in self.alerts if one.key == event["dedup_key"] and one.state != "resolved"), None)
        match event["event_action"], alert:
            case "trigger", None:
                self.alerts.append(Alert(event["dedup_key"], log=[event]))
            case "trigger", Alert():
                alert.log.append(event)
            case "acknowledge", Alert():
                alert.state = "acknowledged"
            case "resolve", Alert():
                alert.state = "resolved"

    def _faults(self, request: web.Request, event: Any) -> str:
        if request.method != "POST" or request.content_type != "application/json":
            return f"{request.method} {request.content_type}"
        if len(event.get("routing_key", "")) != 32:
            return "Length of 'routing_key' is incorrect (should be 32 characters)"
        if request.path == "/v2/change/enqueue":
            return self._unknown(event, CHANGE) or self._of_payload(event, {"summary"})
        if request.path != "/v2/enqueue":
            return f"unknown path {request.path}"
        key = event.get("dedup_key")
        if key is not None and not (isinstance(key, str) and 0 < len(key) <= 255):
            return "'dedup_key' is too long or empty"
        match event.get("event_action"):
            case "trigger":
                required = {"summary", "source", "severity"}
                return self._unknown(event, EVENT) or self._of_payload(event, required) or self._of_links(event)
            case "acknowledge" | "resolve":
                return self._unknown(event, EVENT) or ("" if key else "'dedup_key' is missing or blank")
        return "'event_action' is invalid"

    def _unknown(self, event: dict[str, Any], known: set[str]) -> str:
        unknown = set(event) - known | set(event.get("payload", {})) - PAYLOAD
        return f"unknown fields {sorted(unknown)}" if unknown else ""

    def _of_payload(self, event: dict[str, Any], required: set[str]) -> str:
        payload = event.get("payload", {})
        for name in required:
            if not (isinstance(payload.get(name), str) and payload[name].strip()):
                return f"'payload.{name}' is missing or blank"
        if len(payload["summary"]) > 1024:
            return "'payload.summary' is too long"
        if payload.get("severity", "info") not in ("critical", "error", "warning", "info"):
            return "'payload.severity' is invalid"
        if not isinstance(payload.get("custom_details", {}), dict):
            return "'payload.custom_details' is no object"
        if any(ord(letter) < 32 and letter not in "\n\t" for letter in json.dumps(payload, ensure_ascii=False)):
            return "control characters"
        return ""

    def _of_links(self, event: dict[str, Any]) -> str:
        for link in event.get("links", ()):
            if not link.get("href", "").startswith(("http://", "https://")) or set(link) - {"href", "text"}:
                return f"'links' is invalid: {link}"
        for image in event.get("images", ()):
            if not image.get("src", "").startswith("https://") or set(image) - {"src", "href", "alt"}:
                return f"'images' is invalid: {image}"
        return ""
