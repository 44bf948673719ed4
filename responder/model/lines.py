"""One log line: without colours, how bad it is, and what it says, in the formats that programs usually write."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from responder.model.failures import failure
from responder.model.peers import peer

TROUBLED = ("warning", "error", "fatal")
_LEVELS: Mapping[str, str] = {
    **dict.fromkeys(("trace", "debug", "verbose", "fine", "finer", "finest", "silly"), "debug"),
    **dict.fromkeys(("trce", "dbug", "debu", "trc", "dbg", "vrb"), "debug"),
    **dict.fromkeys(("info", "information", "informational", "notice", "log", "note", "system", "inf"), "info"),
    **dict.fromkeys(("warn", "warning", "wrn"), "warning"),
    **dict.fromkeys(("err", "error", "severe", "failure", "fail", "erro", "eror"), "error"),
    **dict.fromkeys(("fatal", "crit", "critical", "alert", "emerg", "emergency", "panic", "dpanic"), "fatal"),
    **dict.fromkeys(("ftl", "fata", "pani", "crt"), "fatal"),
}
_LETTERS: Mapping[str, str] = {
    **dict.fromkeys("tvd", "debug"),
    **dict.fromkeys("in", "info"),
    "w": "warning",
    "e": "error",
    **dict.fromkeys("fcap", "fatal"),
}
"""How klog, glog, MongoDB and others shorten levels."""
_BUNYAN = ((60, "fatal"), (50, "error"), (40, "warning"), (30, "info"), (10, "debug"))
_SYSLOG = ("fatal", "fatal", "fatal", "error", "warning", "info", "info", "debug")
_OPENTELEMETRY = ((21, "fatal"), (17, "error"), (13, "warning"), (9, "info"), (1, "debug"))

_ESCAPES = ("\x1b", "\x9b", "^[[", "#033[", "\\x1b[", "\\033[", "\\u001b[", "\\u001B[")
"""Escape as it is, and as collectors write it out."""
_ESCAPE = re.compile(
    r"(?:\x1b|\^\[|#033|\\x1b|\\033|\\u001[bB])\[[0-?]*[ -/]*[@-~]|\x9b[0-?]*[ -/]*[@-~]"
    r"|\x1b(?:\][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-Z\\-~])"
)
_COLOUR = re.compile(r"\[(?:\d{1,3}(?:;\d{1,3})*)?m(?![a-z]*\])")
"""What is left of an escape sequence of which somebody took away the escape."""
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff]")
_RETURN = re.compile(r"\r+\n?")

_KLOG = re.compile(r"([IWEF])\d{4}(?:\d{4})? \d\d:\d\d:\d\d\.\d+\s")
_REDIS = re.compile(r"\d+:[XCSM] .{10,40} ([.\-*#]) ")
_PRIORITY = re.compile(r"<(\d{1,3})>(?:1 (?=\d{4}-))?")
_LOGRUS = re.compile(r"(TRAC|DEBU|INFO|WARN|ERRO|FATA|PANI)\[\d+\]")
_LEADING = re.compile(
    r"(?:\S*\d\S*\s+){0,2}(trace|trce|verbose|debug|dbug|info|warn|warning|fail|error|err|crit|critical|fatal|severe):\s",
    re.IGNORECASE,
)
_KEY = re.compile(
    r"""(?:^|[\s{,])"?(?:log\.?|@)?(?:level|lvl|l|severity|levelname)"?\s*[=:]\s*"?([A-Za-z]+)""", re.IGNORECASE
)
_WORD = re.compile(r"(?:^|[\s(<:.])([A-Z]+)(?=[\s\])|>:])|[\[|](?:\w+:)?([A-Za-z]+)(?=[\s\])|>:])")
_LOUD = re.compile(r"\b(panic:|fatal error:|FATAL|Traceback \(most recent call last\)|Exception in thread |Unhandled )")
_ERRORLIKE = re.compile(
    r"^(?:Caused by: )?(?:[\w$]+\.)*[A-Z][\w$]*(?:Error|Exception|Failure|Fault|Exit|Interrupt)\b(?::|$)"
    r"|^(?:npm ERR!|sh: |bash: |/bin/\w+: |exec |standard_init_linux|error:|Error:)"
)

_LEVEL_KEYS = (
    "level", "loglevel", "log_level", "log.level", "levelname", "level_name", "severity", "severity_text",
    "severitytext", "lvl", "@l", "l",
)  # fmt: skip
_NUMBER_KEYS = ("severitynumber", "severity_number")
_TEXT_KEYS = (
    "message", "msg", "@m", "short_message", "renderedmessage", "m", "event", "text", "body", "@mt", "messagetemplate",
    "log", "full_message",
)  # fmt: skip
_ERROR_KEYS = (
    "error", "err", "exception", "@x", "exc_info", "cause", "error.message", "exception.message", "stack_trace",
    "stacktrace", "error.stack_trace", "stack",
)  # fmt: skip
_PLACE_KEYS = ("addr", "address", "endpoint", "upstream", "target", "url", "uri")
"""Where a structured line says with whom it spoke."""
_PLACEHOLDER = re.compile(r"\{[@$]?(\w+)[^{}]*\}")
_PAIR = re.compile(r"""(?:^|\s)([A-Za-z@][\w.@-]*)=("(?:[^"\\]|\\.)*"|[^\s"]*)""")
LONGEST_PREFIX = 40
"""What may stand before the object of a line of JSON: a time, the name of a stream."""

Fields = Mapping[str, Any]


