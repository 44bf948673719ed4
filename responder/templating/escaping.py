"""How a value is written at the place of a text where a template puts it.

For every language a scanner follows the literal parts of a template, as `html/template` of Go does for
HTML, and names the escaper for an output at the present position. A value can then never leave the string,
path segment or name that it stands in.

PromQL and LogQL: strings in double or single quotes with Go's escapes, raw strings in backquotes, comments
after `#` (prometheus.io/docs, Querying basics; grafana.com/docs/loki, Query). After `=~`, `!~` and `|~` a
string is a regular expression. URLs: RFC 3986.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, Self
from urllib.parse import quote

import re2

from responder.errors import ConfigError

KUBERNETES_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
WORKLOAD_NAME = re.compile(
    r"(deployment|statefulset|daemonset|replicaset|job|cronjob|pod)/[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?"
)
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,251}[A-Za-z0-9])?)?")
_BARE = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*|[0-9]+(\.[0-9]+)?([a-z]+([0-9]+[a-z]+)*)?")
_SHELL_WORD = re.compile(r"[A-Za-z0-9_./][-A-Za-z0-9_./:@%+,=]*")
_HOST = re.compile(r"(?i)[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?(:[0-9]{1,5})?|\[[0-9a-f:.]+\](:[0-9]{1,5})?")

_LABEL = re.compile(r"[A-Za-z0-9_]([-A-Za-z0-9_]{0,61}[A-Za-z0-9])?")


class Language(StrEnum):
    """What a text with templates is written in."""

    PLAIN = "plain text"
    PROMQL = "PromQL"
    LOGQL = "LogQL"
    MATCHER = "a matcher of Alertmanager"
    SQL = "SQL"
    URL = "a URL"
    ADDRESS = "a network address"
    NAME = "a Kubernetes name"
    SELECTOR = "a label selector"
    REGEX = "a regular expression"
    SHELL = "a shell command"


class Expression(str):
    """A text that is a regular expression already, made by a template's filter."""

    __slots__ = ()


def regex(value: str) -> str:
    """A regular expression (RE2, and Go's) that matches exactly this text."""
    if isinstance(value, Expression):
        return value
    return str(re2.escape(value.encode("utf-8", "replace").decode())).replace("\\`", "\\x60")


def _string(value: str) -> str:
    # a quote may be escaped with a backslash only inside its own kind of string, by number in all
    return "".join(
        f"\\x{ord(character):02x}" if character < " " or character in "\"'`\x7f" else character
        for character in value.replace("\\", "\\\\")
    )


def _matcher_string(value: str) -> str:
    # Alertmanager knows these three escapes only (alertmanager, matcher/parse and pkg/labels)
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _raw_string(value: str) -> str:
    if "`" in value:
        raise ConfigError(f"{_cut(value)} has a backquote and cannot stand in a string of backquotes")
    return value


def _bare(value: str) -> str:
    if not _BARE.fullmatch(value):
        raise ConfigError(f"{_cut(value)} stands outside quotes and is no name, number or duration")
    return value


def _host(value: str) -> str:
    if not _HOST.fullmatch(value):
        raise ConfigError(f"{_cut(value)} is no host")
    return value


def _domain_label(value: str) -> str:
    if not _LABEL.fullmatch(value):
        raise ConfigError(f"{_cut(value)} is no single part of a host name")
    return value


def _component(value: str) -> str:
    if value in (".", ".."):
        raise ConfigError(f"{value!r} cannot be a part of a URL")
    return quote(value.encode("utf-8", "replace"), safe="")


def _name(value: str) -> str:
    if value and not KUBERNETES_NAME.fullmatch(value) and not WORKLOAD_NAME.fullmatch(value):
        raise ConfigError(f"{_cut(value)} is no name of a Kubernetes object")
    return value


def _label_value(value: str) -> str:
    if not _LABEL_VALUE.fullmatch(value):
        raise ConfigError(f"{_cut(value)} cannot be in a selector of Kubernetes objects")
    return value


def _shell_word(value: str) -> str:
    # quoting depends on where a value stands (quotes, $(), here documents): only what is read alike in all may be there
    if value and not _SHELL_WORD.fullmatch(value):
        raise ConfigError(f"{_cut(value)} has characters that a shell would read")
    return value


def _cut(value: str) -> str:
    return repr(value if len(value) <= 80 else f"{value[:80]}…")


ESCAPERS: Mapping[str, Callable[[str], str]] = {
    "plain": str,
    "string": _string,
    "string_regex": lambda value: _string(regex(value)),
    "matcher_string": _matcher_string,
    "matcher_string_regex": lambda value: _matcher_string(regex(value)),
    "raw_string": _raw_string,
    "raw_string_regex": lambda value: _raw_string(regex(value)),
    "bare": _bare,
    "host": _host,
    "domain_label": _domain_label,
    "component": _component,
    "name": _name,
    "selector": _label_value,
    "regex": regex,
    "shell_word": _shell_word,
}


