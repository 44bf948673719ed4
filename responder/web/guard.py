"""Who may do what from where: credentials, requests of other sites, and the headers that bind browsers."""

from collections.abc import Collection
from http import HTTPStatus

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from responder.origin import from_here, is_meant
from responder.web.problems import Refused, answer
from responder.web.site import SITE, USER

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# not `no-referrer`: browsers would then send `Origin: null` with our own forms
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
MISDIRECTED = "This is not a name of Responder: set external_url, or add it to host_names."
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


async def harden(_request: web.Request, response: web.StreamResponse) -> None:
    """Put the headers on every answer, errors and streams included (signal `on_response_prepare`)."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)


def guard(own: Collection[web.AbstractRoute]) -> Middleware:
    """Let only those in who are known, where the site is protected, and only from our own pages.

    Guards the routes in `own`; others (the webhook, health checks) ask for themselves.
    """

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.match_info.route not in own:
            return await handler(request)
        site = request.app[SITE]
        user = site.door.identify(request.headers)
        if site.names and not is_meant(request.host, site.names):
            raise Refused(HTTPStatus.MISDIRECTED_REQUEST, MISDIRECTED)
        if user is None and (site.protected or request.method not in SAFE_METHODS):
            refused = Refused(HTTPStatus.UNAUTHORIZED, "Credentials are missing or wrong.")
            return answer(request, refused, site.door.challenge())
        if request.method not in SAFE_METHODS and not from_here(request, site.base_url):
            raise Refused(HTTPStatus.FORBIDDEN, "A page of another site asked for this; it is not done.")
        request[USER] = "" if user in (None, "anonymous", "token") else str(user)
        return await handler(request)

    return guard
