"""What the pages and the API start from: read through these contracts, so that a test can stand in for the store."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from urllib.parse import urlsplit

from aiohttp import web

from responder.clock import Clock
from responder.documents import Problem
from responder.flow.act import Actor
from responder.flow.approve import Approver
from responder.flow.communicate import Communicator
from responder.flow.escalate import Escalator
from responder.flow.judge import Judge
from responder.flow.openings import Opener
from responder.flow.outlets import Outlets
from responder.flow.procedures import Procedures
from responder.metrics import Metrics
from responder.model.finding import Cause
from responder.model.listing import Listing, Position
from responder.model.report import Report
from responder.runbooks.rulebook import Rulebook


class Incidents(Protocol):
    """Reports, and what people say about them."""

    async def list(
        self,
        *,
        status: Sequence[str] = (),
        severity: Sequence[str] = (),
        runbook: str = "",
        text: str = "",
        limit: int = 200,
        after: Position | None = None,
    ) -> Listing:
        """Incidents that fit, what burns first, after a position in the list."""
        ...

    async def get(self, id: str) -> Report | None:  # noqa: A002 - as the API calls it
        """One incident, whole."""
        ...

    def watch(self) -> AbstractAsyncContextManager[AsyncIterator[str]]:
        """Ids of incidents as they change."""
        ...

    async def acknowledge(self, id: str, by: str) -> bool:  # noqa: A002 - as the API calls it
        """Somebody has it; false where there is no such incident."""
        ...

    async def feedback(self, id: str, evidence_helpful: bool, by: str) -> bool:  # noqa: A002 - as the API calls it
        """Whether the finding helped; false where there is no such incident."""
        ...

    def can_silence(self, report: Report) -> bool:
        """Whether there is an Alertmanager to silence it in."""
        ...

    async def unsilence(self, id: str, by: str) -> int | None:  # noqa: A002 - as the API calls it
        """End the silences that were made from here; None where there is no such incident. Raises as `silence`."""
        ...

    async def silence(self, id: str, reason: str, by: str, lasts: timedelta) -> int | None:  # noqa: A002 - as the API calls it
        """Silence its alerts in Alertmanager; None where there is no such incident. Raises Temporary or Permanent."""
        ...


@dataclass(frozen=True)
class Hands:
    """What people do to incidents besides taking them."""

    escalator: Escalator
    procedures: Procedures
    communicator: Communicator
    opener: Opener
    judge: Judge
    approver: Approver
    actor: Actor


@dataclass(frozen=True)
class Source:
    """One thing that we live on. `fine` is None where it was not asked yet; `at` is when it last spoke.

    Without the `essential` ones no webhook can be taken; without the others findings are poorer.
    """

    what: str
    fine: bool | None
    detail: str = ""
    at: datetime | None = None
    essential: bool = False


class Health(Protocol):
    """How our own sources are."""

    async def ready(self) -> Sequence[Source]:
        """What is known now; never waits for the outside."""
        ...


class Rules(Protocol):
    """The runbooks in use. A reload that finds problems keeps the old ones."""

    @property
    def current(self) -> Rulebook: ...

    @property
    def problems(self) -> Sequence[Problem]: ...

    async def reload(self) -> Sequence[Problem]:
        """Read them again; returns the problems, none if the new ones are in use."""
        ...


class Door(Protocol):
    """Tells who asks."""

    def identify(self, headers: Mapping[str, str]) -> str | None:
        """The name, or None if the credentials are missing or wrong."""
        ...

    def challenge(self) -> list[tuple[str, str]]:
        """The headers of a 401."""
        ...


@dataclass(frozen=True)
class Site:
    """The collaborators of all handlers.

    `protected`: pages and API are for those only whom the door knows. `names`: the hosts by which requests may mean us
    besides loopback; empty where credentials say enough.
    """

    incidents: Incidents
    hands: Hands
    outlets: Outlets
    health: Health
    rules: Rules
    causes: Mapping[str, Cause]
    door: Door
    metrics: Metrics
    clock: Clock
    base_url: str = ""
    protected: bool = True
    names: frozenset[str] = frozenset()

    @property
    def root(self) -> str:
        """The sub-path that everything is under, as people reach it; empty at the top."""
        return urlsplit(self.base_url).path.rstrip("/")

    def path_of(self, request: web.Request) -> str:
        """The path that was asked for, without the sub-path."""
        under = request.path.removeprefix(self.root)
        return under if self.root and under.startswith("/") else request.path

    def cause(self, slug: str) -> Cause | None:
        """An entry of the catalogue, or of a runbook's own causes."""
        return self.catalogue().get(slug)

    def catalogue(self) -> Mapping[str, Cause]:
        """All causes that a finding may name, in order of their titles."""
        own = {cause.slug: cause for runbook in self.rules.current.runbooks.values() for cause in runbook.causes}
        return dict(sorted({**own, **self.causes}.items(), key=lambda item: item[1].title.casefold()))


SITE = web.AppKey("site", Site)
USER = web.RequestKey("asker", str)
"""Who asks, as far as the door knows; empty where it asks nobody."""
