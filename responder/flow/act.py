"""Act: make an approved change, once, and see whether it helped.

Every step is stored before the next begins. What was under way when Responder ended is never repeated: nobody knows
whether the change was made, so a person has to look. What a change comes to right before it is made has to be what was
approved.
"""

from collections.abc import Mapping
from datetime import datetime

import structlog
from sqlalchemy import Connection

from responder.flow import permit
from responder.flow.approve import Approver
from responder.flow.change import change
from responder.flow.matter import POLICY, Matter, read
from responder.flow.remedy import Remedy
from responder.flow.verify import AGAIN, Verifier
from responder.flow.world import World
from responder.model.action import ActionState, Attempt, Preview, Stop
from responder.model.incident import TimelineEntry, TimelineKind
from responder.model.redaction import redact
from responder.model.report import Verification
from responder.store import actions, incidents

log = structlog.get_logger(__name__)

_WORDS: Mapping[ActionState, str] = {
    ActionState.DONE: "Done",
    ActionState.VERIFIED: "It helped",
    ActionState.FAILED: "Failed",
    ActionState.REFUSED: "Refused",
    ActionState.EXPIRED: "Expired",
    ActionState.UNKNOWN: "Nobody knows whether it was done, look before anything else",
}
_HARMLESS = (ActionState.DONE, ActionState.VERIFIED)


