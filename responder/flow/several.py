"""Several targets of one incident: each is investigated by itself, and one diagnosis is made of all.

A piece of evidence bears the id of its step, those of the second target and later ones the target's number besides:
`logs`, `logs-2`. What is the same for two targets, as the nodes, is kept once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from typing import TypeVar

from responder.flow.target import TARGETS_AT_MOST, Aim
from responder.model.alert import Alert, AlertStatus
from responder.model.evidence import Evidence
from responder.model.finding import Cleared, Confidence, Coverage, Diagnosis, Finding, Unseen
from responder.model.incident import AlertState, TrackedAlert
from responder.model.report import Aimed
from responder.model.runbook import Step
from responder.model.subject import Target
from responder.probes import Inquiry

T = TypeVar("T")
Said = TypeVar("Said", Cleared, Unseen)

NAMED_AT_MOST = 10
_SURENESS = list(Confidence)


class EvidenceOfTargets:
    """What was seen of each target, by step; `targets` in the order in which they are investigated."""

    def __init__(self, targets: Sequence[Target], known: Iterable[Evidence] = ()) -> None:
        self.targets = targets
        self._kept: dict[str, Evidence] = {item.id: item for item in known}
        self._ids: list[dict[str, str]] = [
            {step: numbered(step, number) for step in self.known(number)} for number in range(len(targets))
        ]

    def add(self, number: int, seen: Evidence) -> Evidence:
        """The evidence of a step as it is to be kept, instead of what has its id."""
        if len(self.targets) == 1:
            self._kept[seen.id] = seen
            return seen
        twin = next((item for item in self._of_step(seen.id) if _same(item, seen)), None)
        title = seen.title or seen.id.replace("_", " ")
        if twin is not None:
            kept = twin.model_copy(update={"title": title})
        else:
            shown = f"{title} ({where(self.targets[number])})"
            kept = seen.model_copy(update={"id": numbered(seen.id, number), "title": shown})
        self._ids[number][seen.id] = kept.id
        self._kept[kept.id] = kept
        return kept

    def known(self, number: int) -> dict[str, Evidence]:
        """What is known of a target already, by step."""
        steps = {_step_of(item.id) for item in self._kept.values()}
        found = {step: self._kept.get(numbered(step, number)) for step in steps}
        return {step: item.model_copy(update={"id": step}) for step, item in found.items() if item is not None}

    def everything(self, steps: Sequence[Step]) -> tuple[Evidence, ...]:
        """All that is kept, in the order of the steps; what else was asked comes last."""
        place = {step.id: number for number, step in enumerate(steps)}
        return tuple(sorted(self._kept.values(), key=lambda item: place.get(_step_of(item.id), len(place))))

    @property
    def aimed(self) -> tuple[Aimed, ...]:
        """The targets with the ids of their evidence; nothing where there is one."""
        several = zip(self.targets, self._ids, strict=True) if len(self.targets) > 1 else ()
        return tuple(Aimed(target=target, evidence=dict(sorted(ids.items()))) for target, ids in several)

    def _of_step(self, step: str) -> Iterator[Evidence]:
        return (item for name, item in self._kept.items() if _step_of(name) == step)


@dataclass(frozen=True)
class Part:
    """The investigation of one of the targets."""

    number: int
    inquiry: Inquiry
    seen: EvidenceOfTargets

    @property
    def known(self) -> dict[str, Evidence]:
        """What is known of the target already, by step."""
        return self.seen.known(self.number)

    def keep_as(self, found: Evidence) -> Evidence:
        """The evidence of a step as it is to be kept."""
        return self.seen.add(self.number, found)


def parts_of(
    aims: Sequence[Aim], seen: EvidenceOfTargets, tracked: Sequence[TrackedAlert], started_at: datetime, now: datetime
) -> Sequence[Part]:
    """One for each target, with its alerts; all of the incident's where there is one, or none names it any more."""
    alerts = {aim.target: concerned(aim.alerts) for aim in aims} if len(seen.targets) > 1 else {}
    everything = concerned(tracked)
    return [
        Part(number, Inquiry(target, alerts.get(target, everything), started_at, now), seen)
        for number, target in enumerate(seen.targets)
    ]


def concerned(tracked: Sequence[TrackedAlert]) -> tuple[Alert, ...]:
    """The alerts to investigate: those that are not over, or all if all are."""
    open_ones = [alert for alert in tracked if alert.state is not AlertState.RESOLVED] or tracked
    return tuple(
        Alert(
            key=alert.key,
            fingerprint=alert.fingerprint,
            status=AlertStatus.RESOLVED if alert.state is AlertState.RESOLVED else AlertStatus.FIRING,
            labels=alert.labels,
            annotations=alert.annotations,
            starts_at=alert.starts_at,
            starts_at_known=alert.starts_at_known,
            ends_at=alert.ends_at,
            generator_url=alert.generator_url,
        )
        for alert in open_ones
    )


async def all_of(tasks: Iterable[Awaitable[T]]) -> list[T]:
    """What all come to, at the same time; raises the first trouble once all have ended."""
    results = await asyncio.gather(*tasks, return_exceptions=True)
    if troubles := [result for result in results if isinstance(result, BaseException)]:
        raise troubles[0]
    return [result for result in results if not isinstance(result, BaseException)]


