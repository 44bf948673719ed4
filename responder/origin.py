"""Where a request comes from: one of our own pages, a page of another site, or a program; and whom it means."""

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

from aiohttp import web


def from_here(request: web.Request, base_url: str) -> bool:
    """Whether one of our own pages asks, or no page at all.

    Browsers say so in Sec-Fetch-Site (to https and localhost) or else in Origin; programs send neither.
    """
    if site := request.headers.get("Sec-Fetch-Site"):
        return site in ("same-origin", "none")
    if origin := request.headers.get("Origin"):
        return urlsplit(origin).netloc in (request.host, urlsplit(base_url).netloc) and origin != "null"
    return True


def is_meant(host: str, names: Collection[str]) -> bool:
    """Whether a `Host` is a loopback name or one of the names that we are known by.

    Without this a page of another site, whose name is made to lead here, counts as one of our own (DNS rebinding).
    """
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    return name in names or name == "localhost" or name.endswith(".localhost") or _is_loopback(name)


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
