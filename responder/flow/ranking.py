"""The order of findings: where a failure starts before what suffers from it, the specific before the generic."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta

from responder.detectors import Case
from responder.model.finding import Cause, Confidence, Finding
from responder.model.subject import Subject

_SURENESS = {Confidence.CERTAIN: 0, Confidence.LIKELY: 1, Confidence.POSSIBLE: 2}
LONG_AGO = timedelta(days=365)


def with_callers(findings: Iterable[Finding], case: Case) -> Iterator[Finding]:
    """The findings, those about a server with the workloads that complain of it: these suffer from it."""
    scene = case.scene
    callers: dict[tuple[str, str, str], list[Subject]] = {}
    for complaint in scene.complaints:
        for pod in scene.servers(complaint):
            server = scene.responsible(pod)
            if server != complaint.workload:
                callers.setdefault((server.kind, server.namespace, server.name), []).append(complaint.workload)
    for finding in findings:
        about = finding.subject
        complaining = callers.get((about.kind, about.namespace, about.name), ())
        suffering = tuple(dict.fromkeys((*finding.suffering, *complaining)))
        yield finding.model_copy(update={"suffering": suffering}) if complaining else finding


def ranked(findings: Iterable[Finding], causes: Mapping[str, Cause], case: Case) -> Sequence[Finding]:
    """Best first. Ties keep the order in which the rules said them."""
    everything = list(findings)

    def rank(finding: Finding) -> tuple[bool, bool, int, bool, float]:
        cause = causes.get(finding.cause)
        return (
            _overshadowed(finding, everything, causes),
            bool(cause and cause.generic),
            _SURENESS[finding.confidence],
            not _about_target(finding, case),
            _distance(finding, case),
        )

    return sorted(everything, key=rank)


def _overshadowed(finding: Finding, everything: Sequence[Finding], causes: Mapping[str, Cause]) -> bool:
    """Whether another finding explains this one: its object suffers from the other's, or its cause is known to
    follow from the other's. Then the other may be a little less sure: that something is missing is easily seen.
    """
    cause = causes.get(finding.cause)
    generic = bool(cause and cause.generic)
    for other in everything:
        if other is finding:
            continue
        doubt = _SURENESS[other.confidence] - _SURENESS[finding.confidence]
        if doubt <= 1 and cause and other.cause in cause.symptom_of:
            return True
        if doubt <= 0 and _suffers(finding.subject, other) and not _suffers(other.subject, finding):
            of_generic = other.cause in causes and causes[other.cause].generic
            if generic or not of_generic:
                return True
    return False


def _suffers(subject: Subject, finding: Finding) -> bool:
    named = (subject.kind, subject.namespace, subject.name)
    return any((item.kind, item.namespace, item.name) == named for item in finding.suffering)


def _about_target(finding: Finding, case: Case) -> bool:
    """Whether the finding is about what the alert names; so is everything if it names nothing."""
    named = case.target.workload.partition("/")[2] or case.target.pod or case.target.node
    return not named or finding.subject.name == named


def _distance(finding: Finding, case: Case) -> float:
    """Seconds between the finding's beginning and the alert's."""
    away = abs(finding.since - case.started_at) if finding.since else LONG_AGO
    return away.total_seconds()
