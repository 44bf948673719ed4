"""The webhook that Alertmanager and Grafana post to.

Answered 200 once the delivery is on disk. What the sender should repeat is 503, what can never be used 400
or 413; never a redirect (Alertmanager would follow it with a GET and count that as delivered) and never 429
(which it does not repeat). Answers are small and say nothing of the input.
"""

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from http import HTTPStatus
from time import perf_counter

import structlog
from aiohttp import StreamReader, web

from responder.clock import Clock, SystemClock
from responder.errors import Reason, Temporary
from responder.intake.authentication import Authenticator
from responder.intake.journal import Journal
from responder.intake.payload import BadPayload, Checked, Problem, check
from responder.metrics import Metrics, begin
from responder.origin import from_here
from responder.settings import Intake
from responder.store.notifications import Delivery

PATH = "/api/v1/alertmanager"
REJECTED = "/api/v1/rejected"

READ_TIMEOUT = 30.0
DRAIN_TIMEOUT = 10.0
BODIES_AT_ONCE = 4
"""How many bodies of the largest size may be held at once, over all requests."""
LARGE = 256 * 1024
"""Bytes; larger bodies are checked in a thread, so that the loop goes on."""

_log = structlog.get_logger(__name__)


OUTCOMES = (
    "accepted", "rejected", "slow", "unreadable", "too_large", "overloaded", "unauthorized", "foreign", "unavailable",
)  # fmt: skip
"""How deliveries are counted."""


