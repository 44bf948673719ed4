"""Once: from a notification to reports without a store, for the command line and for tests of runbooks."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from responder.clients import Clients
from responder.clock import Clock
from responder.detectors import Case, Detectors
from responder.flow.diagnose import diagnose
from responder.flow.fold import fold
from responder.flow.investigate import Investigator
from responder.flow.match import assign
from responder.flow.nodes import known_nodes
from responder.flow.rounds import ROUNDS, Rounds, Show
from responder.flow.several import EvidenceOfTargets, Part, all_of, by_step, parts_of, together
from responder.flow.target import TARGETS_AT_MOST, aims
from responder.flow.watch import watched
from responder.metrics import Metrics
from responder.model.alert import Notification
from responder.model.clusters import ONE_LABEL, ClusterLabels
from responder.model.evidence import Evidence
from responder.model.finding import Diagnosis
from responder.model.incident import Incident, Severity, TrackedAlert
from responder.model.ledger import FoldRules, Ledger
from responder.model.report import Investigation, Report, full, headline
from responder.model.runbook import Runbook
from responder.plugins import Catalog
from responder.probes import Inquiry, Probe
from responder.runbooks.rulebook import Rulebook


@dataclass(frozen=True)
class Once:
    """Investigates as the service does, and keeps nothing. `clients` are those of a cluster, by name.

    `show` is awaited with what the first round of a target concludes, where there are more.
    """

    rulebook: Rulebook
    probes: Catalog[Probe]
    detectors: Detectors
    clients: Callable[[str], Clients]
    clock: Clock
    metrics: Metrics
    severities: Mapping[str, Severity]
    cluster_labels: ClusterLabels = ONE_LABEL
    show: Show | None = None

    async def answer(self, notification: Notification, given: Mapping[str, Evidence] | None = None) -> Sequence[Report]:
        """A report for each incident that the notification makes.

        Where evidence is given, its steps are not asked, and no follow-up questions are.
        """
        changes = fold(
            Ledger(),
            notification,
            lambda alert: assign(alert, self.rulebook, self.severities, self.cluster_labels),
            FoldRules(),
            self.clock.now(),
        )
        return [
            await self._respond(
                incident, [alert for alert in changes.alerts if alert.incident_id == incident.id], given
            )
            for incident in changes.incidents
        ]

    async def again(self, report: Report, given: Mapping[str, Evidence] | None = None) -> Report:
        """The report with the conclusions of the rules as they are now, from the evidence that it has."""
        evidence = {item.id: item for item in report.evidence} | dict(given or {})
        now = report.investigation.finished_at or report.updated_at
        known = EvidenceOfTargets([aim.target for aim in report.aims] or [report.target])
        named = aims(self.rulebook.get(report.runbook), report.alerts, self.cluster_labels)
        parts = parts_of(named, known, report.alerts, report.started_at, now)
        seen = [by_step(evidence, aim) for aim in report.aims] or [evidence]
        answers = await all_of(
            self._diagnose(report.runbook, part.inquiry, steps) for part, steps in zip(parts, seen, strict=True)
        )
        diagnosis = together(answers, report.aims, named)
        return report.model_copy(
            update={
                **{name: getattr(diagnosis, name) for name in Diagnosis.model_fields},
                "headline": headline(report.title, Investigation().concluded(diagnosis, now)),
                "evidence": tuple(evidence.values()),
            }
        )

    async def _respond(
        self, incident: Incident, tracked: Sequence[TrackedAlert], given: Mapping[str, Evidence] | None
    ) -> Report:
        runbook = self.rulebook.get(incident.runbook)
        # what was recorded is concluded from without asking anybody
        of_alerts = [alert.labels for alert in tracked] if given is None else []
        nodes = await known_nodes(of_alerts, self.cluster_labels, self.clients)
        named, now = aims(runbook, tracked, self.cluster_labels, nodes), self.clock.now()
        targets = [aim.target for aim in named[:TARGETS_AT_MOST]]
        seen = EvidenceOfTargets(targets)
        parts = parts_of(named, seen, tracked, incident.started_at, now)
        answers = await all_of(self._answer(runbook, part, given) for part in parts)
        begun = Investigation(number=1, target=targets[0], aims=seen.aimed, started_at=now)
        finished = begun.concluded(together(answers, seen.aimed, named), self.clock.now())
        evidence = seen.everything(runbook.investigate)
        return full(incident, finished, tracked, url="", runbook=runbook, evidence=evidence)

    async def _answer(self, runbook: Runbook, part: Part, given: Mapping[str, Evidence] | None) -> Diagnosis:
        async def keep(found: Evidence) -> None:
            part.keep_as(found)

        for known in (given or {}).values():
            part.keep_as(known)
        investigator = Investigator(
            inquiry=part.inquiry,
            clients=self.clients(part.inquiry.target.cluster),
            probes=self.probes,
            clock=self.clock,
            metrics=self.metrics,
            keep=keep,
            evidence=dict(given or {}),
            variables=runbook.values,
        )
        watch = partial(watched, self.metrics)
        most = 1 if given is not None else ROUNDS
        rounds = Rounds(investigator, runbook, self.detectors, watch, self.show, most)
        _, diagnosis = await rounds.run()
        return diagnosis

    async def _diagnose(self, runbook: str, inquiry: Inquiry, evidence: Mapping[str, Evidence]) -> Diagnosis:
        case = Case(inquiry.target, inquiry.alerts, inquiry.started_at, inquiry.now, evidence)
        watch = partial(watched, self.metrics)
        return await asyncio.to_thread(diagnose, case, self.rulebook.get(runbook), self.detectors, watch)
