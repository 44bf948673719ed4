"""Verify: "resolved" is not "healthy"; the runbook's checks are asked again before anybody says fixed."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from responder.flow.change import change
from responder.flow.investigate import Investigator
from responder.flow.several import all_of, where
from responder.flow.world import World
from responder.model.evidence import Evidence
from responder.model.incident import Incident, IncidentStatus, TimelineEntry, TimelineKind
from responder.model.report import Check, Investigation, Verification
from responder.model.runbook import Runbook, VerifyStep
from responder.model.subject import Target
from responder.probes import Inquiry
from responder.runbooks.conditions import Condition, ConditionError
from responder.store import incidents, investigations

AGAIN = timedelta(seconds=30)


class Verifier:
    """Checks resolved incidents."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def verify(self, incident_id: str) -> datetime | None:
        """Check once; returns when to check again: while a check fails and its time is not over."""
        incident = await self._world.database.read(lambda connection: incidents.get(connection, incident_id))
        if incident is None or incident.status is not IncidentStatus.RESOLVED:
            return None
        runbook = self._world.runbook(incident.runbook)
        if not runbook.verify:
            return None
        investigation = await self._world.database.read(
            lambda connection: investigations.latest(connection, incident_id) or Investigation()
        )
        verification = await self.check(runbook, runbook.verify, incident, investigation)
        await self._world.database.write(lambda connection: self._keep(connection, incident_id, verification))
        return self._again(runbook, incident, verification)

    async def check(
        self, runbook: Runbook, checks: Sequence[VerifyStep], incident: Incident, investigation: Investigation
    ) -> Verification:
        """Make some of the runbook's checks now, of each target of the investigation."""
        targets = investigation.targets
        seen = await all_of(self._ask(runbook, checks, incident, target) for target in targets)
        made = [
            _worst([(target, _check(one, found.get(one.step))) for target, found in zip(targets, seen, strict=True)])
            for one in checks
        ]
        return Verification(at=self._world.clock.now(), checks=tuple(made))

    async def _ask(
        self, runbook: Runbook, checks: Sequence[VerifyStep], incident: Incident, target: Target
    ) -> dict[str, Evidence]:
        wanted = {step.step for step in checks if step.step}
        steps = tuple(
            step.model_copy(update={"needs": (), "when": ""}) for step in runbook.investigate if step.id in wanted
        )
        now = self._world.clock.now()
        inquiry = Inquiry(target=target, alerts=(), started_at=incident.started_at, now=now)
        investigator = Investigator(
            inquiry=inquiry,
            clients=self._world.clients(target.cluster),
            probes=self._world.probes,
            clock=self._world.clock,
            metrics=self._world.metrics,
            keep=_forget,
        )
        return dict(await investigator.ask_all(steps, runbook.deadline.total_seconds()))

    def _keep(self, connection: Connection, incident_id: str, verification: Verification) -> None:
        incident = incidents.get(connection, incident_id)
        before = investigations.verification_of(connection, incident_id)
        if incident is None or incident.status is not IncidentStatus.RESOLVED:
            return
        investigations.save_verification(connection, incident_id, verification)
        if before is None or before.passed != verification.passed:
            text = _verdict(verification)
            entry = TimelineEntry(at=verification.at, kind=TimelineKind.INVESTIGATION, text=text)
            change(self._world, connection, incident, entry)

    def _again(self, runbook: Runbook, incident: Incident, verification: Verification) -> datetime | None:
        patience = [
            step.within
            for step, check in zip(runbook.verify, verification.checks, strict=True)
            if check.passed is False
        ]
        ended = incident.resolved_at or verification.at
        if not patience or verification.at >= ended + max(patience):
            return None
        return min(verification.at + AGAIN, ended + max(patience))


async def _forget(_found: Evidence) -> None:
    """What a verification saw is in its checks."""


def _worst(made: Sequence[tuple[Target, Check]]) -> Check:
    """One check of several targets: what failed for one of them, else what could not be checked, else what passed."""
    order = (False, None, True)
    target, worst = min(made, key=lambda item: order.index(item[1].passed))
    if len(made) == 1 or worst.passed or not worst.seen:
        return worst
    return worst.model_copy(update={"seen": f"{worst.seen} ({where(target)})"})


def _check(step: VerifyStep, seen: Evidence | None) -> Check:
    if step.manual:
        return Check(text=step.manual)
    text = f"{step.step}: {step.expect}" if step.expect else step.step
    if seen is None or not seen.answered:
        return Check(text=text, seen=f"could not be checked: {seen.summary}" if seen else "could not be checked")
    context = seen.model_dump(mode="json", exclude_none=True)
    try:
        passed = Condition(step.expect).evaluate(context) if step.expect else not seen.breached
    except ConditionError as error:
        return Check(text=text, seen=f"could not be checked: {error}", evidence=(step.step,))
    return Check(text=text, passed=passed, seen=seen.summary, evidence=(step.step,))


def _verdict(verification: Verification) -> str:
    machine = [check for check in verification.checks if check.passed is not None]
    if verification.passed is None:
        return "Verification: nothing could be checked by machine"
    if verification.passed:
        return f"Verified: {len(machine)} of {len(machine)} checks passed"
    failed = [check for check in machine if not check.passed]
    return f"Not verified: {failed[0].text}, but {failed[0].seen}"