class Scanner(Protocol):
    """Where in a text we are; equal scanners are at places of one kind."""

    @property
    def escaper(self) -> str:
        """The escaper of a value that is put here; raises ConfigError where none may be."""
        ...

    def feed(self, text: str) -> "Scanner":
        """The place behind this literal text."""
        ...


@dataclass(frozen=True)
class Everywhere:
    """A language in which every place is alike."""

    escaper: str

    def feed(self, text: str) -> Self:
        return self


@dataclass(frozen=True)
class Nowhere:
    """SQL: values are bind parameters, never text."""

    @property
    def escaper(self) -> str:
        raise ConfigError("a value cannot stand in SQL: write it as a parameter")

    def feed(self, text: str) -> Self:
        return self


@dataclass(frozen=True)
class Query:
    """A place in PromQL or LogQL: the quote or `#` that we are in, and the operator before it."""

    quote: str = ""
    operator: str = ""
    escaped: bool = False

    @property
    def escaper(self) -> str:
        if self.escaped:
            raise ConfigError("a value cannot follow a backslash")
        if self.quote in ("", "#"):
            return "bare"
        kind = "raw_string" if self.quote == "`" else "string"
        return f"{kind}_regex" if self.operator in ("=~", "!~", "|~") else kind

    def feed(self, text: str) -> "Query":
        inside, operator, escaped = self.quote, self.operator, self.escaped
        for sign in text:
            if inside == "#":
                inside = "" if sign == "\n" else inside
            elif inside:
                if sign == inside and not escaped:
                    inside, operator = "", ""
                escaped = sign == "\\" and not escaped and inside in ("'", '"')
            elif sign in "\"'`#":
                inside = sign
            elif not sign.isspace():
                operator = (operator + sign)[-2:] if sign in "=~!|" else ""
        return Query(inside, operator, escaped)


@dataclass(frozen=True)
class Matcher:
    """A place in a matcher of Alertmanager: inside double quotes or not, and the operator before them."""

    quoted: bool = False
    operator: str = ""
    escaped: bool = False

    @property
    def escaper(self) -> str:
        if self.escaped:
            raise ConfigError("a value cannot follow a backslash")
        if not self.quoted:
            return "bare"
        return "matcher_string_regex" if self.operator in ("=~", "!~") else "matcher_string"

    def feed(self, text: str) -> "Matcher":
        quoted, operator, escaped = self.quoted, self.operator, self.escaped
        for sign in text:
            if sign == '"' and not escaped:
                quoted, operator = not quoted, operator if not quoted else ""
            elif not quoted and not sign.isspace():
                operator = (operator + sign)[-2:] if sign in "=~!" else ""
            escaped = sign == "\\" and not escaped and quoted
        return Matcher(quoted, operator, escaped)


@dataclass(frozen=True)
class Url:
    """A place in a URL, or in a part of one that has no scheme. `tail` is what may begin `://`."""

    host: bool = False
    tail: str = ""
    over: bool = False

    @property
    def escaper(self) -> str:
        return "host" if self.host else "component"

    def feed(self, text: str) -> "Url":
        host, tail, over = self.host, self.tail, self.over
        for sign in text:
            if host and sign in "/?#":
                host, over = False, True
            elif not over and tail + sign == "://":
                host, tail = True, ""
            elif not (host or over):
                tail = next((end for end in (":/", ":") if (tail + sign).endswith(end)), "")
        return Url(host, tail, over)


@dataclass(frozen=True)
class Address:
    """A place in `host:port` or in a host name: a value may be the whole of it, or one label behind literal text."""

    begun: bool = False

    @property
    def escaper(self) -> str:
        return "domain_label" if self.begun else "host"

    def feed(self, text: str) -> "Address":
        return Address(self.begun or bool(text.strip()))


def scanner(language: Language) -> Scanner:
    """The beginning of a text in this language."""
    match language:
        case Language.PROMQL | Language.LOGQL:
            return Query()
        case Language.URL:
            return Url()
        case Language.MATCHER:
            return Matcher()
        case Language.ADDRESS:
            return Address()
        case Language.SQL:
            return Nowhere()
        case Language.NAME:
            return Everywhere("name")
        case Language.SELECTOR:
            return Everywhere("selector")
        case Language.REGEX:
            return Everywhere("regex")
        case Language.SHELL:
            return Everywhere("shell_word")
        case _:
            return Everywhere("plain")
