"""What people do to incidents: give back, escalate, start and end by hand, follow a procedure, tell the public."""

import re
from collections.abc import Mapping
from http import HTTPStatus

from aiohttp import web

from responder.flow.procedures import Outcome
from responder.flow.review import review
from responder.model.procedure import StepState
from responder.plugins import did_you_mean
from responder.web.api import FORMS, asker, done, given_in, model, report_of
from responder.web.formats import segment
from responder.web.problems import Refused, not_found
from responder.web.site import SITE

MOST_LABELS = 50
LONGEST_LABEL = 1000
LONGEST_NUMBER = 6
_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]{0,199}")


def routes() -> list[web.RouteDef]:
    """All of it, under /api/v1/incidents."""
    one = "/api/v1/incidents/{id}"
    return [
        web.post("/api/v1/incidents", start),
        web.post(f"{one}/unacknowledge", unacknowledge),
        web.post(f"{one}/escalate", escalate),
        web.post(f"{one}/resolve", resolve),
        web.post(f"{one}/false-alarm", false_alarm),
        web.post(f"{one}/procedure/{{step}}", mark),
        web.post(f"{one}/procedure/{{step}}/verify", verify),
        web.post(f"{one}/updates/{{number}}/publish", publish),
        web.get(f"{one}/review.md", post_incident_review),
    ]


async def start(request: web.Request) -> web.Response:
    """Open an incident by hand: `runbook`, `labels` (in a form NAME=VALUE, one a line), `by`. Stored when answered."""
    site, given = request.app[SITE], await given_in(request)
    known = site.rules.current.runbooks
    name = str(given.get("runbook", ""))
    problems = [] if name in known else [f"runbook: there is no {name[:100]!r}{did_you_mean(name[:100], list(known))}"]
    labels = _labels(given.get("labels") or {}, problems)
    if problems:
        raise Refused(HTTPStatus.BAD_REQUEST, "No incident can be opened from that.", problems)
    incident_id = await site.hands.opener.open(name, labels, asker(request, given))
    place = f"/incidents/{segment(incident_id)}"
    if request.content_type in FORMS:
        raise web.HTTPSeeOther(f"{site.root}{place}")
    report = await site.incidents.get(incident_id)
    if report is None:
        raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, f"It is stored as {incident_id}, and will be opened soon.")
    response = model(report)
    response.set_status(HTTPStatus.CREATED)
    response.headers["Location"] = f"{site.root}/api/v1{place}"
    return response


async def unacknowledge(request: web.Request) -> web.Response:
    """Nobody has it any more: escalation begins anew."""
    given = await given_in(request)
    if not await request.app[SITE].hands.escalator.unacknowledge(request.match_info["id"], asker(request, given)):
        raise _no_incident()
    return await done(request)


async def escalate(request: web.Request) -> web.Response:
    """Tell the next level now; 409 where there is none to tell."""
    given = await given_in(request)
    told = await request.app[SITE].hands.escalator.now(request.match_info["id"], asker(request, given))
    if told is None:
        raise _no_incident()
    if not told:
        raise Refused(HTTPStatus.CONFLICT, "It is over, or every level of its escalation is told already.")
    return await done(request)


async def resolve(request: web.Request) -> web.Response:
    """End what was opened by hand; 409 for others: their alerts say when they end."""
    given = await given_in(request)
    ended = await request.app[SITE].hands.opener.resolve(request.match_info["id"], asker(request, given))
    if ended is None:
        raise _no_incident()
    if not ended:
        detail = "Alerts opened it, and their end will end it. Silence them in Alertmanager if they are wrong."
        raise Refused(HTTPStatus.CONFLICT, detail)
    return await done(request)


async def false_alarm(request: web.Request) -> web.Response:
    """Somebody says that there was nothing to respond to."""
    given = await given_in(request)
    if not await request.app[SITE].hands.judge.false_alarm(request.match_info["id"], asker(request, given)):
        raise _no_incident()
    return await done(request)


