"""Live updates by server-sent events: which incidents changed, never what. Pages then fetch what they show.

WHATWG HTML, section 9.2, is the format. A client that falls behind is dropped; its browser connects
again with `Last-Event-ID` and is told to look at everything.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus

import structlog
from aiohttp import web

from responder.web.problems import Refused, not_found
from responder.web.site import SITE, Incidents

log = structlog.get_logger(__name__)

HEARTBEAT = 15.0
WRITE_TIMEOUT = 10.0
MOST_CLIENTS = 500
MOST_PENDING = 256
RETRY = 2000
"""Milliseconds after which a browser connects again."""


class Listener:
    """One client: the incidents it has not been told of yet, each once."""

    def __init__(self, only: str = "") -> None:
        self._only = only
        self._pending: dict[str, None] = {}
        self._wake = asyncio.Event()
        self.over = False

    def tell(self, incident_id: str) -> None:
        """Note a change; who is too far behind is given up."""
        if self._only and incident_id not in (self._only, ""):
            return
        self._pending[incident_id] = None
        if len(self._pending) > MOST_PENDING:
            self.end()
        self._wake.set()

    def end(self) -> None:
        """No more for this client."""
        self.over = True
        self._wake.set()

    async def news(self, within: float) -> list[str]:
        """What changed since the last call; nothing if nothing did within the time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._wake.wait()
        self._wake.clear()
        news = list(self._pending)
        self._pending.clear()
        return news


class Hub:
    """Passes changes on to all clients."""

    def __init__(self, incidents: Incidents, heartbeat: float = HEARTBEAT) -> None:
        self.heartbeat = heartbeat
        self._incidents = incidents
        self._listeners: set[Listener] = set()
        self._number = 0
        self._closed = False

    async def running(self, _app: web.Application) -> AsyncIterator[None]:
        """Listens as long as the application runs (a cleanup context)."""
        task = asyncio.create_task(self._pass_on(), name="live")
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    async def drain(self, _app: web.Application) -> None:
        """End all streams (signal `on_shutdown`)."""
        self._closed = True
        for listener in self._listeners:
            listener.end()

    @contextmanager
    def listener(self, only: str = "") -> Iterator[Listener]:
        """A client's place; raises Refused where there are too many."""
        if self._closed or len(self._listeners) >= MOST_CLIENTS:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "No more live updates are given now; reload the page.")
        listener = Listener(only)
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    @property
    def number(self) -> int:
        """How many changes were passed on."""
        return self._number

    async def _pass_on(self) -> None:
        while True:
            try:
                async with self._incidents.watch() as changes:
                    async for incident_id in changes:
                        self._tell(incident_id)
            except Exception:
                log.exception("live.interrupted")
            await asyncio.sleep(1)
            self._tell("")

    def _tell(self, incident_id: str) -> None:
        self._number += 1
        for listener in tuple(self._listeners):
            listener.tell(incident_id)


HUB = web.AppKey("hub", Hub)


async def all_events(request: web.Request) -> web.StreamResponse:
    """Changes of every incident."""
    return await _stream(request, "")


async def incident_events(request: web.Request) -> web.StreamResponse:
    """Changes of one incident."""
    incident_id = request.match_info["id"]
    if await request.app[SITE].incidents.get(incident_id) is None:
        raise not_found("There is no such incident.")
    return await _stream(request, incident_id)


async def _stream(request: web.Request, only: str) -> web.StreamResponse:
    hub = request.app[HUB]
    headers = {"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    response = web.StreamResponse(headers=headers)
    with hub.listener(only) as listener:
        await response.prepare(request)
        if "Last-Event-ID" in request.headers:
            listener.tell("")
        with suppress(ConnectionResetError, TimeoutError):
            await _send(response, f"retry: {RETRY}\n\n")
            while not listener.over:
                news = await listener.news(hub.heartbeat)
                await _send(response, "".join(_event(hub.number, item) for item in news) or ": still here\n\n")
            await response.write_eof()
    return response


async def _send(response: web.StreamResponse, text: str) -> None:
    async with asyncio.timeout(WRITE_TIMEOUT):
        await response.write(text.encode())


def _event(number: int, incident_id: str) -> str:
    """An empty id means that anything may have changed."""
    return f"event: incident\nid: {number}\ndata: {json.dumps({'id': incident_id})}\n\n"
