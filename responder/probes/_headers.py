"""Request headers that a runbook may send: names and values that are safe, and no credentials."""

import re
from typing import Annotated, Any

import re2
from pydantic import BeforeValidator

from responder.model.redaction import redact
from responder.templating.escaping import Language

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
_SECRET = re.compile(
    r"(?i)^(?:proxy-)?authorization$|^(?:set-)?cookie$|(?:^|[-_])(?:token|key|secret|password|auth|signature)(?:[-_]|$)"
)
_OURS = frozenset({"host", "connection", "upgrade", "transfer-encoding", "content-length", "te", "trailer", "expect"})


def _headers(value: Any) -> Any:
    """`Name: value` texts, or a mapping, as pairs."""
    items = value.items() if isinstance(value, dict) else [_split(item) for item in value or ()]
    pairs = tuple((str(name).strip(), str(text).strip()) for name, text in items)
    for name, text in pairs:
        if not _NAME.fullmatch(name) or any(sign < " " or sign == "\x7f" for sign in text) or len(text) > 1024:
            raise ValueError(f"{name[:64]!r} is no header that can be sent")
        if name.lower() in _OURS or name.lower().startswith("sec-websocket-"):
            raise ValueError(f"the header {name} is not for runbooks")
        if _SECRET.search(name) or redact(f"{name}: {text}") != f"{name}: {text}":
            raise ValueError(f"the header {name} looks like a secret: runbooks hold none")
    return pairs


def _split(item: Any) -> tuple[str, str]:
    if isinstance(item, list | tuple) and len(item) == 2:
        return str(item[0]), str(item[1])
    name, colon, text = str(item).partition(":")
    if not colon:
        raise ValueError(f"{str(item)[:80]!r} is no header: write it as 'Name: value'")
    return name, text


def _expected(value: Any) -> Any:
    """The same, where the texts are RE2 expressions."""
    pairs = _headers(value)
    for name, text in pairs:
        try:
            re2.compile(text, _quietly())
        except re2.error as error:
            raise ValueError(f"{name}: {text[:80]!r} is no regular expression (RE2): {error}") from None
    return pairs


def _quietly() -> Any:
    options = re2.Options()
    options.log_errors = False
    return options


Headers = Annotated[tuple[tuple[str, str], ...], Language.PLAIN, BeforeValidator(_headers)]
"""Headers to send, as `Name: value`."""
ExpectedHeaders = Annotated[tuple[tuple[str, str], ...], Language.REGEX, BeforeValidator(_expected)]
"""Headers to find in an answer, as `Name: expression`."""
