"""Opsgenie's Alert API v2: requests are taken with 202 and done a moment later; aliases are those of open alerts."""

import uuid
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from responder.sinks import Sink
from responder.sinks.opsgenie import Opsgenie
from tests import fakes

KEY = "eb243592-faa2-4ba2-a551-1afdf565c889"
LIMITS = {
    "message": 130,
    "alias": 512,
    "description": 15_000,
    "note": 25_000,
    "user": 100,
    "source": 100,
    "entity": 512,
}
CREATE = {"message", "alias", "description", "responders", "tags", "details", "entity", "source", "priority", "note"}
ACTIONS = {
    ("POST", "acknowledge"): {"user", "source", "note"},
    ("POST", "close"): {"user", "source", "note"},
    ("POST", "notes"): {"user", "source", "note"},
    ("PUT", "message"): {"message"},
    ("PUT", "description"): {"description"},
    ("PUT", "priority"): {"priority"},
}


@dataclass
class Alert:
    """One alert."""

    fields: dict[str, Any]
    status: str = "open"
    count: int = 1
    notes: list[str] = field(default_factory=list)


class Fake(fakes.sinks.Fake):
    """`looks`: how often it is asked about a request before that is done."""

    def __init__(self) -> None:
        super().__init__()
        self.alerts: list[Alert] = []
        self.actions: list[str] = []
        self.looks = 1
        self._results: dict[str, tuple[bool, str]] = {}
        self._asked: dict[str, int] = {}

    @property
    def secrets(self) -> tuple[str, ...]:
        return (KEY,)

    def sink(self, **options: Any) -> Sink:
        given = {"name": "genie", "api_key": KEY, "url": self.url, "timeout": self.timeout}
        return Opsgenie.model_validate({**given, **options})

    def things(self) -> list[fakes.sinks.Thing]:
        return [
            fakes.sinks.Thing(
                "\n".join((one.fields["message"], one.fields["description"])),
                open=one.status != "closed",
                replies=one.notes,
            )
            for one in self.alerts
        ]

    async def answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"GenieKey {KEY}":
            return self.unauthorized()
        if request.method == "GET":
            return self._result(request.path.rpartition("/")[2])
        document = fakes.sinks.document(body)
        if wrong := self._faults(request, document):
            self.refuse(wrong)
            return web.json_response({"message": wrong, "took": 0.0, "requestId": str(uuid.uuid4())}, status=422)
        number = str(uuid.uuid4())
        self._results[number] = self._do(request, document)
        return web.json_response({"result": "Request will be processed", "took": 0.1, "requestId": number}, status=202)

    def _result(self, number: str) -> web.Response:
        self._asked[number] = self._asked.get(number, 0) + 1
        if number not in self._results or self._asked[number] < self.looks:
            return web.json_response({"message": "Request not found", "took": 0.0, "requestId": "x"}, status=404)
        success, status = self._results[number]
        data = {"success": success, "isSuccess": success, "status": status, "alertId": "", "alias": ""}
        return web.json_response({"data": data, "took": 0.02, "requestId": number})

    def _do(self, request: web.Request, document: dict[str, Any]) -> tuple[bool, str]:
        action = request.path.removeprefix("/v2/alerts").strip("/").rpartition("/")[2]
        self.actions.append(action or "create")
        alias = document.get("alias") or unquote(request.rel_url.raw_path.split("/")[3])
        alert = next((one for one in self.alerts if one.fields["alias"] == alias and one.status != "closed"), None)
        if not action:
            if alert:
                alert.count += 1
            else:
                self.alerts.append(Alert(document))
            return True, "Created alert"
        if alert is None:
            return False, "Alert does not exist"
        match action:
            case "acknowledge":
                done = alert.status == "acknowledged"
                alert.status = "acknowledged"
                if done:
                    return False, "Alert is already acknowledged"
            case "close":
                alert.status = "closed"
                alert.notes.append(document["note"])
            case "notes":
                alert.notes.append(document["note"])
            case _:
                alert.fields |= document
        return True, "Done"

    def _faults(self, request: web.Request, document: dict[str, Any]) -> str:
        if request.content_type != "application/json":
            return f"content type {request.content_type}"
        if request.path == "/v2/alerts" and request.method == "POST":
            known = CREATE
            if not document.get("message", "").strip():
                return "message is mandatory"
        else:
            parts = request.rel_url.raw_path.split("/")
            if len(parts) != 5 or request.query.get("identifierType") != "alias":
                return f"unknown request {request.path_qs}"
            found = ACTIONS.get((request.method, parts[4]))
            if found is None:
                return f"unknown action {request.method} {parts[4]}"
            known = found
        if unknown := set(document) - known:
            return f"unknown fields {unknown}"
        for name, limit in LIMITS.items():
            if len(document.get(name, "")) > limit:
                return f"{name} is longer than {limit}"
        return self._of_lists(document)

    def _of_lists(self, document: dict[str, Any]) -> str:
        if document.get("priority", "P3") not in ("P1", "P2", "P3", "P4", "P5"):
            return "priority"
        tags, details = document.get("tags", []), document.get("details", {})
        if len(tags) > 20 or any(not tag or len(tag) > 50 for tag in tags):
            return f"tags {tags}"
        if any(not isinstance(value, str) for value in details.values()) or sum(map(len, details.values())) > 8000:
            return f"details {details}"
        if any({"name", "type"} != set(one) for one in document.get("responders", ())):
            return "responders"
        return ""
