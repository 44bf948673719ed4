"""Matter: one action of one incident as it stands, and the proposals that a finding makes."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from responder.flow import permit
from responder.flow.change import change
from responder.flow.checklist import context_of
from responder.flow.justify import Offers
from responder.flow.world import World
from responder.model.action import ActionLine, ActionState, Attempt, Stop
from responder.model.incident import Incident, TimelineEntry, TimelineKind
from responder.model.report import Investigation
from responder.model.runbook import ActionProposal, Runbook
from responder.store import actions, incidents, investigations, jobs

KIND = "act"
POLICY = "policy"
"""Who approved what a runbook does by itself."""


@dataclass(frozen=True)
class Matter:
    """One action of one incident. `attempt` is the latest one, if there was any."""

    incident: Incident
    runbook: Runbook
    proposal: ActionProposal
    investigation: Investigation
    offers: Offers
    line: ActionLine
    stop: Stop | None

    @property
    def attempt(self) -> Attempt | None:
        return self.line.attempt

    @property
    def under_way(self) -> bool:
        """Whether it is agreed on and has no outcome yet."""
        return self.attempt is not None and self.attempt.state.under_way

    @property
    def obstacle(self) -> str:
        """Why it must not be done now, as far as that can be told without looking; else empty."""
        if not self.incident.open:
            return "the incident is over"
        return self.offers.why_not(self.proposal) or self.line.hindrance


def read(world: World, connection: Connection, incident_id: str, action: str) -> Matter | None:
    """The action of an incident; None where there is no such one."""
    incident = incidents.get(connection, incident_id)
    if incident is None:
        return None
    runbook = world.runbook(incident.runbook)
    proposal = next((proposal for proposal in runbook.actions if proposal.id == action), None)
    if proposal is None:
        return None
    investigation = investigations.latest(connection, incident_id) or Investigation()
    stop, known, now = actions.stop_of(connection), actions.latest(connection, incident_id), world.clock.now()
    offers = offers_of(world, connection, incident_id, investigation)
    lines = permit.lines(world.settings.actions, stop, runbook, offers, known, now)
    line = next(line for line in lines if line.id == action)
    return Matter(incident, runbook, proposal, investigation, offers, line, stop)


def offers_of(world: World, connection: Connection, incident_id: str, investigation: Investigation) -> Offers:
    """What the findings of an incident justify."""
    context = context_of(investigation.target, incidents.alerts_of(connection, incident_id))
    return Offers(world.actions, investigation.findings, investigation.target, context)


def propose(world: World, connection: Connection, incident: Incident, investigation: Investigation) -> None:
    """Offer what the findings call for, in the transaction that keeps them."""
    policy, runbook, now = world.settings.actions, world.runbook(incident.runbook), world.clock.now()
    if not runbook.actions or not incident.open:
        return
    stop, known = actions.stop_of(connection), actions.latest(connection, incident.id)
    offers = offers_of(world, connection, incident.id, investigation)
    for line in permit.lines(policy, stop, runbook, offers, known, now):
        lapsed = line.state is ActionState.EXPIRED and line.attempt is not None and not line.attempt.approved_by
        if line.fits and not line.hindrance and (line.attempt is None or lapsed):
            actions.save(connection, proposed(world, incident.id, line, now))
    if any(permit.mode_of(policy, proposal) == "auto" for proposal in runbook.actions):
        jobs.defer(connection, KIND, incident.id, now, now, lane=investigation.target.cluster)


def proposed(world: World, incident_id: str, line: ActionLine, now: datetime) -> Attempt:
    """A new attempt."""
    return Attempt(
        incident_id=incident_id,
        action=line.id,
        number=line.attempt.number + 1 if line.attempt else 1,
        kind=line.kind,
        title=line.title,
        mode=line.mode,
        proposed_at=now,
        expires_at=now + world.settings.actions.expires,
    )


def tell(
    world: World,
    connection: Connection,
    incident: Incident,
    text: str = "",
    kind: TimelineKind = TimelineKind.ACTION,
) -> None:
    """Have everybody told of how the incident's actions stand."""
    entries = [TimelineEntry(at=world.clock.now(), kind=kind, text=text)] if text else []
    change(world, connection, incident, *entries)