async def mark(request: web.Request) -> web.Response:
    """What became of a step: `state` is todo, done, failed or skipped; `note`, `by`; `force` goes out of turn."""
    given = await given_in(request)
    word = str(given.get("state", "")).strip().lower()
    if word not in list(StepState):
        near = did_you_mean(word[:100], [state.value for state in StepState])
        raise Refused(HTTPStatus.BAD_REQUEST, "The step cannot be marked.", [f"state: unknown {word[:100]!r}{near}"])
    outcome = await request.app[SITE].hands.procedures.mark(
        request.match_info["id"],
        request.match_info["step"],
        StepState(word),
        by=asker(request, given),
        note=str(given.get("note", "")).strip(),
        force=_is_true(given.get("force")),
    )
    return await _marked(request, outcome)


async def verify(request: web.Request) -> web.Response:
    """Have the step's probe see whether it worked."""
    given = await given_in(request)
    outcome = await request.app[SITE].hands.procedures.verify(
        request.match_info["id"],
        request.match_info["step"],
        by=asker(request, given),
        force=_is_true(given.get("force")),
    )
    return await _marked(request, outcome)


async def publish(request: web.Request) -> web.Response:
    """Let the newest update for the public out; 409 where a newer one took its place."""
    given = await given_in(request)
    number = request.match_info["number"]
    if not (number.isascii() and number.isdigit() and len(number) <= LONGEST_NUMBER):
        raise not_found("There is no such update.")
    report = await report_of(request)
    if int(number) not in [draft.number for draft in report.updates]:
        raise not_found("There is no such update.")
    communicator = request.app[SITE].hands.communicator
    if not await communicator.publish(report.id, int(number), asker(request, given)):
        raise Refused(HTTPStatus.CONFLICT, "A newer update has taken its place; read that one.")
    return await done(request)


async def post_incident_review(request: web.Request) -> web.Response:
    """The review of the incident, filled in as far as it is known, as Markdown."""
    site, report = request.app[SITE], await report_of(request)
    book = site.rules.current
    runbook = book.get(report.runbook)
    wanted = runbook.communicate.templates if runbook.communicate else "default"
    templates = book.templates.get(wanted) or book.templates.get("default")
    if templates is None or not templates.review:
        raise not_found("The rules have no template of a review.")
    component = runbook.communicate.component if runbook.communicate else runbook.metadata.title
    cause = site.cause(report.findings[0].cause) if report.findings else None
    text = review(templates, report, component, cause.title if cause else "", site.clock.now())
    return web.Response(text=text, content_type="text/markdown", headers={"Cache-Control": "private, no-cache"})


async def _marked(request: web.Request, outcome: Outcome) -> web.Response:
    if not outcome.known:
        raise not_found("There is no such step, or no such incident.")
    if outcome.waits_for:
        detail = "What the step needs is not done; say force to go out of turn."
        raise Refused(HTTPStatus.CONFLICT, detail, [f"{name}: is not done" for name in outcome.waits_for])
    if outcome.trouble:
        raise Refused(HTTPStatus.BAD_GATEWAY, outcome.trouble)
    return await done(request)


def _labels(given: object, problems: list[str]) -> Mapping[str, str]:
    """Labels of an object, or of lines of a form; what is wrong is added to the problems."""
    if isinstance(given, str):
        lines = [line for line in given.splitlines() if line.strip()]
        problems += [f"labels: {line[:100]!r} is not NAME=VALUE" for line in lines if "=" not in line]
        pairs = [line.partition("=")[::2] for line in lines if "=" in line]
        given = {name.strip(): value.strip() for name, value in pairs}
    if not isinstance(given, dict):
        problems.append("labels: wanted is an object of texts")
        return {}
    if len(given) > MOST_LABELS:
        problems.append(f"labels: more than {MOST_LABELS}")
        return {}
    for name, value in given.items():
        if not _LABEL_NAME.fullmatch(name) or name == "alertname":
            problems.append(f"labels: {name[:100]!r} cannot be the name of one")
        if not isinstance(value, str) or len(value) > LONGEST_LABEL or not value.isprintable():
            problems.append(f"labels: the value of {name[:100]!r} is no text of one line, or too long")
    return given


def _is_true(value: object) -> bool:
    return str(value).strip().lower() in ("true", "yes", "1", "on")


def _no_incident() -> Refused:
    return not_found("There is no such incident.")
