"""Remedy: an action with its options filled in, looked at and carried out, each within its time."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import structlog

from responder.actions import Action
from responder.errors import ConfigError, Permanent, Reason, Temporary
from responder.flow import permit
from responder.flow.matter import Matter
from responder.flow.several import concerned
from responder.flow.world import World
from responder.model.action import ActionState, Preview
from responder.model.labels import meant
from responder.model.redaction import redact
from responder.model.subject import Target
from responder.probes import Inquiry
from responder.store import actions, incidents, investigations
from responder.templating import render

log = structlog.get_logger(__name__)

LOOKING = 20.0
CHANGING = 60.0
"""Seconds for a preview, and for a change."""
NOT_SENT = (Reason.BREAKER_OPEN, Reason.OVERLOADED)
"""Trouble that may pass, but with which nothing was changed."""

T = TypeVar("T")


@dataclass(frozen=True)
class Remedy:
    """Looks at actions, and carries them out."""

    world: World

    async def preview(self, matter: Matter) -> Preview:
        """What the action would do now, or why it will not; raises Temporary where that cannot be told."""
        try:
            inquiry = await self._inquiry(matter)
            action = self._build(matter, inquiry)
            clients = self.world.clients(inquiry.target.cluster)
            found = await _within(LOOKING, lambda: action.preview(inquiry, clients, self._forbidden))
        except (ConfigError, Permanent) as error:
            found = Preview(text=matter.line.title, refusal=str(error))
        shown = {"text": redact(found.text), "refusal": redact(found.refusal)}
        return found.model_copy(update={**shown, "commands": tuple(map(redact, found.commands))})

    async def _forbidden(self, planned: Preview) -> str:
        """Why the settings forbid what was planned; it is asked again in the transaction that decides."""
        policy, now = self.world.settings.actions, self.world.clock.now()
        since = permit.remembered(policy, now)
        lately = await self.world.database.read(lambda connection: actions.begun_since(connection, since))
        return permit.refusal(policy, planned, lately, now)

    async def apply(self, matter: Matter, preview: Preview, by: str) -> tuple[ActionState, str]:
        """Make the changes of a preview that was made just now; returns the outcome, whatever happens."""
        try:
            inquiry = await self._inquiry(matter)
            action = self._build(matter, inquiry)
            clients = self.world.clients(inquiry.target.cluster)
            return ActionState.DONE, await _within(CHANGING, lambda: action.apply(preview, clients, by))
        except (ConfigError, Permanent) as error:
            return ActionState.FAILED, str(error)
        except Temporary as trouble:
            lost = trouble.reason not in NOT_SENT
            return ActionState.UNKNOWN if lost else ActionState.FAILED, str(trouble)
        except Exception:
            log.exception("remedy.failed", action=matter.proposal.action)
            return ActionState.UNKNOWN, "the action failed; the log of Responder has the details"

    def _build(self, matter: Matter, inquiry: Inquiry) -> Action:
        kind = self.world.actions.find(matter.proposal.action)
        options = render(kind, matter.proposal.options, _context(inquiry, matter.investigation.target))
        return self.world.actions.build(matter.proposal.action, options)

    async def _inquiry(self, matter: Matter) -> Inquiry:
        incident_id, number = matter.incident.id, matter.investigation.number
        tracked, seen = await self.world.database.read(
            lambda connection: (
                incidents.alerts_of(connection, incident_id),
                investigations.evidence_of(connection, incident_id, number),
            )
        )
        justification = matter.offers.justification(matter.proposal)
        if justification is None:
            raise Permanent(matter.offers.why_not(matter.proposal), Reason.BAD_REQUEST)
        return Inquiry(
            target=justification.target(matter.investigation.target),
            alerts=concerned(tracked),
            started_at=matter.incident.started_at,
            now=self.world.clock.now(),
            evidence={one.id: one for one in seen},
            seconds=LOOKING,
            only_target=justification.changes is not None,
        )


def _context(inquiry: Inquiry, target: Target) -> dict[str, object]:
    """What the templates in an action's options may name; `target` is the incident's."""
    first = inquiry.alerts[0] if inquiry.alerts else None
    return {
        "labels": meant(first.labels) if first else {},
        "annotations": dict(first.annotations) if first else {},
        "target": target.model_dump(),
        "alert": first.model_dump(mode="json") if first else {},
        "evidence": {
            name: found.model_dump(mode="json", exclude_none=True) for name, found in inquiry.evidence.items()
        },
        "now": inquiry.now,
        "started_at": inquiry.started_at,
    }


async def _within(seconds: float, run: Callable[[], Awaitable[T]]) -> T:
    try:
        async with asyncio.timeout(seconds):
            return await run()
    except TimeoutError:
        raise Temporary(f"no answer within {seconds:g} s", Reason.TIMEOUT) from None
