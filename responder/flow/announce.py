"""Announce: whom a change of an incident concerns. Sinks are brought up to date, public updates are written."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from responder.flow.world import World
from responder.model.incident import Incident
from responder.store import deliveries, jobs

COMMUNICATE = "communicate"


def announce(world: World, connection: Connection, incident: Incident, due_at: datetime, now: datetime) -> None:
    """Have everybody told who may know of it, in the transaction that changed the incident."""
    deliveries.request(connection, incident.id, audience(world, incident.levels), due_at, now)
    if world.runbook(incident.runbook).communicate is not None:
        jobs.defer(connection, COMMUNICATE, incident.id, due_at, now)


def audience(world: World, levels: Sequence[str]) -> tuple[str, ...]:
    """The sinks that may be told of an incident: those of a level of escalation only once it is reached."""
    held_back = {name for names in world.settings.escalation.contacts.values() for name in names}
    reached = called(world, levels)
    return tuple(name for name in world.sinks if name not in held_back or name in reached)


def called(world: World, levels: Sequence[str]) -> frozenset[str]:
    """The sinks of the levels that are reached: no route keeps an incident from them."""
    contacts = world.settings.escalation.contacts
    return frozenset(name for level in levels for name in contacts.get(level, ()))
