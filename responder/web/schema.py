"""The API described: JSON Schema of a report, and OpenAPI 3.1 of everything, made from the models."""

from functools import cache
from typing import Any

from pydantic.json_schema import models_json_schema

from responder import __version__
from responder.model.action import Stop
from responder.model.finding import Cause
from responder.model.incident import IncidentStatus, Severity
from responder.model.procedure import StepState
from responder.model.report import Report, ReportSummary
from responder.model.runbook import Runbook
from responder.web.filters import LIMIT, MOST

DIALECT = "https://json-schema.org/draft/2020-12/schema"

Json = dict[str, Any]


@cache
def report() -> Json:
    """What `GET /api/v1/incidents/{id}` returns, and the webhook sink carries."""
    return {"$schema": DIALECT, "$id": "report.json", **Report.model_json_schema(mode="serialization")}


@cache
def openapi(server: str = "/") -> Json:
    """The whole document, for a server at an address or path."""
    models = [(model, "serialization") for model in (Report, ReportSummary, Runbook, Cause, Stop)]
    _, schemas = models_json_schema(models, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Responder",
            "version": __version__,
            "description": "Incidents of the automated first responder for Prometheus and Alertmanager.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "jsonSchemaDialect": DIALECT,
        "servers": [{"url": server}],
        "security": [{}, {"token": []}, {"password": []}],
        "paths": _paths(),
        "components": {
            "schemas": {**schemas["$defs"], "Problem": _PROBLEM, "RunbookLine": _RUNBOOK_LINE},
            "responses": {
                name: _answer(text, _ref("Problem"), "application/problem+json") for name, text in _PROBLEMS.items()
            },
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "password": {"type": "http", "scheme": "basic"},
            },
        },
    }


def _paths() -> Json:
    incident, name, slug = (_parameter(word, where="path") for word in ("id", "name", "slug"))
    return {
        "/api/v1/incidents": {"get": _listing(), "post": _opening()},
        "/api/v1/incidents/{id}": {"get": _incident(incident)},
        "/api/v1/incidents/{id}/acknowledge": {
            "post": _saying("acknowledge", "Somebody has it; the first one counts", incident, {"by": _TEXT})
        },
        "/api/v1/incidents/{id}/feedback": {
            "post": _saying(
                "feedback",
                "Whether the finding helped",
                incident,
                {"helpful": {"type": "boolean"}, "by": _TEXT},
                required=["helpful"],
            )
        },
        **_hands(incident),
        **_actions(incident),
        "/api/v1/incidents/{id}/silence": {"post": _silence(incident)},
        "/api/v1/incidents/{id}/unsilence": {"post": _unsilence(incident)},
        "/api/v1/events": {"get": _events()},
        "/api/v1/runbooks": {"get": _get("runbooks", "The runbooks in use", _array("RunbookLine"))},
        "/api/v1/runbooks/{name}": {"get": _get("runbook", "One runbook", _ref("Runbook"), name)},
        "/api/v1/causes": {"get": _get("causes", "The catalogue of causes", _array("Cause"))},
        "/api/v1/causes/{slug}": {"get": _get("cause", "One cause", _ref("Cause"), slug)},
        "/api/v1/schemas/report.json": {
            "get": _get("reportSchema", "JSON Schema of a report", {"type": "object"}, media="application/schema+json")
        },
        "/api/v1/openapi.json": {"get": _get("openapi", "This document", {"type": "object"})},
    }


def _opening() -> Json:
    fields: Json = {"runbook": _TEXT, "labels": {"type": "object", "additionalProperties": _TEXT}, "by": _TEXT}
    found = _saying("open", "Open an incident by hand; it is stored when this is answered", None, fields, ["runbook"])
    found["responses"]["201"] = found["responses"].pop("200")
    found["responses"]["201"]["headers"] = {"Location": {"schema": _TEXT}}
    return found