class _Refused(Exception):
    """The delivery is not taken: which answer to give, and how it is counted."""

    def __init__(self, status: HTTPStatus, outcome: str, detail: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(detail)
        self.status = status
        self.outcome = outcome
        self.detail = detail
        self.problems = problems


def routes(
    journal: Journal, door: Authenticator, limits: Intake, metrics: Metrics, clock: Clock | None = None
) -> list[web.RouteDef]:
    """The webhook, and what it refused lately. The handlers ask the door themselves: a signature needs the body."""
    webhook = Webhook(journal, door, limits, metrics, clock or SystemClock())
    return [
        web.post(PATH, webhook.receive),
        web.put(PATH, webhook.receive),
        web.route("*", PATH, webhook.explain),
        web.get(REJECTED, webhook.rejected),
    ]


class Webhook:
    """The handlers."""

    def __init__(self, journal: Journal, door: Authenticator, limits: Intake, metrics: Metrics, clock: Clock) -> None:
        self._journal = journal
        self._door = door
        self._limits = limits
        self._metrics = metrics
        begin(metrics.notifications, OUTCOMES)
        self._firing = metrics.alerts.labels("firing")
        self._resolved = metrics.alerts.labels("resolved")
        self._clock = clock
        self._held = 0

    async def receive(self, request: web.Request) -> web.Response:
        """Store a delivery and answer with its number."""
        started = perf_counter()
        chunks: list[bytes] = []
        outcome = "accepted"
        try:
            if not from_here(request, ""):
                # a browser that remembers credentials sends them with the request of any page
                await self._drain(request.content)
                raise _Refused(HTTPStatus.FORBIDDEN, "foreign", "A page of another site asked for this.")
            response = await self._store(request, chunks)
        except _Refused as refused:
            outcome = refused.outcome
            response = self._problem(refused)
        finally:
            self._held -= sum(map(len, chunks))
        self._metrics.notifications.labels(outcome).inc()
        self._metrics.intake_seconds.observe(perf_counter() - started)
        return response

    async def explain(self, request: web.Request) -> web.Response:
        """What the address is for, to who asks in another way."""
        text = (
            f"405: {PATH} takes POST requests from Alertmanager (webhook_configs) or Grafana (webhook contact point).\n"
            "What was refused lately: GET " + REJECTED + "\n"
        )
        return web.Response(status=405, text=text, headers={"Allow": "POST, PUT"})

    async def rejected(self, request: web.Request) -> web.Response:
        """The bodies that were refused lately, newest first."""
        if self._door.identify(request.headers) is None:
            return self._problem(_unauthorized())
        try:
            found = await self._journal.refused()
        except Temporary as trouble:
            return self._problem(_unavailable(trouble))
        return web.json_response({"rejected": found}, headers=_NO_SNIFFING)

    async def _store(self, request: web.Request, chunks: list[bytes]) -> web.Response:
        received_at = self._clock.now()
        known = self._door.identify(request.headers) is not None
        if not known and not self._door.signed(request.headers):
            await self._drain(request.content)
            raise _unauthorized()
        await self._read(request, chunks, known)
        body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        if not known and self._door.identify(request.headers, body) is None:
            raise _unauthorized()
        try:
            checked = await self._inspect(body)
        except BadPayload as bad:
            await self._keep(received_at, "unusable", bad.problems, body)
            raise _Refused(HTTPStatus.BAD_REQUEST, "rejected", "Nothing in it is usable.", bad.problems) from None
        try:
            number = await self._journal.store(Delivery(received_at, body, checked.alerts, sender=request.remote or ""))
        except Temporary as trouble:
            raise _unavailable(trouble) from None
        self._firing.inc(checked.firing)
        self._resolved.inc(checked.resolved)
        return web.Response(
            body=b'{"notification": %d, "alerts": %d}' % (number, checked.alerts), content_type="application/json"
        )

    async def _read(self, request: web.Request, chunks: list[bytes], known: bool) -> None:
        """The body, decompressed, in chunks; one that is not taken is read away first."""
        size = 0
        limit = self._limits.max_bytes
        too_large = (request.content_length or 0) > limit
        try:
            # a small body has come with its headers: nothing to wait for, and no timer to set
            async with asyncio.timeout(None if request.content.is_eof() else READ_TIMEOUT):
                while not too_large and self._held <= limit * BODIES_AT_ONCE:
                    if not (chunk := await request.content.readany()):
                        return
                    chunks.append(chunk)
                    size += len(chunk)
                    self._held += len(chunk)
                    too_large = size > limit
        except TimeoutError:
            raise _Refused(HTTPStatus.SERVICE_UNAVAILABLE, "slow", "The body came too slowly.") from None
        except web.RequestPayloadError:
            detail = "The body ends early, or is not encoded as its headers say."
            raise _Refused(HTTPStatus.BAD_REQUEST, "unreadable", detail) from None
        if too_large and known:
            await self._keep(self._clock.now(), "too large", (), chunks[0] if chunks else b"")
        self._held -= size
        chunks.clear()
        await self._drain(request.content)
        if too_large:
            raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", f"At most {limit} bytes are taken.")
        raise _Refused(HTTPStatus.SERVICE_UNAVAILABLE, "overloaded", "Too much comes at once.")

    async def _drain(self, content: StreamReader) -> None:
        """Read the rest away: a sender that is still writing would see a reset instead of the answer.

        Stops at the size of the largest body, and after a while.
        """
        left = self._limits.max_bytes
        with suppress(TimeoutError, web.RequestPayloadError):
            async with asyncio.timeout(DRAIN_TIMEOUT):
                while left > 0 and (chunk := await content.readany()):
                    left -= len(chunk)

    async def _inspect(self, body: bytes) -> Checked:
        return await asyncio.to_thread(check, body) if len(body) > LARGE else check(body)

    async def _keep(self, received_at: datetime, reason: str, problems: Sequence[Problem], body: bytes) -> None:
        try:
            await self._journal.refuse(received_at, reason, problems, body)
        except Temporary as trouble:
            _log.warning("a refused delivery is not kept", error=str(trouble))

    def _problem(self, refused: _Refused) -> web.Response:
        """The answer as RFC 9457 has it; `errors` lists the bad fields."""
        status = refused.status
        document = {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": refused.detail}
        errors = [{"pointer": f"#{problem.pointer}", "detail": problem.detail} for problem in refused.problems]
        return web.Response(
            status=status,
            body=json.dumps(document | ({"errors": errors} if errors else {})).encode(),
            content_type="application/problem+json",
            headers=self._door.challenge() if status is HTTPStatus.UNAUTHORIZED else None,
        )


_NO_SNIFFING = {"X-Content-Type-Options": "nosniff"}


def _unauthorized() -> _Refused:
    return _Refused(HTTPStatus.UNAUTHORIZED, "unauthorized", "Credentials are missing or wrong.")


def _unavailable(trouble: Temporary) -> _Refused:
    _log.warning("a delivery is not stored", error=str(trouble), reason=trouble.reason.value)
    outcome = "overloaded" if trouble.reason is Reason.OVERLOADED else "unavailable"
    return _Refused(HTTPStatus.SERVICE_UNAVAILABLE, outcome, "It cannot be stored now.")
