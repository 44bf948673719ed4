"""How an answer is judged: by the first finding, as the exam's own player does.

right · later (right, not first) · partly (right cause; object or words are not) · quoted (a cause that only says the
symptom again, with the telling line) · generic · nothing · wrong. Wrong and `certain` is the worst there is.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from responder.model.finding import Confidence, Finding
from tests.exam.description import Raw


@dataclass(frozen=True)
class Result:
    """What was answered to a case. Times are seconds; `requests` are questions to the Kubernetes API."""

    case: str
    verdict: str
    findings: Sequence[Finding] = ()
    expected: str = ""
    processor: float = 0.0
    first: float = 0.0
    last: float = 0.0
    requests: int = 0
    healthy: bool = False

    @property
    def leading(self) -> Finding | None:
        """The first finding."""
        return self.findings[0] if self.findings else None

    @property
    def wrong_and_certain(self) -> bool:
        """Whether it says what is not so, and says that it is sure."""
        return self.verdict == "wrong" and bool(self.leading) and self._confidence is Confidence.CERTAIN

    @property
    def accuses_the_healthy(self) -> bool:
        """Whether it finds something where nothing is wrong."""
        return self.healthy and self.verdict != "right"

    @property
    def _confidence(self) -> Confidence | None:
        return self.leading.confidence if self.leading else None


def verdict(truth: Raw, findings: Sequence[Finding]) -> str:
    """What the findings are worth."""
    if truth["nothing"]:
        return "wrong" if findings else "right"
    if not findings:
        return "nothing"
    grades = [_grade(truth, finding) for finding in findings]
    if grades[0] == "right":
        return "right"
    for grade, name in (("right", "later"), ("partly", "partly")):
        if grade in grades:
            return name
    if grades[0] == "quoted":
        return "quoted"
    return "generic" if findings[0].cause in truth["generic"] else "wrong"


def _grade(truth: Raw, finding: Finding) -> str:
    said = " ".join([finding.headline, finding.explanation, *(item.text for item in finding.because)])
    cause = finding.cause in truth["accept"] if truth["accept"] else finding.cause not in truth["generic"]
    subject = f"{finding.subject.kind.lower()}/{finding.subject.name}"
    thing = not truth["objects"] or subject in truth["objects"]
    words = all(word in said for word in truth["must"])
    if cause and thing and words:
        return "right"
    if cause and (thing or words):
        return "partly"
    return "quoted" if finding.cause in truth["generic"] and truth["must"] and words else ""


def share_right(results: Sequence[Result]) -> float:
    """The share of cases whose first finding is right: A@1."""
    return sum(result.verdict == "right" for result in results) / max(1, len(results))


def calibration(results: Iterable[Result]) -> dict[Confidence, tuple[int, int]]:
    """Of the first findings at each confidence, how many are right, and how many there are."""
    right: Counter[Confidence] = Counter()
    total: Counter[Confidence] = Counter()
    for result in results:
        if result.leading:
            total[result.leading.confidence] += 1
            right[result.leading.confidence] += result.verdict == "right"
    return {confidence: (right[confidence], total[confidence]) for confidence in Confidence if total[confidence]}