def _hands(incident: Json) -> Json:
    """What people do to an incident."""
    step, number = _parameter("step", where="path"), _parameter("number", where="path", schema={"type": "integer"})
    by: Json = {"by": _TEXT}
    force: Json = {"force": {"type": "boolean", "description": "although steps that it needs are not done"}}
    states = {"enum": [state.value for state in StepState]}
    one = "/api/v1/incidents/{id}"
    said = {
        "unacknowledge": _saying("unacknowledge", "Nobody has it any more; escalation begins anew", incident, by),
        "escalate": _saying("escalate", "Tell the next level now", incident, by),
        "resolve": _saying("resolve", "End an incident that was opened by hand", incident, by),
        "false-alarm": _saying("falseAlarm", "There was nothing to respond to", incident, by),
        "procedure/{step}": _saying(
            "mark", "What became of a step", incident, {"state": states, "note": _TEXT, **by, **force}, ["state"]
        ),
        "procedure/{step}/verify": _saying("verify", "Have a probe see whether it worked", incident, {**by, **force}),
        "updates/{number}/publish": _saying("publish", "Let the newest public update out", incident, by),
    }
    for path, found in said.items():
        found["parameters"] += [step] if "{step}" in path else [number] if "{number}" in path else []
        if path not in ("unacknowledge", "false-alarm"):
            found["responses"]["409"] = {"$ref": "#/components/responses/Conflict"}
    review = _get("review", "The post-incident review, as Markdown", _TEXT, incident, media="text/markdown")
    return {f"{one}/{path}": {"post": found} for path, found in said.items()} | {f"{one}/review.md": {"get": review}}


def _actions(incident: Json) -> Json:
    """What may be changed, and who stops it."""
    action, line, by = _parameter("action", where="path"), _ref("ActionLine"), {"by": _TEXT}
    one, what = "/api/v1/incidents/{id}/actions", [incident, action]
    seen = {"number": {"type": "integer"}, "seen": {**_TEXT, "description": "the preview's `text` that was read"}}
    stopped: Json = {"anyOf": [_ref("Stop"), {"type": "null"}]}
    found: Json = {
        one: {"get": _get("actions", "The actions of an incident as they stand", _array("ActionLine"), incident)},
        f"{one}/{{action}}": {
            "get": _get("action", "An action as it stands", line, *what),
            "post": _saying("approve", "Approve what its preview says, and have it done", incident, by | seen),
        },
        f"{one}/{{action}}/preview": {
            "post": _saying("preview", "See what it would do, without doing it", incident, {})
        },
        "/api/v1/actions/stop": {
            "get": _get("stopped", "What stops all actions, null where nothing does", stopped),
            "post": _saying("stop", "Emergency stop: nothing is changed any more", None, {**by, "why": _TEXT}),
        },
        "/api/v1/actions/stops": {"get": _get("stops", "The stops that are over, the newest first", _array("Stop"))},
        "/api/v1/actions/resume": {"post": _saying("resume", "Let actions go on", None, by)},
    }
    for path in (f"{one}/{{action}}", f"{one}/{{action}}/preview"):
        found[path]["post"]["parameters"] = what
        found[path]["post"]["responses"] |= {
            "200": _answer("As it stands now", line, "application/json"),
            "409": {"$ref": "#/components/responses/Conflict"},
            "502": _answer("It cannot be told now what it would do", _ref("Problem"), "application/problem+json"),
        }
    for path in ("/api/v1/actions/stop", "/api/v1/actions/resume"):
        found[path]["post"]["responses"]["200"] = _answer("What stops actions now", stopped, "application/json")
    return found


def _listing() -> Json:
    statuses = ["open", *(status.value for status in IncidentStatus)]
    found = _get("incidents", "Incidents, what burns first, page by page", _array("ReportSummary"))
    found["parameters"] = [
        _parameter("status", schema={"type": "array", "items": {"enum": statuses}}),
        _parameter("severity", schema={"type": "array", "items": {"enum": [severity.value for severity in Severity]}}),
        _parameter("runbook"),
        _parameter("text"),
        _parameter("cursor"),
        _parameter("limit", schema={"type": "integer", "minimum": 1, "maximum": MOST, "default": LIMIT}),
    ]
    found["responses"]["200"]["headers"] = {
        "X-Total-Count": {
            "description": "How many fit in all; of a text only known where one answer holds them",
            "schema": {"type": "integer"},
        },
        "X-More": {"description": "Whether there is another page", "schema": {"type": "boolean"}},
        "X-Next-Cursor": {"description": "The cursor of the next page, if there is one", "schema": _TEXT},
        "Link": {"description": "The address of the next page, `rel=next`, if there is one", "schema": _TEXT},
    }
    found["responses"]["400"] = {"$ref": "#/components/responses/BadRequest"}
    return found


