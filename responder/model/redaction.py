"""Secrets stay secret: what looks like one is replaced before anything is stored or shown."""

import re

from pydantic import JsonValue

HIDDEN = "[redacted]"

_NAMES = (
    r"pass(?:word|wd|phrase)?|secret|token|api[-_]?key|access[-_]?key|private[-_]?key|client[-_]?secret"
    r"|credentials?|authorization|auth|cookie|session[-_]?id|dsn|connection[-_]?string|signature|sig"
)
_SECRET_NAME = re.compile(
    rf"(?i)(?:^|[-_.\s])(?:{_NAMES})$|(?:password|passwd|secret|token|apikey|accesskey|privatekey)$"
)
_NOT_SECRET = re.compile(r"(?i)(?:secretname|secretref|secretkeyref|tokenexpir|passwordfile)")
_ASSIGNED = rf"(?:\b|[_-])(?:{_NAMES})[\"']?\s*[=:]\s*"
_HARMLESS = r"\[redacted\]|(?:bearer|basic|yes|no|true|false|null|none|nil)\b"

_PATTERNS = (
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.S), HIDDEN),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)?"), HIDDEN),
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"), HIDDEN),
    (re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,})"), HIDDEN),
    (re.compile(r"\bxox[abeoprs]-[A-Za-z0-9-]{8,}"), HIDDEN),
    (re.compile(r"\b(?:sk|rk|pk)[-_](?:live|test|proj|ant)[-_][A-Za-z0-9_-]{8,}|\bsk-[A-Za-z0-9]{20,}"), HIDDEN),
    (re.compile(r"\bAIza[A-Za-z0-9_-]{30,}"), HIDDEN),
    (re.compile(r"https://hooks\.slack\.com/[^\s\"'<>]+"), f"https://hooks.slack.com/{HIDDEN}"),
    (re.compile(r"\b([a-zA-Z][a-zA-Z0-9+.-]{1,20}://)[^\s/@:\"'<>]{0,256}:[^\s/@\"'<>]{1,512}@"), rf"\1{HIDDEN}@"),
    (re.compile(r"\b((?i:bearer|basic))\s+(?=\S*[A-Z0-9=])[A-Za-z0-9._~+/=-]{6,}"), rf"\1 {HIDDEN}"),
    (re.compile(r"(?im)^((?:set-)?cookie\s*:\s*).+$"), rf"\1{HIDDEN}"),
    (re.compile(rf"(?i)(\"name\"\s*:\s*\"[^\"]*(?:{_NAMES})\"\s*,\s*\"value\"\s*:\s*)\"[^\"]*\""), rf'\1"{HIDDEN}"'),
    (re.compile(rf"(?i)((?:^|\s)--?(?:[\w-]*[_-])?(?:{_NAMES})\s+)(?![-\[])[^\s\"']{{1,1024}}"), rf"\1{HIDDEN}"),
    (re.compile(rf"(?i)({_ASSIGNED}\")(?!{_HARMLESS})[^\"\n]{{1,1024}}\""), rf'\1{HIDDEN}"'),
    (re.compile(rf"(?i)({_ASSIGNED}')(?!{_HARMLESS})[^'\n]{{1,1024}}'"), rf"\1{HIDDEN}'"),
    (re.compile(rf"(?i)({_ASSIGNED})(?!{_HARMLESS})[^\s\"',;&<>()\[\]{{}}]{{1,1024}}"), rf"\1{HIDDEN}"),
)
_HINT = re.compile(
    r"(?i)pass|secret|token|key|auth|cookie|credential|session|dsn|connection|sig|bearer|basic|://|eyJ|AKIA|ASIA|gh[pousr]_"
    r"|glpat|xox|sk[-_]|rk[-_]|pk[-_]|AIza"
)


def redact(text: str) -> str:
    """The text without passwords, tokens and keys."""
    if not _HINT.search(text):
        return text
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def redact_value(value: JsonValue) -> JsonValue:
    """JSON without secrets: in its texts, and under keys (or in `name`/`value` pairs) that name one."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, list):
        return [redact_value(item) for item in value]
    if isinstance(value, dict):
        return _redact_mapping(value)
    return value


def _redact_mapping(value: dict[str, JsonValue]) -> dict[str, JsonValue]:
    found: dict[str, JsonValue] = {}
    for key, item in value.items():
        found[key] = HIDDEN if _hideable(item) and names_secret(key) else redact_value(item)
    name, content = value.get("name"), value.get("value")
    if isinstance(name, str) and _hideable(content) and names_secret(name):
        found["value"] = HIDDEN
    return found


def _hideable(value: JsonValue) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool) and value != ""


def names_secret(name: str) -> bool:
    """Whether what has this name is a secret."""
    return bool(_SECRET_NAME.search(name)) and not _NOT_SECRET.search(name)
