"""Templates in runbooks: Jinja2 in a sandbox, every output escaped for the place where it stands.

A probe says by the type of an option in which language it is: `query: PromQL`. Labels are data: one that
looks like a template is never rendered.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from types import NoneType
from typing import Annotated, Any, get_args

import re2
from jinja2 import TemplateError, UndefinedError, nodes
from jinja2.exceptions import SecurityError
from pydantic import AfterValidator, BaseModel

from responder.errors import ConfigError
from responder.model.alert import Alert
from responder.model.subject import Target
from responder.plugins import did_you_mean
from responder.templating.escaping import KUBERNETES_NAME, WORKLOAD_NAME, Language
from responder.templating.sandbox import LONGEST_OUTPUT, Named, Sandbox

LONGEST_TEMPLATE = 16_384

NAMES: Mapping[str, tuple[str, tuple[str, ...] | None]] = {
    "labels": ("label", None),
    "annotations": ("annotation", None),
    "target": ("field of the target", tuple(Target.model_fields)),
    "alert": ("field of the alert", (*Alert.model_fields, "name", "summary")),
    "evidence": ("evidence", None),
    "now": ("", ()),
    "started_at": ("", ()),
    "incident": (
        "field of the incident",
        (
            *("title", "component", "place", "cause", "severity", "since", "began", "ended", "duration"),
            *("found", "acknowledged", "finding", "timeline", "procedure", "number"),
        ),
    ),
}
"""What templates may name: what its entries are called, and where they are known which there are."""

_SELECTOR_TERM = re.compile(
    r"!?\s*[A-Za-z0-9]([-A-Za-z0-9_./]*[A-Za-z0-9])?"
    r"(\s*(=|==|!=)\s*([A-Za-z0-9]([-A-Za-z0-9_.:/]*[A-Za-z0-9])?)?|\s+(in|notin)\s+\([-A-Za-z0-9_.,\s]*\))?"
)
_SELECTOR_COMMA = re.compile(r",(?![^()]*\))")
_HOST = re.compile(r"(?i)(\*\.)?[a-z0-9_]([-a-z0-9_.]{0,251}[a-z0-9_])?\.?|\[[0-9a-f:.]+\]|[0-9a-f:]*:[0-9a-f:.]+")
_TAG = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)


class TemplateProblem(ConfigError):
    """A template that is wrong, or that has nothing to say for this alert."""


def _a_name(value: str) -> str:
    if value and not KUBERNETES_NAME.fullmatch(value) and not WORKLOAD_NAME.fullmatch(value):
        raise ValueError(f"{value[:80]!r} is no name of a Kubernetes object")
    return value


def _a_selector(value: str) -> str:
    if value.strip() and not all(_SELECTOR_TERM.fullmatch(term.strip()) for term in _SELECTOR_COMMA.split(value)):
        raise ValueError(f"{value[:80]!r} is no selector: write it as for kubectl, app=web,tier!=cache")
    return value


def _an_address(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not (_HOST.fullmatch(host) and port.isascii() and port.isdecimal() and 0 < int(port) < 65536):
        raise ValueError(f"{value[:80]!r} is no address: write it as host:port, an IPv6 address in brackets")
    return value


def _a_host(value: str) -> str:
    if value and not _HOST.fullmatch(value):
        raise ValueError(f"{value[:80]!r} is no name of a host")
    return value


def _an_expression(value: str) -> str:
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(value, options)
    except re2.error as error:
        raise ValueError(f"{value[:80]!r} is no regular expression (RE2): {error}") from None
    return value


Plain = Annotated[str, Language.PLAIN]
PromQL = Annotated[str, Language.PROMQL]
LogQL = Annotated[str, Language.LOGQL]
MatcherText = Annotated[str, Language.MATCHER]
Sql = Annotated[str, Language.SQL]
Shell = Annotated[str, Language.SHELL]
"""A command for people: a value is one word that no shell reads as anything else."""
UrlText = Annotated[str, Language.URL]
Address = Annotated[str, Language.ADDRESS, AfterValidator(_an_address)]
"""`host:port`; a value of a template is the whole host, or one label of it."""
HostName = Annotated[str, Language.ADDRESS, AfterValidator(_a_host)]
"""A name of a host, or an IP address; may be empty."""
KubeName = Annotated[str, Language.NAME, AfterValidator(_a_name)]
"""The name of an object, or `deployment/NAME` as kubectl writes it; may be empty."""
Selector = Annotated[str, Language.SELECTOR, AfterValidator(_a_selector)]
Regex = Annotated[str, Language.REGEX, AfterValidator(_an_expression)]


class Template:
    """A compiled template. `names` are the (name, entry) that it reads, with "" for a name as a whole."""

    def __init__(self, source: str, language: Language) -> None:
        self.source = source
        if len(source) > LONGEST_TEMPLATE:
            raise TemplateProblem(f"the template is longer than {LONGEST_TEMPLATE} characters")
        environment = _sandbox(language)
        try:
            tree = environment.parse(source)
            self.names = tuple(dict.fromkeys(_names(tree)))
            self._template = environment.from_string(tree)
        except (TemplateError, RecursionError) as error:
            raise TemplateProblem(f"the template {shown(source)} is wrong: {error}") from None
        for name, entry in self.names:
            self._check(name, entry)

    def _check(self, name: str, entry: str) -> None:
        if name not in NAMES:
            raise TemplateProblem(
                f"the template {shown(self.source)}: unknown name {name!r}{did_you_mean(name, NAMES)}"
            )
        noun, entries = NAMES[name]
        if entry and entries and entry not in entries:
            near = did_you_mean(entry, list(entries))
            raise TemplateProblem(f"the template {shown(self.source)}: there is no {noun} {entry!r}{near}")

    def render(self, context: Mapping[str, Any]) -> str:
        """The text; raises TemplateProblem naming what is missing."""
        given = {
            name: Named(NAMES[name][0], value) if name in NAMES and isinstance(value, Mapping) else value
            for name, value in context.items()
        }
        parts: list[str] = []
        size = 0
        try:
            for part in self._template.generate(given):
                parts.append(part)
                size += len(part)
                if size > LONGEST_OUTPUT:
                    raise ConfigError(f"the text is longer than {LONGEST_OUTPUT} characters")
        except UndefinedError as error:
            raise self._problem(f"{error.message}; write `or` and another value if it may be missing") from None
        except SecurityError:
            raise self._problem("this is not for templates") from None
        except (
            ConfigError,
            TemplateError,
            TypeError,
            ValueError,
            ArithmeticError,
            LookupError,
            AttributeError,
        ) as error:
            raise self._problem(str(error)) from None
        return "".join(parts)

    def _problem(self, message: str) -> TemplateProblem:
        return TemplateProblem(f"the template {shown(self.source)}: {message}")


def render_text(text: str, language: Language, context: Mapping[str, Any]) -> str:
    """The text with its templates filled in; raises TemplateProblem."""
    return template(text, language).render(context) if templated(text) else text


def render(model: type[BaseModel], raw: Mapping[str, Any], context: Mapping[str, Any]) -> dict[str, Any]:
    """The raw options of a plugin with every template filled in, each in its option's language.

    Raises TemplateProblem naming the option.
    """
    rendered = {}
    for name, value in raw.items():
        try:
            rendered[name] = _render(value, language_of(model, name), context)
        except TemplateProblem as problem:
            raise TemplateProblem(f"option {name!r}: {problem}") from None
    return rendered


def check(text: str, language: Language = Language.PLAIN) -> tuple[tuple[str, str], ...]:
    """The names that a template reads, as (name, entry); raises TemplateProblem if it cannot be right."""
    return template(text, language).names if templated(text) else ()


def templated(value: object) -> bool:
    """Whether a value is a text with a template in it."""
    return isinstance(value, str) and ("{{" in value or "{%" in value or "{#" in value)


def placeholder(text: str) -> str:
    """The text with a harmless word where a template puts a value: good enough to check its form."""
    return _TAG.sub(lambda found: "x" if found[0].startswith("{{") else "", text)


def language_of(model: type[BaseModel], option: str) -> Language | None:
    """The language of an option, or of the texts in it; None where its type names none."""
    field = model.model_fields.get(option)
    if field is None:
        return None
    marks = (mark for mark in field.metadata if isinstance(mark, Language))
    return next(marks, None) or _language_in(field.annotation)


def shown(source: str) -> str:
    """A source for a message: short and on one line."""
    line = " ".join(source.split())
    return repr(line if len(line) <= 100 else f"{line[:99]}…")


@lru_cache(maxsize=4096)
def template(source: str, language: Language) -> Template:
    """The compiled template; raises TemplateProblem."""
    return Template(source, language)


@cache
def _sandbox(language: Language) -> Sandbox:
    return Sandbox(language)


def _render(value: Any, language: Language | None, context: Mapping[str, Any]) -> Any:
    if templated(value):
        if language is None:
            raise TemplateProblem("takes no template")
        return template(value, language).render(context)
    if isinstance(value, Mapping):
        return {key: _render(item, language, context) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_render(item, language, context) for item in value]
    return value


def _language_in(annotation: Any) -> Language | None:
    if annotation in (None, NoneType):
        return None
    for part in get_args(annotation):
        if isinstance(part, Language):
            return part
        if found := _language_in(part):
            return found
    return None


def _names(tree: nodes.Template) -> Iterator[tuple[str, str]]:
    """Every free name with the entry that is read of it."""
    names = list(tree.find_all(nodes.Name))
    bound = {name.name for name in names if name.ctx == "store"} | {"loop", "range"}
    entries: dict[int, str] = {}
    for attribute in tree.find_all(nodes.Getattr):
        entries[id(attribute.node)] = attribute.attr
    for item in tree.find_all(nodes.Getitem):
        entries[id(item.node)] = str(getattr(item.arg, "value", ""))
    for name in names:
        if name.name not in bound:
            yield name.name, entries.get(id(name), "")
