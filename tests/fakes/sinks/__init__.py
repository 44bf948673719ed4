"""Strict stand-ins of the services that findings go to, one module per kind of sink: `Fake`, found by the kind's name.

A fake checks each request against the published contract and notes what it would have refused in `complaints`; it keeps
the state that the service would show. `mode` makes it fail in the ways that services do; `choose` picks one for each
request.
"""

import asyncio
import importlib
import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Self

from aiohttp import web
from aiohttp.test_utils import TestServer

from responder.sinks import Sink

Mode = Literal[
    "ok",
    "too many requests",
    "broken",
    "broken after",
    "hang",
    "hang after",
    "reset after",
    "malformed",
    "unauthorized",
]
"""`after` is: done, though the answer says or means otherwise."""
RETRY_AFTER = 1.0
TIMEOUT = "300ms"
"""What the sinks under test wait; a fake that hangs answers long after it."""


@dataclass
class Thing:
    """One message, card, event or ticket that people see. `text` is all that it says now.

    `open`: it still burns.
    """

    text: str
    pictures: int = 0
    open: bool = True
    replies: list[str] = field(default_factory=list)


class Fake(ABC):
    """A service on a loopback port. `exactly_once`: our sink never shows an incident twice, whatever happens.

    `public`: our sink shows what is meant for the public, and nothing else.
    """

    exactly_once: ClassVar[bool] = True
    shows_pictures: ClassVar[bool] = False
    public: ClassVar[bool] = False

    def __init__(self) -> None:
        self.mode: Mode = "ok"
        self.choose: Callable[[], Mode] | None = None
        self.complaints: list[str] = []
        self.requests = 0
        self._not_before = 0.0
        self._server: TestServer | None = None

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=64 * 1024**2)
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._server = TestServer(app, host="127.0.0.1")
        await self._server.start_server()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            await self._server.close()

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end."""
        assert self._server is not None
        return str(self._server.make_url("")).rstrip("/")

    @property
    def timeout(self) -> str:
        """What a sink waits that is set up now: short only where nobody answers, for the machine may be busy."""
        return TIMEOUT if self.mode in ("hang", "hang after") else "10s"

    @abstractmethod
    def sink(self, **options: Any) -> Sink:
        """The sink, set up for this service, with this `timeout`."""

    @abstractmethod
    def things(self) -> list[Thing]:
        """What people see now."""

    @property
    @abstractmethod
    def secrets(self) -> tuple[str, ...]:
        """The credentials of the sink: none of them may appear in an error."""

    @abstractmethod
    async def answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        """Check the request, do it, answer as the service does."""

    def refuse(self, what: str) -> None:
        """Note what the service would have refused; answer with `unusable` then."""
        self.complaints.append(what)

    def too_many_requests(self) -> web.Response:
        """How the service limits rates."""
        return web.json_response({"message": "slow down"}, status=429, headers={"Retry-After": f"{RETRY_AFTER:g}"})

    def unauthorized(self) -> web.Response:
        """How the service says that the credentials are wrong; it may repeat them."""
        return web.json_response({"message": f"bad credentials {' '.join(self.secrets)}"}, status=401)

    def broken(self) -> web.Response:
        """How the service fails."""
        return web.Response(status=500, text=f"internal error {' '.join(self.secrets)}")

    def malformed(self) -> web.Response:
        """An answer that is none."""
        return web.Response(text="<html>a proxy's page</html>", content_type="text/html")

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        body = await request.read()
        if time.monotonic() < self._not_before:
            self.refuse("asked again before Retry-After was over")
        mode = self.choose() if self.choose else self.mode
        match mode:
            case "too many requests":
                self._not_before = time.monotonic() + RETRY_AFTER * 0.9
                return self.too_many_requests()
            case "broken":
                return self.broken()
            case "unauthorized":
                return self.unauthorized()
            case "malformed":
                return self.malformed()
            case "hang":
                await asyncio.sleep(2)
                return self.broken()
        answered = await self.answer(request, body)
        match mode:
            case "broken after":
                return self.broken()
            case "hang after":
                await asyncio.sleep(2)
            case "reset after":
                assert request.transport is not None
                request.transport.abort()
        return answered


def document(body: bytes) -> Any:
    """The body as JSON; a string that is no JSON makes the test fail."""
    return json.loads(body)


def find(kind: str) -> type[Fake]:
    """The fake of a kind of sink."""
    found: type[Fake] = importlib.import_module(f"tests.fakes.sinks.{kind}").Fake
    return found
