"""Diagnose: from evidence to findings, best first. Pure: no I/O, no clock."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

from responder.detectors import Case, Detect, Detectors
from responder.errors import Reason, ResponderError
from responder.flow.ranking import ranked, with_callers
from responder.flow.ties import Ties
from responder.model.evidence import Evidence, EvidenceStatus
from responder.model.finding import Because, Cause, Cleared, Confidence, Coverage, Diagnosis, Finding, Unseen
from responder.model.labels import meant
from responder.model.picture import Picture
from responder.model.runbook import Rule, RuleFinding, Runbook
from responder.model.subject import Subject
from responder.runbooks.conditions import Condition
from responder.templating import render_text
from responder.templating.escaping import Language

Watch = Callable[[str], AbstractContextManager[None]]
"""Around each run of a detector, by its name, or of a rule, as `RULE`: sees how long it takes and how it fails."""
RULE = "runbook"
QUESTIONS = 3
"""Questions that a line names which failed alike."""
NAMESPACES = 3
"""Other namespaces than the alert's that are looked at."""
_DIGITS = re.compile(r"\d+")
_EVIDENCE = re.compile(r"\bevidence\.(\w+)")
_SURENESS = (Confidence.CERTAIN, Confidence.LIKELY, Confidence.POSSIBLE)
_KINDS = {
    kind.lower(): kind
    for kind in (
        "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "Pod", "Node", "Namespace", "Service", "Ingress",
        "PersistentVolumeClaim", "PersistentVolume", "ResourceQuota", "ConfigMap", "Secret", "HorizontalPodAutoscaler",
    )
}  # fmt: skip
_ADVICE = {
    Reason.UNAUTHORIZED: "check the token",
    Reason.FORBIDDEN: "grant the permission that `responder rbac` prints",
    Reason.UNREACHABLE: "check the address and the network",
}


def diagnose(
    case: Case, runbook: Runbook, detectors: Detectors, watch: Watch = lambda _name: nullcontext()
) -> Diagnosis:
    """The conclusions of a runbook's rules; a rule or detector that fails becomes a remark."""
    findings: list[Finding] = []
    cleared: list[Cleared] = []
    remarks: list[str] = []
    for name, conclude in _conclusions(case, runbook, detectors):
        try:
            with watch(name):
                for conclusion in conclude():
                    if isinstance(conclusion, Finding):
                        named = {"detector": conclusion.detector or name}
                        findings.append(conclusion.model_copy(update=named))
                    else:
                        cleared.append(conclusion)
        except Exception as error:
            remarks.append(_remark(name, error))
    causes = catalogue(runbook, detectors)
    best_first = tuple(
        _owned(_supported(ranked(with_callers(_merged(findings), case), causes, case), causes), case.picture)
    )
    ties = Ties(case)
    return Diagnosis(
        findings=tuple(finding for finding in best_first if ties.hold(finding)),
        also_unhealthy=tuple(finding for finding in best_first if not ties.hold(finding)),
        cleared=tuple(dict.fromkeys(_looked_at_whole(cleared, case))),
        unseen=tuple(_unseen(case.evidence.values())),
        coverage=coverage(case.evidence.values()),
        remarks=tuple(remarks),
    )


def catalogue(runbook: Runbook, detectors: Detectors) -> Mapping[str, Cause]:
    """Every cause that a diagnosis by this runbook may name."""
    return {**detectors.causes, **{cause.slug: cause for cause in runbook.causes}}


def explained(diagnosis: Diagnosis, causes: Mapping[str, Cause]) -> bool:
    """Whether a finding says more than that something is wrong, and is likely at least."""
    generic = {slug for slug, cause in causes.items() if cause.generic}
    return any(
        finding.confidence is not Confidence.POSSIBLE and finding.cause not in generic for finding in diagnosis.findings
    )


def _conclusions(
    case: Case, runbook: Runbook, detectors: Detectors
) -> Iterator[tuple[str, Callable[[], Iterator[Finding | Cleared]]]]:
    """What concludes, by name, in the order of the runbook; each detector once.

    The detectors that the runbook does not name come last: which alert fired does not decide what can be found.
    """
    ran: set[str] = set()
    for rule in runbook.diagnose:
        if not rule.use:
            yield RULE, partial(_ruled, case, rule, runbook)
            continue
        for name, detect in detectors.family(rule.use):
            if name not in ran:
                ran.add(name)
                yield name, partial(detect, case)
    for name, detect in detectors.families.items():
        if name not in ran:
            yield name, partial(_findings_of, detect, case)
    for elsewhere in _elsewhere(case):
        for name, detect in detectors.families.items():
            yield name, partial(_findings_of, detect, elsewhere)


