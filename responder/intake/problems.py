"""What can be wrong with a webhook body, and how much of one is kept."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from responder.errors import ResponderError


@dataclass(frozen=True)
class Limits:
    """What one body may hold; more is cut, with a remark. Texts and names are counted in characters."""

    alerts: int = 50_000
    names: int = 512
    name: int = 1024
    text: int = 16_384
    fingerprint: int = 128
    truncated: int = 1_000_000_000
    remarks: int = 20


LIMITS = Limits()


@dataclass(frozen=True)
class Problem:
    """A bad field: its JSON pointer (RFC 6901), and what is wanted there."""

    pointer: str
    detail: str

    def __str__(self) -> str:
        return f"{self.pointer or 'body'}: {self.detail}"


class BadPayload(ResponderError):
    """Nothing in the body can be used."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems[: LIMITS.remarks])
        super().__init__("; ".join(map(str, self.problems)))


@dataclass
class Notes:
    """What is wrong with the object at a pointer, and in `remarks` what was made of it."""

    pointer: str
    problems: list[Problem] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def add(self, name: str, wanted: str, made: str) -> None:
        """Note a bad field."""
        self.problems.append(Problem(f"{self.pointer}/{name}", wanted))
        self.remarks.append(f"{name}: {wanted}; {made}")
