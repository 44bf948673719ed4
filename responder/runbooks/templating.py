"""Templates in runbooks: Jinja2 in its immutable sandbox, every output escaped for where it ends up.

A probe's option says its language by its type (`query: PromQL`); texts of alerts that a template fills in
can then not leave the string, path or name they stand in. Labels are data: a label that looks like a
template is never rendered.
"""

import re
from collections.abc import Callable, Mapping
from enum import Enum
from functools import lru_cache
from typing import Annotated, Any, get_args
from urllib.parse import quote

from jinja2 import Template, TemplateError, Undefined, UndefinedError, meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import BaseModel

from responder.errors import ConfigError

LONGEST_OUTPUT = 20_000
LONGEST_RANGE = 1000
NAMES = frozenset({"labels", "annotations", "target", "alert", "evidence", "started_at", "now", "finding"})

_DNS_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_WORKLOAD = re.compile(
    r"(deployment|statefulset|daemonset|replicaset|job|cronjob)/[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?"
)
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")


_QUOTES = str.maketrans({"\\": "\\\\", '"': "\\x22", "'": "\\x27", "`": "\\x60", "\n": "\\n", "\r": "\\r", "\0": None})


def _in_string(text: str) -> str:
    """For a quoted string of PromQL or LogQL, whichever quotes (both follow Go's escapes; a quote that is not
    the string's own must not be escaped with a backslash, so all are written by number)."""
    return text.translate(_QUOTES)


def _in_expression(text: str) -> str:
    return re.sub(r"([\\.+*?()|\[\]{}^$])", r"\\\1", text).replace("\n", r"\n").replace("\0", "")


def _name(text: str) -> str:
    if text and not (_DNS_NAME.fullmatch(text) or _WORKLOAD.fullmatch(text)):
        raise ConfigError(f"{text[:80]!r} is no name of a Kubernetes object")
    return text


def _label_value(text: str) -> str:
    if not _LABEL_VALUE.fullmatch(text):
        raise ConfigError(f"{text[:80]!r} cannot be the value of a label of a Kubernetes object")
    return text


def _refuse(_text: str) -> str:
    raise ConfigError("SQL takes values as parameters, not from a template")


class Language(Enum):
    """Where a text ends up."""

    PLAIN = "plain"
    PROMQL = "promql"
    LOGQL = "logql"
    SQL = "sql"
    URL = "url"
    NAME = "name"
    SELECTOR = "selector"
    REGEX = "regex"


_ESCAPES: Mapping[Language, Callable[[str], str]] = {
    Language.PLAIN: lambda text: text.replace("\0", ""),
    Language.PROMQL: _in_string,
    Language.LOGQL: _in_string,
    Language.SQL: _refuse,
    Language.URL: lambda text: quote(text, safe=""),
    Language.NAME: _name,
    Language.SELECTOR: _label_value,
    Language.REGEX: _in_expression,
}

Plain = Annotated[str, Language.PLAIN]
PromQL = Annotated[str, Language.PROMQL]
LogQL = Annotated[str, Language.LOGQL]
Sql = Annotated[str, Language.SQL]
UrlText = Annotated[str, Language.URL]
KubeName = Annotated[str, Language.NAME]
Selector = Annotated[str, Language.SELECTOR]
Regex = Annotated[str, Language.REGEX]


def render_text(text: str, language: Language, context: Mapping[str, Any]) -> str:
    """The text with its templates filled in; raises ConfigError naming the template and what is wrong."""
    if "{" not in text:
        return text
    try:
        rendered = _template(text, language).render(dict(context))
    except UndefinedError as error:
        raise ConfigError(
            f"template {text!r}: {_what_is_missing(error)}; write `or` with another value if it may be missing"
        ) from None
    except (TemplateError, TypeError, ValueError, OverflowError, MemoryError) as error:
        raise ConfigError(f"template {text!r}: {error}") from None
    if len(rendered) > LONGEST_OUTPUT:
        raise ConfigError(f"template {text!r} gives more than {LONGEST_OUTPUT} characters")
    return rendered


