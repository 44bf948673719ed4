"""Procedures: steps that people do, in their order, with the machine's check where a probe can see the result.

Nothing is run here but probes: a command is shown, for a person to read and to run.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from responder.flow.change import change
from responder.flow.checklist import unsettled
from responder.flow.investigate import Investigator
from responder.flow.world import World
from responder.model.evidence import Evidence
from responder.model.incident import Incident, TimelineEntry, TimelineKind
from responder.model.procedure import StepMark, StepState
from responder.model.redaction import redact
from responder.model.report import Investigation
from responder.model.runbook import MachineCheck, ProcedureStep
from responder.probes import Inquiry
from responder.runbooks.conditions import Condition, ConditionError
from responder.store import incidents, investigations, procedures

LONGEST_NOTE = 2000
_SAID = {
    StepState.DONE: "did",
    StepState.FAILED: "could not do",
    StepState.SKIPPED: "skipped",
    StepState.TODO: "reopened",
}


@dataclass(frozen=True)
class Outcome:
    """What came of marking a step: done, or what it still waits for, or that there is no such step."""

    known: bool = True
    waits_for: tuple[str, ...] = ()
    trouble: str = ""


class Procedures:
    """Takes what people say of steps, and asks probes whether they worked."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def mark(
        self, incident_id: str, step_id: str, state: StepState, *, by: str, note: str = "", force: bool = False
    ) -> Outcome:
        """Keep what somebody says of a step; refused while what it needs is not done, unless forced."""

        def keep(connection: Connection) -> Outcome:
            known = self._find(connection, incident_id, step_id)
            if known is None:
                return Outcome(known=False)
            incident, step = known
            waits_for = unsettled(step, procedures.marks_of(connection, incident_id))
            if waits_for and not force and state in (StepState.DONE, StepState.FAILED):
                return Outcome(waits_for=waits_for)
            mark = StepMark(
                step=step_id, state=state, by=by, at=self._world.clock.now(), note=redact(note[:LONGEST_NOTE])
            )
            why = f": {mark.note}" if mark.note else ""
            out_of_turn = f" before {', '.join(waits_for)}" if waits_for and state is not StepState.TODO else ""
            self._save(
                connection, incident, mark, f"{by or 'Somebody'} {_SAID[state]} {step.title!r}{out_of_turn}{why}"
            )
            return Outcome()

        return await self._world.database.write(keep)

    async def verify(self, incident_id: str, step_id: str, *, by: str, force: bool = False) -> Outcome:
        """Ask the probe of a step whether it worked: it is then done or failed, or stays as it is with the trouble."""

        def find(
            connection: Connection,
        ) -> tuple[Incident, ProcedureStep, Investigation, Mapping[str, StepMark]] | None:
            known = self._find(connection, incident_id, step_id)
            if known is None:
                return None
            latest = investigations.latest(connection, incident_id) or Investigation()
            return *known, latest, procedures.marks_of(connection, incident_id)

        found = await self._world.database.read(find)
        if found is None or found[1].verify is None:
            return Outcome(known=False)
        incident, step, investigation, marks = found
        if (waits_for := unsettled(step, marks)) and not force:
            return Outcome(waits_for=waits_for)
        assert step.verify is not None
        passed, seen = await self._ask(incident, investigation, step.verify)
        if passed is None:
            return Outcome(trouble=seen)
        mark = StepMark(
            step=step_id,
            state=StepState.DONE if passed else StepState.FAILED,
            by=by,
            at=self._world.clock.now(),
            note=marks[step_id].note if step_id in marks else "",
            seen=seen,
        )
        text = f"{'Checked' if passed else 'Not as it should be'}: {step.title!r}, {seen}"
        await self._world.database.write(lambda connection: self._save_again(connection, incident_id, mark, text))
        return Outcome()

    async def _ask(
        self, incident: Incident, investigation: Investigation, check: MachineCheck
    ) -> tuple[bool | None, str]:
        """Whether what is expected holds, and what was seen; None where it could not be seen."""
        runbook = self._world.runbook(incident.runbook)
        step = next(step for step in runbook.investigate if step.id == check.step)
        now = self._world.clock.now()
        investigator = Investigator(
            inquiry=Inquiry(target=investigation.target, alerts=(), started_at=incident.started_at, now=now),
            clients=self._world.clients(investigation.target.cluster),
            probes=self._world.probes,
            clock=self._world.clock,
            metrics=self._world.metrics,
            keep=_forget,
        )
        seen = await investigator.ask(step.model_copy(update={"needs": (), "when": ""}))
        if not seen.answered:
            return None, f"it could not be checked: {seen.summary}"
        try:
            passed = Condition(check.expect).evaluate(seen.model_dump(mode="json", exclude_none=True))
        except ConditionError as error:
            return None, f"it could not be checked: {error}"
        return passed, seen.summary

    def _find(self, connection: Connection, incident_id: str, step_id: str) -> tuple[Incident, ProcedureStep] | None:
        incident = incidents.get(connection, incident_id)
        if incident is None:
            return None
        steps = self._world.runbook(incident.runbook).procedure
        step = next((step for step in steps if step.id == step_id), None)
        return (incident, step) if step is not None else None

    def _save_again(self, connection: Connection, incident_id: str, mark: StepMark, text: str) -> None:
        if (incident := incidents.get(connection, incident_id)) is not None:
            self._save(connection, incident, mark, text)

    def _save(self, connection: Connection, incident: Incident, mark: StepMark, text: str) -> None:
        procedures.save(connection, incident.id, mark)
        entry = TimelineEntry(at=self._world.clock.now(), kind=TimelineKind.PERSON, text=text)
        change(self._world, connection, incident, entry)
        self._world.metrics.procedure_steps.labels(mark.state.value).inc()


async def _forget(_found: Evidence) -> None:
    """What the check saw is in the step's mark."""
