"""Finds the probes, sinks and actions that we ship (by folder) and that others add (by entry point)."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.metadata import entry_points
from types import ModuleType
from typing import Any, ClassVar, Generic, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from responder.errors import ConfigError


class Plugin(BaseModel):
    """Options and behaviour of one kind in one frozen class; its kind is its module's name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: ClassVar[str] = ""


P = TypeVar("P", bound=Plugin)


@dataclass(frozen=True)
class Catalog(Generic[P]):
    """The kinds that are there, by name."""

    noun: str
    kinds: Mapping[str, type[P]]

    def find(self, kind: str) -> type[P]:
        """The class of a kind; raises ConfigError with the nearest name."""
        if kind in self.kinds:
            return self.kinds[kind]
        raise ConfigError(f"unknown {self.noun} {kind!r}{did_you_mean(kind, self.kinds)}")

    def build(self, kind: str, options: Mapping[str, Any]) -> P:
        """An instance with the options; raises ConfigError naming the bad option."""
        plugin = self.find(kind)
        try:
            return plugin.model_validate(dict(options))
        except ValidationError as error:
            raise ConfigError(f"{self.noun} {kind!r}: {'; '.join(complaints(error, plugin))}") from None


def load(package: ModuleType, contract: type[P], noun: str, *, dotted: bool = False) -> Catalog[P]:
    """All kinds of a contract: one class in each module of the package, and the entry points.

    With `dotted` the first underscore of a module's name is a dot in the kind: `http_get` is `http.get`.
    """
    kinds: dict[str, type[P]] = {}
    for module in modules(package):
        kind = module.__name__.rpartition(".")[2]
        plugin = _only_class(module, contract)
        plugin.kind = kind.replace("_", ".", 1) if dotted else kind
        kinds[plugin.kind] = plugin
    for entry in entry_points(group=f"responder.{package.__name__.rpartition('.')[2]}"):
        plugin = entry.load()
        if not (inspect.isclass(plugin) and issubclass(plugin, contract)):
            raise ConfigError(f"entry point {entry.name!r} ({entry.value}) is not a {contract.__name__}")
        plugin.kind = entry.name
        kinds[entry.name] = plugin
    return Catalog(noun, dict(sorted(kinds.items())))


def modules(package: ModuleType) -> Iterator[ModuleType]:
    """The modules of a package, imported, without those whose name begins with an underscore."""
    for found in pkgutil.iter_modules(package.__path__):
        if not found.name.startswith("_"):
            yield importlib.import_module(f"{package.__name__}.{found.name}")


def _only_class(module: ModuleType, contract: type[P]) -> type[P]:
    found = [
        value
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, contract) and value.__module__ == module.__name__
    ]
    if len(found) != 1:
        raise ConfigError(f"{module.__name__} must define exactly one {contract.__name__}, it defines {len(found)}")
    return found[0]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`, did you mean 'X'?` or, where nothing is near, the list of what there is."""
    names = sorted(known)
    if near := get_close_matches(word, names, n=1, cutoff=0.6):
        return f", did you mean {near[0]!r}?"
    return f" (there is {', '.join(names)})" if names else ""


def complaints(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """What pydantic found wrong, one line each, with the nearest name for an unknown field."""
    lines = []
    for item in error.errors(include_url=False, include_context=False, include_input=False):
        place = ".".join(str(part) for part in item["loc"])
        if item["type"] == "extra_forbidden":
            known = fields_at(model, item["loc"][:-1])
            lines.append(f"unknown option {place!r}{did_you_mean(str(item['loc'][-1]), known)}")
        else:
            lines.append(f"{place}: {explained(item)}" if place else explained(item))
    return lines


_MEANT: Mapping[str, str] = {
    "tuple_type": "must be a list: write [one, another], or each on a line of its own after a -",
    "list_type": "must be a list: write [one, another], or each on a line of its own after a -",
    "dict_type": "must be a mapping: write {key: value}, or key: value on lines of their own",
    "model_type": "must be a mapping: write {key: value}, or key: value on lines of their own",
    "model_attributes_type": "must be a mapping: write {key: value}, or key: value on lines of their own",
    "string_type": "must be a text; write it in quotes",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_parsing": "must be a number",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "time_parsing": "must be a time of day, as 22:00",
    "time_type": "must be a time of day, as 22:00",
    "time_delta_parsing": "must be a duration, as 30s, 5m, 1h30m or 1d",
    "time_delta_type": "must be a duration, as 30s, 5m, 1h30m or 1d",
    "missing": "is missing",
    "path_type": "must be the path of a file or folder",
}
"""What people are told, by the kind of pydantic's errors."""


def explained(error: Mapping[str, Any]) -> str:
    """What is meant, in words, of one of pydantic's errors."""
    return _MEANT.get(error["type"], str(error["msg"]).removeprefix("Value error, "))


def fields_at(model: type[BaseModel], path: Sequence[str | int]) -> list[str]:
    """The names of the fields of the model at a path of keys and indexes, as people write them."""
    here: Any = model
    for step in path:
        models = list(_models(here))
        if isinstance(step, int) or not models:
            continue
        fields = {field.alias or name: field for found in models for name, field in found.model_fields.items()}
        if step in fields:
            here = fields[step].annotation
    return [field.alias or name for found in _models(here) for name, field in found.model_fields.items()]


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models in a type, as in `tuple[Route, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)
