"""Receive: stored deliveries are folded, in order, each exactly once; open incidents are reconciled."""

import asyncio
import functools
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from responder.errors import ResponderError, Temporary
from responder.flow import escalate, judge, onset, openings, publish
from responder.flow.announce import announce
from responder.flow.batch import Batch, merged
from responder.flow.escalate import Decision
from responder.flow.fold import Assign, fold, wanted
from responder.flow.match import assign
from responder.flow.reconcile import reconcile
from responder.flow.senders import answers
from responder.flow.world import World
from responder.model.alert import Alert, Notification
from responder.model.incident import AlertState, IncidentStatus, TrackedAlert
from responder.model.ledger import Assignment, Changes, Ledger
from responder.store import incidents, jobs, notifications
from responder.store.notifications import Stored

log = structlog.get_logger(__name__)

Parse = Callable[[bytes, int, datetime], Notification]

BATCH = 200
BATCH_ALERTS = 1000
KEPT_IN_MEMORY = 50_000
"""Alerts of open incidents that are not read again for every batch."""
REST = 10.0
"""How many times as long as a batch took folding rests while deliveries stream in: to store them comes first."""
STREAM = 8
"""Deliveries in one batch that are taken for a stream."""
LONGEST_REST = 1.0
ASK_SOON = timedelta(seconds=1)
LOOK_AGAIN = timedelta(minutes=1)


@dataclass(frozen=True)
class _Folded:
    ids: tuple[int, ...]
    changes: Changes
    read: Ledger
    unusable: dict[int, str]
    escalations: Sequence[Decision] = ()


