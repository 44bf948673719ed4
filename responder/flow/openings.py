"""Openings: a person starts a runbook without an alert, and ends it.

Both are deliveries like those of a webhook: stored before they are answered, folded in order. Only these bring
the alert of a person: a webhook cannot. Nobody but a person ends it; Alertmanager does not know of it.
"""

import asyncio
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from pydantic import AwareDatetime, ValidationError
from sqlalchemy import Connection

from responder.errors import ConfigError
from responder.flow.world import World
from responder.model.alert import Alert, AlertStatus, Notification
from responder.model.incident import AlertState
from responder.model.record import Record
from responder.store import incidents, notifications
from responder.store.notifications import Delivery

BY_HAND = "by hand"
"""The sender of these deliveries; no address of a host reads like that."""
PATIENCE = 5.0
"""Seconds to wait for a delivery to be folded before it is answered."""


class Opening(Record):
    """What is stored: the runbook that somebody started, or ended."""

    key: str
    runbook: str
    labels: Mapping[str, str]
    by: str
    starts_at: AwareDatetime
    ends_at: AwareDatetime | None = None


def parse(body: bytes, number: int, received_at: datetime) -> Notification:
    """The stored opening as a notification; raises ConfigError where it is none."""
    try:
        opening = Opening.model_validate_json(body)
    except ValidationError as error:
        raise ConfigError(f"this is no opening by hand: {error.error_count()} fields are wrong") from None
    alert = Alert(
        key=opening.key,
        fingerprint=opening.key,
        status=AlertStatus.RESOLVED if opening.ends_at else AlertStatus.FIRING,
        labels=opening.labels,
        starts_at=opening.starts_at,
        ends_at=opening.ends_at,
        runbook=opening.runbook,
        opened_by=opening.by or "somebody",
    )
    return Notification(id=number, received_at=received_at, alerts=(alert,), status=alert.status)


class Opener:
    """Takes what people start and end. `stored` tells folding that there is something."""

    def __init__(self, world: World, stored: Callable[[], None]) -> None:
        self._world = world
        self._stored = stored

    async def open(self, runbook: str, labels: Mapping[str, str], by: str) -> str:
        """The id of the new incident, once it is on disk. Raises Temporary where it cannot be stored."""
        now = self._world.clock.now()
        opening = Opening(key=secrets.token_hex(6), runbook=runbook, labels=labels, by=by, starts_at=now)
        await self._store(opening, now, lambda connection: incidents.get(connection, opening.key) is not None)
        return opening.key

    async def resolve(self, incident_id: str, by: str) -> bool | None:
        """End what a person opened; false where alerts of others say when it ends, None where there is no such.

        Raises Temporary where it cannot be stored.
        """
        incident = await self._world.database.read(lambda connection: incidents.get(connection, incident_id))
        if incident is None:
            return None
        if not incident.opened_by:
            return False
        if not incident.open:
            return True
        tracked = await self._world.database.read(lambda connection: incidents.alerts_of(connection, incident_id))
        now = self._world.clock.now()
        for alert in tracked:
            if alert.by_hand and alert.state is not AlertState.RESOLVED:
                ends_at = max(now, alert.starts_at + timedelta(milliseconds=1))
                opening = Opening(
                    key=alert.key,
                    runbook=incident.runbook,
                    labels=alert.labels,
                    by=by,
                    starts_at=alert.starts_at,
                    ends_at=ends_at,
                )
                await self._store(opening, now, lambda connection: _is_over(connection, incident_id))
        return True

    async def _store(self, opening: Opening, now: datetime, done: Callable[[Connection], bool]) -> None:
        delivery = Delivery(now, opening.model_dump_json().encode(), 1, BY_HAND)
        await self._world.database.write(lambda connection: notifications.insert(connection, [delivery]))
        folded = asyncio.Event()
        stop = self._world.database.listen("incidents", lambda _incident: folded.set())
        try:
            self._stored()
            async with asyncio.timeout(PATIENCE):
                while not await self._world.database.read(done):
                    await folded.wait()
                    folded.clear()
        except TimeoutError:
            # it is on disk, and will be folded in its turn
            return
        finally:
            stop()


def _is_over(connection: Connection, incident_id: str) -> bool:
    incident = incidents.get(connection, incident_id)
    return incident is None or not incident.open
