"""Escalate: while nobody acknowledges an incident, the next level is told, and the next.

The decisions are pure functions of the incident, its policy and the time. The plan is part of the incident:
it is made when the incident opens or reopens, or is given back, made sooner when it becomes more severe, and made
anew, as from its beginning, when it becomes less severe. A level is told once; nothing is due while somebody has it,
or once it is resolved.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from responder.flow.change import change
from responder.flow.message import span
from responder.flow.world import World
from responder.model.escalation import EscalationPolicy
from responder.model.incident import (
    AlertState,
    EscalationStep,
    Incident,
    TimelineEntry,
    TimelineKind,
    TrackedAlert,
)
from responder.model.ledger import Changes, Ledger
from responder.store import incidents, jobs

log = structlog.get_logger(__name__)

KIND = "escalate"
AT_ONCE = timedelta(minutes=1)
LOOK_AGAIN = timedelta(minutes=1)

Contacts = Mapping[str, Sequence[str]]
"""Names of sinks by level."""


@dataclass(frozen=True)
class Decision:
    """The incident as it is after what was due, the levels to tell, and what the timeline says of it."""

    incident: Incident
    told: tuple[EscalationStep, ...] = ()
    missed: bool = False
    entries: tuple[TimelineEntry, ...] = ()


def waits(incident: Incident) -> bool:
    """Whether it waits for somebody to acknowledge it."""
    return incident.open and incident.acknowledged_at is None


def next_moment(incident: Incident) -> datetime | None:
    """When something is due next; None while nothing is."""
    if not waits(incident):
        return None
    moments = [step.due_at for step in incident.escalation if step.told_at is None]
    if incident.due_response is not None and not incident.response_missed:
        moments.append(incident.due_response)
    return min(moments, default=None)


def follow(policy: EscalationPolicy | None, before: Incident | None, after: Incident, now: datetime) -> Incident:
    """The incident with the plan that a change of it demands."""
    if policy is None or not waits(after):
        return after
    if before is None or not before.open:
        return begin(policy, after, now)
    if after.severity == before.severity:
        return after
    return _sooner(policy, after, now) if after.severity < before.severity else _calmer(policy, after)


def begin(policy: EscalationPolicy, incident: Incident, now: datetime) -> Incident:
    """The incident with a plan that starts now; who was told stays told."""
    told = [step for step in incident.escalation if step.told_at is not None]
    urgency = policy.severities.get(incident.severity)
    due_response = now + urgency.response_time if urgency else None
    plan = (*told, *_steps(policy, incident, now))
    changed = {"due_response": due_response, "response_missed": False, "unacknowledged_since": now}
    return incident.model_copy(update={"escalation": plan, **changed})


def _calmer(policy: EscalationPolicy, incident: Incident) -> Incident:
    """It became less severe: what is due is what had been, had it begun so."""
    since = incident.unacknowledged_since or incident.opened_at
    told = [step for step in incident.escalation if step.told_at is not None]
    changed: dict[str, object] = {"escalation": (*told, *_steps(policy, incident, since))}
    urgency = policy.severities.get(incident.severity)
    if not incident.response_missed:
        changed["due_response"] = since + urgency.response_time if urgency else None
    return incident.model_copy(update=changed)


def _sooner(policy: EscalationPolicy, incident: Incident, now: datetime) -> Incident:
    """It became more severe: nothing is due later than it was."""
    planned = {step.level: step for step in incident.escalation}
    for step in _steps(policy, incident, now):
        known = planned.get(step.level)
        if known is None or step.due_at < known.due_at:
            planned[step.level] = step
    told = [step for step in incident.escalation if step.told_at is not None]
    waiting = sorted((step for step in planned.values() if step.told_at is None), key=lambda step: step.due_at)
    changed: dict[str, object] = {"escalation": (*told, *waiting)}
    urgency = policy.severities.get(incident.severity)
    if urgency and not incident.response_missed:
        due = now + urgency.response_time
        changed["due_response"] = min(due, incident.due_response) if incident.due_response else due
    return incident.model_copy(update=changed)


def _steps(policy: EscalationPolicy, incident: Incident, now: datetime) -> list[EscalationStep]:
    """The levels of the incident's severity that were not told yet, in the order in which they are due."""
    told = {step.level for step in incident.escalation if step.told_at is not None}
    urgency = policy.severities.get(incident.severity)
    steps = []
    for step in urgency.chain if urgency else ():
        level = policy.levels.get(step.level)
        if step.level not in told and level is not None:
            due_at = policy.due(step, now)
            steps.append(EscalationStep(level=step.level, role=level.role, contact=level.contact, due_at=due_at))
    return sorted(steps, key=lambda step: step.due_at)


