"""Judge: was it a false alarm? Decided once an incident can no longer be reopened, or when somebody says so."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from responder.errors import Reason
from responder.flow.change import change
from responder.flow.escalate import waits
from responder.flow.world import World
from responder.model.evidence import Evidence, EvidenceStatus
from responder.model.incident import Incident, IncidentStatus, TimelineEntry, TimelineKind
from responder.model.report import Investigation, InvestigationStatus
from responder.model.runbook import Runbook
from responder.store import incidents, investigations

KIND = "judge"


def without_evidence(
    incident: Incident, investigation: Investigation, evidence: Sequence[Evidence], runbook: Runbook
) -> bool:
    """Whether it ended by itself, nobody had taken it, and all was looked at and in order. Pure.

    What could not be looked at is no proof of health: a question without an answer, a part that was not seen, a
    source that is not set up. That a follow-up question, which is bounded, has left something out does not count, nor
    that a cluster does not have what it asked for.
    """
    beside = {found.id for found in evidence if found.asked_because and (found.answered and not found.gaps)}
    absent = {found.id for found in evidence if found.asked_because and found.reason is Reason.NOT_FOUND}
    unseen = [item for item in investigation.unseen if not item.evidence or not set(item.evidence) <= beside]
    evidence = [found for found in evidence if found.id not in absent]
    needs_source = {step.id for step in runbook.investigate if "sources." in step.when}
    return (
        incident.status is IncidentStatus.RESOLVED
        and not incident.opened_by
        and incident.acknowledged_at is None
        and investigation.status is InvestigationStatus.FINISHED
        and not investigation.findings
        and not unseen
        and any(found.answered for found in evidence)
        and all(found.answered or found.status is EvidenceStatus.SKIPPED for found in evidence)
        and not any(found.status is EvidenceStatus.SKIPPED and found.id in needs_source for found in evidence)
        and not any(found.breached for found in evidence)
    )


class Judge:
    """Marks false alarms, each once."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def judge(self, incident_id: str) -> datetime | None:
        """Judge an incident that is over for good; returns when, if that is later."""

        def decide(connection: Connection) -> Incident | datetime | None:
            incident = incidents.get(connection, incident_id)
            if incident is None or incident.resolved_at is None or incident.false_alarm:
                return None
            final = incident.resolved_at + self._world.settings.incidents.reopen_window
            if final > self._world.clock.now():
                return final
            latest = investigations.latest(connection, incident_id) or Investigation()
            evidence = investigations.evidence_of(connection, incident_id, latest.number)
            if not without_evidence(incident, latest, evidence, self._world.runbook(incident.runbook)):
                return None
            text = "Counted as a false alarm: it ended by itself, and everything that was checked was in order"
            entry = TimelineEntry(at=self._world.clock.now(), kind=TimelineKind.INVESTIGATION, text=text)
            return change(self._world, connection, incident.model_copy(update={"false_alarm": "no_evidence"}), entry)

        decided = await self._world.database.write(decide)
        if isinstance(decided, Incident):
            self._count(decided)
            return None
        return decided

    async def false_alarm(self, incident_id: str, by: str) -> bool:
        """Somebody says that it is one, and so has it; false where there is no such incident."""

        def say(connection: Connection) -> tuple[Incident, bool] | None:
            incident = incidents.get(connection, incident_id)
            if incident is None or incident.false_alarm:
                return (incident, False) if incident else None
            text = f"Marked as a false alarm by {by or 'somebody'}"
            entry = TimelineEntry(at=self._world.clock.now(), kind=TimelineKind.PERSON, text=text)
            changed: dict[str, object] = {"false_alarm": "said"}
            if waits(incident):
                changed |= {"acknowledged_at": entry.at, "acknowledged_by": by}
            return change(self._world, connection, incident.model_copy(update=changed), entry), True

        said = await self._world.database.write(say)
        if said is not None and said[1]:
            self._count(said[0])
        return said is not None

    def _count(self, incident: Incident) -> None:
        self._world.metrics.false_alarms.labels(incident.severity.value, incident.false_alarm).inc()
