"""Reports: incidents as they are shown, put together from the store; and what people say about them."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from responder.clients import Alertmanager
from responder.errors import Permanent, Reason
from responder.flow import permit, silence
from responder.flow.change import change
from responder.flow.checklist import lines
from responder.flow.matter import offers_of
from responder.flow.message import span
from responder.flow.world import World
from responder.model.incident import Incident, IncidentStatus, TimelineEntry, TimelineKind
from responder.model.listing import Listing, Position
from responder.model.report import (
    Investigation,
    Report,
    ReportSummary,
    full,
    summary,
)
from responder.store import actions, deliveries, incidents, investigations, jobs, procedures, updates

WATCHED_AT_MOST = 1000
SEARCHED = 2000
"""Incidents that are searched for a text at a time."""


class Reports:
    """Reads reports, tells which changed, takes acknowledgements and feedback."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def get(self, id: str) -> Report | None:  # noqa: A002 - the web's contract
        """One incident, whole."""
        return await self._world.database.read(lambda connection: self._report(connection, id))

    async def list(
        self,
        *,
        status: Sequence[str] = (),
        severity: Sequence[str] = (),
        runbook: str = "",
        text: str = "",
        limit: int = 200,
        after: Position | None = None,
    ) -> Listing:
        """Incidents that fit, what burns first. Where a text is looked for a page may be short, and not the last."""
        wanted: dict[str, Any] = {"status": status, "severity": severity, "runbook": runbook}

        def find(connection: Connection) -> Listing:
            most = max(SEARCHED, limit) if text else limit
            found = incidents.find(connection, **wanted, after=after, limit=most + 1)
            items: list[ReportSummary] = []
            last = None
            for incident in found[:most]:
                if len(items) == limit:
                    break
                last = incident
                if _mentions(one := self._summary(connection, incident), text):
                    items.append(one)
            more = last is not None and last is not found[-1]
            cursor = str(Position.of(last)) if more and last else ""
            if text:
                return Listing(items, cursor, len(items) if not (more or after) else None)
            counted = incidents.tally(connection, **wanted)
            return Listing(items, cursor, sum(count for *_, count in counted), _burning(counted))

        return await self._world.database.read(find)

    async def of_storm(self, storm_id: str) -> Sequence[ReportSummary]:
        """The incidents that share the message of a storm."""

        def find(connection: Connection) -> list[ReportSummary]:
            found = (incidents.get(connection, each) for each in deliveries.members(connection, storm_id))
            return [self._summary(connection, incident) for incident in found if incident is not None]

        return await self._world.database.read(find)

    @asynccontextmanager
    async def watch(self) -> AsyncIterator[AsyncIterator[str]]:
        """Ids of incidents as they change."""
        changed: asyncio.Queue[str] = asyncio.Queue(WATCHED_AT_MOST)

        def tell(incident_id: str) -> None:
            if not changed.full():
                changed.put_nowait(incident_id)

        async def ids() -> AsyncIterator[str]:
            while True:
                yield await changed.get()

        stop = self._world.database.listen("incidents", tell)
        try:
            yield ids()
        finally:
            stop()

    async def acknowledge(self, id: str, by: str) -> bool:  # noqa: A002 - the web's contract
        """Somebody has it; false where there is no such incident. The first one counts."""
        now = self._world.clock.now()

        def say(connection: Connection) -> Incident | None:
            incident = incidents.get(connection, id)
            if incident is None or incident.acknowledged_at is not None:
                return incident
            waited = (now - incident.opened_at).total_seconds()
            self._world.metrics.acknowledgement_seconds.labels(incident.severity.value).observe(waited)
            taken = incident.model_copy(update={"acknowledged_at": now, "acknowledged_by": by})
            text = f"Acknowledged by {by or 'somebody'}"
            entry = TimelineEntry(at=now, kind=TimelineKind.PERSON, text=text)
            return change(self._world, connection, taken, entry)

        return await self._world.database.write(say) is not None

    async def feedback(self, id: str, evidence_helpful: bool, by: str) -> bool:  # noqa: A002 - the web's contract
        """Whether the finding helped; false where there is no such incident."""
        now = self._world.clock.now()

        def say(connection: Connection) -> bool:
            if incidents.get(connection, id) is None:
                return False
            investigations.save_feedback(connection, id, evidence_helpful, by, now)
            text = f"{by or 'Somebody'} found the finding {'useful' if evidence_helpful else 'not useful'}"
            incidents.tell(connection, id, TimelineEntry(at=now, kind=TimelineKind.PERSON, text=text))
            self._world.metrics.feedback.labels("useful" if evidence_helpful else "not_useful").inc()
            return True

        return await self._world.database.write(say)

    async def silence(self, id: str, reason: str, by: str, lasts: timedelta) -> int | None:  # noqa: A002 - the web's contract
        """Silence the incident's alerts in Alertmanager; how many silences, None where there is no such incident.

        Raises Temporary, or Permanent where no Alertmanager is set or nothing can be silenced.
        """
        report = await self.get(id)
        if report is None:
            return None
        alertmanager = self._alertmanager(report)
        selections = silence.selections(report)
        now = self._world.clock.now()
        for labels in selections:
            await alertmanager.silence(labels, until=now + lasts, reason=reason, by=by or "Responder", mark=_mark(id))
        names = ", ".join(sorted({labels.get("alertname", "alerts") for labels in selections}))
        text = f"{by or 'Somebody'} silenced {names} for {span(now, now + lasts)}: {reason}"
        await self._silenced(id, text, now + lasts, by)
        return len(selections)

    async def unsilence(self, id: str, by: str) -> int | None:  # noqa: A002 - the web's contract
        """End the silences that were made from here; how many, None where there is no such incident.

        Raises Temporary, or Permanent where no Alertmanager is set.
        """
        report = await self.get(id)
        if report is None:
            return None
        ended = await self._alertmanager(report).unsilence(_mark(id))
        await self._silenced(id, f"{by or 'Somebody'} ended the silence", None, "")
        return ended

    def can_silence(self, report: Report) -> bool:
        """Whether there is an Alertmanager to silence it in."""
        return self._world.alertmanager(report.target.cluster) is not None

    def _alertmanager(self, report: Report) -> Alertmanager:
        alertmanager = self._world.alertmanager(report.target.cluster)
        if alertmanager is None:
            raise Permanent("no Alertmanager is configured: set alertmanager.url", Reason.NOT_CONFIGURED)
        return alertmanager

    async def _silenced(self, incident_id: str, text: str, until: datetime | None, by: str) -> None:
        """Keep it, and ask Alertmanager soon what it makes of it."""
        now = self._world.clock.now()

        def keep(connection: Connection) -> None:
            incident = incidents.get(connection, incident_id)
            if incident is not None:
                silenced = incident.model_copy(update={"silenced_until": until, "silenced_by": by})
                change(self._world, connection, silenced, TimelineEntry(at=now, kind=TimelineKind.PERSON, text=text))
                jobs.defer(connection, "reconcile", "", now, now)

        await self._world.database.write(keep)

    def _report(self, connection: Connection, incident_id: str) -> Report | None:
        incident = incidents.get(connection, incident_id)
        if incident is None:
            return None
        investigation = investigations.latest(connection, incident_id) or Investigation()
        runbook = self._world.runbook(incident.runbook)
        tracked = incidents.alerts_of(connection, incident_id)
        return full(
            incident,
            investigation,
            tracked,
            url=self._url(incident),
            runbook=runbook,
            evidence=investigations.evidence_of(connection, incident_id, investigation.number),
            verification=investigations.verification_of(connection, incident_id),
            timeline=condensed(incidents.timeline_of(connection, incident_id)),
            procedure=lines(runbook, investigation.target, tracked, procedures.marks_of(connection, incident_id)),
            actions=permit.lines(
                self._world.settings.actions,
                actions.stop_of(connection),
                runbook,
                offers_of(self._world, connection, incident_id, investigation),
                actions.latest(connection, incident_id),
                self._world.clock.now(),
            ),
            updates=updates.of_incident(connection, incident_id),
        )

    def _summary(self, connection: Connection, incident: Incident) -> ReportSummary:
        investigation = investigations.latest(connection, incident.id) or Investigation()
        return summary(incident, investigation, incidents.alerts_of(connection, incident.id), url=self._url(incident))

    def _url(self, incident: Incident) -> str:
        return f"{self._world.settings.base_url}/incidents/{incident.id}"


