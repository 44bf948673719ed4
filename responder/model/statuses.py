"""HTTP statuses in log lines: a number is one only where the line says so. `tokens=401` is none."""

import re
from collections.abc import Sequence
from http import HTTPStatus

_PHRASES = "|".join(sorted({re.escape(status.phrase) for status in HTTPStatus}, key=len, reverse=True))
_AFTER = rf"(?=\W*$|\s*[:;,.)\]\"'(]|\s+(?:{_PHRASES}|client error|server error))"


def reports(codes: Sequence[int]) -> re.Pattern[str]:
    """Finds lines that report one of the statuses: `status=401`, `HTTP/1.1 401`, `answered 401`, `401 Unauthorized`."""
    code = rf"(?:{'|'.join(map(str, codes))})\b"
    named = (
        r"(?:status(?:[ _.-]?code)?|http(?:[ _.-]?(?:status|code)){0,2}"
        r"|(?:response|error|return|result)[ _.-]?(?:code|status))"
    )
    said = r"\b(?:(?:answer|return|respond)(?:s|ed)?|got|received|failed|rejected|refused)(?: with| by|:)?"
    return re.compile(
        rf"{named}[\"']?\s*(?:is|was|of|[:=(])?\s*[\"']?{code}"
        rf"|HTTP/\d(?:\.\d)?\"?\s+{code}"
        rf"|{said}(?: an?)? {code}{_AFTER}"
        rf"|\b{code} (?:{_PHRASES}|client error|server error)",
        re.IGNORECASE,
    )
