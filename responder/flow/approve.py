"""Approve: an action is looked at, and somebody (or policy) agrees to what it would do. Nothing is changed here."""

from sqlalchemy import Connection

from responder.errors import Permanent, Reason
from responder.flow import permit
from responder.flow.matter import KIND, POLICY, Matter, proposed, read, tell
from responder.flow.remedy import Remedy
from responder.flow.series import APPROVED, DECLINED
from responder.flow.world import World
from responder.model.action import ActionLine, ActionState, Attempt, Preview
from responder.model.incident import TimelineKind
from responder.store import actions, incidents, jobs


class Declined(Permanent):
    """It is not looked at, or not approved; the message says why."""


class Approver:
    """Previews actions and takes approvals."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._policy = world.settings.actions
        self._remedy = Remedy(world)

    async def preview(self, incident_id: str, action: str) -> ActionLine | None:
        """What the action would do now; one that is over is proposed again.

        None where there is no such incident or action. Raises Declined where nobody may approve it, Temporary.
        """
        matter = await self._find(incident_id, action)
        if matter is None or matter.under_way:
            return matter.line if matter else None
        _insist(matter)
        preview = await self._remedy.preview(matter)
        latest = await self._world.database.write(lambda connection: self._keep(connection, matter, preview))
        return latest.line if latest else None

    async def approve(
        self, incident_id: str, action: str, *, known: str, claimed: str, seen: str = "", number: int = 0
    ) -> ActionLine | None:
        """Have the change made. `seen` is the sentence of the preview that was read, `number` that attempt's.

        `known` is whom the door knows, `claimed` who they say they are. None where there is no such incident or
        action. Raises Declined, Temporary.
        """
        matter = await self._find(incident_id, action)
        if matter is None:
            return None
        _insist(matter)
        if problem := permit.may_approve(self._policy, known, claimed):
            raise Declined(problem, Reason.FORBIDDEN)
        attempt = self._waiting(matter, number)
        preview = await self._remedy.preview(matter)
        if seen and seen != preview.text:
            await self._world.database.write(lambda connection: self._keep(connection, matter, preview))
            raise Declined(f"it would do something else by now: {preview.text}", Reason.BAD_REQUEST)
        return await self._agree(matter, attempt, preview, known or claimed)

    async def automatic(self, incident_id: str) -> None:
        """Approve by policy the first action that may be done without a person: once for an incident."""

        def find(connection: Connection) -> Matter | None:
            incident = incidents.get(connection, incident_id)
            known = actions.latest(connection, incident_id).values()
            if incident is None or not incident.open or any(attempt.approved_by == POLICY for attempt in known):
                return None
            proposals = self._world.runbook(incident.runbook).actions
            found = (read(self._world, connection, incident_id, proposal.id) for proposal in proposals)
            return next((matter for matter in found if matter and _may_go(matter)), None)

        matter = await self._world.database.read(find)
        if matter is None:
            return
        preview = await self._remedy.preview(matter)
        try:
            await self._agree(matter, self._waiting(matter), preview, POLICY)
        except Declined:
            return

    async def _find(self, incident_id: str, action: str) -> Matter | None:
        return await self._world.database.read(lambda connection: read(self._world, connection, incident_id, action))

    def _waiting(self, matter: Matter, number: int = 0) -> Attempt:
        """The attempt that may be approved; raises Declined."""
        attempt = matter.attempt
        if attempt is None:
            return proposed(self._world, matter.incident.id, matter.line, self._world.clock.now())
        if number and number != attempt.number:
            raise Declined("another attempt took its place: look at that one", Reason.BAD_REQUEST)
        if not attempt.state.waits:
            who = f", approved by {attempt.approved_by}" if attempt.approved_by else ""
            raise Declined(f"it is {attempt.state}{who}: look at it again before it is approved", Reason.BAD_REQUEST)
        return attempt

    def _keep(self, connection: Connection, matter: Matter, preview: Preview) -> Matter | None:
        """Write the preview down unless somebody approved meanwhile, as a new attempt where the latest is over."""
        latest = read(self._world, connection, matter.incident.id, matter.proposal.id)
        if latest is None or latest.under_way:
            return latest
        now, attempt = self._world.clock.now(), latest.attempt
        renewed = attempt is None or attempt.state.over
        if attempt is None or renewed:
            attempt = proposed(self._world, matter.incident.id, latest.line, now)
        looked = {"state": ActionState.PREVIEWED, "preview": preview, "previewed_at": now}
        actions.save(connection, attempt.model_copy(update=looked))
        if renewed:
            tell(self._world, connection, latest.incident)
        return read(self._world, connection, matter.incident.id, matter.proposal.id)

    async def _agree(self, matter: Matter, attempt: Attempt, preview: Preview, by: str) -> ActionLine | None:
        """Write the approval down with the job that it demands; raises Declined."""
        problem = await self._world.database.write(
            lambda connection: self._approve(connection, matter, attempt, preview, by)
        )
        if problem:
            raise Declined(problem, Reason.BAD_REQUEST)
        latest = await self._find(attempt.incident_id, attempt.action)
        return latest.line if latest else None

    def _approve(self, connection: Connection, matter: Matter, attempt: Attempt, preview: Preview, by: str) -> str:
        """The approval, in one transaction with what it rests on; why not, else nothing."""
        latest = read(self._world, connection, attempt.incident_id, attempt.action)
        if latest is None or latest.obstacle:
            return latest.obstacle if latest else "the incident is forgotten"
        if latest.attempt is not None and (latest.attempt.number != attempt.number or not latest.attempt.state.waits):
            return f"it is {latest.attempt.state} by now"
        now = self._world.clock.now()
        lately = actions.begun_since(connection, permit.remembered(self._policy, now))
        problem = permit.refusal(self._policy, preview, lately, now)
        looked: dict[str, object] = {
            "state": ActionState.PREVIEWED,
            "preview": preview.model_copy(update={"refusal": problem}),
            "previewed_at": now,
        }
        if problem:
            actions.save(connection, attempt.model_copy(update=looked))
            known = attempt.preview is not None and attempt.preview.refusal == problem
            text = "" if known and by == POLICY else f"{by} asked for “{attempt.title}”, it is refused: {problem}"
            tell(self._world, connection, latest.incident, text, TimelineKind.TROUBLE)
        else:
            agreed = {"state": ActionState.APPROVED, "approved_by": by, "approved_at": now}
            until = {"expires_at": now + self._policy.expires}
            actions.save(connection, attempt.model_copy(update=looked | agreed | until))
            who = "Policy approved" if by == POLICY else f"{by} approved"
            text = f"{who}: {preview.text} [{'; '.join(preview.commands)}]"
            tell(self._world, connection, latest.incident, text)
            key, lane = f"{attempt.incident_id}/{attempt.action}", matter.investigation.target.cluster
            jobs.defer(connection, KIND, key, now, now, lane=lane)
        self._world.metrics.actions.labels(attempt.kind, DECLINED if problem else APPROVED).inc()
        return problem


def _insist(matter: Matter) -> None:
    if matter.obstacle:
        raise Declined(matter.obstacle, Reason.FORBIDDEN if matter.line.hindrance else Reason.BAD_REQUEST)


def _may_go(matter: Matter) -> bool:
    """Whether it may be done without a person."""
    waits = matter.attempt is None or matter.attempt.state.waits
    sure = matter.offers.is_certain(matter.proposal)
    return matter.line.mode == "auto" and sure and waits and matter.stop is None and not matter.obstacle
