"""The pages: rendered here, readable without scripts."""

import asyncio
from collections.abc import Mapping
from typing import Any

import aiohttp_jinja2
from aiohttp import web

from responder.model.incident import Severity
from responder.web import views
from responder.web.api import find_runbook
from responder.web.filters import Filters
from responder.web.live import incident_events
from responder.web.problems import not_found
from responder.web.site import SITE

LAST_INCIDENTS = 10


def routes() -> list[web.RouteDef]:
    """All pages."""
    return [
        web.get("/", incidents),
        web.get("/incidents", to_list),
        web.get("/incidents/{id}", incident),
        web.get("/incidents/{id}/events", incident_events),
        web.get("/runbooks", runbooks),
        web.get("/runbooks/{name}", runbook),
        web.get("/causes", causes),
        web.get("/causes/{slug}", cause),
    ]


async def incidents(request: web.Request) -> web.Response:
    """The list: what burns first."""
    site = request.app[SITE]
    filters = Filters.read(request.query)
    found, sources = await asyncio.gather(
        site.incidents.list(**filters.wanted, limit=filters.limit, after=filters.after), site.health.ready()
    )
    rows = views.rows(found.items, site.clock.now())
    return await render(
        request,
        "incidents.html",
        {
            "filters": filters,
            "rows": rows,
            "burning": views.burning(rows) if found.burning is None else found.burning,
            "counted": found.burning is not None or not found.after,
            "after": found.after,
            "sources": sources,
            "severities": [severity.value for severity in Severity],
            "runbooks": sorted(site.rules.current.runbooks),
        },
    )


async def to_list(request: web.Request) -> web.Response:
    """The list is at the root."""
    raise web.HTTPFound(f"{request.app[SITE].root}/")


async def incident(request: web.Request) -> web.Response:
    """One incident: the verdict, why, what happened, what next, and all the evidence."""
    site = request.app[SITE]
    report = await site.incidents.get(request.match_info["id"])
    if report is None:
        raise not_found("There is no such incident. Resolved ones are forgotten after a while.")
    runbook = site.rules.current.runbooks.get(report.runbook)
    shown = await asyncio.to_thread(views.page, report, runbook, site.catalogue(), site.clock.now())
    context = {"page": shown, "report": report, "runbook": runbook, "can_silence": site.incidents.can_silence(report)}
    return await render(request, "incident.html", context)


async def runbooks(request: web.Request) -> web.Response:
    """The runbooks in use."""
    rules = request.app[SITE].rules
    known = sorted(rules.current.runbooks.values(), key=lambda known: known.name)
    return await render(request, "runbooks.html", {"runbooks": known, "problems": rules.problems})


async def runbook(request: web.Request) -> web.Response:
    """What a runbook matches, asks, may conclude and do, and its last incidents."""
    site = request.app[SITE]
    known = find_runbook(request)
    last = await site.incidents.list(runbook=known.name, limit=LAST_INCIDENTS)
    rows = views.rows(last.items, site.clock.now())
    return await render(request, "runbook.html", {"runbook": known, "rows": rows, "catalogue": site.catalogue()})


async def causes(request: web.Request) -> web.Response:
    """The catalogue of causes."""
    return await render(request, "causes.html", {"catalogue": request.app[SITE].catalogue()})


async def cause(request: web.Request) -> web.Response:
    """One entry of the catalogue."""
    catalogue = request.app[SITE].catalogue()
    slug = request.match_info["slug"]
    if slug not in catalogue:
        raise not_found("The catalogue has no such cause.")
    return await render(request, "cause.html", {"cause": catalogue[slug], "catalogue": catalogue})


async def render(request: web.Request, template: str, context: Mapping[str, Any]) -> web.Response:
    """Rendered in a thread: the page of a large incident takes a while."""
    site = request.app[SITE]
    everything = {"now": site.clock.now(), "stopped": await site.hands.actor.stopped(), **context}
    text = await asyncio.to_thread(aiohttp_jinja2.render_string, template, request, everything)
    response = web.Response(text=text, content_type="text/html", headers={"Cache-Control": "private, no-cache"})
    response.enable_compression()
    return response
