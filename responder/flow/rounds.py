"""Rounds: ask what the runbook asks, conclude, ask what would prove or refute the conclusions, conclude again.

The runbook says where to begin; what the evidence suggests is asked whichever alert fired, within the runbook's
deadline and a budget of requests.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from responder.clients.spending import count_requests
from responder.detectors import Case, Detectors
from responder.flow.diagnose import Watch, catalogue, diagnose, explained
from responder.flow.investigate import Investigator
from responder.model.evidence import Evidence, KubernetesObjects
from responder.model.finding import Diagnosis
from responder.model.follow_up import FollowUp
from responder.model.graph import KEPT_RUNNING
from responder.model.runbook import Runbook, Step

ROUNDS = 3
REQUESTS = 40
"""What an investigation may cost the cluster; one for each workload where there are more."""
LEAST = 1.0
"""Seconds that have to be left of the deadline for another round."""
_UNEXPLAINED = "nothing seen so far explains the alert"
_NAMESPACE = FollowUp(
    probe="kubernetes.namespace", options={}, title="Everything in the namespace", why=_UNEXPLAINED, requests=22
)
_LOGS = FollowUp(
    probe="kubernetes.logs",
    options={"whole_namespace": True, "max_pods": 60, "max_alike": 2, "max_logs": 12, "tail": 300},
    title="What the namespace's containers wrote, the unhealthy first",
    why=_UNEXPLAINED,
    requests=12,
)

_NARROW = {"workload", "pod", "selector", "container", "namespace", "grep"}

Show = Callable[[Diagnosis], Awaitable[None]]


@dataclass(frozen=True)
class Rounds:
    """Investigates until nothing is left to ask. `show` is awaited with the diagnosis of each round but the last."""

    investigator: Investigator
    runbook: Runbook
    detectors: Detectors
    watch: Watch
    show: Show | None = None
    most: int = ROUNDS

    async def run(self) -> tuple[Mapping[str, Evidence], Diagnosis]:
        """All evidence, and the diagnosis that stands at the end."""
        until = time.monotonic() + self.runbook.deadline.total_seconds()
        spending = count_requests()
        evidence = await self.investigator.ask_all(self.runbook.investigate, until - time.monotonic())
        diagnosis, questions = await self._conclude(evidence)
        for number in range(2, self.most + 1):
            possible = filter(self._possible, questions)
            affordable = list(_affordable(possible, evidence, self._budget(evidence) - spending.requests))
            if not affordable or until - time.monotonic() < LEAST:
                break
            if number == 2 and self.show:
                await self.show(diagnosis)
            await self.investigator.follow_up(affordable, until - time.monotonic())
            evidence = dict(self.investigator.evidence)
            diagnosis, questions = await self._conclude(evidence)
        return evidence, diagnosis

    async def _conclude(self, evidence: Mapping[str, Evidence]) -> tuple[Diagnosis, list[FollowUp]]:
        inquiry = self.investigator.inquiry
        now = self.investigator.clock.now()
        case = Case(inquiry.target, inquiry.alerts, inquiry.started_at, now, evidence)
        return await asyncio.to_thread(self._think, case)

    def _possible(self, question: FollowUp) -> bool:
        """Whether there is something to ask at all."""
        return self.investigator.clients.sources.get(question.probe.partition(".")[0], True)

    def _budget(self, evidence: Mapping[str, Evidence]) -> int:
        """Requests in all: one for each workload where there are many."""
        kinds = Counter(
            str(item.get("kind"))
            for found in evidence.values()
            if (content := found.read(KubernetesObjects)) is not None
            for item in content.objects
        )
        return max(REQUESTS, sum(kinds[kind] for kind in KEPT_RUNNING))

    def _think(self, case: Case) -> tuple[Diagnosis, list[FollowUp]]:
        diagnosis = diagnose(case, self.runbook, self.detectors, self.watch)
        if self.most == 1:
            return diagnosis, []
        wiser = replace(case, findings=diagnosis.findings)
        return diagnosis, list(suggested(wiser, diagnosis, self.runbook, self.detectors))


def suggested(case: Case, diagnosis: Diagnosis, runbook: Runbook, detectors: Detectors) -> Iterator[FollowUp]:
    """What is worth asking next: for the whole namespace first, where nothing explains the alert yet."""
    if case.target.namespace and not explained(diagnosis, catalogue(runbook, detectors)):
        wider = (_NAMESPACE, _LOGS)
        yield from (item for item in wider if not any(_as_wide(step, item, case) for step in runbook.investigate))
    for suggest in detectors.follow_ups.values():
        yield from suggest(case)


def _as_wide(step: Step, question: FollowUp, case: Case) -> bool:
    """Whether a step of the runbook has asked as much as the question would."""
    if step.probe != question.probe or step.id not in case.evidence or _NARROW & step.options.keys():
        return False
    everything = "whole_namespace" not in question.options or bool(step.options.get("whole_namespace"))
    return everything or not (case.target.workload or case.target.pod)


def _affordable(questions: Iterable[FollowUp], known: Mapping[str, Evidence], budget: int) -> Iterator[FollowUp]:
    """Those that were not asked yet, each once, the first ones first, as far as the budget goes."""
    seen = set(known)
    for question in questions:
        if question.id not in seen and question.requests <= budget:
            seen.add(question.id)
            budget -= question.requests
            yield question