def render(model: type[BaseModel], raw: Mapping[str, Any], context: Mapping[str, Any]) -> dict[str, Any]:
    """The raw options of a plugin with every template in them filled in, each in its option's language."""
    return {name: _render_value(value, language_of(model, name), context) for name, value in raw.items()}


def language_of(model: type[BaseModel], option: str) -> Language:
    """The language of an option; plain where its type names none."""
    field = model.model_fields.get(option)
    if field is None:
        return Language.PLAIN
    for mark in field.metadata:
        if isinstance(mark, Language):
            return mark
    return _nested_language(field.annotation) or Language.PLAIN


def check(text: str) -> None:
    """Raise ConfigError if the text is no template, or names what no template can know."""
    if "{" not in text:
        return
    environment = _environment(Language.PLAIN)
    try:
        parsed = environment.parse(text)
    except TemplateError as error:
        raise ConfigError(f"template {text!r}: {error}") from None
    for name in sorted(meta.find_undeclared_variables(parsed) - NAMES - set(environment.globals)):
        raise ConfigError(f"template {text!r}: {name!r} is unknown (there is {', '.join(sorted(NAMES))})")
    for loop in parsed.find_all((nodes.Mul, nodes.Pow, nodes.Mod)):
        raise ConfigError(f"template {text!r}, line {loop.lineno}: multiplication is not for templates")


def templated(value: Any) -> bool:
    """Whether there is a template in a value."""
    return isinstance(value, str) and ("{{" in value or "{%" in value)


def _what_is_missing(error: UndefinedError) -> str:
    found = re.search(r"has no attribute '(.*)'", str(error.message))
    return f"there is no {found[1]!r}" if found else str(error.message)


def _render_value(value: Any, language: Language, context: Mapping[str, Any]) -> Any:
    if isinstance(value, str):
        return render_text(value, language, context)
    if isinstance(value, Mapping):
        return {name: _render_value(item, language, context) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_render_value(item, language, context) for item in value]
    return value


def _nested_language(annotation: Any) -> Language | None:
    for part in get_args(annotation):
        if isinstance(part, Language):
            return part
        if found := _nested_language(part):
            return found
    return None


class _Missing(Undefined):
    """What a label is that the alert does not have: false in a condition, an error where it is shown."""

    def __str__(self) -> str:
        return self._fail_with_undefined_error()


class _Sandbox(ImmutableSandboxedEnvironment):
    """Refuses what could make a template large or slow; a mapping has its keys and nothing else."""

    intercepted_binops = frozenset({"*", "**", "%"})

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, Mapping):
            return obj[attribute] if attribute in obj else self.undefined(obj=obj, name=attribute)
        return super().getattr(obj, attribute)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        raise TemplateError(f"the operator {operator} is not for templates")


@lru_cache(maxsize=len(Language))
def _environment(language: Language) -> _Sandbox:
    escape = _ESCAPES[language]

    def finalize(value: Any) -> str:
        return escape("" if value is None else str(value))

    environment = _Sandbox(undefined=_Missing, finalize=finalize, keep_trailing_newline=True)
    environment.globals = {"range": _short_range}
    environment.filters["regex"] = lambda value: _in_expression(str(value))
    for unsafe in ("pprint", "tojson", "xmlattr", "urlize", "center", "indent", "wordwrap", "format", "safe"):
        environment.filters.pop(unsafe, None)
    return environment


def _short_range(*bounds: int) -> range:
    found = range(*bounds)
    if len(found) > LONGEST_RANGE:
        raise ValueError(f"a range of more than {LONGEST_RANGE}")
    return found


@lru_cache(maxsize=4096)
def _template(text: str, language: Language) -> Template:
    return _environment(language).from_string(text)
