"""Log lines: which belong together, how bad they are, and what the last error was."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from responder.model.evidence import LogGroup
from responder.model.failures import WITHIN, failure
from responder.model.lines import TROUBLED, level, plain, root_of, understood

LONGEST = 2000
"""Characters of a message that are looked at."""
LONGEST_LINE = 20_000
_TIME = re.compile(r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:?\d\d)\s?")

_FRAME = re.compile(
    r"^\s*at [\w$.<>/]+\(|^\s+(?:at\s|\.\.\. \d+ (?:more|common)|File \"|\^+|~+)|^\s*(?:Caused by|Suppressed): |^\t"
)
_GO_FRAME = re.compile(r"^(?:goroutine \d+ \[|created by |[\w./*()\[\]-]+\(.*\)$|\[signal |exit status \d|main\.)")
_PYTHON_END = re.compile(r"^(?:[A-Za-z_][\w.]*)(?::\s|$)")

_JAVA_FRAME = re.compile(r"^\s+at [\w$.<>/@]+\(|^\s*\.\.\. \d+ (?:more|common)|^\s*(?:Caused by|Suppressed): ")
_EXCEPTION = re.compile(
    r"^(?:Caused by: |Exception in thread \".{1,80}?\" )?(?:[a-z_][\w$]*\.)+"
    r"[A-Z][\w$]*(?:Exception|Error|Failure|Throwable)\b(?=[:;\s]|$)"
)
LONGEST_MESSAGE = 8
"""Lines between an exception's name and its frames."""
_BARE = re.compile(
    r"^(?:java|sun|javax|io\.netty)\.[\w.$]*(?:Connect|SocketTimeout|ConnectTimeout|UnknownHost|NoRouteToHost|EOF|Socket"
    r"|UnresolvedAddress|Timeout|IO|AnnotatedConnect)\w*Exception\b"
)
_NAMES_PEER = re.compile(
    r"mysql|mariadb|communications link failure|postgres|PSQLException|mongo|redis|lettuce|jedis|rabbit|amqp|kafka"
    r"|nacos|eureka|elastic|HikariPool|JDBC|I/O error on|https?://",
    re.IGNORECASE,
)
LONGEST_OUTER = 400
_NET = re.compile(r"(?:^|[\s\]])(?:trce|dbug|info|warn|fail|crit): \S+\[-?\d+\]$")
"""The first line of a record of .NET's console; its message is in the lines after it, indented by six."""

