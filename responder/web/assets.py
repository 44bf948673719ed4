"""Style sheet, script and icon: read once, served from memory under an address that changes with their content."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from responder import charts
from responder.web.problems import not_found

FOLDER = Path(__file__).parent / "static"
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
FOR_EVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True)
class Asset:
    """One file."""

    body: bytes
    content_type: str
    version: str


ASSETS: web.AppKey[Mapping[str, Asset]] = web.AppKey("assets", Mapping[str, Asset])


def load() -> Mapping[str, Asset]:
    """All files by name; the style of charts is part of the page's."""
    return {path.name: _read(path) for path in sorted(FOLDER.iterdir()) if path.suffix in TYPES}


def address(assets: Mapping[str, Asset], name: str, root: str) -> str:
    """Where a page finds it."""
    return f"{root}/static/{name}?v={assets[name].version}"


async def serve(request: web.Request) -> web.Response:
    """One file; kept for ever where the address names its version."""
    asset = request.app[ASSETS].get(request.match_info["name"])
    if asset is None:
        raise not_found("There is no such file.")
    response = web.Response(body=asset.body, content_type=asset.content_type, charset="utf-8")
    known = request.query.get("v") == asset.version
    response.headers["Cache-Control"] = FOR_EVER if known else "no-cache"
    response.enable_compression()
    return response


def _read(path: Path) -> Asset:
    body = path.read_bytes()
    if path.name == "style.css":
        body += charts.STYLE.encode()
    return Asset(body, TYPES[path.suffix], hashlib.sha256(body).hexdigest()[:12])
