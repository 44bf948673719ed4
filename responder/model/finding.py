"""Findings: the conclusions drawn from evidence."""

from enum import StrEnum

from pydantic import AwareDatetime

from responder.model.record import Record
from responder.model.subject import Subject


class Confidence(StrEnum):
    """`certain`: the API says so in words. `likely`: the evidence fits one cause only. Else `possible`."""

    CERTAIN = "certain"
    LIKELY = "likely"
    POSSIBLE = "possible"


class Cause(Record):
    """An entry of the catalogue of causes.

    `generic` marks causes that only restate a symptom (a crash loop): any specific cause of the
    same object ranks before them. `symptom_of` are slugs of causes that bring this one about
    elsewhere: a finding of this cause ranks after one of those. `supporting` marks what may explain others: its
    reasons are added to every other finding about the same object.
    """

    slug: str
    title: str
    meaning: str
    confirm: str
    fix: str
    reference: str = ""
    generic: bool = False
    symptom_of: tuple[str, ...] = ()
    supporting: bool = False


class Because(Record):
    """One observation that supports a finding: `evidence` are ids of evidence (step ids)."""

    text: str
    evidence: tuple[str, ...] = ()


class Finding(Record):
    """A probable cause, the object where the failure starts, and why we think so.

    `suffering` are objects that fail because of it; `since` is when it began, where known. `container` is the one
    that it is about, and `owner` the workload that a pod belongs to, as far as they were seen. `title` is the
    cause's in the catalogue.
    """

    cause: str
    title: str = ""
    subject: Subject
    confidence: Confidence
    headline: str
    explanation: str = ""
    because: tuple[Because, ...] = ()
    evidence: tuple[str, ...] = ()
    next_steps: tuple[str, ...] = ()
    suffering: tuple[Subject, ...] = ()
    since: AwareDatetime | None = None
    container: str = ""
    owner: Subject | None = None
    detector: str = ""

    @property
    def named(self) -> str:
        """The cause as people read it."""
        return self.title or self.cause.replace("-", " ")


class Cleared(Record):
    """Something that was looked at and is not it: `node memory (4 nodes without pressure)`."""

    text: str
    evidence: tuple[str, ...] = ()


class Unseen(Record):
    """Something that could not be seen: `Loki answered 401: check the token`."""

    text: str
    evidence: tuple[str, ...] = ()


class Coverage(Record):
    """How many questions were asked, how many of them were not answered, and why most of these were not."""

    asked: int = 0
    failed: int = 0
    why: str = ""

    @property
    def blind(self) -> bool:
        """Whether no question at all was answered."""
        return 0 < self.asked == self.failed


class Diagnosis(Record):
    """Findings, best first, with what was cleared, what could not be seen, and rules that failed.

    `also_unhealthy` are findings about objects that have nothing to do with what the alert names.
    """

    findings: tuple[Finding, ...] = ()
    also_unhealthy: tuple[Finding, ...] = ()
    cleared: tuple[Cleared, ...] = ()
    unseen: tuple[Unseen, ...] = ()
    remarks: tuple[str, ...] = ()
    coverage: Coverage = Coverage()