def _elsewhere(case: Case) -> Sequence[Case]:
    """The case as it looks from other namespaces that were read and hold pods which are not well."""
    here = case.scene.namespace
    unwell = Counter(
        pod.namespace
        for pod in case.picture.pods()
        if pod.namespace != here and not pod.ready and pod.phase != "Succeeded"
    )
    return [case.at(namespace) for namespace, _ in unwell.most_common(NAMESPACES)] if here else []


def _findings_of(detect: Detect, case: Case) -> Iterator[Finding]:
    return (conclusion for conclusion in detect(case) if isinstance(conclusion, Finding))


def _looked_at_whole(cleared: Iterable[Cleared], case: Case) -> Iterator[Cleared]:
    """What was ruled out by evidence that is whole: nothing is by a list that was cut or could not be read."""
    for item in cleared:
        sources = [case.evidence[name] for name in item.evidence if name in case.evidence]
        if all(source.answered and not source.truncated and not source.gaps for source in sources):
            yield item


def _remark(name: str, error: Exception) -> str:
    """One line about a failure; an error of our own kind says by itself what to do."""
    if isinstance(error, ResponderError):
        return f"a rule of the runbook was left out: {error}" if name == RULE else f"the detector {name}: {error}"
    what = "a rule of the runbook" if name == RULE else f"the detector {name}"
    return f"{what} failed ({type(error).__name__}); the log of Responder has the details"


def _ruled(case: Case, rule: Rule, runbook: Runbook) -> Iterator[Finding | Cleared]:
    context = _context(case, rule) | {"vars": dict(runbook.values)}
    if not Condition(rule.when).evaluate(context):
        return
    context["alert"] = case.alerts[0].model_dump(mode="json") if case.alerts else {}

    def filled(text: str) -> str:
        return render_text(text, Language.PLAIN, context)

    if rule.finding:
        yield _finding(case, rule.finding, filled, rule.when)
    else:
        yield Cleared(text=filled(rule.cleared), evidence=_named(case, rule.when))


def _finding(case: Case, wanted: RuleFinding, filled: Callable[[str], str], when: str) -> Finding:
    evidence = wanted.evidence or _named(case, when)
    return Finding(
        cause=wanted.cause,
        subject=_subject(case, filled(wanted.subject)),
        confidence=wanted.confidence,
        headline=filled(wanted.headline),
        explanation=filled(wanted.explanation),
        because=tuple(
            Because(text=case.evidence[name].summary, evidence=(name,)) for name in evidence if name in case.evidence
        ),
        evidence=tuple(name for name in evidence if name in case.evidence),
        next_steps=tuple(map(filled, wanted.next_steps)),
    )


def _context(case: Case, rule: Rule) -> dict[str, Any]:
    """What a condition and its texts may name; only the evidence that is named, since it may be large."""
    texts = [rule.when, rule.cleared]
    if rule.finding:
        texts += [rule.finding.headline, rule.finding.explanation, rule.finding.subject, *rule.finding.next_steps]
    first = case.alerts[0] if case.alerts else None
    return {
        "evidence": {
            name: found.model_dump(mode="json", exclude_none=True) | {"brief": found.brief or found.summary}
            for name, found in case.evidence.items()
            if any(name in text for text in texts)
        },
        "labels": meant(first.labels) if first else {},
        "annotations": dict(first.annotations) if first else {},
        "target": case.target.model_dump(),
        "now": case.now,
        "started_at": case.started_at,
    }


def _named(case: Case, condition: str) -> tuple[str, ...]:
    """The evidence that a condition names."""
    names = set(_EVIDENCE.findall(condition))
    return tuple(name for name in case.evidence if name in names)


def _subject(case: Case, text: str) -> Subject:
    """`deployment/api` as a subject; without a text the target's workload, pod, node or namespace."""
    target = case.target
    if not text:
        pod, node = (f"pod/{target.pod}" if target.pod else ""), (f"node/{target.node}" if target.node else "")
        text = target.workload or pod or node or (f"namespace/{target.namespace}" if target.namespace else "")
    kind, _, name = text.rpartition("/")
    if not name:
        return Subject(kind="Unknown", name="")
    kind = _KINDS.get(kind.lower(), kind or "Unknown")
    return Subject(kind=kind, name=name, namespace="" if kind in ("Node", "Namespace") else target.namespace)


def _merged(findings: Iterable[Finding]) -> Iterator[Finding]:
    """One finding for each cause and subject: with all reasons, as sure as the surest."""
    together: dict[tuple[str, Subject], Finding] = {}
    for finding in findings:
        key = finding.cause, finding.subject
        together[key] = _joined(together[key], finding) if key in together else finding
    yield from together.values()


