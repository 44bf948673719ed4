"""Request headers that a runbook may send: names and values that are safe, and no credentials."""

import re
from collections.abc import Sequence
from typing import Annotated

import re2
from pydantic import AfterValidator

from responder.model.redaction import redact
from responder.templating.escaping import Language

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
_SECRET = re.compile(
    r"(?i)^(?:proxy-)?authorization$|^(?:set-)?cookie$|(?:^|[-_])(?:token|key|secret|password|auth|signature)(?:[-_]|$)"
)
_OURS = frozenset({"host", "connection", "upgrade", "transfer-encoding", "content-length", "te", "trailer", "expect"})


def pairs(headers: Sequence[str]) -> Sequence[tuple[str, str]]:
    """Names and values of headers that are written as `Name: value`."""
    parts = (header.partition(":") for header in headers)
    return [(name.strip(), text.strip()) for name, _, text in parts]


def _sent(headers: tuple[str, ...]) -> tuple[str, ...]:
    for header, (name, text) in zip(headers, pairs(headers), strict=True):
        if ":" not in header:
            raise ValueError(f"{header[:80]!r} is no header: write it as 'Name: value'")
        if not _NAME.fullmatch(name) or any(sign < " " or sign == "\x7f" for sign in text) or len(text) > 1024:
            raise ValueError(f"{name[:64]!r} is no header that can be sent")
        if name.lower() in _OURS or name.lower().startswith("sec-websocket-"):
            raise ValueError(f"the header {name} is not for runbooks")
        if _SECRET.search(name) or redact(f"{name}: {text}") != f"{name}: {text}":
            raise ValueError(f"the header {name} looks like a secret: runbooks hold none")
    return headers


def _expected(headers: tuple[str, ...]) -> tuple[str, ...]:
    options = re2.Options()
    options.log_errors = False
    for name, text in pairs(headers):
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name[:64]!r} is no name of a header: write 'Name: expression'")
        try:
            re2.compile(text, options)
        except re2.error as error:
            raise ValueError(f"{name}: {text[:80]!r} is no regular expression (RE2): {error}") from None
    return headers


Headers = Annotated[tuple[str, ...], Language.PLAIN, AfterValidator(_sent)]
"""Headers to send, as `Name: value`."""
ExpectedHeaders = Annotated[tuple[str, ...], Language.REGEX, AfterValidator(_expected)]
"""Headers to find in an answer, as `Name: expression`."""
