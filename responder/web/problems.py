"""Errors as the asker can use them: problem details (RFC 9457) for the API, a page or a line for others."""

import json
from collections.abc import Iterable
from http import HTTPStatus

import aiohttp_jinja2
import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from responder.errors import Temporary

log = structlog.get_logger(__name__)

Headers = Iterable[tuple[str, str]]


ROOT: web.AppKey[str] = web.AppKey("root", str)
"""The sub-path that everything is under; empty at the top."""


class Refused(Exception):
    """The request cannot be answered as it is; `errors` name the bad fields."""

    def __init__(self, status: HTTPStatus, detail: str, errors: Iterable[str] = ()) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = tuple(errors)


def not_found(what: str) -> Refused:
    """There is no such thing."""
    return Refused(HTTPStatus.NOT_FOUND, what)


@web.middleware
async def explain(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every failure of a handler into an answer that says what is wrong."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        kept = [(name, error.headers[name]) for name in ("Allow",) if name in error.headers]
        return answer(request, Refused(HTTPStatus(error.status), _SENTENCES.get(error.status, "")), kept)
    except Refused as refused:
        return answer(request, refused)
    except Temporary as trouble:
        log.warning("web.unavailable", path=request.path, error=str(trouble))
        detail = "The store does not answer now. Nothing is lost; try again in a moment."
        return answer(request, Refused(HTTPStatus.SERVICE_UNAVAILABLE, detail), [("Retry-After", "5")])
    except Exception:
        log.exception("web.failed", path=request.path)
        detail = "This is a bug in Responder; its log has the details."
        return answer(request, Refused(HTTPStatus.INTERNAL_SERVER_ERROR, detail))


def answer(request: web.Request, refused: Refused, headers: Headers = ()) -> web.Response:
    """The refusal in the form that the asker reads."""
    if request.path.removeprefix(request.app[ROOT]).startswith("/api/"):
        response = web.Response(body=_document(refused), content_type="application/problem+json")
    elif "text/html" in request.headers.get("Accept", ""):
        response = aiohttp_jinja2.render_template("error.html", request, {"refused": refused})
    else:
        lines = [f"{refused.status}: {refused.detail or refused.status.phrase}", *refused.errors]
        response = web.Response(text="\n".join(lines) + "\n")
    response.set_status(refused.status)
    response.headers.extend(headers)
    return response


def _document(refused: Refused) -> bytes:
    document = {
        "type": "about:blank",
        "title": refused.status.phrase,
        "status": refused.status.value,
        "detail": refused.detail or refused.status.phrase,
    }
    errors = [{"detail": error} for error in refused.errors]
    return json.dumps(document | ({"errors": errors} if errors else {})).encode()


_SENTENCES = {
    404: "There is nothing at this address.",
    405: "This address does not take that method.",
    413: "The body is too large.",
}
