"""Services that fail every other time: in the end each pager, ticket and machine shows exactly the last state."""

import random
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from responder.errors import Temporary
from responder.flow.message import compose
from responder.model.incident import IncidentStatus
from responder.model.message import Message
from responder.sinks import Sink
from tests.fakes.sinks import Fake, Mode, find
from tests.makers import NOW
from tests.sinks.medium import Keeper, medium
from tests.sinks.reports import announced, diagnosed

KINDS = [
    *("pagerduty", "opsgenie", "grafana_oncall", "splunk_oncall", "incident_io"),
    *("alertmanager", "kubernetes_event", "github", "gitlab", "jira", "webhook"),
]
MODES: dict[Mode, int] = {"ok": 6, "broken": 2, "broken after": 1, "reset after": 1}
"""How often each comes, of ten requests."""
TICKETS = ("github", "gitlab", "jira")
UPDATES = 40


def flapping(kind: str, chance: random.Random) -> Fake:
    """The kind's fake, which fails by chance from request to request, until `fake.calm` is set."""

    class Flapping(find(kind)):  # type: ignore[misc]
        calm = False

        async def _serve(self, request: web.Request) -> web.StreamResponse:
            self.mode = "ok" if self.calm else chance.choices([*MODES], [*MODES.values()])[0]
            answered: web.StreamResponse = await super()._serve(request)
            return answered

    fake: Fake = Flapping()
    return fake


class Outbox:
    """Delivers as the outbox does: again after trouble, with what was kept; a newer state may overtake."""

    def __init__(self, sink: Sink, http: aiohttp.ClientSession) -> None:
        self._sink = sink
        self._http = http
        self._receipt = ""
        self._doubtful = False

    async def deliver(self, message: Message, tries: int) -> bool:
        """Whether it was delivered."""
        for _ in range(tries):
            keeper = Keeper()
            given = medium(self._http, doubtful=self._doubtful, keeper=keeper)
            try:
                self._receipt = await self._sink.deliver(message, self._receipt, given)
            except Temporary:
                self._receipt = keeper.receipts[-1] if keeper.receipts else self._receipt
                self._doubtful = True
            else:
                self._doubtful = False
                return True
        return False


def states(chance: random.Random) -> list[Message]:
    """News of one incident; it may end and come back."""
    found: list[Message] = []
    for revision in range(1, UPDATES + 1):
        fields: dict[str, Any] = {"revision": revision}
        match chance.choice(["announced", "diagnosed", "diagnosed", "acknowledged", "resolved"]):
            case "announced":
                found.append(compose(announced(**fields)))
                continue
            case "acknowledged":
                fields |= {"acknowledged_at": NOW, "acknowledged_by": "ada"}
            case "resolved":
                fields |= {"status": IncidentStatus.RESOLVED, "resolved_at": NOW}
        found.append(compose(diagnosed(headline=f"news number {revision}.", **fields)))
    return found


@pytest.mark.parametrize("ends", ["burning", "resolved"])
@pytest.mark.parametrize("kind", KINDS)
async def test_the_last_state_is_shown_whatever_happened(kind: str, ends: str) -> None:
    chance = random.Random(f"{kind} {ends}")
    async with flapping(kind, chance) as fake, aiohttp.ClientSession() as http:
        options = {"when": ["announced", "diagnosed"]} if kind in TICKETS else {}
        outbox = Outbox(fake.sink(**options), http)
        for message in states(chance):
            await outbox.deliver(message, tries=chance.choice([1, 2, 5]))
        last = {"revision": UPDATES + 1, "headline": "the last word."}
        if ends == "resolved":
            last |= {"status": IncidentStatus.RESOLVED, "resolved_at": NOW}
        fake.calm = True  # type: ignore[attr-defined]
        assert await outbox.deliver(compose(diagnosed(**last)), tries=1)
        burning = [thing for thing in fake.things() if thing.open]
        assert len(burning) == (1 if ends == "burning" else 0)
        if burning:
            assert "the last word." in burning[0].text
        assert fake.complaints == []
