"""Asks Responder, with the runbook that ships, what ails a system."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from responder import detectors, plugins, probes
from responder.clients import Clients
from responder.clients.objects import pruned
from responder.clock import StoppedClock
from responder.flow.once import Once
from responder.metrics import Metrics
from responder.model.evidence import Evidence
from responder.model.finding import Finding
from responder.model.report import Report
from responder.probes import Probe
from responder.runbooks.loading import load, shipped
from tests.fakes.clients import FailingHttp, FakeKubernetes
from tests.insurer.system import System
from tests.makers import NOW, alert, notification


@dataclass(frozen=True)
class Answer:
    """What was said, and what it took."""

    report: Report
    asked: int

    @property
    def findings(self) -> tuple[Finding, ...]:
        return self.report.findings

    @property
    def first(self) -> tuple[str, str]:
        """Cause and object of the first finding; empty where nothing specific was found."""
        if not self.findings:
            return "", ""
        return self.findings[0].cause, str(self.findings[0].subject)


@cache
def _once() -> Once:
    catalog = plugins.load(probes, Probe, "probe", dotted=True)  # type: ignore[type-abstract]
    found = detectors.load()
    return Once(
        rulebook=load([shipped()], catalog, found),
        probes=catalog,
        detectors=found,
        clients=lambda cluster: Clients(cluster, FailingHttp()),
        clock=StoppedClock(NOW),
        metrics=Metrics(),
        severities={},
    )


async def examine(
    system: System,
    *,
    given: Mapping[str, Evidence] | None = None,
    summary: str = "",
    troubles: Mapping[str, Any] | None = None,
) -> Answer:
    """The answer to an alert that names the namespace alone."""
    objects = [pruned(item, str(item["apiVersion"]), str(item["kind"])) for item in system.all()]
    logs = {key: "\n".join(lines) + "\n" for key, lines in system.logs.items()}
    kubernetes = FakeKubernetes(objects, logs, dict(troubles or {}))
    once = replace(_once(), clients=lambda cluster: Clients(cluster, FailingHttp(), kubernetes))
    fires = alert("NamespaceUnhealthy", minutes_ago=1, namespace=system.namespace)
    fires = fires.model_copy(update={"annotations": {"summary": summary or "Something is wrong"}})
    reports = await once.answer(notification(fires), given)
    return Answer(reports[0], len(set(kubernetes.asked)))
