"""Announce: whom a change of an incident concerns. Sinks are brought up to date, public updates are written."""

from datetime import datetime

from sqlalchemy import Connection

from responder.flow import publish
from responder.flow.world import World
from responder.model.incident import Incident
from responder.store import jobs

COMMUNICATE = "communicate"


def announce(world: World, connection: Connection, incident: Incident, due_at: datetime, now: datetime) -> None:
    """Have everybody told who may know of it, in the transaction that changed the incident."""
    publish.request(connection, incident.id, audience(world, incident), due_at, now)
    if world.runbook(incident.runbook).communicate is not None:
        jobs.defer(connection, COMMUNICATE, incident.id, due_at, now)


def audience(world: World, incident: Incident) -> tuple[str, ...]:
    """The sinks that are told of the incident: those of a level of escalation only once it is reached."""
    contacts = world.settings.escalation.contacts
    held_back = {name for names in contacts.values() for name in names}
    reached = {name for level in incident.levels for name in contacts.get(level, ())}
    return tuple(name for name in world.sinks if name not in held_back or name in reached)
