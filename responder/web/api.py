"""The JSON API: incidents, what people say of them, runbooks, causes, and the schemas of all that."""

import asyncio
import hashlib
import json
from collections.abc import Awaitable
from datetime import timedelta
from http import HTTPStatus
from json import JSONDecodeError

from aiohttp import ETag, web
from multidict import CIMultiDict
from pydantic import BaseModel, TypeAdapter

from responder.errors import Reason, Trouble
from responder.model.finding import Cause
from responder.model.report import Report, ReportSummary
from responder.model.runbook import Duration, Runbook
from responder.web import schema
from responder.web.filters import Filters
from responder.web.formats import segment
from responder.web.live import all_events
from responder.web.problems import Refused, not_found
from responder.web.site import SITE, USER

LONGEST_NAME = 100
LONGEST_REASON = 500
LONGEST_SILENCE = timedelta(days=7)
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
WORTH_COMPRESSING = 1024

_SUMMARIES = TypeAdapter(tuple[ReportSummary, ...])
_DURATION = TypeAdapter(Duration)
_CAUSES = TypeAdapter(tuple[Cause, ...])


def routes() -> list[web.RouteDef]:
    """All routes under /api/v1."""
    return [
        web.get("/api/v1/incidents", incidents),
        web.get("/api/v1/incidents/{id}", incident),
        web.post("/api/v1/incidents/{id}/acknowledge", acknowledge),
        web.post("/api/v1/incidents/{id}/feedback", feedback),
        web.post("/api/v1/incidents/{id}/silence", silence),
        web.post("/api/v1/incidents/{id}/unsilence", unsilence),
        web.get("/api/v1/events", all_events),
        web.get("/api/v1/runbooks", runbooks),
        web.get("/api/v1/runbooks/{name}", runbook),
        web.get("/api/v1/causes", causes),
        web.get("/api/v1/causes/{slug}", cause),
        web.get("/api/v1/schemas/report.json", report_schema),
        web.get("/api/v1/openapi.json", openapi),
    ]


async def incidents(request: web.Request) -> web.Response:
    """An array of summaries, what burns first. The headers say how many fit, and where the next page is."""
    filters = Filters.read(request.query)
    found = await request.app[SITE].incidents.list(**filters.wanted, limit=filters.limit, after=filters.after)
    body = await asyncio.to_thread(_SUMMARIES.dump_json, tuple(found.items))
    headers = {"X-More": "true" if found.after else "false"}
    if found.total is not None:
        headers["X-Total-Count"] = str(found.total)
    if found.after:
        query = filters.more(found.after)
        headers |= {
            "X-Next-Cursor": found.after,
            "Link": f'<{request.app[SITE].root}/api/v1/incidents?{query}>; rel="next"',
        }
    return answer(body, headers)


async def incident(request: web.Request) -> web.Response:
    """One report; 304 while nothing changed."""
    report = await report_of(request)
    body = await asyncio.to_thread(lambda: report.model_dump_json().encode())
    tag = ETag(f"{report.revision}-{hashlib.blake2b(body, digest_size=8).hexdigest()}")
    if any(known.value in (tag.value, "*") for known in request.if_none_match or ()):
        response = web.Response(status=HTTPStatus.NOT_MODIFIED)
    else:
        response = answer(body)
    response.etag = tag
    return response


async def acknowledge(request: web.Request) -> web.Response:
    """Somebody has it; the first one counts."""
    given = await given_in(request)
    incident_id = request.match_info["id"]
    if not await request.app[SITE].incidents.acknowledge(incident_id, asker(request, given)):
        raise not_found("There is no such incident.")
    return await done(request)


async def feedback(request: web.Request) -> web.Response:
    """Whether the finding helped: `helpful` is true or false."""
    given = await given_in(request)
    helpful = _TRUTH.get(str(given.get("helpful", "")).strip().lower())
    if helpful is None:
        raise Refused(HTTPStatus.BAD_REQUEST, "The feedback cannot be used.", ["helpful: is wanted, true or false"])
    incident_id = request.match_info["id"]
    if not await request.app[SITE].incidents.feedback(incident_id, helpful, asker(request, given)):
        raise not_found("There is no such incident.")
    return await done(request)


async def silence(request: web.Request) -> web.Response:
    """Silence the incident's alerts in Alertmanager: `reason`, and `duration` (`1h`, at most a week)."""
    given = await given_in(request)
    reason = _line(given.get("reason", ""), LONGEST_REASON)
    problems = [] if reason else ["reason: is wanted, so that others know why"]
    lasts = _lasting(str(given.get("duration", "1h")), problems)
    if problems:
        raise Refused(HTTPStatus.BAD_REQUEST, "Nothing is silenced.", problems)
    incidents, incident_id = request.app[SITE].incidents, request.match_info["id"]
    await _silencing(incidents.silence(incident_id, reason, asker(request, given), lasts), "It is not silenced")
    return await done(request)