def decide(incident: Incident, contacts: Contacts, now: datetime) -> Decision:
    """What is due by now."""
    if not waits(incident):
        return Decision(incident)
    due = [step for step in incident.escalation if step.told_at is None and step.due_at <= now]
    decision = _tell(incident, due, contacts, now)
    if incident.due_response is None or incident.response_missed or incident.due_response > now:
        return decision
    text = f"Nobody acknowledged it within the response time of {incident.severity}"
    missed = decision.incident.model_copy(update={"response_missed": True})
    entry = TimelineEntry(at=now, kind=TimelineKind.TROUBLE, text=text)
    return replace(decision, incident=missed, missed=True, entries=(entry, *decision.entries))


def hurry(incident: Incident, contacts: Contacts, by: str, now: datetime) -> Decision:
    """Tell the next level before it is due, because somebody asks for it; nothing where there is none."""
    waiting = [step for step in incident.escalation if step.told_at is None]
    if not incident.open or not waiting:
        return Decision(incident)
    return _tell(incident, waiting[:1], contacts, now, by or "somebody")


def _tell(
    incident: Incident, steps: Sequence[EscalationStep], contacts: Contacts, now: datetime, by: str = ""
) -> Decision:
    if not steps:
        return Decision(incident)
    told = {
        step.level: step.model_copy(update={"told_at": now, "sinks": tuple(contacts.get(step.level, ())), "by": by})
        for step in steps
    }
    known = [step for step in incident.escalation if step.told_at is not None]
    rest = [step for step in incident.escalation if step.told_at is None and step.level not in told]
    called = [level for level, step in told.items() if step.sinks]
    changed = {"escalation": (*known, *told.values(), *rest), "levels": (*incident.levels, *called)}
    entries = [
        TimelineEntry(at=now, kind=TimelineKind.MESSAGE, text=_said(incident, step, now)) for step in told.values()
    ]
    return Decision(incident.model_copy(update=changed), tuple(told.values()), entries=tuple(entries))


def _said(incident: Incident, step: EscalationStep, now: datetime) -> str:
    """`Escalated to Engineering Manager (level_2) through pager: nobody acknowledged it for 15 min`."""
    who = f"{step.role} ({step.level})"
    if not step.sinks:
        return f"Nobody is notified: no contact for {step.level} ({step.role})"
    how = f" through {', '.join(step.sinks)}"
    if step.by:
        return f"Escalated to {who}{how}: {step.by} asked for it"
    if now - incident.opened_at < AT_ONCE:
        return f"Notifying {who}{how}"
    return f"Escalated to {who}{how}: nobody acknowledged it for {span(incident.opened_at, now)}"


def planned(world: World, changes: Changes, read: Ledger, now: datetime) -> tuple[Changes, list[Decision]]:
    """The changes of a fold with what they mean for escalation, and the decisions that differ from what was."""
    policy = world.rules.current.escalations.get(world.settings.escalation.policy)
    if policy is None:
        log.error("escalate.no_policy", policy=world.settings.escalation.policy)
        return changes, []
    contacts = world.settings.escalation.contacts
    decisions: dict[str, Decision] = {}
    for incident in changes.incidents:
        following = follow(policy, read.incidents.get(incident.id), incident, now)
        if following is not incident:
            decisions[incident.id] = decide(following, contacts, now)
    made = [(key, entry) for key, decision in decisions.items() for entry in decision.entries]
    everything = replace(
        changes,
        incidents=tuple(
            decisions[incident.id].incident if incident.id in decisions else incident for incident in changes.incidents
        ),
        timeline=(*changes.timeline, *made),
    )
    return everything, list(decisions.values())


