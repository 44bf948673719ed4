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
from responder.flow.rounds import Rounds, Show
from responder.flow.several import EvidenceOfTargets, Part, all_of, parts_of, together
from responder.flow.target import TARGETS_AT_MOST, aims
from responder.flow.watch import INVESTIGATION, count_failure, watched
from responder.flow.world import World
from responder.model.evidence import Evidence
from responder.model.finding import Diagnosis
from responder.model.incident import Incident, TimelineEntry, TimelineKind, TrackedAlert
from responder.model.report import Investigation, InvestigationStatus
from responder.model.runbook import Runbook
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
            seen = EvidenceOfTargets(investigation.targets, known)
            try:
                diagnosis = await self._answer(incident, runbook, tracked, investigation, seen)
            except Temporary:
                raise
            except Exception as error:
                log.exception("respond.failed", runbook=runbook.name)
                count_failure(self._world.metrics, INVESTIGATION)
                await self._give_up(incident_id, investigation)
                raise Permanent(f"the investigation failed: {error}", Reason.BUG) from error
            finished = investigation.model_copy(update={"aims": seen.aimed})
            await self._world.database.write(
                lambda connection: self._conclude(connection, incident_id, finished, diagnosis)
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
        named = aims(self._world.runbook(incident.runbook), tracked, self._world.settings.cluster_labels)
        targets = [aim.target for aim in named[:TARGETS_AT_MOST]]
        begun = Investigation(
            status=InvestigationStatus.RUNNING,
            number=latest.number + 1 if latest else 1,
            target=targets[0],
            aims=EvidenceOfTargets(targets).aimed,
            started_at=now,
            findings=latest.findings if latest else (),
        )
        investigations.save(connection, incident_id, begun)
        return incident, tracked, begun, []

    async def _answer(
        self,
        incident: Incident,
        runbook: Runbook,
        tracked: Sequence[TrackedAlert],
        investigation: Investigation,
        seen: EvidenceOfTargets,
    ) -> Diagnosis:
        """Investigate each target; what their first rounds conclude is shown while the others are asked."""
        named = aims(runbook, tracked, self._world.settings.cluster_labels)
        parts = parts_of(named, seen, tracked, incident.started_at, self._world.clock.now())
        so_far = [Diagnosis() for _ in parts]

        async def show(part: Part, diagnosis: Diagnosis) -> None:
            so_far[part.number] = diagnosis
            shown = investigation.with_diagnosis(together(so_far, seen.aimed, named))
            if shown.findings:
                await self._world.database.write(lambda connection: self._show(connection, incident.id, shown))

        answers = await all_of(
            self._investigate(incident.id, runbook, investigation.number, part, partial(show, part)) for part in parts
        )
        return together(answers, seen.aimed, named)

    async def _investigate(self, incident_id: str, runbook: Runbook, number: int, part: Part, show: Show) -> Diagnosis:
        """Ask about one target and conclude, in rounds; `show` is awaited with what the first round concludes."""
        position = {step.id: place for place, step in enumerate(runbook.investigate)}

        async def keep(found: Evidence) -> None:
            place, kept = position.setdefault(found.id, len(position)), part.keep_as(found)
            await self._world.database.write(
                lambda connection: investigations.add_evidence(connection, incident_id, number, place, kept)
            )

        investigator = Investigator(
            inquiry=part.inquiry,
            clients=self._world.clients(part.inquiry.target.cluster),
            probes=self._world.probes,
            clock=self._world.clock,
            metrics=self._world.metrics,
            keep=keep,
            evidence=part.known,
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