async def unsilence(request: web.Request) -> web.Response:
    """End the silences that were made from here."""
    given = await given_in(request)
    incidents, incident_id = request.app[SITE].incidents, request.match_info["id"]
    await _silencing(incidents.unsilence(incident_id, asker(request, given)), "The silence is not ended")
    return await done(request)


async def _silencing(asked: Awaitable[int | None], failed: str) -> None:
    try:
        changed = await asked
    except Trouble as trouble:
        unfit = trouble.reason in (Reason.NOT_CONFIGURED, Reason.BAD_REQUEST, Reason.TOO_LARGE)
        status = HTTPStatus.CONFLICT if unfit else HTTPStatus.BAD_GATEWAY
        raise Refused(status, f"{failed}: {trouble}.") from None
    if changed is None:
        raise not_found("There is no such incident.")


async def runbooks(request: web.Request) -> web.Response:
    """The runbooks in use."""
    book = request.app[SITE].rules.current
    documents = [
        {
            "name": known.name,
            "title": known.metadata.title,
            "severity": known.severity,
            "match": known.match,
            "steps": len(known.investigate),
        }
        for known in sorted(book.runbooks.values(), key=lambda known: known.name)
    ]
    return answer(json.dumps(documents).encode())


async def runbook(request: web.Request) -> web.Response:
    """One runbook, as its file says."""
    return model(find_runbook(request))


async def causes(request: web.Request) -> web.Response:
    """The catalogue of causes."""
    return answer(_CAUSES.dump_json(tuple(request.app[SITE].catalogue().values())))


async def cause(request: web.Request) -> web.Response:
    """One cause."""
    known = request.app[SITE].cause(request.match_info["slug"])
    if known is None:
        raise not_found("The catalogue has no such cause.")
    return model(known)


async def report_schema(_request: web.Request) -> web.Response:
    """The JSON Schema of a report."""
    return answer(json.dumps(schema.report()).encode(), content_type="application/schema+json")


async def openapi(request: web.Request) -> web.Response:
    """This API, as OpenAPI 3.1."""
    return answer(json.dumps(schema.openapi(request.app[SITE].root or "/")).encode())


def find_runbook(request: web.Request) -> Runbook:
    """The runbook that the address names; raises Refused."""
    known = request.app[SITE].rules.current.runbooks.get(request.match_info["name"])
    if known is None:
        raise not_found("There is no such runbook in use.")
    return known


async def report_of(request: web.Request) -> Report:
    report = await request.app[SITE].incidents.get(request.match_info["id"])
    if report is None:
        raise not_found("There is no such incident.")
    return report


async def given_in(request: web.Request) -> dict[str, object]:
    """The fields of a form, or of a JSON object; nothing for an empty body. Raises Refused."""
    if request.content_type in FORMS:
        return {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
    text = (await request.text()).strip()
    if not text:
        return {}
    try:
        given = json.loads(text)
    except (JSONDecodeError, RecursionError):
        raise Refused(HTTPStatus.BAD_REQUEST, "The body is no JSON.") from None
    if not isinstance(given, dict):
        raise Refused(HTTPStatus.BAD_REQUEST, "The body must be a JSON object.")
    return given


def asker(request: web.Request, given: dict[str, object]) -> str:
    """Who says so: whom the door knows, else who they say they are."""
    return request[USER] or name_in(given)


def name_in(given: dict[str, object]) -> str:
    """Who somebody says they are, on one line."""
    return _line(given.get("by", ""), LONGEST_NAME)


def _lasting(said: str, problems: list[str]) -> timedelta:
    """How long a silence lasts; what is wrong with it is added to the problems."""
    try:
        lasts = _DURATION.validate_python(said)
    except (ValueError, OverflowError):
        lasts = timedelta(0)
    if not timedelta(minutes=1) <= lasts <= LONGEST_SILENCE:
        problems.append("duration: is written as 30m, 1h30m or 2d, from one minute to seven days")
    return lasts


def _line(said: object, most: int) -> str:
    """What somebody wrote, on one line."""
    text = "".join(letter if letter.isprintable() else " " for letter in str(said)[: 10 * most])
    return " ".join(text.split())[:most]


async def done(request: web.Request) -> web.Response:
    """Back to the page for a form, the report as it is now for a program."""
    if request.content_type in FORMS:
        raise web.HTTPSeeOther(f"{request.app[SITE].root}/incidents/{segment(request.match_info['id'])}")
    return model(await report_of(request))


def model(record: BaseModel) -> web.Response:
    return answer(record.model_dump_json(by_alias=True).encode())


def answer(
    body: bytes,
    headers: dict[str, str] | None = None,
    content_type: str = "application/json",
) -> web.Response:
    response = web.Response(body=body, content_type=content_type, headers=CIMultiDict(headers or {}))
    response.headers.setdefault("Cache-Control", "private, no-cache")
    if len(body) > WORTH_COMPRESSING:
        response.enable_compression()
    return response


_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
