"""Pages and JSON API. `setup` puts them into an application; handlers find their collaborators in `app[SITE]`."""

from collections.abc import AsyncIterator, Sequence

import aiohttp_jinja2
from aiohttp import web
from jinja2 import PackageLoader, StrictUndefined

from responder.flow.outlets import Outlets
from responder.flow.world import World
from responder.web import actions, api, assets, formats, live, operations, outlets, pages, views
from responder.web.guard import guard, harden
from responder.web.hands import routes as hands_routes
from responder.web.health import Sources
from responder.web.problems import ROOT, explain
from responder.web.site import SITE, Door, Hands, Health, Incidents, Site, Source

__all__ = ["SITE", "Door", "Hands", "Health", "Incidents", "Site", "Source", "mount", "reached", "setup"]


def setup(
    app: web.Application, *, incidents: Incidents, hands: Hands, outlets: Outlets, world: World, door: Door
) -> None:
    """Put the whole site into the application, over a world."""
    health = Sources(world)

    async def asking(_app: web.Application) -> AsyncIterator[None]:
        health.begin()
        yield
        await health.close()

    site = Site(
        incidents=incidents,
        hands=hands,
        outlets=outlets,
        health=health,
        rules=world.rules,
        causes=world.detectors.causes,
        door=door,
        metrics=world.metrics,
        clock=world.clock,
        base_url=world.settings.base_url,
        protected=world.settings.auth.protect_pages,
        names=frozenset() if world.settings.auth.configured else world.settings.names,
    )
    app.cleanup_ctx.append(asking)
    mount(app, site)


def reached(root: str, routes: Sequence[web.RouteDef]) -> list[web.RouteDef]:
    """The routes at the top, for a proxy that strips the sub-path, and under it, for one that does not."""
    return [
        *routes,
        *(web.RouteDef(route.method, root + route.path, route.handler, route.kwargs) for route in routes if root),
    ]


def mount(app: web.Application, site: Site, *, heartbeat: float = live.HEARTBEAT) -> None:
    """Put pages, API and operations into the application, over any collaborators."""
    app[SITE] = site
    app[ROOT] = site.root
    app[assets.ASSETS] = found = assets.load()
    app[live.HUB] = hub = live.Hub(site.incidents, heartbeat)
    app.cleanup_ctx.append(hub.running)
    app.on_shutdown.append(hub.drain)
    app.on_response_prepare.append(harden)
    environment = aiohttp_jinja2.setup(
        app,
        default_helpers=False,
        filters=formats.FILTERS,
        loader=PackageLoader("responder.web"),
        undefined=StrictUndefined,
        finalize=formats.visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        asset=lambda name: assets.address(found, name, site.root),
        root=site.root,
        status_words=views.STATUS_WORDS,
        evidence_words=views.EVIDENCE_WORDS,
        place_of=views.place,
    )
    guarded = (
        *pages.routes(),
        *api.routes(),
        *hands_routes(),
        *actions.routes(),
        *outlets.routes(),
        *operations.routes(site.metrics),
    )
    own = app.add_routes(reached(site.root, guarded))
    unguarded = (*operations.open_routes(), *outlets.open_routes(), web.get("/static/{name}", assets.serve))
    app.add_routes(reached(site.root, unguarded))
    app.middlewares.extend((explain, guard(frozenset(own))))