class Actor:
    """Makes the changes that were approved."""

    def __init__(self, world: World, approver: Approver) -> None:
        self._world = world
        self._policy = world.settings.actions
        self._approver = approver
        self._remedy = Remedy(world)
        self._verifier = Verifier(world)

    async def act(self, key: str) -> datetime | None:
        """The job: go on with the action `INCIDENT/ACTION`, or see what of `INCIDENT` is to be done by itself."""
        incident_id, _, action = key.partition("/")
        if not action:
            await self._approver.automatic(incident_id)
            return None
        matter = await self._world.database.read(lambda connection: read(self._world, connection, incident_id, action))
        if matter is None or matter.attempt is None:
            return None
        again = await self._go_on(matter, matter.attempt)
        made = await self._world.database.read(lambda connection: actions.unchecked(connection, incident_id, action))
        if made is None or again is not None:
            return again
        return await self._verify(matter, made)

    async def _go_on(self, matter: Matter, attempt: Attempt) -> datetime | None:
        """Make the change that was approved, or write down that nobody knows whether it was made."""
        match attempt.state:
            case ActionState.RUNNING:
                text = "Responder ended while the change was made, and does not repeat it"
                return await self._finish(matter, attempt, ActionState.UNKNOWN, text)
            case ActionState.APPROVED:
                return await self._begin(matter, attempt)
        return None

    async def stopped(self) -> Stop | None:
        """What stops actions, if anything does."""
        if self._policy.stop:
            return Stop(at=self._world.clock.now(), why="actions.stop in the settings")
        return await self._world.database.read(actions.stop_of)

    async def stop(self, by: str, why: str = "") -> None:
        """Change nothing any more, until somebody resumes; what is under way is not cut off."""
        stop = Stop(by=by, at=self._world.clock.now(), why=redact(why))
        await self._world.database.write(lambda connection: actions.set_stop(connection, stop))
        log.warning("act.stopped", by=by, why=stop.why)

    async def stops(self) -> tuple[Stop, ...]:
        """The stops that are over, the newest first: who stopped, why, and who resumed."""
        return await self._world.database.read(actions.stops)

    async def resume(self, by: str) -> None:
        """Let actions go on."""
        await self._world.database.write(
            lambda connection: actions.set_stop(connection, None, by=by, at=self._world.clock.now())
        )
        log.warning("act.resumed", by=by)

    async def _begin(self, matter: Matter, attempt: Attempt) -> datetime | None:
        """Make an approved change, if it still is what was approved."""
        if attempt.expires_at <= self._world.clock.now():
            late = "it was not begun in time after the approval"
            return await self._finish(matter, attempt, ActionState.EXPIRED, late)
        if problem := _stopped(matter, attempt):
            return await self._finish(matter, attempt, ActionState.REFUSED, problem)
        preview = await self._remedy.preview(matter)
        running = await self._world.database.write(lambda connection: self._intend(connection, attempt, preview))
        if isinstance(running, str):
            return await self._finish(matter, attempt, ActionState.REFUSED, running)
        state, said = await self._remedy.apply(matter, preview, running.approved_by)
        return await self._finish(matter, running, state, said)

    def _intend(self, connection: Connection, attempt: Attempt, preview: Preview) -> Attempt | str:
        """Write down that the change is made from now on; or why it must not be."""
        latest = read(self._world, connection, attempt.incident_id, attempt.action)
        if latest is None or latest.attempt != attempt:
            return "it is not what was approved any more"
        if not preview.refusal and attempt.preview is not None and not preview.same(attempt.preview):
            return f"it comes to something else than what was approved: {preview.text}"
        now = self._world.clock.now()
        lately = actions.begun_since(connection, permit.remembered(self._policy, now))
        problem = _stopped(latest, attempt) or permit.refusal(self._policy, preview, lately, now)
        if problem:
            return problem
        running = {"state": ActionState.RUNNING, "started_at": now, "preview": preview}
        actions.save(connection, begun := attempt.model_copy(update=running))
        return begun

    async def _finish(self, matter: Matter, attempt: Attempt, state: ActionState, said: str) -> datetime | None:
        """Write the outcome down; returns when to see whether it helped."""
        now = self._world.clock.now()
        kind = TimelineKind.ACTION if state in _HARMLESS else TimelineKind.TROUBLE
        line = self._line(f"{_WORDS[state]}: {attempt.title}: {said}", kind)
        wrong = "" if state in _HARMLESS else said
        await self._settle(attempt, state, {"outcome": redact(said), "finished_at": now}, line, wrong=wrong)
        return now + AGAIN if state is ActionState.DONE else None

    async def _verify(self, matter: Matter, attempt: Attempt) -> datetime | None:
        """See whether it helped; again while it does not and its time is not over."""
        now, wanted = self._world.clock.now(), matter.proposal.verify
        steps = [step for step in matter.runbook.verify if step.step and (not wanted or step.step in wanted)]
        found = await self._verifier.check(matter.runbook, steps, matter.incident, matter.investigation)
        until = (attempt.finished_at or now) + max((step.within for step in steps), default=AGAIN)
        if found.passed is not True and steps and now < until:
            return min(now + AGAIN, until)
        seen, title = _seen(found), attempt.title
        if found.passed:
            checked, line, wrong = seen, self._line(f"{_WORDS[ActionState.VERIFIED]}: {title}: {seen}"), ""
        elif found.passed is None:
            checked, wrong = "nothing could be checked by machine", ""
            line = self._line(f"{title}: whether it helped could not be checked", TimelineKind.TROUBLE)
        else:
            checked = wrong = f"it did not help: {seen}"
            line = self._line(f"{title} did not help: {seen}", TimelineKind.TROUBLE)
        state = ActionState.VERIFIED if found.passed else ActionState.DONE
        lines = [line] if steps else []
        await self._settle(attempt, state, {"checked": checked, "checked_at": now}, *lines, wrong=wrong)
        return None

    async def _settle(
        self,
        attempt: Attempt,
        state: ActionState,
        changed: Mapping[str, object],
        *lines: TimelineEntry,
        wrong: str = "",
    ) -> None:
        """Write down where the attempt stands now, unless it stands elsewhere by now, and have it told.

        What was done without a person and went `wrong` stops more of that, in the same transaction.
        """
        stops = bool(wrong) and attempt.approved_by == POLICY

        def keep(connection: Connection) -> None:
            incident, stored = incidents.get(connection, attempt.incident_id), actions.get(connection, attempt)
            if incident is None or stored is None or stored.state is not attempt.state:
                return
            actions.save(connection, stored.model_copy(update={"state": state, **changed}))
            more = [self._stop_itself(connection, attempt, wrong)] if stops else []
            change(self._world, connection, incident, *lines, *more)

        await self._world.database.write(keep)
        if state is not attempt.state:
            self._world.metrics.actions.labels(attempt.kind, state.value).inc()
            log.info("act.outcome", incident=attempt.incident_id, action=attempt.action, state=state.value)

    def _stop_itself(self, connection: Connection, attempt: Attempt, why: str) -> TimelineEntry:
        """Do nothing more without a person, until somebody has looked."""
        stop = Stop(scope="auto", by="Responder", at=self._world.clock.now(), why=f"{attempt.title}: {redact(why)}")
        if actions.stop_of(connection) is None:
            actions.set_stop(connection, stop)
        text = "Nothing more is done without a person, until somebody resumes actions"
        return self._line(text, TimelineKind.TROUBLE)

    def _line(self, text: str, kind: TimelineKind = TimelineKind.ACTION) -> TimelineEntry:
        return TimelineEntry(at=self._world.clock.now(), kind=kind, text=redact(text))


def _stopped(matter: Matter, attempt: Attempt) -> str:
    """Why it must not go on although it was approved."""
    if attempt.approved_by == POLICY and matter.stop is not None:
        return f"actions without a person are stopped: {matter.stop.why}"
    return matter.obstacle


def _seen(found: Verification) -> str:
    """The checks that decided, with what was seen."""
    decided = [check for check in found.checks if check.passed is bool(found.passed)]
    return "; ".join(f"{check.text} ({check.seen})" for check in decided)
