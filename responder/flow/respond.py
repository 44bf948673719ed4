"""Respond: one incident from its alerts to a finding, resumable after a crash at any point."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial

import structlog
from sqlalchemy import Connection

from responder.errors import Permanent, Reason, Temporary
from responder.flow.change import change
from responder.flow.investigate import Investigator
from responder.flow.matter import propose
from responder.flow.rounds import Rounds
from responder.flow.target import aims
from responder.flow.watch import INVESTIGATION, count_failure, watched
from responder.flow.world import World
from responder.model.alert import Alert, AlertStatus
from responder.model.evidence import Evidence
from responder.model.finding import Diagnosis
from responder.model.incident import AlertState, Incident, TimelineEntry, TimelineKind, TrackedAlert
from responder.model.report import Investigation, InvestigationStatus
from responder.model.runbook import Runbook
from responder.probes import Inquiry
from responder.store import incidents, investigations

log = structlog.get_logger(__name__)

FRESH = timedelta(seconds=60)
"""Evidence this young is used again when an investigation is resumed after a crash."""


class Responder:
    """Investigates and diagnoses incidents."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def respond(self, incident_id: str) -> None:
        """Investigate the incident as it is now, and conclude."""
        with structlog.contextvars.bound_contextvars(incident=incident_id):
            begun = await self._world.database.write(lambda connection: self._begin(connection, incident_id))
            if begun is None:
                return
            incident, tracked, investigation, known = begun
            runbook = self._world.runbook(incident.runbook)
            inquiry = Inquiry(
                target=investigation.target,
                alerts=concerned(tracked),
                started_at=incident.started_at,
                now=self._world.clock.now(),
            )
            try:
                diagnosis = await self._investigate(incident_id, runbook, investigation, inquiry, known)
            except Temporary:
                raise
            except Exception as error:
                log.exception("respond.failed", runbook=runbook.name)
                count_failure(self._world.metrics, INVESTIGATION)
                await self._give_up(incident_id, investigation)
                raise Permanent(f"the investigation failed: {error}", Reason.BUG) from error
            await self._world.database.write(
                lambda connection: self._conclude(connection, incident_id, investigation, diagnosis)
            )
            self._count(incident, diagnosis)

    def _begin(
        self, connection: Connection, incident_id: str
    ) -> tuple[Incident, list[TrackedAlert], Investigation, list[Evidence]] | None:
        """Start an investigation, or take up the one that a crash interrupted."""
        incident = incidents.get(connection, incident_id)
        if incident is None:
            return None
        now = self._world.clock.now()
        tracked = incidents.alerts_of(connection, incident_id)
        latest = investigations.latest(connection, incident_id)
        if latest is not None and latest.status is InvestigationStatus.RUNNING:
            found = investigations.evidence_of(connection, incident_id, latest.number)
            return incident, tracked, latest, [item for item in found if now - item.at < FRESH and item.answered]
        runbook = self._world.runbook(incident.runbook)
        begun = Investigation(
            status=InvestigationStatus.RUNNING,
            number=latest.number + 1 if latest else 1,
            target=aims(runbook, tracked, self._world.settings.cluster_labels)[0].target,
            started_at=now,
            findings=latest.findings if latest else (),
        )
        investigations.save(connection, incident_id, begun)
        return incident, tracked, begun, []

    async def _investigate(
        self, incident_id: str, runbook: Runbook, begun: Investigation, inquiry: Inquiry, known: list[Evidence]
    ) -> Diagnosis:
        """Ask and conclude in rounds; what the first round concludes is shown while the others are asked."""
        position = {step.id: place for place, step in enumerate(runbook.investigate)}

        async def keep(found: Evidence) -> None:
            place = position.setdefault(found.id, len(position))
            await self._world.database.write(
                lambda connection: investigations.add_evidence(connection, incident_id, begun.number, place, found)
            )

        async def show(diagnosis: Diagnosis) -> None:
            if diagnosis.findings:
                await self._world.database.write(
                    lambda connection: self._show(connection, incident_id, begun.with_diagnosis(diagnosis))
                )

        investigator = Investigator(
            inquiry=inquiry,
            clients=self._world.clients(inquiry.target.cluster),
            probes=self._world.probes,
            clock=self._world.clock,
            metrics=self._world.metrics,
            keep=keep,
            evidence={item.id: item for item in known},
            variables=runbook.values,
        )
        watch = partial(watched, self._world.metrics)
        _, diagnosis = await Rounds(investigator, runbook, self._world.detectors, watch, show).run()
        return diagnosis

    def _show(self, connection: Connection, incident_id: str, so_far: Investigation) -> None:
        """Keep what was found so far, and demand that it is shown."""
        if (incident := incidents.get(connection, incident_id)) is not None:
            investigations.save(connection, incident_id, so_far)
            change(self._world, connection, incident)

    def _conclude(
        self, connection: Connection, incident_id: str, investigation: Investigation, diagnosis: Diagnosis
    ) -> None:
        """Keep what was found, and demand that it is shown."""
        finished = investigation.concluded(diagnosis, self._world.clock.now())
        said = diagnosis.findings[0].headline if diagnosis.findings else "no cause found"
        self._end(connection, incident_id, finished, TimelineKind.INVESTIGATION, f"Investigated: {said}")
        if (incident := incidents.get(connection, incident_id)) is not None:
            propose(self._world, connection, incident, finished)

    async def _give_up(self, incident_id: str, investigation: Investigation) -> None:
        remark = "The investigation failed; the log of Responder has the details"
        changed = {"status": InvestigationStatus.FAILED, "finished_at": self._world.clock.now(), "remarks": (remark,)}
        failed = investigation.model_copy(update=changed)
        await self._world.database.write(
            lambda connection: self._end(connection, incident_id, failed, TimelineKind.TROUBLE, remark)
        )

    def _end(
        self, connection: Connection, incident_id: str, investigation: Investigation, kind: TimelineKind, text: str
    ) -> None:
        incident = incidents.get(connection, incident_id)
        if incident is None:
            return
        investigations.save(connection, incident_id, investigation)
        change(self._world, connection, incident, TimelineEntry(at=self._world.clock.now(), kind=kind, text=text))

    def _count(self, incident: Incident, diagnosis: Diagnosis) -> None:
        metrics = self._world.metrics
        if diagnosis.findings:
            best = diagnosis.findings[0]
            metrics.findings.labels(best.cause, best.confidence.value).inc()
        waited = (self._world.clock.now() - incident.opened_at).total_seconds()
        metrics.finding_seconds.observe(max(0.0, waited))


def concerned(tracked: Sequence[TrackedAlert]) -> tuple[Alert, ...]:
    """The alerts to investigate: those that are not over, or all if all are."""
    open_ones = [alert for alert in tracked if alert.state is not AlertState.RESOLVED] or tracked
    return tuple(
        Alert(
            key=alert.key,
            fingerprint=alert.fingerprint,
            status=AlertStatus.RESOLVED if alert.state is AlertState.RESOLVED else AlertStatus.FIRING,
            labels=alert.labels,
            annotations=alert.annotations,
            starts_at=alert.starts_at,
            starts_at_known=alert.starts_at_known,
            ends_at=alert.ends_at,
            generator_url=alert.generator_url,
        )
        for alert in open_ones
    )