def _supported(findings: Sequence[Finding], causes: Mapping[str, Cause]) -> Iterator[Finding]:
    """The findings, with the reasons of those that may explain others about the same subject."""
    supporting: dict[Subject, list[Finding]] = {}
    for item in findings:
        if (known := causes.get(item.cause)) and known.supporting:
            supporting.setdefault(item.subject, []).append(item)
    for finding in findings:
        others = [item for item in supporting.get(finding.subject, ()) if item is not finding]
        reasons = [reason for item in others for reason in item.because]
        evidence = [name for item in others for name in item.evidence]
        known = causes.get(finding.cause)
        yield finding.model_copy(
            update={
                "title": known.title if known else "",
                "because": tuple(dict.fromkeys((*finding.because, *reasons))),
                "evidence": tuple(dict.fromkeys((*finding.evidence, *evidence))),
            }
        )


def _owned(findings: Iterable[Finding], picture: Picture) -> Iterator[Finding]:
    """The findings, each with the workload that its object belongs to, where that is another one."""
    for finding in findings:
        about = finding.subject
        item = picture.get(about.kind, about.namespace, about.name)
        owner = picture.responsible(item) if item is not None else about
        yield finding if owner == about else finding.model_copy(update={"owner": owner})


def _joined(first: Finding, second: Finding) -> Finding:
    better, other = sorted((first, second), key=lambda item: _SURENESS.index(item.confidence))
    alike = first.container == second.container
    since = min((item.since for item in (first, second) if item.since), default=None)
    return better.model_copy(
        update={
            "because": tuple(dict.fromkeys((*better.because, *other.because))),
            "evidence": tuple(dict.fromkeys((*better.evidence, *other.evidence))),
            "next_steps": tuple(dict.fromkeys((*better.next_steps, *other.next_steps))),
            "suffering": tuple(dict.fromkeys((*better.suffering, *other.suffering))),
            "since": since,
            "container": first.container if alike else "",
        }
    )


def coverage(evidence: Iterable[Evidence]) -> Coverage:
    """How much of what was asked was answered."""
    asked = [item for item in evidence if item.status is not EvidenceStatus.SKIPPED and not _idle(item)]
    failed = [item for item in asked if not item.answered]
    why: dict[str, str] = {}
    alike = Counter(_alike(item.summary) for item in failed)
    for item in failed:
        why.setdefault(_alike(item.summary), item.summary)
    return Coverage(asked=len(asked), failed=len(failed), why=why[alike.most_common(1)[0][0]] if alike else "")


def _idle(item: Evidence) -> bool:
    """What a cluster has none of is no loss to a question that only might have helped."""
    return bool(item.asked_because) and item.reason is Reason.NOT_FOUND


def _alike(summary: str) -> str:
    """A trouble without what differs between two questions that met it: how long until the server is asked again."""
    return _DIGITS.sub("", summary.partition("; it is asked again in")[0])


def _unseen(evidence: Iterable[Evidence]) -> Iterator[Unseen]:
    """What could not be seen, in plain words, with what to do about it; questions that failed alike are one line."""
    evidence = list(evidence)
    alike: dict[tuple[str, Reason | None], list[Evidence]] = defaultdict(list)
    reasons = {_alike(item.summary): item.reason for item in evidence if item.reason is not Reason.BREAKER_OPEN}
    parts: list[Unseen] = []
    for item in evidence:
        if not item.answered and item.status is not EvidenceStatus.SKIPPED and not _idle(item):
            # a server that is not asked for a while is down for the reason that was heard of it before
            waits = item.reason is Reason.BREAKER_OPEN
            reason = reasons.get(_alike(item.summary), item.reason) if waits else item.reason
            alike[_alike(item.summary), reason].append(item)
        for gap in item.gaps:
            text = f"{gap.what}: {gap.message or gap.reason.value.replace('_', ' ')}"
            parts.append(Unseen(text=_with_advice(text, gap.reason), evidence=(item.id,)))
        if item.truncated:
            parts.append(Unseen(text=f"{_asked(item)}: {item.truncated}", evidence=(item.id,)))
    for (_, reason), items in alike.items():
        what = ", ".join(map(_asked, items[:QUESTIONS]))
        more = f" and {len(items) - QUESTIONS} more" if len(items) > QUESTIONS else ""
        text = _with_advice(f"{what}{more}: {items[0].summary}", reason)
        yield Unseen(text=text, evidence=tuple(item.id for item in items))
    yield from parts


def _asked(item: Evidence) -> str:
    return item.title or item.id.replace("_", " ")


def _with_advice(text: str, reason: Reason | None) -> str:
    advice = _ADVICE.get(reason, "") if reason else ""
    return f"{text}: {advice}" if advice and advice not in text else text
