"""The table of signatures: what programs, runtimes and kubelets print when something is wrong, and what it means."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, Literal

import re2
from pydantic import AfterValidator, BeforeValidator, Field

from responder.model.finding import Cause
from responder.model.record import Record
from responder.packaged import documents

LONGEST = 4000
"""Characters of a line that are looked at."""


class FailureKind(StrEnum):
    """What kind of failure a text reports. Where several fit, the first of these counts: the more specific."""

    TOO_MANY_CONNECTIONS = "too many connections"
    READ_ONLY = "read-only"
    READ_ONLY_FILES = "read-only file system"
    AUTHENTICATION = "authentication failed"
    NO_SUCH_DATABASE = "no such database"
    NO_SUCH_HOST = "name does not resolve"
    TLS = "TLS failed"
    WRONG_PROTOCOL = "wrong protocol"
    ADDRESS_IN_USE = "address already in use"
    OUT_OF_MEMORY = "out of memory"
    DISK_FULL = "disk full"
    TOO_MANY_FILES = "too many open files"
    EXEC_FORMAT = "wrong architecture"
    PERMISSION = "permission denied"
    MISSING_FILE = "file missing"
    MISSING_SETTING = "setting missing"
    REFUSED = "connection refused"
    UNREACHABLE = "no route"
    POOL_EXHAUSTED = "connection pool exhausted"
    RESET = "connection reset"
    DEADLINE = "deadline exceeded"
    TIMED_OUT = "timed out"
    UNAVAILABLE = "unavailable"
    SERVER_ERROR = "server error"


def _joined(pattern: object) -> object:
    return "|".join(map(str, pattern)) if isinstance(pattern, list | tuple) else pattern


def _compiles(pattern: str) -> str:
    try:
        compiled = re2.compile(pattern)
    except re2.error as error:
        raise ValueError(f"{pattern!r} is no RE2 pattern: {error}") from None
    if compiled.search(""):
        raise ValueError(f"{pattern!r} fits everything")
    return pattern


Where = Literal["log", "container", "event", "condition"]
About = Literal["self", "peer", "node", "claim"]


class Signature(Record):
    """One thing that software says when something is wrong.

    `pattern` is RE2, or a list of alternatives, whatever the case of the letters; `where` says who may be quoted: a
    program's `log`, the reason and message of a `container`'s state, an `event`, a `condition`. `about` is whose
    fault it is: the program's own (`self`), that of the address in the text (`peer`), of the `node`, of a volume's
    `claim`. `specificity` is 1 where it only restates that something failed, 9 where it names the very cause.
    `fatal`: the program cannot go on. `source` is the address of the maker's own list or documentation. A signature
    without a cause only classifies, by its `kind`.
    """

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")
    pattern: Annotated[str, BeforeValidator(_joined), AfterValidator(_compiles)]
    cause: str = ""
    kind: FailureKind | None = None
    where: tuple[Where, ...] = ("log",)
    about: About = "self"
    specificity: int = Field(ge=1, le=9)
    fatal: bool = False
    example: str
    source: str = ""


class _Metadata(Record):
    name: str
    title: str


class SignatureFile(Record):
    """A file of signatures; its `source` is that of all that name none."""

    api_version: Literal["responder/v1"] = Field(alias="apiVersion")
    kind: Literal["Signatures"]
    metadata: _Metadata
    source: str = ""
    signatures: tuple[Signature, ...]


class CauseFile(Record):
    """A file of the catalogue of causes."""

    api_version: Literal["responder/v1"] = Field(alias="apiVersion")
    kind: Literal["Causes"]
    metadata: _Metadata
    causes: tuple[Cause, ...]


@dataclass(frozen=True)
class Hit:
    """A line that a signature fits, with its place in the log and what the pattern's groups hold."""

    signature: Signature
    place: int
    text: str
    groups: Mapping[str, str]


class SignatureTable:
    """Signatures, ready to look for all of them in one pass over a text."""

    def __init__(self, signatures: Iterable[Signature]) -> None:
        self.signatures = tuple(signatures)
        self._patterns: list[Any] = [re2.compile(f"(?i){item.pattern}") for item in self.signatures]
        self._filter = re2.Filter()
        for item in self.signatures:
            self._filter.Add(f"(?i){item.pattern}")
        if self.signatures:
            self._filter.Compile()

    def within(self, text: str) -> Sequence[Signature]:
        """The signatures that a text fits."""
        return [self.signatures[number] for number in self._numbers(text)]

    def hits(self, lines: Sequence[str]) -> Iterator[Hit]:
        """The lines of a log that signatures fit, with these."""
        texts = [line[:LONGEST].replace('\\"', '"').replace("\n", " ") for line in lines]
        whole = "\n".join(texts)
        for number in self._numbers(whole):
            pattern = self._patterns[number]
            for place, text in enumerate(texts):
                if fits := pattern.search(text):
                    groups = {name: value for name, value in fits.groupdict().items() if value}
                    yield Hit(self.signatures[number], place, text, groups)

    @property
    def slow(self) -> Sequence[Signature]:
        """Those without a word that every fitting text has: they have to be tried on every text."""
        return [self.signatures[number] for number in self._filter.Match("", potential=True) or ()]

    def _numbers(self, text: str) -> Sequence[int]:
        return self._filter.Match(text) or () if self.signatures else ()


@cache
def shipped_signatures() -> SignatureTable:
    """The table that ships, read once."""
    files = map(SignatureFile.model_validate, documents("signatures"))
    return SignatureTable(
        item if item.source else item.model_copy(update={"source": file.source})
        for file in files
        for item in file.signatures
    )


@cache
def classifying() -> SignatureTable:
    """Those of the table that ships which tell the kind of a failure."""
    return SignatureTable(item for item in shipped_signatures().signatures if item.kind)


def shipped_causes() -> Sequence[Cause]:
    """The part of the catalogue of causes that is data."""
    files = map(CauseFile.model_validate, documents("causes"))
    return [cause for file in files for cause in file.causes]