def arm(connection: Connection, incident: Incident, now: datetime) -> None:
    """Have the incident looked at when something is due."""
    if (due_at := next_moment(incident)) is not None:
        jobs.defer(connection, KIND, incident.id, due_at, now)


def _suppressed(tracked: Sequence[TrackedAlert]) -> bool:
    """Whether all that fires is silenced or inhibited: somebody knows, or another incident is the cause."""
    firing = [alert for alert in tracked if alert.state is not AlertState.RESOLVED]
    return bool(firing) and all(alert.suppressed for alert in firing)


class Escalator:
    """Tells the next level in time, or when somebody asks for it."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def escalate(self, incident_id: str) -> datetime | None:
        """Tell whom it is time to tell; returns when to look again."""
        contacts = self._world.settings.escalation.contacts

        def step(connection: Connection) -> Decision | datetime | None:
            incident, now = incidents.get(connection, incident_id), self._world.clock.now()
            if incident is None:
                return None
            if waits(incident) and _suppressed(incidents.alerts_of(connection, incident_id)):
                return now + LOOK_AGAIN
            return self._keep(connection, decide(incident, contacts, now))

        decision = await self._world.database.write(step)
        if not isinstance(decision, Decision):
            return decision
        count(self._world, decision)
        return next_moment(decision.incident)

    async def now(self, incident_id: str, by: str) -> bool | None:
        """Tell the next level at once; false where there is none, None where there is no such incident."""
        contacts = self._world.settings.escalation.contacts

        def step(connection: Connection) -> Decision | None:
            incident = incidents.get(connection, incident_id)
            if incident is None:
                return None
            return self._keep(connection, hurry(incident, contacts, by, self._world.clock.now()))

        decision = await self._world.database.write(step)
        if decision is None:
            return None
        count(self._world, decision)
        return bool(decision.told)

    async def unacknowledge(self, incident_id: str, by: str) -> bool:
        """Nobody has it any more: it waits from now on; false where there is no such incident."""
        policy = self._world.rules.current.escalations.get(self._world.settings.escalation.policy)

        def step(connection: Connection) -> bool:
            incident, now = incidents.get(connection, incident_id), self._world.clock.now()
            if incident is None or incident.acknowledged_at is None:
                return incident is not None
            free = incident.model_copy(update={"acknowledged_at": None, "acknowledged_by": ""})
            if policy is not None and free.open:
                free = begin(policy, free, now)
            text = f"Unacknowledged by {by or 'somebody'}"
            entry = TimelineEntry(at=now, kind=TimelineKind.PERSON, text=text)
            self._keep(connection, Decision(free, entries=(entry,)))
            return True

        return await self._world.database.write(step)

    def _keep(self, connection: Connection, decision: Decision) -> Decision:
        if not decision.entries:
            return decision
        incident = change(self._world, connection, decision.incident, *decision.entries)
        arm(connection, incident, self._world.clock.now())
        return replace(decision, incident=incident)


def reach(world: World, connection: Connection, incident_id: str, sink: str) -> None:
    """The sink took the incident: whoever was called through it and was not reached before is notified now."""
    incident, now = incidents.get(connection, incident_id), world.clock.now()
    steps = incident.escalation if incident else ()
    fresh = [step for step in steps if sink in step.sinks and step.reached_at is None]
    if incident is None or not fresh:
        return
    entries = [
        TimelineEntry(at=now, kind=TimelineKind.MESSAGE, text=f"{step.role} ({step.level}) was notified through {sink}")
        for step in fresh
    ]
    steps = tuple(step.model_copy(update={"reached_at": now}) if step in fresh else step for step in steps)
    change(world, connection, incident.model_copy(update={"escalation": steps}), *entries)
    for step in fresh:
        world.metrics.escalations.labels(incident.severity.value, step.level).inc()


def count(world: World, decision: Decision) -> None:
    """Log who is called, or that nobody is; count response times that went by."""
    severity = decision.incident.severity.value
    for step in decision.told:
        if step.sinks:
            log.info("escalate.called", incident=decision.incident.id, level=step.level, sinks=step.sinks)
        else:
            log.warning("escalate.no_contact", incident=decision.incident.id, level=step.level)
    if decision.missed:
        world.metrics.responses_missed.labels(severity).inc()