def _incident(parameter: Json) -> Json:
    found = _get("incident", "One incident with its findings and evidence", _ref("Report"), parameter)
    found["parameters"].append(_parameter("If-None-Match", where="header"))
    found["responses"]["200"]["headers"] = {"ETag": {"description": "Of this state", "schema": _TEXT}}
    found["responses"]["304"] = {"description": "It is as If-None-Match says"}
    return found


def _silence(incident: Json) -> Json:
    fields = {"reason": _TEXT, "duration": {**_TEXT, "default": "1h"}, "by": _TEXT}
    summary = "Silence its alerts in Alertmanager, for at most seven days"
    return _silencing(_saying("silence", summary, incident, fields, required=["reason"]))


def _unsilence(incident: Json) -> Json:
    return _silencing(_saying("unsilence", "End the silences that were made from here", incident, {"by": _TEXT}))


def _silencing(found: Json) -> Json:
    found["responses"] |= {
        status: {
            "description": description,
            "content": {"application/problem+json": {"schema": _ref("Problem")}},
        }
        for status, description in (
            ("409", "No Alertmanager is set, or no alert fires"),
            ("502", "Alertmanager did not do it"),
        )
    }
    return found


def _events() -> Json:
    found = _get("events", "Server-sent events: ids of incidents that changed", _TEXT, media="text/event-stream")
    found["parameters"] = [_parameter("Last-Event-ID", where="header")]
    return found


def _saying(
    operation: str, summary: str, incident: Json | None, fields: Json, required: list[str] | None = None
) -> Json:
    body: Json = {"type": "object", "properties": fields} | ({"required": required} if required else {})
    media = ("application/json", "application/x-www-form-urlencoded")
    said = _get(operation, summary, _ref("Report"), *([incident] if incident else []))
    said["requestBody"] = {
        "required": bool(required),
        "content": {form: {"schema": body} for form in media},
    }
    said["responses"] |= {
        "303": {"description": "Of a form: back to the page", "headers": {"Location": {"schema": _TEXT}}},
        "400": {"$ref": "#/components/responses/BadRequest"},
        "403": {"$ref": "#/components/responses/Forbidden"},
    }
    return said


def _get(operation: str, summary: str, content: Json, *parameters: Json, media: str = "application/json") -> Json:
    responses: Json = {
        "200": _answer(summary, content, media),
        "401": {"$ref": "#/components/responses/Unauthorized"},
    }
    if parameters:
        responses["404"] = {"$ref": "#/components/responses/NotFound"}
    return {"operationId": operation, "summary": summary, "parameters": [*parameters], "responses": responses}


def _answer(description: str, content: Json, media: str) -> Json:
    return {"description": description, "content": {media: {"schema": content}}}


def _parameter(name: str, *, where: str = "query", schema: Json | None = None) -> Json:
    return {"name": name, "in": where, "schema": schema or _TEXT} | ({"required": True} if where == "path" else {})


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _array(name: str) -> Json:
    return {"type": "array", "items": _ref(name)}


_TEXT: Json = {"type": "string"}
_PROBLEM: Json = {
    "type": "object",
    "description": "RFC 9457",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": _TEXT,
        "title": _TEXT,
        "status": {"type": "integer"},
        "detail": _TEXT,
        "errors": {"type": "array", "items": {"type": "object", "properties": {"detail": _TEXT}}},
    },
}
_RUNBOOK_LINE: Json = {
    "type": "object",
    "required": ["name", "title", "severity", "match", "steps"],
    "properties": {
        "name": _TEXT,
        "title": _TEXT,
        "severity": {"enum": [*(severity.value for severity in Severity), None]},
        "match": {"type": "array", "items": _TEXT},
        "steps": {"type": "integer"},
    },
}
_PROBLEMS = {
    "BadRequest": "The request cannot be used",
    "Unauthorized": "Credentials are missing or wrong",
    "Forbidden": "A page of another site asked",
    "NotFound": "There is no such thing",
    "Conflict": "It cannot be done as things are",
}
