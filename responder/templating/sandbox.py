"""The part of Jinja2 that runbooks may use, with bounds on what it can do.

A template is text with `{{ }}`, `if` and `for`. Values come from strangers: a mapping has its keys and a few
methods, every output goes through the escaper of its place, and everything that could grow is bounded.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any, NoReturn

from jinja2 import StrictUndefined, TemplateRuntimeError, TemplateSyntaxError, nodes
from jinja2.filters import FILTERS
from jinja2.runtime import LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from responder.errors import ConfigError
from responder.templating.escaping import ESCAPERS, Expression, Language, Scanner, regex, scanner

LONGEST_OUTPUT = 20_000
LONGEST_LOOP = 500
DEEPEST_LOOP = 2

_FILTERS = (
    "abs capitalize count d default dictsort first float int items last length list lower map max min reject "
    "rejectattr reverse round select selectattr sort sum title trim truncate unique upper"
)
_WORDS = (
    "endswith find isdigit lower lstrip partition removeprefix removesuffix rpartition rsplit rstrip split startswith "
    "strip title upper"
)
_METHODS: tuple[tuple[type, str], ...] = (
    (str, _WORDS),
    (dict, "get items keys values"),
    (list, "count index"),
    (tuple, "count index"),
    (datetime, "isoformat timestamp year month day hour minute second"),
    (LoopContext, "index index0 first last length revindex previtem nextitem"),
)


class Named(dict[str, Any]):
    """A mapping that knows what its entries are called, for the message where one is missing."""

    def __init__(self, noun: str, entries: Mapping[str, Any]) -> None:
        super().__init__(entries)
        self.noun = noun


class Missing(StrictUndefined):
    """What is not there: false in a condition, an error where it is shown."""

    __slots__ = ()

    def __bool__(self) -> bool:  # type: ignore[override]  # jinja2 types it as never returning
        return False

    @property
    def _undefined_message(self) -> str:
        what = self._undefined_name
        if isinstance(self._undefined_obj, Named):
            return f"there is no {self._undefined_obj.noun} {what!r}"
        if isinstance(self._undefined_obj, list | tuple):
            return f"the list has no item {what}"
        return f"there is no {what!r}"


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja2 for one language."""

    intercepted_binops = frozenset({"*", "**", "%", "+"})

    def __init__(self, language: Language) -> None:
        super().__init__(undefined=Missing, keep_trailing_newline=True, cache_size=0)
        self.language = language
        self.globals = {"range": _range}
        self.filters = {name: FILTERS[name] for name in _FILTERS.split()} | {
            "any_of": _any_of,
            "join": _join,
            "regex": lambda value: Expression(regex(_text(value))),
            "replace": _replace,
            "string": _text,
            "_concatenated": _join,
            "_items": _items,
        }
        self.filters |= {f"_{name}": _output(name) for name in ESCAPERS}

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, Mapping):
            if attribute in obj:
                return obj[attribute]
            if attribute not in ("get", "items", "keys", "values"):
                return self.undefined(obj=obj, name=attribute)
        return super().getattr(obj, attribute)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        return any(isinstance(obj, kind) and attr in names.split() for kind, names in _METHODS)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if operator == "+" and isinstance(left, str) and isinstance(right, str):
            return _join((left, right))
        if not all(isinstance(side, int | float | datetime) for side in (left, right)) or operator == "**":
            raise TemplateRuntimeError(f"{operator} is for numbers only (** for none)")
        return super().call_binop(context, operator, left, right)

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        _Bounds().visit(tree)
        _escape(tree.body, scanner(self.language), 0)
        tree.set_environment(self)
        return tree


class _Bounds(NodeTransformer):
    """Puts `~` under the bound on lengths."""

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _filter(nodes.List(node.nodes, lineno=node.lineno), "_concatenated")


