"""Respond: one incident from its alerts to a finding, resumable after a crash at any point."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import structlog
from sqlalchemy import Connection

from responder.errors import Permanent, Reason, Temporary
from responder.flow.change import change
from responder.flow.investigate import Investigator
from responder.flow.matter import propose
from responder.flow.nodes import known_nodes
from responder.flow.rounds import Rounds, Show
from responder.flow.several import EvidenceOfTargets, Part, all_of, parts_of, together
from responder.flow.target import TARGETS_AT_MOST, Aim, Nodes, aims
from responder.flow.watch import INVESTIGATION, count_failure, watched
from responder.flow.world import World
from responder.model.evidence import Evidence
from responder.model.finding import Diagnosis
from responder.model.incident import Incident, TimelineEntry, TimelineKind
from responder.model.report import Investigation, InvestigationStatus, without_cause
from responder.model.runbook import Runbook
from responder.store import incidents, investigations

log = structlog.get_logger(__name__)

FRESH = timedelta(seconds=60)
"""Evidence this young is used again when an investigation is resumed after a crash."""


@dataclass(frozen=True)
class _Begun:
    """An investigation that was begun, or taken up again, with its part for each target."""

    incident: Incident
    runbook: Runbook
    investigation: Investigation
    aims: Sequence[Aim]
    seen: EvidenceOfTargets
    parts: Sequence[Part]


class Responder:
    """Investigates and diagnoses incidents."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def respond(self, incident_id: str) -> None:
        """Investigate the incident as it is now, and conclude."""
        with structlog.contextvars.bound_contextvars(incident=incident_id):
            nodes = await self._nodes(incident_id)
            begun = await self._world.database.write(lambda connection: self._begin(connection, incident_id, nodes))
            if begun is None:
                return
            try:
                diagnosis = await self._answer(begun)
            except Temporary:
                raise
            except Exception as error:
                log.exception("respond.failed", runbook=begun.runbook.name)
                count_failure(self._world.metrics, INVESTIGATION)
                await self._give_up(incident_id, begun.investigation)
                raise Permanent(f"the investigation failed: {error}", Reason.BUG) from error
            finished = begun.investigation.model_copy(update={"aims": begun.seen.aimed})
            await self._world.database.write(
                lambda connection: self._conclude(connection, incident_id, finished, diagnosis)
            )
            self._count(begun.incident, diagnosis)

    async def _nodes(self, incident_id: str) -> Nodes:
        tracked = await self._world.database.read(lambda connection: incidents.alerts_of(connection, incident_id))
        labels = [alert.labels for alert in tracked]
        return await known_nodes(labels, self._world.settings.cluster_labels, self._world.clients)

    def _begin(self, connection: Connection, incident_id: str, nodes: Nodes) -> _Begun | None:
        """Start an investigation, or take up the one that a crash interrupted."""
        incident = incidents.get(connection, incident_id)
        if incident is None:
            return None
        now = self._world.clock.now()
        runbook = self._world.runbook(incident.runbook)
        tracked = incidents.alerts_of(connection, incident_id)
        named = aims(runbook, tracked, self._world.settings.cluster_labels, nodes)
        investigation, known = self._resumed(connection, incident_id, now) or (None, ())
        if investigation is None:
            investigation = self._new(connection, incident_id, named, now)
            investigations.save(connection, incident_id, investigation)
        seen = EvidenceOfTargets(investigation.targets, known)
        parts = parts_of(named, seen, tracked, incident.started_at, now)
        return _Begun(incident, runbook, investigation, named, seen, parts)

    def _resumed(
        self, connection: Connection, incident_id: str, now: datetime
    ) -> tuple[Investigation, Sequence[Evidence]] | None:
        """The investigation that did not end, with what it has seen that is fresh."""
        latest = investigations.latest(connection, incident_id)
        if latest is None or latest.status is not InvestigationStatus.RUNNING:
            return None
        found = investigations.evidence_of(connection, incident_id, latest.number)
        return latest, [item for item in found if now - item.at < FRESH and item.answered]

    def _new(self, connection: Connection, incident_id: str, named: Sequence[Aim], now: datetime) -> Investigation:
        latest = investigations.latest(connection, incident_id)
        targets = [aim.target for aim in named[:TARGETS_AT_MOST]]
        return Investigation(
            status=InvestigationStatus.RUNNING,
            number=latest.number + 1 if latest else 1,
            target=targets[0],
            aims=EvidenceOfTargets(targets).aimed,
            started_at=now,
            findings=latest.findings if latest else (),
        )

    async def _answer(self, begun: _Begun) -> Diagnosis:
        """Investigate each target; what their first rounds conclude is shown while the others are asked."""
        incident_id, so_far = begun.incident.id, [Diagnosis() for _ in begun.parts]

        async def show(part: Part, diagnosis: Diagnosis) -> None:
            so_far[part.number] = diagnosis
            shown = begun.investigation.with_diagnosis(together(so_far, begun.seen.aimed, begun.aims))
            if shown.findings:
                await self._world.database.write(lambda connection: self._show(connection, incident_id, shown))

        answers = await all_of(
            self._investigate(incident_id, begun.runbook, begun.investigation.number, part, partial(show, part))
            for part in begun.parts
        )
        return together(answers, begun.seen.aimed, begun.aims)

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
        said = diagnosis.findings[0].headline if diagnosis.findings else without_cause(diagnosis.coverage)
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
