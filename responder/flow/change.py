"""Change: the one way to write an incident outside of a fold: its revision grows, and everybody is told."""

from sqlalchemy import Connection

from responder.flow.announce import announce
from responder.flow.world import World
from responder.model.incident import Incident, TimelineEntry
from responder.store import incidents


def change(world: World, connection: Connection, incident: Incident, *entries: TimelineEntry) -> Incident:
    """Keep the incident as it is now, with what its timeline says of that, and bring every sink up to date."""
    now = world.clock.now()
    changed = incident.model_copy(update={"revision": incident.revision + 1, "updated_at": now})
    incidents.save(connection, changed)
    for entry in entries:
        incidents.tell(connection, incident.id, entry)
    announce(world, connection, changed, now, now)
    return changed
