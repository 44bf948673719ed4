"""Alertmanager's matchers: `name="value"`, `!=`, `=~`, `!~`, separated by commas, in braces or not.

Names and values may be quoted (then any UTF-8 and the escapes \\", \\\\ and \\n) or bare. A label that is
missing is empty. Expressions are RE2's and match the whole value.
(Alertmanager, configuration, "Matcher"; matcher/parse for the quoting rules.)
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import re2

OPERATORS = ("=~", "!~", "!=", "=")
_BARE = re.compile(r"[^\s{}!=~,\\\"'`]+")
_BARE_VALUE = re.compile(r"[^\s{},\"'`][^{},\"'`]*")
_SPACE = re.compile(r"\s*")
_ESCAPES = {"n": "\n", "\\": "\\", '"': '"'}


class MatcherError(ValueError):
    """A text that is no matcher list; says where and what is wanted."""


@dataclass(frozen=True)
class Matcher:
    """One condition on one label."""

    name: str
    operator: str
    value: str

    @cached_property
    def _expression(self) -> Any:
        options = re2.Options()
        options.log_errors = False
        options.dot_nl = True
        try:
            return re2.compile(self.value, options)
        except re2.error as error:
            reason = error.args[0].decode() if isinstance(error.args[0], bytes) else error.args[0]
            raise MatcherError(f"{self.value!r} is not an RE2 expression: {reason}") from None

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels fit."""
        value = labels.get(self.name, "")
        match self.operator:
            case "=":
                return value == self.value
            case "!=":
                return value != self.value
            case "=~":
                return self._expression.fullmatch(value) is not None
            case _:
                return self._expression.fullmatch(value) is None

    def check(self) -> None:
        """Raise MatcherError if the expression is none."""
        if "~" in self.operator:
            _ = self._expression

    def __str__(self) -> str:
        escaped = self.value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        name = self.name
        if not re.fullmatch(r"[a-zA-Z_:][a-zA-Z0-9_:]*", name):
            quoted = name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
            name = f'"{quoted}"'
        return f'{name}{self.operator}"{escaped}"'


@dataclass(frozen=True)
class Matchers:
    """Conditions that all have to hold."""

    matchers: tuple[Matcher, ...]

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether all conditions hold."""
        return all(matcher.matches(labels) for matcher in self.matchers)

    def __str__(self) -> str:
        return ",".join(str(matcher) for matcher in self.matchers)


def parse(text: str) -> Matchers:
    """Read a matcher list; `{}` and the empty text match everything. Raises MatcherError."""
    reader = _Reader(text)
    braced = reader.take("{")
    matchers: list[Matcher] = []
    while not reader.at_end and not (braced and reader.sees("}")):
        matchers.append(_matcher(reader))
        if not reader.take(","):
            break
    if braced and not reader.take("}"):
        raise reader.error("wanted is a comma or the closing brace")
    if not reader.at_end:
        raise reader.error("wanted is a comma or the end")
    return Matchers(tuple(matchers))


def _matcher(reader: "_Reader") -> Matcher:
    name = reader.word(_BARE, "a label name")
    operator = next((operator for operator in OPERATORS if reader.take(operator)), None)
    if operator is None:
        raise reader.error(f"wanted is one of {', '.join(OPERATORS)} after {name!r}")
    matcher = Matcher(name, operator, reader.value())
    try:
        matcher.check()
    except MatcherError as error:
        raise reader.error(str(error)) from None
    return matcher


class _Reader:
    """A position in a text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._skip()

    @property
    def at_end(self) -> bool:
        return self._at >= len(self._text)

    def sees(self, token: str) -> bool:
        return self._text.startswith(token, self._at)

    def take(self, token: str) -> bool:
        if not self.sees(token):
            return False
        self._at += len(token)
        self._skip()
        return True

    def word(self, bare: re.Pattern[str], wanted: str) -> str:
        if self.sees('"'):
            return self._quoted()
        found = bare.match(self._text, self._at)
        if found is None:
            raise self.error(f"wanted is {wanted}")
        self._at = found.end()
        self._skip()
        return found[0].strip()

    def value(self) -> str:
        if self.at_end or self.sees(",") or self.sees("}"):
            return ""
        return self.word(_BARE_VALUE, "a value")

    def error(self, problem: str) -> MatcherError:
        return MatcherError(f"{self._text!r}, position {self._at + 1}: {problem}")

    def _quoted(self) -> str:
        start, text, at, found = self._at, self._text, self._at + 1, []
        while at < len(text) and text[at] != '"':
            if text[at] == "\\":
                # an escape that Go does not know is an expression's own: \d, \.
                known = _ESCAPES.get(text[at + 1 : at + 2])
                found.append(known if known is not None else text[at : at + 2])
                at += 2
            else:
                found.append(text[at])
                at += 1
        if at >= len(text):
            self._at = start
            raise self.error("this quote is never closed")
        self._at = at + 1
        self._skip()
        return "".join(found)

    def _skip(self) -> None:
        found = _SPACE.match(self._text, self._at)
        self._at = found.end() if found else self._at


def plain(name: str) -> str:
    """A name without case and separators: `databaseissues` for `DatabaseIssues` and `database_issues`."""
    return "".join(letter for letter in name.lower() if letter.isalnum())


def literals(matchers: Matchers, label: str) -> Sequence[str] | None:
    """The only values of a label that can match, or None where they cannot be listed."""
    for matcher in matchers.matchers:
        if matcher.name != label:
            continue
        if matcher.operator == "=" and matcher.value:
            return [matcher.value]
        if matcher.operator == "=~":
            words = matcher.value.split("|")
            if all(re.fullmatch(r"[A-Za-z0-9_]+", word) for word in words):
                return words
    return None


def prefix(matchers: Matchers, label: str) -> str:
    """What every value of a label that can match begins with; empty where nothing is known."""
    for matcher in matchers.matchers:
        if matcher.name == label and matcher.operator == "=~" and "|" not in matcher.value:
            found = re.match(r"[A-Za-z0-9_]+(?![A-Za-z0-9_?*+{])", matcher.value)
            if found:
                return found[0]
    return ""