def by_step(evidence: Mapping[str, Evidence], aim: Aimed) -> dict[str, Evidence]:
    """What was seen of one of several targets, by step."""
    return {
        step: evidence[name].model_copy(update={"id": step}) for step, name in aim.evidence.items() if name in evidence
    }


def _step_of(evidence: str) -> str:
    return evidence.partition("-")[0]


def numbered(step: str, number: int) -> str:
    """The id of a step's evidence for the target of that number, the first is 0."""
    return f"{step}-{number + 1}" if number else step


def where(target: Target) -> str:
    """`deployment/api in shop`."""
    pod, node = (f"pod/{target.pod}" if target.pod else ""), (f"node/{target.node}" if target.node else "")
    thing = target.workload or pod or node
    if not thing:
        return f"namespace {target.namespace}" if target.namespace else "what has no name"
    return f"{thing} in {target.namespace}" if target.namespace else thing


def together(parts: Sequence[Diagnosis], aimed: Sequence[Aimed], aims: Sequence[Aim]) -> Diagnosis:
    """One diagnosis of all targets: the best finding of each comes before the second best of any."""
    if not aimed:
        return parts[0]
    renamed = [_renamed(part, known.evidence) for part, known in zip(parts, aimed, strict=True)]
    targets = [known.target for known in aimed]
    left_out = [aim.target for aim in aims if aim.target not in targets]
    findings = _interleaved([part.findings for part in renamed])
    named = {(finding.cause, finding.subject) for finding in findings}
    others = _interleaved([part.also_unhealthy for part in renamed])
    return Diagnosis(
        findings=findings,
        also_unhealthy=tuple(finding for finding in others if (finding.cause, finding.subject) not in named),
        cleared=_said([part.cleared for part in renamed], targets),
        unseen=(*_said([part.unseen for part in renamed], targets), *_not_investigated(left_out)),
        remarks=tuple(dict.fromkeys(remark for part in renamed for remark in part.remarks)),
        coverage=Coverage(
            asked=sum(part.coverage.asked for part in parts),
            failed=sum(part.coverage.failed for part in parts),
            why=max(parts, key=lambda part: part.coverage.failed).coverage.why,
        ),
    )


def _not_investigated(left_out: Sequence[Target]) -> Iterator[Unseen]:
    if left_out:
        more = len(left_out) - NAMED_AT_MOST
        names = ", ".join(map(where, left_out[:NAMED_AT_MOST])) + (f" and {more} more" if more > 0 else "")
        yield Unseen(text=f"The alerts name more than {TARGETS_AT_MOST} objects; not investigated: {names}")


def _interleaved(parts: Sequence[Sequence[Finding]]) -> tuple[Finding, ...]:
    found: dict[tuple[str, object], Finding] = {}
    for rank in zip_longest(*parts):
        for finding in sorted(filter(None, rank), key=lambda one: _SURENESS.index(one.confidence)):
            found.setdefault((finding.cause, finding.subject), finding)
    return tuple(found.values())


def _said(parts: Sequence[Sequence[Said]], targets: Sequence[Target]) -> tuple[Said, ...]:
    """What was said of all targets once, what was said of some with where."""
    everywhere = set.intersection(*({item.text for item in part} for part in parts))
    evidence: dict[str, list[str]] = {}
    said: dict[str, Said] = {}
    for part, target in zip(parts, targets, strict=True):
        for item in part:
            text = item.text if item.text in everywhere else f"{item.text} ({where(target)})"
            said.setdefault(text, item)
            evidence.setdefault(text, []).extend(item.evidence)
    return tuple(
        item.model_copy(update={"text": text, "evidence": tuple(dict.fromkeys(evidence[text]))})
        for text, item in said.items()
    )


def _renamed(part: Diagnosis, ids: Mapping[str, str]) -> Diagnosis:
    """The diagnosis with the ids under which the evidence is kept."""

    def named(evidence: Iterable[str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(ids.get(name, name) for name in evidence))

    return part.model_copy(
        update={
            "findings": tuple(_finding(finding, named) for finding in part.findings),
            "also_unhealthy": tuple(_finding(finding, named) for finding in part.also_unhealthy),
            "cleared": tuple(item.model_copy(update={"evidence": named(item.evidence)}) for item in part.cleared),
            "unseen": tuple(item.model_copy(update={"evidence": named(item.evidence)}) for item in part.unseen),
        }
    )


def _finding(finding: Finding, named: Callable[[Iterable[str]], tuple[str, ...]]) -> Finding:
    because = tuple(item.model_copy(update={"evidence": named(item.evidence)}) for item in finding.because)
    return finding.model_copy(update={"evidence": named(finding.evidence), "because": because})


def _same(one: Evidence, other: Evidence) -> bool:
    """Whether two answers are one: the same was asked and seen."""
    asked = one.probe == other.probe and one.reproduce == other.reproduce
    return asked and (one.status, one.summary, one.data) == (other.status, other.summary, other.data)
