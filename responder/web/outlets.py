"""Sinks for people and media: state, previews, dead letters, signed buttons and pictures, calls of the media."""

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from aiohttp import web

from responder.errors import Permanent, Reason
from responder.flow.outlets import Outlet
from responder.flow.series import TAKEN
from responder.origin import from_here
from responder.sinks import Call
from responder.web import actions
from responder.web.api import FORMS, given_in, name_in
from responder.web.pages import render
from responder.web.problems import Refused, not_found
from responder.web.site import SITE

LARGEST_CALL = 1024 * 1024
CALL_TIMEOUT = 10.0
"""Seconds in which the body of a call has to come."""
_STATUS = {
    Reason.NOT_FOUND: HTTPStatus.NOT_FOUND,
    Reason.UNAUTHORIZED: HTTPStatus.UNAUTHORIZED,
    Reason.BAD_REQUEST: HTTPStatus.BAD_REQUEST,
}


def routes() -> list[web.RouteDef]:
    """For those only who are known."""
    return [
        web.get("/sinks", sinks),
        web.get("/sinks/{name}", sink),
        web.get("/sinks/{name}/document/{stage}", document),
        web.get("/api/v1/sinks", sinks_document),
        web.post("/api/v1/sinks/{name}/replay", replay),
    ]


def open_routes() -> list[web.RouteDef]:
    """Whoever holds a signed address, or can prove to be the medium."""
    return [
        web.get("/say/{token}", ask),
        web.post("/say/{token}", say),
        web.get("/pictures/{token}.png", picture),
        web.post("/api/v1/sinks/{name}/events", hear),
    ]


async def sinks(request: web.Request) -> web.Response:
    """All sinks: what they last took, what waits, what was refused."""
    return await render(request, "sinks.html", {"outlets": await request.app[SITE].outlets.list()})


async def sink(request: web.Request) -> web.Response:
    """How a sink shows a finding, without sending anything: the sample, or an incident."""
    outlets, name = request.app[SITE].outlets, request.match_info["name"]
    incident_id = request.query.get("incident", "")
    previews = await outlets.preview(name, incident_id)
    if previews is None:
        raise not_found("There is no such sink or incident.")
    found = next(outlet for outlet in await outlets.list() if outlet.name == name)
    return await render(request, "sink.html", {"outlet": found, "previews": previews, "incident_id": incident_id})


async def document(request: web.Request) -> web.Response:
    """The HTML of a preview as a document of its own, which may run nothing and load nothing."""
    stage = request.match_info["stage"]
    previews = await request.app[SITE].outlets.preview(request.match_info["name"], request.query.get("incident", ""))
    blocks = previews[stage].blocks if previews and stage in previews else ()
    html = next((block.text for block in blocks if block.kind == "html"), None)
    if html is None:
        raise not_found("There is no such preview.")
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; frame-ancestors 'self'"
    headers = {"Content-Security-Policy": policy, "X-Frame-Options": "SAMEORIGIN"}
    return web.Response(text=html, content_type="text/html", headers=headers)


async def sinks_document(request: web.Request) -> web.Response:
    """All sinks, as JSON."""
    found = await request.app[SITE].outlets.list()
    return web.json_response([_described(outlet) for outlet in found])


async def replay(request: web.Request) -> web.Response:
    """Send again what the sink refused: all of it, or that of one `incident`."""
    given = await given_in(request)
    name = request.match_info["name"]
    outlets = request.app[SITE].outlets
    if outlets.sink(name) is None:
        raise not_found("There is no such sink.")
    count = await outlets.replay(name, str(given.get("incident", "")))
    if request.content_type in FORMS:
        raise web.HTTPSeeOther(f"{request.app[SITE].root}/sinks")
    return web.json_response({"replayed": count})


async def ask(request: web.Request) -> web.Response:
    """The page behind a button in a message: it asks, since link previews open addresses too."""
    said = await request.app[SITE].outlets.said(request.match_info["token"])
    if said is None:
        raise not_found("This link is no longer valid. Open the incident itself.")
    if said.action is not None:
        return await actions.ask(request, said)
    return await render(request, "say.html", {"said": said, "done": False})


async def say(request: web.Request) -> web.Response:
    """Somebody confirmed."""
    site = request.app[SITE]
    if not from_here(request, site.base_url):
        raise Refused(HTTPStatus.FORBIDDEN, "A page of another site asked for this; it is not done.")
    said = await site.outlets.said(request.match_info["token"])
    if said is None:
        raise not_found("This link is no longer valid. Open the incident itself.")
    if said.action is not None:
        return await actions.say(request, said)
    given = await given_in(request)
    await site.outlets.say(said, site.door.identify(request.headers) or name_in(given))
    return await render(request, "say.html", {"said": said, "done": True})


async def picture(request: web.Request) -> web.Response:
    """A chart of an incident as PNG."""
    drawn = await request.app[SITE].outlets.picture(request.match_info["token"])
    if drawn is None:
        raise not_found("There is no such picture.")
    headers = {"Cache-Control": "private, max-age=3600", "Cross-Origin-Resource-Policy": "cross-origin"}
    return web.Response(body=drawn, content_type="image/png", headers=headers)


async def hear(request: web.Request) -> web.Response:
    """A medium calls back: somebody pressed a button there."""
    site = request.app[SITE]
    body = await _body(request)
    call = Call({name.lower(): value for name, value in request.headers.items()}, body, site.clock.now())
    try:
        heard = await site.outlets.hear(request.match_info["name"], call)
    except Permanent as trouble:
        status = _STATUS.get(trouble.reason, HTTPStatus.BAD_REQUEST)
        site.metrics.calls.labels(trouble.reason.value).inc()
        raise Refused(status, "The call cannot be taken; the log has the reason.") from None
    site.metrics.calls.labels(TAKEN).inc()
    return web.Response(text=heard.answer, content_type=heard.content_type)


async def _body(request: web.Request) -> bytes:
    """The whole body, however many pieces it comes in; bounded in size and time."""
    body = b""
    try:
        async with asyncio.timeout(CALL_TIMEOUT):
            while piece := await request.content.readany():
                body += piece
                if len(body) > LARGEST_CALL:
                    raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is too large.")
    except TimeoutError:
        raise Refused(HTTPStatus.REQUEST_TIMEOUT, "The body came too slowly.") from None
    return body


def _described(outlet: Outlet) -> Mapping[str, Any]:
    return {
        "name": outlet.name,
        "kind": outlet.kind,
        "last": outlet.last.isoformat() if outlet.last else None,
        "waiting": outlet.waiting,
        "dead": outlet.dead,
        "letters": [
            {"incident": letter.incident_id, "trouble": letter.trouble, "dead": letter.dead}
            for letter in outlet.letters
        ],
    }