def condensed(entries: Sequence[TimelineEntry]) -> Sequence[TimelineEntry]:
    """The timeline with a line once where nothing else of its kind was said before it was repeated."""
    runs: list[list[TimelineEntry]] = []
    latest: dict[TimelineKind, list[TimelineEntry]] = {}
    for entry in entries:
        run = latest.get(entry.kind)
        if run is None or run[0].text != entry.text:
            run = latest[entry.kind] = []
            runs.append(run)
        run.append(entry)
    return [_once(run) for run in runs]


def _once(run: Sequence[TimelineEntry]) -> TimelineEntry:
    first, last = run[0], run[-1]
    if last.at == first.at:
        return first
    return first.model_copy(update={"text": f"{first.text} ({len(run)} times, last {last.at:%H:%M:%S} UTC)"})


def _mark(incident_id: str) -> str:
    """What is in the comment of the silences of an incident."""
    return f"Responder incident {incident_id}"


def _burning(counted: Iterable[tuple[str, str, int]]) -> Mapping[str, int]:
    """How many are open, by severity, the worst first."""
    found: Counter[str] = Counter()
    for severity, status, count in sorted(counted):
        if status != IncidentStatus.RESOLVED:
            found[severity] += count
    return found


def _mentions(one: ReportSummary, text: str) -> bool:
    if not text:
        return True
    words = [one.id, one.title, one.headline, one.runbook, str(one.subject)]
    words += [value for alert in one.alerts for value in alert.labels.values()]
    return any(text.casefold() in word.casefold() for word in words)
