"""What operators and their machines ask: metrics, health, reload, as Prometheus has them."""

from http import HTTPStatus

from aiohttp import web
from prometheus_client.aiohttp import make_aiohttp_handler

from responder.metrics import Metrics
from responder.web.site import SITE, Source


def open_routes() -> list[web.RouteDef]:
    """Routes that ask nobody who they are: a kubelet has no credentials."""
    return [web.get("/-/healthy", healthy), web.get("/-/ready", ready)]


def routes(metrics: Metrics) -> list[web.RouteDef]:
    """Routes for those only who are known."""
    return [
        web.get("/metrics", make_aiohttp_handler(metrics.registry)),
        web.post("/-/reload", reload),
        web.put("/-/reload", reload),
    ]


async def healthy(_request: web.Request) -> web.Response:
    """The process lives."""
    return web.Response(text="Responder is healthy.\n", headers=_NOT_KEPT)


async def ready(request: web.Request) -> web.Response:
    """200 if webhooks can be taken, else 503; to those who are known it says how each source is.

    A cluster or a Prometheus that does not answer makes findings poorer, not Responder unready.
    """
    site = request.app[SITE]
    sources = await site.health.ready()
    missing = [source.what for source in sources if source.essential and not source.fine]
    status = HTTPStatus.SERVICE_UNAVAILABLE if missing else HTTPStatus.OK
    verdict = f"Responder is not ready: {', '.join(missing)}" if missing else "Responder is ready."
    told = () if site.protected and site.door.identify(request.headers) is None else sources
    if "application/json" in request.headers.get("Accept", ""):
        document = {"ready": not missing, "sources": [_document(source) for source in told]}
        return web.json_response(document, status=status, headers=_NOT_KEPT)
    essential = [_line(source) for source in told if source.essential]
    others = [_line(source) for source in told if not source.essential]
    lines = [verdict, *essential, *(["", "Without these findings are poorer:", *others] if others else [])]
    return web.Response(status=status, text="\n".join(lines) + "\n", headers=_NOT_KEPT)


async def reload(request: web.Request) -> web.Response:
    """Read the runbooks again; with problems the old ones stay."""
    rules = request.app[SITE].rules
    if problems := await rules.reload():
        lines = ["The new runbooks are not used, the old ones stay:", *map(str, problems)]
        return web.Response(status=500, text="\n".join(lines) + "\n", headers=_NOT_KEPT)
    return web.Response(text=f"{len(rules.current.runbooks)} runbooks are in use.\n", headers=_NOT_KEPT)


_NOT_KEPT = {"Cache-Control": "no-store"}
_WORDS = {True: "ok", False: "trouble", None: "not asked yet"}


def _line(source: Source) -> str:
    return f"{source.what}: {_WORDS[source.fine]}" + (f", {source.detail}" if source.detail else "")


def _document(source: Source) -> dict[str, object]:
    at = source.at.isoformat() if source.at else None
    return {"what": source.what, "fine": source.fine, "detail": source.detail, "at": at, "essential": source.essential}
