"""Reads settings from a YAML file and `RESPONDER_*` variables; each mistake is one line: place, key, what is meant."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsError

from responder.documents import Document, read_settings
from responder.errors import ConfigError
from responder.plugins import did_you_mean, explained, fields_at

PREFIX = "RESPONDER_"
_UNFILLED = re.compile(r"\$\{[^}]*\}|^\$\(?[A-Z_][A-Z0-9_]*\)?$")
_OF_KUBERNETES = re.compile(
    r"(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)"
)
"""What Kubernetes sets in a pod beside a Service whose name begins with `responder`."""
_NAMED = re.compile(r"([a-z_]+(?:\.[a-z_]+|\[[0-9]+\])*): ")
"""How a message of our own begins that says itself which key it is about."""
_FIELD = re.compile(r'field "(\w+)"')

S = TypeVar("S", bound=BaseSettings)


@dataclass(frozen=True)
class _Given:
    """What was given, and where it stands."""

    document: Document | None
    overrides: Mapping[str, Any]
    environment: Mapping[str, str]

    def line(self, path: Sequence[str | int], message: str) -> str:
        """A mistake, with the variable or the file and line where it was made."""
        place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")
        if variable := self._variable(path):
            return f"{variable}: {message}" if len(path) < 2 else f"{variable}: {place}: {message}"
        if self.document is not None:
            return str(self.document.problem(path, message))
        return f"settings: {place}: {message}" if place else f"settings: {message}"

    def _variable(self, path: Sequence[str | int]) -> str:
        """The variable that set what stands at the path, or part of it: variables win over the file."""
        named = [str(step) for step in path if isinstance(step, str)]
        for length in range(len(named), 0, -1):
            variable = PREFIX + "__".join(named[:length]).upper()
            if variable in self.environment:
                return variable
        return ""


def build(model: type[S], path: Path | None, overrides: Mapping[str, Any]) -> S:
    """The settings; raises ConfigError with everything that is wrong."""
    environment = {name.upper(): value for name, value in os.environ.items() if name.upper().startswith(PREFIX)}
    document = read_settings(path) if path is not None else None
    given = _Given(document, overrides, environment)
    problems = [*_unfilled(given), *_unknown(model, environment)]
    if problems:
        raise ConfigError("\n".join(problems))
    data = _without_nothing(document.data) if document is not None else {}
    try:
        return model(**{**data, **overrides})
    except ValidationError as error:
        raise ConfigError("\n".join(dict.fromkeys(_lines(error, model, given)))) from None
    except SettingsError as error:
        raise ConfigError(_no_json(error, environment)) from None


def _without_nothing(value: Any) -> Any:
    """The data without the keys that have no value: they are as if they were not there."""
    if isinstance(value, dict):
        return {key: _without_nothing(item) for key, item in value.items() if item is not None}
    return [_without_nothing(item) for item in value] if isinstance(value, list) else value


def _lines(error: ValidationError, model: type[BaseSettings], given: _Given) -> Iterator[str]:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    places = {item["loc"][:length] for item in found for length in range(len(item["loc"]))}
    for item in found:
        # of a list whose items are wrong it is no news that it is too short
        if item["loc"] and item["loc"] in places:
            continue
        path = [step for step in item["loc"] if not _internal(step)]
        message = explained(item)
        if item["type"] == "extra_forbidden":
            known = fields_at(model, path[:-1])
            yield given.line(path, f"unknown option{did_you_mean(str(path[-1]), known)}")
        elif not path and (named := _NAMED.match(message)):
            yield given.line(_steps(named.group(1)), message[named.end() :])
        else:
            yield given.line(path, message)


def _internal(step: str | int) -> bool:
    """Whether a step of pydantic's path is a type of a union, and no key."""
    return isinstance(step, str) and (step in ("str", "int", "bool", "time") or "[" in step)


def _steps(place: str) -> list[str | int]:
    return [int(step) if step.isdigit() else step for step in re.split(r"[.\[\]]+", place) if step]


def _unknown(model: type[BaseSettings], environment: Mapping[str, str]) -> Iterator[str]:
    """Variables that look like settings and are none."""
    known = [f"{PREFIX}{name.upper()}" for name in model.model_fields]
    for variable in sorted(environment):
        name = variable.removeprefix(PREFIX)
        first = PREFIX + name.partition("__")[0]
        if first not in known and not _OF_KUBERNETES.fullmatch(name):
            yield f"{variable}: there is no such setting{did_you_mean(first, known)}"


def _unfilled(given: _Given) -> Iterator[str]:
    """Texts that somebody expected to be filled in from the environment."""
    for variable, value in given.environment.items():
        if found := _UNFILLED.search(value):
            yield f"{variable}: {found[0]} is not filled in: set the value itself"
    for path, value in _texts(given.document.data if given.document else {}, ()):
        if found := _UNFILLED.search(value):
            names = [str(step).upper() for step in path]
            way = f"set the variable {PREFIX}{'__'.join(names)} instead"
            if any(isinstance(step, int) for step in path):
                way = "name a file with it where the key has a form with _file, or set the whole list by its variable"
            yield given.line(path, f"{found[0]} is not filled in: {way}")


def _texts(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if isinstance(value, str):
        yield path, value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, item in items:
        yield from _texts(item, (*path, step))


def _no_json(error: SettingsError, environment: Mapping[str, str]) -> str:
    """A list or mapping in a variable is JSON; pydantic-settings names the field."""
    field = _FIELD.search(str(error))
    variable = f"{PREFIX}{field[1].upper()}" if field else PREFIX
    if variable not in environment:
        variable = next((name for name in environment if name.startswith(variable)), variable)
    return f'{variable}: is no JSON: write a list as ["a", "b"] and a mapping as {{"key": "value"}}'
