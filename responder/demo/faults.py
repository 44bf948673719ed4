"""The faults to choose from, and what a person who knows the answer expects Responder to find."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from responder.model.evidence import EvidenceStatus
from responder.model.report import Report


@dataclass(frozen=True)
class Fault:
    """What happens, which runbook answers, and the right answer."""

    title: str
    runbook: str
    cause: str
    subject: tuple[str, str]

    def objections(self, report: Report) -> Iterator[str]:
        """What is wrong with the report of this fault; nothing if it is right."""
        if not report.findings:
            yield "there is no finding"
            return
        best = report.findings[0]
        if best.cause != self.cause:
            yield f"the cause is {best.cause}, not {self.cause}"
        if (best.subject.kind, best.subject.name) != self.subject:
            yield f"the subject is {best.subject.kind}/{best.subject.name}, not {'/'.join(self.subject)}"
        if not best.confidence:
            yield "the finding has no confidence"
        if not best.evidence:
            yield "the finding names no evidence"
        # follow-up questions are bounded, and may ask for what the demo's cluster does not have
        beside = {evidence.id for evidence in report.evidence if evidence.asked_because}
        for evidence in report.evidence:
            if evidence.id not in beside and not (evidence.answered or evidence.status is EvidenceStatus.SKIPPED):
                yield f"{evidence.id} did not answer: {evidence.status}, {evidence.summary}"
        for unseen in report.unseen:
            if not unseen.evidence or not beside.issuperset(unseen.evidence):
                yield f"not seen: {unseen.text}"


FAULTS: Mapping[str, Fault] = {
    "crash_loop": Fault(
        "a release of api-gateway caches more and may use half the memory",
        runbook="kubechat-pod-crash-loop",
        cause="oom-killed",
        subject=("Deployment", "api-gateway"),
    ),
    "high_response_time": Fault(
        "three times the traffic, and the autoscaler is at its maximum",
        runbook="kubechat-high-response-time",
        cause="cpu-throttling",
        subject=("Deployment", "api-gateway"),
    ),
    "websocket_failures": Fault(
        "a release of redis, the session store, mounts a ConfigMap that nobody made",
        runbook="kubechat-websocket-failures",
        cause="missing-config-map",
        subject=("Deployment", "redis"),
    ),
    "database_issues": Fault(
        "a release of audit-service takes all connections of PostgreSQL",
        runbook="kubechat-database-issues",
        cause="db-connection-exhaustion",
        subject=("StatefulSet", "postgres"),
    ),
}
