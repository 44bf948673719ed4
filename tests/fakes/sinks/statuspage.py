"""Statuspage's API of incidents and postmortems, for one page."""

from typing import Any

from aiohttp import web

from responder.sinks import Sink
from responder.sinks.statuspage import Statuspage
from tests import fakes
from tests.fakes.sinks import document

TOKEN = "0f1e2d3c-4b5a-6978"
PAGE = "p4g3"
STATES = ("investigating", "identified", "monitoring", "resolved")
IMPACTS = ("none", "maintenance", "minor", "major", "critical")
COMPONENTS = ("operational", "under_maintenance", "degraded_performance", "partial_outage", "major_outage")
FIELDS: dict[str, type] = {
    "name": str,
    "status": str,
    "body": str,
    "impact_override": str,
    "component_ids": list,
    "components": dict,
    "deliver_notifications": bool,
    "metadata": dict,
}


class Fake(fakes.sinks.Fake):
    """Keeps incidents with their updates, postmortems, and the state of components."""

    public = True

    def __init__(self) -> None:
        super().__init__()
        self.incidents: dict[str, dict[str, Any]] = {}
        self.components = {"c1": "operational", "c2": "operational"}
        self.asked: list[str] = []

    @property
    def secrets(self) -> tuple[str, ...]:
        return (TOKEN,)

    def sink(self, **options: Any) -> Sink:
        given = {"name": "page", "url": f"{self.url}/v1", "page_id": PAGE, "token": TOKEN, "publish": True, **options}
        return Statuspage.model_validate({"timeout": fakes.sinks.TIMEOUT, **given})

    def things(self) -> list[fakes.sinks.Thing]:
        return [
            fakes.sinks.Thing(
                f"{one['name']}\n{one['updates'][-1]}",
                open=one["status"] != "resolved",
                replies=one["updates"][:-1],
            )
            for one in self.incidents.values()
        ]

    def too_many_requests(self) -> web.Response:
        return web.json_response({"error": "Enhance your calm"}, status=420)

    def unauthorized(self) -> web.Response:
        return web.json_response({"error": f"Could not authenticate {TOKEN}"}, status=401)

    async def answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        path = request.path.removeprefix(f"/v1/pages/{PAGE}/")
        self.asked.append(f"{request.method} {path}")
        if request.headers.get("Authorization") != f"OAuth {TOKEN}":
            return web.json_response({"error": "Could not authenticate"}, status=401)
        match request.method, path.split("/"):
            case "GET", ["incidents", "unresolved"]:
                return web.json_response([one for one in self.incidents.values() if one["status"] != "resolved"])
            case "GET", ["incidents"]:
                return web.json_response(list(self.incidents.values()))
            case "GET", ["incidents", number] if number in self.incidents:
                return web.json_response(self.incidents[number])
            case "POST", ["incidents"]:
                return self._write(self._given(request, body, "incident"), f"inc{len(self.incidents) + 1}", 201)
            case "PATCH", ["incidents", number] if number in self.incidents:
                return self._write(self._given(request, body, "incident"), number, 200)
            case "PUT", ["incidents", number, "postmortem", *publish] if number in self.incidents:
                return self._postmortem(number, self._given(request, body, "postmortem"), publish)
        return web.json_response({"error": "not found"}, status=404)

    def _given(self, request: web.Request, body: bytes, name: str) -> dict[str, Any]:
        if request.headers.get("Content-Type") != "application/json":
            self.refuse("no JSON by its content type")
        given = document(body)
        if set(given) != {name}:
            self.refuse(f"{set(given)} in place of {name}")
        return dict(given[name])

    def _write(self, given: dict[str, Any], number: str, status: int) -> web.Response:
        for name, value in given.items():
            if name not in FIELDS or not isinstance(value, FIELDS[name]):
                self.refuse(f"field {name}: {value!r}")
        complaints = (
            (number not in self.incidents and not given.get("name"), "name can't be blank"),
            (len(given.get("name", "")) > 255, "name is too long"),
            (len(given.get("body", "")) > 25_000, "body is too long"),
            (given.get("status", STATES[0]) not in STATES, "status is not one of them"),
            (given.get("impact_override", "none") not in IMPACTS, "impact is not one of them"),
            (not all(isinstance(value, dict) for value in given.get("metadata", {}).values()), "metadata: no objects"),
            (not set(given.get("components", {}).values()) <= set(COMPONENTS), "component status"),
            (not set(given.get("component_ids", ())) <= set(self.components), "component not found"),
            ("<" in f"{given.get('name')}{given.get('body')}", "markup of strangers"),
            ("deliver_notifications" not in given, "everybody would be told by default"),
        )
        for wrong, said in complaints:
            if wrong:
                self.refuse(said)
                return web.json_response({"error": [said]}, status=422)
        one = self.incidents.setdefault(number, {"id": number, "updates": [], "status": STATES[0], "postmortem": None})
        one |= {name: value for name, value in given.items() if name != "body"}
        one["updates"].append(given.get("body", ""))
        self.components |= given.get("components", {})
        return web.json_response(one, status=status)

    def _postmortem(self, number: str, given: dict[str, Any], publish: list[str]) -> web.Response:
        one = self.incidents[number]
        if one["status"] != "resolved":
            self.refuse("a postmortem of an incident that is not over")
            return web.json_response({"error": ["incident is not resolved"]}, status=422)
        if publish == ["publish"]:
            one["postmortem"]["published"] = True
            one["postmortem"]["notified"] = given["notify_subscribers"]
        elif set(given) == {"body_draft"}:
            one["postmortem"] = {"body": given["body_draft"], "published": False}
        else:
            self.refuse(f"postmortem: {given}")
        return web.json_response(one["postmortem"])
