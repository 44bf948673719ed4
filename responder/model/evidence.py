"""Evidence: what a probe saw, typed, with the command or link that shows it again.

`data` of an evidence is one *shape*: a record class whose name is the discriminator, so that a
plugin may bring its own. The shapes below are those that several probes and detectors share.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Self, TypeVar

from pydantic import AfterValidator, AwareDatetime, Field, JsonValue

from responder.errors import Reason
from responder.model.certificates import Handshake
from responder.model.record import Record


class EvidenceStatus(StrEnum):
    """How asking went. Only `ok` and `empty` are answers."""

    OK = "ok"
    EMPTY = "empty"
    DENIED = "denied"
    TIMEOUT = "timeout"
    ERROR = "error"
    SKIPPED = "skipped"


class Reproduction(Record):
    """How a person sees the same: a shell command, or a link."""

    command: str = ""
    link: str = ""


class Gap(Record):
    """A part of the answer that could not be seen, and why."""

    what: str
    reason: Reason
    message: str = ""


class Shape(Record):
    """The typed content of an evidence. Subclasses set nothing but their fields."""

    shape: ClassVar[str]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.shape = cls.__name__


S = TypeVar("S", bound=Shape)


class Observation(Record):
    """What a probe returns.

    `summary` is one line with numbers and units, `brief` the value alone where sentences need it (empty: the
    summary will do); `facts` are the few lines worth showing;
    `truncated` says what was left out, in words, or is empty; `gaps` are parts that failed while
    the rest worked; `value` is the one number that thresholds and verifications compare.
    """

    summary: str
    brief: str = ""
    data: Shape | None = None
    empty: bool = False
    facts: tuple[str, ...] = ()
    value: float | None = None
    breached: bool | None = None
    truncated: str = ""
    gaps: tuple[Gap, ...] = ()


class Evidence(Record):
    """An observation as it is kept: which step saw what, when, how long it took, how to see it again.

    `asked_because` is why a follow-up question was asked; empty for the steps of the runbook.
    """

    id: str
    probe: str
    title: str = ""
    asked_because: str = ""
    status: EvidenceStatus
    reason: Reason | None = None
    summary: str
    brief: str = ""
    facts: tuple[str, ...] = ()
    value: float | None = None
    breached: bool | None = None
    shape: str = ""
    data: Mapping[str, JsonValue] = Field(default_factory=dict)
    truncated: str = ""
    gaps: tuple[Gap, ...] = ()
    reproduce: tuple[Reproduction, ...] = ()
    source: str = ""
    at: AwareDatetime
    seconds: float = 0.0

    @property
    def answered(self) -> bool:
        """Whether the question was answered at all."""
        return self.status in (EvidenceStatus.OK, EvidenceStatus.EMPTY)

    def read(self, shape: type[S]) -> S | None:
        """The content as the given shape, or None where it has another."""
        return shape.model_validate(self.data) if self.shape == shape.shape else None


class KubernetesObjects(Shape):
    """Kubernetes objects as the API server gives them (camelCase JSON, without managedFields).

    Every object has `apiVersion` and `kind`. `complete` names the lists that were read whole, as
    `Kind` or `Kind/namespace`: only of these does absence mean that an object does not exist.
    """

    objects: tuple[dict[str, Any], ...] = ()
    complete: tuple[str, ...] = ()


class LogGroup(Record):
    """Lines that differ only in their variable parts. `late` is how many came since the trouble began, where known."""

    template: str
    example: str
    count: int
    late: int | None = None
    level: str = ""
    first: AwareDatetime | None = None
    last: AwareDatetime | None = None


class ContainerLog(Record):
    """The end of one container's log. `lines` carry no timestamps; `groups` are its error lines."""

    namespace: str
    pod: str
    container: str
    previous: bool = False
    lines: tuple[str, ...] = ()
    groups: tuple[LogGroup, ...] = ()
    last_error: str = ""
    truncated: bool = False


class Logs(Shape):
    """Logs of several containers."""

    logs: tuple[ContainerLog, ...] = ()


class Sample(Record):
    """One value of one series."""

    labels: Mapping[str, str]
    value: float


class Samples(Shape):
    """The answer to an instant query, `at` that time."""

    query: str
    at: AwareDatetime
    samples: tuple[Sample, ...] = ()


class Series(Record):
    """One series: points are (unix seconds, value)."""

    labels: Mapping[str, str]
    points: tuple[tuple[float, float], ...]


class Threshold(Record):
    """A bound as a runbook writes it: `> 0.5`, `< 0.95`."""

    operator: str
    value: float

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `OP NUMBER`; raises ValueError."""
        operator, _, number = text.strip().partition(" ")
        if operator not in (">", ">=", "<", "<=", "==", "!="):
            raise ValueError(f"{text!r} is not a threshold: write an operator, a space and a number, as '> 0.5'")
        return cls(operator=operator, value=float(number))

    def holds(self, value: float) -> bool:
        """Whether the value is past the bound."""
        match self.operator:
            case ">":
                return value > self.value
            case ">=":
                return value >= self.value
            case "<":
                return value < self.value
            case "<=":
                return value <= self.value
            case "==":
                return value == self.value
            case _:
                return value != self.value


def _threshold_or_none(text: str) -> str:
    if text:
        Threshold.parse(text)
    return text


ThresholdText = Annotated[str, AfterValidator(_threshold_or_none)]
"""An option that is a threshold as text, or empty."""


class Chart(Shape):
    """The answer to a range query, with what a picture of it marks."""

    query: str
    unit: str = ""
    series: tuple[Series, ...] = ()
    threshold: Threshold | None = None
    start: AwareDatetime
    end: AwareDatetime


class HttpAnswer(Shape):
    """What an HTTP server said. The body is cut and redacted.

    `unexpected` is how status, headers and body differ from what was wanted; `max_seconds` and `min_days` are the
    bounds for the time and for its certificate.
    """

    url: str
    status: int
    seconds: float
    headers: Mapping[str, str] = Field(default_factory=dict)
    body: str = ""
    unexpected: tuple[str, ...] = ()
    max_seconds: float | None = None
    min_days: float = 14
    handshake: Handshake | None = None

    @property
    def slow(self) -> bool:
        """Whether it took longer than it may."""
        return self.max_seconds is not None and self.seconds > self.max_seconds