class Receiver:
    """Turns deliveries into incidents."""

    def __init__(self, world: World, parse: Parse) -> None:
        self._world = world
        self._parse = parse
        self._stored = asyncio.Event()
        self._changing = asyncio.Lock()
        self._draining = False
        self._took = 0.0
        self._folded = 0
        self._members: OrderedDict[str, dict[str, TrackedAlert]] = OrderedDict()

    async def run(self) -> None:
        """Fold what is stored, now and whenever more comes, until drained."""
        while not self._draining:
            self._stored.clear()
            try:
                left = await self.fold_some()
            except Temporary as trouble:
                log.warning("receive.waits", error=str(trouble))
                await self._world.clock.sleep(1)
                continue
            if self._stored.is_set() and self._folded >= STREAM and not self._draining:
                await self._world.clock.sleep(min(LONGEST_REST, REST * self._took))
            elif left == 0 and not self._draining:
                await self._stored.wait()

    def wake(self) -> None:
        """There are new deliveries."""
        self._stored.set()

    def drain(self) -> None:
        """Stop after the batch under way."""
        self._draining = True
        self._stored.set()

    async def fold_some(self) -> int:
        """Fold the oldest deliveries that wait; returns how many are left."""
        database, metrics = self._world.database, self._world.metrics
        stored = await database.read(
            lambda connection: notifications.to_fold(connection, limit=BATCH, alerts=BATCH_ALERTS)
        )
        if not stored:
            metrics.fold_backlog.set(0)
            return 0
        started = time.perf_counter()
        async with self._changing:
            folded = await self._fold_and_write(stored)
        self._took = time.perf_counter() - started
        self._folded = len(stored)
        metrics.fold_seconds.observe(self._took)
        self._count(folded)
        left = await database.read(notifications.backlog)
        metrics.fold_backlog.set(left)
        return left

    async def _fold_and_write(self, stored: Sequence[Stored]) -> _Folded:
        """Fold, and once more if an incident was changed meanwhile."""
        while True:
            folded = await asyncio.to_thread(self._fold, stored)
            try:
                await self._world.database.write(functools.partial(self._write, folded))
            except incidents.Conflict:
                log.debug("receive.fold_again")
            else:
                self._remember(folded.changes, folded.read)
                return folded

    async def reconcile(self, _key: str) -> datetime:
        """Bring open incidents in line with Alertmanager's API, and settle what waited; returns when next."""
        async with self._changing:
            return await self._reconcile()

    async def _reconcile(self) -> datetime:
        ledger = await self._world.database.read(incidents.open_ledger)
        now = self._world.clock.now()
        told = await answers(self._world, ledger)
        rules = self._world.settings.fold_rules
        reconciled = await asyncio.to_thread(reconcile, ledger, told, self._assign, rules, now)
        changes, escalations = escalate.planned(self._world, reconciled, ledger, now)
        try:
            await self._world.database.write(lambda connection: self._apply(connection, changes, ledger, escalations))
        except incidents.Conflict:
            return now
        self._members.clear()
        self._count(_Folded((), changes, ledger, {}, escalations))
        return self._next_look(ledger, now)

    def _remember(self, changes: Changes, read: Ledger) -> None:
        """Keep the alerts of the incidents that changed; of those that did so long ago none."""
        for (incident_id, key), alert in read.alerts.items():
            self._members.setdefault(incident_id, {})[key] = alert
        for alert in changes.alerts:
            self._members.setdefault(alert.incident_id, {})[alert.key] = alert
            self._members.move_to_end(alert.incident_id)
        while len(self._members) > 1 and sum(map(len, self._members.values())) > KEPT_IN_MEMORY:
            self._members.popitem(last=False)

    def _fold(self, stored: Sequence[Stored]) -> _Folded:
        """Read what is concerned and fold every delivery; runs in a thread."""
        parsed: list[Notification] = []
        unusable: dict[int, str] = {}
        for delivery in stored:
            try:
                parse = self._parse if delivery.sender != openings.BY_HAND else openings.parse
                parsed.append(parse(delivery.body, delivery.id, delivery.received_at))
            except ResponderError as error:
                unusable[delivery.id] = str(error)
        known: dict[str, Assignment] = {}

        def assign_once(alert: Alert) -> Assignment:
            if alert.key not in known:
                known[alert.key] = self._assign(alert)
            return known[alert.key]

        read = self._world.database.read_now(lambda connection: self._ledger(connection, parsed, assign_once))
        batch = Batch(read)
        rules = self._world.settings.fold_rules
        for notification in merged(parsed):
            batch.add(fold(batch.ledger, notification, assign_once, rules, notification.received_at))
        changes, escalations = escalate.planned(self._world, batch.changes(), read, self._world.clock.now())
        return _Folded(tuple(delivery.id for delivery in stored), changes, read, unusable, escalations)

    def _ledger(self, connection: Connection, parsed: Sequence[Notification], assign: Assign) -> Ledger:
        keys: set[str] = set()
        identities: set[str] = set()
        for notification in parsed:
            more_keys, more_identities = wanted(notification, assign)
            keys.update(more_keys)
            identities.update(more_identities)
        return incidents.ledger(connection, keys, identities, self._members)

    def _assign(self, alert: Alert) -> Assignment:
        settings = self._world.settings
        return assign(alert, self._world.rules.current, settings.incidents.severities, settings.cluster_labels)

    def _write(self, folded: _Folded, connection: Connection) -> None:
        self._apply(connection, folded.changes, folded.read, folded.escalations)
        notifications.mark_folded(connection, folded.ids)
        for number, trouble in folded.unusable.items():
            notifications.mark_folded(connection, [number], trouble)

    def _apply(
        self, connection: Connection, changes: Changes, read: Ledger, escalations: Sequence[Decision] = ()
    ) -> None:
        """State, and the work that it demands, in one transaction."""
        incidents.apply(connection, changes, read)
        now = self._world.clock.now()
        for decision in escalations:
            escalate.arm(connection, decision.incident, now)
        for incident in changes.incidents:
            known = incident.id in read.incidents
            due = now + publish.QUIET if known and incident.status is IncidentStatus.FIRING else now
            announce(self._world, connection, incident, due, now)
        named = self._world.settings.cluster_labels
        clusters = {incident.id: named.cluster(incident.group) for incident in changes.incidents}
        for incident_id in changes.investigate:
            jobs.defer(connection, "investigate", incident_id, now, now, lane=clusters[incident_id])
            jobs.defer(connection, onset.KIND, incident_id, now, now, lane=clusters[incident_id])
        final = now + self._world.settings.incidents.reopen_window
        for incident_id in changes.verify:
            jobs.defer(connection, "verify", incident_id, now, now, lane=clusters[incident_id])
            jobs.defer(connection, judge.KIND, incident_id, final, now)
        for due_at in [due.at for due in changes.due] + ([now + ASK_SOON] if changes.reconcile else []):
            jobs.defer(connection, "reconcile", "", due_at, now)

    def _next_look(self, ledger: Ledger, now: datetime) -> datetime:
        rules = self._world.settings.fold_rules
        moments = [heart.due_at for heart in ledger.hearts.values() if not heart.stopped]
        moments += [alert.hold_until for alert in ledger.alerts.values() if alert.hold_until]
        moments += [
            alert.last_seen + rules.overdue for alert in ledger.alerts.values() if alert.state is AlertState.FIRING
        ]
        known = [one.reconcile_every for one in self._world.settings.alertmanagers if one.url]
        every = min(known, default=LOOK_AGAIN)
        soonest = min([*moments, now + every])
        return max(soonest, now + ASK_SOON)

    def _count(self, folded: _Folded) -> None:
        metrics = self._world.metrics
        for decision in folded.escalations:
            escalate.count(self._world, decision)
        for incident in folded.changes.incidents:
            before = folded.read.incidents.get(incident.id)
            labels = (incident.runbook, incident.severity.value)
            if incident.open and not (before and before.open):
                metrics.incidents_opened.labels(*labels).inc()
                if incident.runbook == self._world.rules.current.default.name:
                    metrics.unmatched.inc()
            elif before and before.open and not incident.open:
                metrics.incidents_resolved.labels(*labels).inc()
                lasted = incident.lasted(incident.updated_at)
                metrics.resolution_seconds.labels(incident.severity.value).observe(lasted)
