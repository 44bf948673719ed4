"""YAML files with a memory for lines: data for pydantic, and where in the file each value stands."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import yaml

from responder.errors import ConfigError

LARGEST = 1024 * 1024

_Fast: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Fast):  # type: ignore[misc]
    """Plain values as YAML 1.2 has them (its core schema, without octal and hexadecimal numbers).

    `22:00` is a text and not the number 1320, `no` and `on` are words, `2026-03-04` is no date.
    """

    yaml_implicit_resolvers: ClassVar[dict[str, list[tuple[str, re.Pattern[str]]]]] = {}


class _Texts(_Fast):  # type: ignore[misc]
    """Every plain value as it was written, save for null: what it is a key of says what it means."""

    yaml_implicit_resolvers: ClassVar[dict[str, list[tuple[str, re.Pattern[str]]]]] = {}


for _tag, _pattern, _first in (
    ("tag:yaml.org,2002:null", r"(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("tag:yaml.org,2002:merge", r"<<$", ["<"]),
    ("tag:yaml.org,2002:bool", r"(?:true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    ("tag:yaml.org,2002:int", r"[-+]?(?:0|[1-9][0-9]*)$", list("-+0123456789")),
    ("tag:yaml.org,2002:float", r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?$", list("-+.0123456789")),
):
    _Loader.add_implicit_resolver(_tag, re.compile(_pattern), _first)
    if _tag.endswith(("null", "merge")):
        _Texts.add_implicit_resolver(_tag, re.compile(_pattern), _first)


@dataclass(frozen=True)
class Problem:
    """Something wrong in a file; `place` is the path of keys to it."""

    file: Path
    line: int
    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.place + ': ' if self.place else ''}{self.message}"


class Problems(ConfigError):
    """All that is wrong with a set of files."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


@dataclass(frozen=True)
class Document:
    """One YAML document of a file."""

    file: Path
    data: Any
    node: yaml.Node

    def problem(self, path: Sequence[object], message: str) -> Problem:
        """A problem at a path of keys and indexes, with the nearest line."""
        return Problem(self.file, _line(self.node, path), _place(path), message)


def read(file: Path) -> Iterator[Document]:
    """The documents of a file. Raises Problems: unreadable, no YAML, doubled keys, aliases."""
    text = _text(file)
    with _complaining(file):
        if alias := next((event for event in yaml.parse(text, _Loader) if isinstance(event, yaml.AliasEvent)), None):
            raise Problems([Problem(file, _number(alias.start_mark), "", "aliases (*name) are not for rules")])
        yield from _documents(file, text, _Loader)


def read_settings(file: Path) -> Document:
    """The one document of a file of settings: a mapping, its values as they were written. Raises Problems."""
    with _complaining(file):
        found = list(_documents(file, _text(file), _Texts))
    if not found:
        return Document(file, {}, yaml.MappingNode("", []))
    if len(found) > 1 or not isinstance(found[0].data, dict):
        raise Problems([Problem(file, 1, "", "must be one mapping of settings, as `listen: 127.0.0.1:9095`")])
    return found[0]


def _text(file: Path) -> str:
    try:
        if file.stat().st_size > LARGEST:
            raise Problems([Problem(file, 1, "", f"is larger than {LARGEST} bytes")])
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise Problems([Problem(file, 1, "", f"cannot be read: {error.strerror or error}")]) from None
    except UnicodeDecodeError:
        raise Problems([Problem(file, 1, "", "cannot be read: it is no UTF-8 text")]) from None


def _documents(file: Path, text: str, loader: type[_Fast]) -> Iterator[Document]:
    for node in yaml.compose_all(text, loader):
        if node is not None:
            _refuse_doubled_keys(file, node)
            yield Document(file, _construct(node), node)


@contextmanager
def _complaining(file: Path) -> Iterator[None]:
    """What the parser finds wrong, as Problems."""
    try:
        yield
    except yaml.MarkedYAMLError as error:
        raise Problems(
            [Problem(file, _number(error.problem_mark), "", f"is no YAML: {error.problem or error.context}")]
        ) from None
    except (yaml.YAMLError, RecursionError, ValueError, TypeError) as error:
        line = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise Problems([Problem(file, 1, "", f"is no YAML: {line}")]) from None


def _construct(node: yaml.Node) -> Any:
    constructor = yaml.constructor.SafeConstructor()
    return constructor.construct_document(node)


def _refuse_doubled_keys(file: Path, node: yaml.Node) -> None:
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _refuse_doubled_keys(file, item)
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                raise Problems([Problem(file, _number(key.start_mark), "", f"the key {key.value!r} is there twice")])
            seen.add(str(key.value))
            _refuse_doubled_keys(file, value)


def _line(node: yaml.Node, path: Sequence[object]) -> int:
    """The line of the value at the path, or of the nearest thing around it that is there."""
    line = _number(node.start_mark)
    for step in path:
        found: yaml.Node | None = None
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == step:
                    found, line = value, _number(key.start_mark)
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            found = node.value[step]
            line = _number(found.start_mark)
        if found is None:
            break
        node = found
    return line


def _number(mark: Any) -> int:
    return mark.line + 1 if mark else 1


def _place(path: Sequence[object]) -> str:
    place = ""
    for step in path:
        place += f"[{step}]" if isinstance(step, int) else f".{step}" if place else str(step)
    return place
