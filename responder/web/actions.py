"""Actions: what they would do, approvals, and the emergency stop."""

from datetime import timedelta
from http import HTTPStatus

import aiohttp_jinja2
from aiohttp import web
from pydantic import TypeAdapter

from responder.errors import Reason, Trouble
from responder.flow.approve import Declined
from responder.flow.outlets import Said
from responder.model.action import ActionLine, Stop
from responder.web.api import FORMS, answer, asker, given_in, model, name_in, report_of
from responder.web.formats import segment
from responder.web.pages import render
from responder.web.problems import Refused, not_found
from responder.web.site import SITE, USER

LONGEST_REASON = 500
LONGEST_NUMBER = 6
FRESH = timedelta(seconds=30)
_LINES = TypeAdapter(tuple[ActionLine, ...])
_STOP = TypeAdapter(Stop | None)
_STOPS = TypeAdapter(tuple[Stop, ...])


def routes() -> list[web.RouteDef]:
    """All under /api/v1."""
    one = "/api/v1/incidents/{id}/actions"
    return [
        web.get(one, actions),
        web.get(f"{one}/{{action}}", action),
        web.post(f"{one}/{{action}}/preview", preview),
        web.post(f"{one}/{{action}}", approve),
        web.get("/api/v1/actions/stop", stopped),
        web.get("/api/v1/actions/stops", stops),
        web.post("/api/v1/actions/stop", stop),
        web.post("/api/v1/actions/resume", resume),
    ]


async def actions(request: web.Request) -> web.Response:
    """The actions of an incident as they stand."""
    return answer(_LINES.dump_json((await report_of(request)).actions))


async def action(request: web.Request) -> web.Response:
    """One action as it stands."""
    wanted = request.match_info["action"]
    line = next((line for line in (await report_of(request)).actions if line.id == wanted), None)
    if line is None:
        raise _no_action()
    return model(line)


async def preview(request: web.Request) -> web.Response:
    """See what the action would do now, without doing it; one that is over is proposed again."""
    _insist_on_credentials(request)
    approver = request.app[SITE].hands.approver
    try:
        line = await approver.preview(request.match_info["id"], request.match_info["action"])
    except Trouble as trouble:
        return _refused(request, trouble)
    return _shown(request, line)


async def approve(request: web.Request) -> web.Response:
    """Approve an action: `by`, and of the preview that was read `number` (the attempt's) and `seen` (its sentence)."""
    _insist_on_credentials(request)
    given = await given_in(request)
    number = str(given.get("number") or "0")
    if not (number.isascii() and number.isdigit() and len(number) <= LONGEST_NUMBER):
        raise Refused(HTTPStatus.BAD_REQUEST, "The approval cannot be used.", ["number: is that of the attempt"])
    try:
        line = await request.app[SITE].hands.approver.approve(
            request.match_info["id"],
            request.match_info["action"],
            known=request[USER],
            claimed=name_in(given),
            seen=str(given.get("seen", "")),
            number=int(number),
        )
    except Trouble as trouble:
        return _refused(request, trouble)
    return _shown(request, line)


async def stopped(request: web.Request) -> web.Response:
    """What stops actions; null where nothing does."""
    return answer(_STOP.dump_json(await request.app[SITE].hands.actor.stopped()))


async def stops(request: web.Request) -> web.Response:
    """The stops that are over, the newest first: who stopped, and who resumed."""
    return answer(_STOPS.dump_json(await request.app[SITE].hands.actor.stops()))


async def stop(request: web.Request) -> web.Response:
    """Emergency stop: nothing is changed any more. `by`, `why`."""
    _insist_on_credentials(request)
    given = await given_in(request)
    why = " ".join(str(given.get("why", ""))[: 2 * LONGEST_REASON].split())[:LONGEST_REASON]
    await request.app[SITE].hands.actor.stop(asker(request, given), why)
    return await _stop_shown(request)


async def resume(request: web.Request) -> web.Response:
    """Let actions go on."""
    _insist_on_credentials(request)
    await request.app[SITE].hands.actor.resume(asker(request, await given_in(request)))
    return await _stop_shown(request)


async def ask(request: web.Request, said: Said) -> web.Response:
    """The page behind the button in a message: what would be done, and whether to do it."""
    assert said.action is not None
    site, line = request.app[SITE], said.action
    looked = line.attempt.previewed_at if line.attempt else None
    try:
        # programs that show where a link leads to open it too: they do not each ask the cluster
        if looked is None or site.clock.now() - looked > FRESH:
            line = await site.hands.approver.preview(said.incident_id, line.id) or line
    except Trouble as trouble:
        return _refused(request, trouble)
    return await render(request, "approval.html", {"said": said, "line": line, "done": False})


async def say(request: web.Request, said: Said) -> web.Response:
    """Somebody approved on that page: the signed address lets them, unless there are named approvers."""
    assert said.action is not None
    site, given = request.app[SITE], await given_in(request)
    user = site.door.identify(request.headers)
    try:
        line = await site.hands.approver.approve(
            said.incident_id,
            said.action.id,
            known="" if user in (None, "anonymous", "token") else str(user),
            claimed=name_in(given),
            seen=str(given.get("seen", "")),
            number=said.number,
        )
    except Trouble as trouble:
        return _refused(request, trouble)
    return await render(request, "approval.html", {"said": said, "line": line or said.action, "done": True})


def _insist_on_credentials(request: web.Request) -> None:
    """Also where the pages are open to everybody, changes are for those whom the door knows."""
    if request.app[SITE].door.identify(request.headers) is None:
        raise Refused(HTTPStatus.UNAUTHORIZED, "Credentials are missing or wrong.")


def _shown(request: web.Request, line: ActionLine | None) -> web.Response:
    if line is None:
        raise _no_action()
    if request.content_type in FORMS:
        raise web.HTTPSeeOther(f"{request.app[SITE].root}/incidents/{segment(request.match_info['id'])}#actions")
    return model(line)


async def _stop_shown(request: web.Request) -> web.Response:
    if request.content_type in FORMS:
        raise web.HTTPSeeOther(f"{request.app[SITE].root}/")
    return await stopped(request)


def _refused(request: web.Request, trouble: Trouble) -> web.Response:
    """Why not: as a page where a form asked."""
    status = HTTPStatus.BAD_GATEWAY
    if isinstance(trouble, Declined):
        status = HTTPStatus.FORBIDDEN if trouble.reason is Reason.FORBIDDEN else HTTPStatus.CONFLICT
    refused = Refused(status, f"Not done: {trouble}.")
    if request.app[SITE].path_of(request).startswith("/api/") and request.content_type not in FORMS:
        raise refused
    response = aiohttp_jinja2.render_template("error.html", request, {"refused": refused})
    response.set_status(status)
    return response


def _no_action() -> Refused:
    return not_found("There is no such action, or no such incident.")