def plain(text: str) -> str:
    """A text without colours and control characters; it keeps its lines and tabs."""
    if any(mark in text for mark in _ESCAPES):
        text = _ESCAPE.sub("", text)
    if "[" in text:
        text = _COLOUR.sub("", text)
    if "\r" in text:
        text = _RETURN.sub("\n", text)
    return text if text.isprintable() else _CONTROL.sub("", text)


def level(text: str) -> str:
    """The level of a line: `debug`, `info`, `warning`, `error`, `fatal`, or empty where nothing tells."""
    if found := _KLOG.match(text):
        return _LETTERS[found[1].lower()]
    if found := _REDIS.match(text):
        return "warning" if found[1] == "#" else "info"
    if found := _PRIORITY.match(text):
        return _SYSLOG[int(found[1]) % 8]
    if (found := _KEY.search(text[:600])) and (known := _LEVELS.get(found[1].lower())):
        return known
    if _LOUD.search(text[:300]):
        return "fatal"
    for pattern in (_LOGRUS, _LEADING):
        if (found := pattern.match(text)) and (known := _LEVELS.get(found[1].lower())):
            return known
    for found in _WORD.finditer(text[:160]):
        if known := _LEVELS.get((found[1] or found[2]).lower()):
            return known
    if _ERRORLIKE.match(text):
        return "error"
    return "error" if failure(text) else ""


def understood(raw: str) -> tuple[str, str]:
    """Message and level of a structured line (JSON, logfmt); of any other both are empty."""
    fields = _json(raw) or _logfmt(raw)
    if not fields:
        return "", ""
    message = _filled(_first(fields, _TEXT_KEYS), fields)
    if message.startswith("{") and (inner := _json(message)) and (told := _first(inner, _TEXT_KEYS)):
        # a collector's object around the program's own
        fields, message = {**fields, **inner}, _filled(told, inner)
    message = " ".join(plain(message).split())
    sure = _level_of(fields)
    if error := plain(_first(fields, _ERROR_KEYS)):
        line = root_of(error)
        message = f"{message}: {line}" if message and line not in message else message or line
    sure = sure or ("error" if failure(message) else "")
    if sure in TROUBLED and not peer(message)[0] and (place := _first(fields, _PLACE_KEYS)) and peer(place)[0]:
        message = f"{message} ({place})"
    return message, sure


def _level_of(fields: Fields) -> str:
    said = _first(fields, _LEVEL_KEYS) or (_first(fields, ("s",)) if "ctx" in fields else "")
    if said.isdigit():
        return _numbered(int(said))
    word = said.strip().lower()
    if known := _LEVELS.get(word) or (_LETTERS.get(word[:1], "") if len(word) < 3 else ""):
        return known
    if (number := _first(fields, _NUMBER_KEYS)).isdigit():
        return next((name for least, name in _OPENTELEMETRY if int(number) >= least), "")
    # compact events of Serilog leave the level Information out
    return "info" if "@t" in fields and "@l" not in fields and "@x" not in fields else ""


def _numbered(number: int) -> str:
    """Levels of syslog (0 emergency … 7 debug), and of bunyan and pino (10 trace … 60 fatal)."""
    if number < len(_SYSLOG):
        return _SYSLOG[number]
    return next((name for least, name in _BUNYAN if number >= least), "")


def _json(raw: str) -> Fields:
    """The fields of a line of JSON by their lower-case names, those of the objects inside after its own."""
    start = raw.find("{")
    if start < 0 or start > LONGEST_PREFIX or not raw.rstrip().endswith("}"):
        return {}
    try:
        found = json.loads(raw[start:])
    except (ValueError, RecursionError):
        return {}
    return dict(reversed(list(_flat(found)))) if isinstance(found, dict) else {}


def _flat(found: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Names and values, each name with the objects that it is in, and alone; what comes first counts."""
    inner = [(name.lower(), value) for name, value in found.items() if isinstance(value, Mapping)]
    yield from ((name.lower(), value) for name, value in found.items() if not isinstance(value, Mapping))
    for outer, value in inner:
        # an error's own object has one text
        yield outer, next((value[name] for name in ("message", "msg") if isinstance(value.get(name), str)), None)
        yield from ((f"{outer}.{name}".lower(), each) for name, each in value.items())
    yield from ((name.lower(), each) for _, value in inner for name, each in value.items())


def _logfmt(raw: str) -> Fields:
    """The fields of `level=error msg="…"`; empty where a line has not both."""
    found = {name.lower(): _unquoted(value) for name, value in _PAIR.findall(raw)}
    return found if _first(found, _LEVEL_KEYS) and _first(found, _TEXT_KEYS[:2]) else {}


def _unquoted(value: str) -> str:
    if not value.startswith('"'):
        return value
    try:
        return str(json.loads(value))
    except ValueError:
        return value[1:-1]


def _first(fields: Fields, names: Sequence[str]) -> str:
    """The first of the fields that holds a text or number."""
    for name in names:
        value = fields.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool) and str(value):
            return str(value)
    return ""


def _filled(text: str, fields: Fields) -> str:
    """A message template with its values (messagetemplates.org)."""
    return _PLACEHOLDER.sub(lambda found: str(fields.get(found[1].lower(), found[0])), text) if "{" in text else text


def root_of(error: str) -> str:
    """One line for an error: of a stack trace its root cause."""
    lines = [line.strip() for line in error.splitlines() if line.strip()]
    causes = [line.partition(": ")[2] for line in lines if line.startswith("Caused by: ")]
    causes += [line.removeprefix("---> ") for line in lines if line.startswith("---> ")]
    if lines and lines[0].startswith("Traceback"):
        causes += lines[-1:]
    return causes[-1] if causes else lines[0] if lines else ""
