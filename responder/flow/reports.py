"""Reports: incidents as they are shown, put together from the store; and what people say about them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

from sqlalchemy import Connection

from responder.errors import Permanent, Reason
from responder.flow import permit, silence
from responder.flow.change import change
from responder.flow.checklist import lines
from responder.flow.matter import offers_of
from responder.flow.message import span
from responder.flow.world import World
from responder.model.incident import Incident, TimelineEntry, TimelineKind
from responder.model.report import (
    Investigation,
    Report,
    ReportSummary,
    full,
    summary,
)
from responder.store import actions, deliveries, incidents, investigations, procedures, updates

WATCHED_AT_MOST = 1000


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
    ) -> Sequence[ReportSummary]:
        """Incidents that fit, what burns first."""

        def find(connection: Connection) -> list[ReportSummary]:
            most = 2000 if text else limit
            found = incidents.find(connection, status=status, severity=severity, runbook=runbook, limit=most)
            summaries = (self._summary(connection, incident) for incident in found)
            return [one for one in summaries if _mentions(one, text)][:limit]

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
        alertmanager = self._world.alertmanager(report.target.cluster)
        if alertmanager is None:
            raise Permanent("no Alertmanager is configured: set alertmanager.url", Reason.NOT_CONFIGURED)
        selections = silence.selections(report)
        now = self._world.clock.now()
        for labels in selections:
            await alertmanager.silence(
                labels, until=now + lasts, reason=reason, by=by or "Responder", mark=f"Responder incident {id}"
            )
        names = ", ".join(sorted({labels.get("alertname", "alerts") for labels in selections}))
        text = f"{by or 'Somebody'} silenced {names} for {span(now, now + lasts)}: {reason}"
        entry = TimelineEntry(at=now, kind=TimelineKind.PERSON, text=text)
        await self._world.database.write(lambda connection: incidents.tell(connection, id, entry))
        return len(selections)

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
            timeline=incidents.timeline_of(connection, incident_id),
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


def _mentions(one: ReportSummary, text: str) -> bool:
    if not text:
        return True
    words = [one.id, one.title, one.headline, one.runbook, str(one.subject)]
    words += [value for alert in one.alerts for value in alert.labels.values()]
    return any(text.casefold() in word.casefold() for word in words)