def _escape(body: list[nodes.Node], place: Scanner, depth: int) -> Scanner:
    """Put every output of the body through the escaper of its place; returns the place behind the body."""
    for node in body:
        match node:
            case nodes.Output():
                place = _escape_output(node, place)
            case nodes.If():
                branches = [node.body, *(branch.body for branch in node.elif_), node.else_]
                place = _same({_escape(branch, place, depth) for branch in branches}, node)
            case nodes.For():
                if depth == DEEPEST_LOOP or node.recursive:
                    raise TemplateSyntaxError(f"loops may be nested {DEEPEST_LOOP} deep", node.lineno)
                node.iter = _filter(node.iter, "_items")
                place = _same({place, _escape(node.body, place, depth + 1), _escape(node.else_, place, depth)}, node)
            case _:
                word = type(node).__name__.lower()
                raise TemplateSyntaxError(f"{word} is not for runbooks: there is {{{{ }}}}, if and for", node.lineno)
    return place


def _escape_output(node: nodes.Output, place: Scanner) -> Scanner:
    for index, child in enumerate(node.nodes):
        if isinstance(child, nodes.TemplateData):
            place = place.feed(child.data)
            continue
        try:
            node.nodes[index] = _filter(child, f"_{place.escaper}")
        except ConfigError as error:
            raise TemplateSyntaxError(str(error), child.lineno) from None
    return place


def _same(places: set[Scanner], node: nodes.Node) -> Scanner:
    if len(places) > 1:
        raise TemplateSyntaxError("a quote that opens inside if or for must close there", node.lineno)
    return places.pop()


def _filter(node: nodes.Node, name: str) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)


def _output(escaper: str) -> Any:
    escape = ESCAPERS[escaper]
    return lambda value: escape(value if isinstance(value, Expression) else _text(value))


def _text(value: Any) -> str:
    """A single value as text; raises where there is none, or too much."""
    if isinstance(value, Missing):
        value._fail_with_undefined_error()  # noqa: SLF001 (made for subclasses)
    if value is None:
        raise TemplateRuntimeError("the value is null")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    if isinstance(value, float):
        return f"{value:.15g}"
    if not isinstance(value, str | int):
        raise TemplateRuntimeError(f"a {type(value).__name__} is no text: choose one value, or join them")
    return _bounded(str(value))


def _bounded(text: str) -> str:
    if len(text) > LONGEST_OUTPUT:
        raise TemplateRuntimeError(f"the text is longer than {LONGEST_OUTPUT} characters")
    return text


def _joined(values: Iterable[Any], between: str) -> str:
    parts: list[str] = []
    size = 0
    for value in values:
        parts.append(_text(value))
        size += len(parts[-1]) + len(between)
        if size > LONGEST_OUTPUT + len(between):
            _too_long()
    return between.join(parts)


def _too_long() -> NoReturn:
    raise TemplateRuntimeError(f"the text is longer than {LONGEST_OUTPUT} characters")


def _join(values: Iterable[Any], between: str = "", attribute: str = "") -> str:
    return _joined((value[attribute] for value in values) if attribute else values, between)


def _any_of(values: Iterable[Any]) -> Expression:
    """A regular expression that matches exactly these texts."""
    return Expression(f"(?:{'|'.join(regex(_text(value)) for value in _items(values))})")


def _replace(text: Any, old: str, new: str) -> str:
    text = _text(text)
    if len(text) + text.count(old) * len(new) > LONGEST_OUTPUT:
        _too_long()
    return str(text.replace(old, new))


def _items(values: Iterable[Any]) -> list[Any]:
    found = list(islice(_iterate(values), LONGEST_LOOP + 1))
    if len(found) > LONGEST_LOOP:
        raise TemplateRuntimeError(f"a loop over more than {LONGEST_LOOP} items")
    return found


def _iterate(values: Iterable[Any]) -> Iterator[Any]:
    if isinstance(values, Missing) or not isinstance(values, Iterable):
        raise TemplateRuntimeError("nothing to loop over: write `or []` if it may be missing")
    return iter(values)


def _range(*bounds: int) -> range:
    found = range(*bounds)
    if len(found) > LONGEST_LOOP:
        raise TemplateRuntimeError(f"a range of more than {LONGEST_LOOP}")
    return found