_MASKS: Sequence[tuple[re.Pattern[str], str]] = (
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?"), "<time>"),
    (re.compile(r"\b\d{1,2}:\d\d:\d\d(?:[.,]\d+)?\b"), "<time>"),
    (re.compile(r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b"), "<id>"),
    (re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b"), "<address>"),
    (re.compile(r"\[[0-9a-fA-F:]*::[0-9a-fA-F:]*\](?::\d+)?"), "<address>"),
    (re.compile(r"\b0x[0-9a-fA-F]+\b"), "<hex>"),
    (re.compile(r"\b(?=[0-9a-fA-F]*\d)(?=[0-9a-fA-F]*[a-fA-F])[0-9a-fA-F]{8,}\b"), "<hex>"),
    (re.compile(r"\b(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[\w-]{20,}\b"), "<id>"),
    (re.compile(r"(?<![\w.])[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?(?=(?:[a-zA-Zµ%]{1,3})?(?:\W|$))"), "<n>"),
)


@dataclass
class _Entry:
    """A line, and those that followed and belong to it."""

    at: datetime | None
    head: str
    rest: list[str] = field(default_factory=list)

    @property
    def names_exception(self) -> bool:
        return bool(_EXCEPTION.search(self.head) or (self.rest and _JAVA_FRAME.match(self.rest[0]))) or any(
            _EXCEPTION.match(line) for line in self.rest[:1]
        )


@dataclass(frozen=True)
class LogRecord:
    """What a program said at once: a line, with the stack trace that followed it.

    `text` is what matters: the message, of a trace its root cause. `raw` is the first line as written.
    """

    text: str
    raw: str
    level: str = ""
    at: datetime | None = None
    trace: tuple[str, ...] = field(default=(), repr=False)

    @property
    def troubled(self) -> bool:
        """Whether it says that something is wrong."""
        return self.level in TROUBLED


def stamped(line: str) -> tuple[datetime | None, str]:
    """A line without the timestamp that the API puts before it (`timestamps=true`)."""
    found = _TIME.match(line)
    if not found:
        return None, line
    fraction = (found[2] or "")[:7]
    zone = "+00:00" if found[3] == "Z" else found[3]
    try:
        return datetime.fromisoformat(found[1] + fraction + zone), line[found.end() :]
    except ValueError:
        return None, line


def template(text: str) -> str:
    """The line with its variable parts masked: times, addresses, identifiers, numbers."""
    masked = text[:LONGEST]
    for pattern, mask in _MASKS:
        masked = pattern.sub(mask, masked)
    return " ".join(masked.split())


def records(lines: Iterable[str]) -> Iterator[LogRecord]:
    """The records of a log; the lines of a stack trace belong to the line that began it."""
    pending: list[_Entry] = []
    for line in lines:
        at, text = stamped(plain(line[:LONGEST_LINE].rstrip("\r\n")))
        if not text.strip():
            continue
        if pending and _belongs(pending, text):
            pending[-1].rest.append(text)
            continue
        pending.append(_Entry(at, text))
        if len(pending) > LONGEST_MESSAGE:
            yield _record(pending.pop(0))
    yield from map(_record, pending)


def group(lines: Iterable[str], since: datetime | None = None) -> tuple[LogGroup, ...]:
    """The lines that say something is wrong, alike ones with the same peer counted, the most frequent first.

    `since` is when the trouble began: of lines with a time it is told how many came after.
    """
    found: dict[tuple[str, str], LogGroup] = {}
    for record in records(lines):
        if not record.troubled:
            continue
        failed = failure(record.text)
        key = template(record.text), failed.peer if failed else ""
        before = found.get(key)
        late = before.late if before else None
        if since is not None and record.at is not None:
            late = (late or 0) + (record.at >= since)
        found[key] = LogGroup(
            template=key[0],
            example=record.text if before is None else before.example,
            count=before.count + 1 if before else 1,
            late=late,
            level=record.level,
            first=before.first if before and before.first else record.at,
            last=record.at or (before.last if before else None),
        )
    return tuple(sorted(found.values(), key=lambda item: -item.count))


def last_error(lines: Iterable[str]) -> str:
    """The last thing a program said about its failure, or empty: the root cause of the last trace,
    else the last error. A fatal message counts more than errors after it.
    """
    last = fatal = ""
    for record in records(lines):
        if record.level == "fatal" or (record.level == "error" and record.trace):
            fatal = record.text
        if record.level in ("error", "fatal"):
            last = record.text
    return fatal or last


def _belongs(pending: list[_Entry], text: str) -> bool:
    """Whether a line belongs to the last record; lines between an exception's name and its frames are its message."""
    last = pending[-1]
    if _JAVA_FRAME.match(text):
        named = next((at for at in reversed(range(len(pending))) if pending[at].names_exception), None)
        if named is not None:
            for entry in pending[named + 1 :]:
                pending[named].rest += [entry.head, *entry.rest]
            del pending[named + 1 :]
            return True
    if _continues(last.head, last.rest, text):
        return True
    return bool(_EXCEPTION.match(text)) and not last.rest and level(last.head) in TROUBLED


def _continues(head: str, rest: Sequence[str], text: str) -> bool:
    if "Traceback (most recent call last)" in head:
        ended = rest and _PYTHON_END.match(rest[-1]) and not rest[-1].startswith(" ")
        return not ended
    if _NET.search(head):
        return text.startswith(6 * " ")
    if "panic:" in head[:80] or head.startswith("fatal error:"):
        return bool(_GO_FRAME.match(text) or text.startswith("\t"))
    return bool(_FRAME.match(text))


def _record(entry: _Entry) -> LogRecord:
    said, found = understood(entry.head)
    text = said or entry.head.strip()
    if entry.rest and _NET.search(entry.head):
        message, error = entry.rest[0].strip(), root_of("\n".join(entry.rest[1:]))
        text = f"{message}: {error}" if error else message
    elif entry.rest:
        text = _cause(text, entry.rest)
        found = found or level(entry.head)
        found = found if found in TROUBLED else "error"
    return LogRecord(text[:LONGEST], entry.head, found or level(entry.head), entry.at, tuple(entry.rest))


def _cause(text: str, rest: Sequence[str]) -> str:
    """The root cause of a trace: Java's last exception, the last line of Python's, Node's or Go's first line."""
    if "Traceback (most recent call last)" in text:
        ends = [line for line in rest if not line.startswith((" ", "\t"))]
        return ends[-1].strip() if ends else text
    caused = [line.strip().removeprefix("Caused by: ") for line in rest if _EXCEPTION.match(line)]
    if not caused:
        return text
    # a root cause as bare as `Connection refused` says nothing of whom it was about; what it made fail does
    outer = next((said for said in reversed((text, *caused[:-1])) if _NAMES_PEER.search(said)), "")
    return f"{caused[-1]}{WITHIN}{outer[:LONGEST_OUTER]}" if outer and _BARE.search(caused[-1]) else caused[-1]
