"""Investigate: all steps of a runbook at once, each within its time, the whole within the deadline."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import structlog

from responder.clients import Clients
from responder.clock import Clock
from responder.errors import ConfigError, Permanent, Reason, ResponderError, Temporary, Trouble
from responder.flow.watch import count_failure
from responder.metrics import Metrics
from responder.model.evidence import Evidence, EvidenceStatus, Observation, Reproduction
from responder.model.follow_up import FollowUp
from responder.model.labels import meant
from responder.model.redaction import redact, redact_value
from responder.model.runbook import Step
from responder.model.shell import redact_command
from responder.plugins import Catalog
from responder.probes import Inquiry, Probe
from responder.runbooks.conditions import Condition
from responder.templating import render

log = structlog.get_logger(__name__)

STEP_TIMEOUT = 10.0
WORTH_A_SECOND_TRY = (Reason.UNREACHABLE, Reason.SERVER_ERROR, Reason.OVERLOADED)
DENIED = (Reason.FORBIDDEN, Reason.UNAUTHORIZED)
LATE = (Reason.TIMEOUT, Reason.DEADLINE)

Keep = Callable[[Evidence], Awaitable[None]]


@dataclass
class Investigator:
    """Asks the probes of one investigation. `keep` is awaited for each evidence as it arrives."""

    inquiry: Inquiry
    clients: Clients
    probes: Catalog[Probe]
    clock: Clock
    metrics: Metrics
    keep: Keep
    evidence: dict[str, Evidence] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    follow_ups: dict[str, FollowUp] = field(default_factory=dict)

    async def follow_up(self, questions: Sequence[FollowUp], deadline: float) -> None:
        """Ask what the evidence so far suggests; what is late at the deadline (seconds) says so."""
        self.follow_ups.update({question.id: question for question in questions})
        await self.ask_all(tuple(question.step for question in questions), deadline)

    async def ask_all(self, steps: tuple[Step, ...], deadline: float) -> Mapping[str, Evidence]:
        """Evidence by step, in the order of the steps; what is late at the deadline (seconds) says so."""
        arrived = {step.id: asyncio.Event() for step in steps}
        open_steps = [step for step in steps if step.id not in self.evidence]
        for known in self.evidence:
            if known in arrived:
                arrived[known].set()
        tasks = {asyncio.create_task(self._ask_in_turn(step, arrived), name=step.id): step for step in open_steps}
        try:
            if tasks:
                done, late = await asyncio.wait(tasks, timeout=deadline)
                for task in late:
                    task.cancel()
                await asyncio.gather(*late, return_exceptions=True)
                for task in done:
                    task.result()
                for step in (tasks[task] for task in late if tasks[task].id not in self.evidence):
                    message = f"no answer within the {deadline:g} s that the runbook allows"
                    await self._keep(self._failed(step, Permanent(message, Reason.DEADLINE), deadline, ()))
        finally:
            for task in tasks:
                task.cancel()
        return {step.id: self.evidence[step.id] for step in steps if step.id in self.evidence}

    async def _ask_in_turn(self, step: Step, arrived: Mapping[str, asyncio.Event]) -> None:
        for need in step.needs:
            await arrived[need].wait()
        found = await self.ask(step)
        await self._keep(found)
        arrived[step.id].set()

    async def _keep(self, found: Evidence) -> None:
        self.evidence[found.id] = found
        self.metrics.step_seconds.labels(found.probe, found.status).observe(found.seconds)
        await self.keep(found)

    async def ask(self, step: Step) -> Evidence:
        """Ask one step, whatever happens: trouble becomes evidence too."""
        started = time.perf_counter()
        reproduce: tuple[Reproduction, ...] = ()
        inquiry = replace(self.inquiry, evidence=dict(self.evidence), now=self.clock.now())
        try:
            if step.when and not Condition(step.when).evaluate(self.context(step)):
                return self._skipped(step)
            kind = self.probes.find(step.probe)
            # what a follow-up asks for is taken from evidence, which strangers write: it is no template
            options = step.options if step.id in self.follow_ups else render(kind, step.options, self.context(step))
            probe = self.probes.build(step.probe, options)
            reproduce = _reproduction(probe, inquiry, self.clients)
            seconds = step.timeout.total_seconds() if step.timeout else STEP_TIMEOUT
            seen = await _within(seconds, lambda: probe.run(inquiry, self.clients))
            return await asyncio.to_thread(self._evidence, step, seen, reproduce, time.perf_counter() - started)
        except Trouble as trouble:
            return self._failed(step, trouble, time.perf_counter() - started, reproduce)
        except ResponderError as error:
            unusable = Permanent(str(error), Reason.BAD_REQUEST)
            return self._failed(step, unusable, time.perf_counter() - started, reproduce)
        except Exception:
            log.exception("investigate.probe_failed", step=step.id, probe=step.probe)
            count_failure(self.metrics, step.probe)
            bug = Permanent("the probe failed; the log of Responder has the details", Reason.BUG)
            return self._failed(step, bug, time.perf_counter() - started, reproduce)

    def context(self, step: Step) -> dict[str, Any]:
        """What the step's templates and condition may name: of the evidence, what the step needs."""
        first = self.inquiry.alerts[0] if self.inquiry.alerts else None
        return {
            "labels": meant(first.labels) if first else {},
            "annotations": dict(first.annotations) if first else {},
            "target": self.inquiry.target.model_dump(),
            "vars": dict(self.variables),
            "sources": dict(self.clients.sources),
            "alert": first.model_dump(mode="json") if first else {},
            "evidence": {
                name: found.model_dump(mode="json", exclude_none=True)
                for name, found in self.evidence.items()
                if name in step.needs
            },
            "now": self.clock.now(),
            "started_at": self.inquiry.started_at,
        }

    def _evidence(self, step: Step, seen: Observation, reproduce: tuple[Reproduction, ...], seconds: float) -> Evidence:
        data = redact_value(seen.data.model_dump(mode="json")) if seen.data else {}
        return Evidence(
            id=step.id,
            probe=step.probe,
            title=step.title,
            asked_because=self._why(step),
            status=EvidenceStatus.EMPTY if seen.empty else EvidenceStatus.OK,
            summary=redact(seen.summary),
            brief=redact(seen.brief),
            facts=tuple(redact(fact) for fact in seen.facts),
            value=seen.value,
            breached=seen.breached,
            shape=seen.data.shape if seen.data else "",
            data=data if isinstance(data, dict) else {},
            truncated=seen.truncated,
            gaps=seen.gaps,
            reproduce=reproduce,
            source=self.clients.cluster,
            at=self.clock.now(),
            seconds=round(seconds, 4),
        )

    def _why(self, step: Step) -> str:
        """Why a follow-up was asked; empty for a step of the runbook."""
        return redact(self.follow_ups[step.id].why) if step.id in self.follow_ups else ""

    def _failed(self, step: Step, trouble: Trouble, seconds: float, reproduce: tuple[Reproduction, ...]) -> Evidence:
        status = EvidenceStatus.ERROR
        if trouble.reason in DENIED:
            status = EvidenceStatus.DENIED
        elif trouble.reason in LATE:
            status = EvidenceStatus.TIMEOUT
        return Evidence(
            id=step.id,
            probe=step.probe,
            title=step.title,
            asked_because=self._why(step),
            status=status,
            reason=trouble.reason,
            summary=redact(str(trouble))[:500],
            reproduce=reproduce,
            source=self.clients.cluster,
            at=self.clock.now(),
            seconds=round(seconds, 4),
        )

    def _skipped(self, step: Step) -> Evidence:
        return Evidence(
            id=step.id,
            probe=step.probe,
            title=step.title,
            asked_because=self._why(step),
            status=EvidenceStatus.SKIPPED,
            summary=f"not asked: {step.when} does not hold",
            source=self.clients.cluster,
            at=self.clock.now(),
        )


async def _within(seconds: float, run: Callable[[], Awaitable[Observation]]) -> Observation:
    """The answer within the time, with a second try where the first failed quickly and may pass."""
    try:
        async with asyncio.timeout(seconds):
            try:
                return await run()
            except Temporary as trouble:
                if trouble.reason not in WORTH_A_SECOND_TRY:
                    raise
                await asyncio.sleep(min(trouble.after or 0.2, seconds / 2))
                return await run()
    except TimeoutError:
        raise Temporary(f"no answer within {seconds:g} s", Reason.TIMEOUT) from None


def _reproduction(probe: Probe, inquiry: Inquiry, clients: Clients) -> tuple[Reproduction, ...]:
    try:
        found = probe.reproduce(inquiry, clients)
    except (Trouble, ConfigError):
        return ()
    return tuple(Reproduction(command=redact_command(item.command), link=redact(item.link)) for item in found)
