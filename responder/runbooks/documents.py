"""YAML files with a memory for lines: data for pydantic, and where in the file each value stands."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from responder.errors import ConfigError

LARGEST = 1024 * 1024

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


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
    try:
        if file.stat().st_size > LARGEST:
            raise Problems([Problem(file, 1, "", f"is larger than {LARGEST} bytes")])
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Problems([Problem(file, 1, "", f"cannot be read: {error}")]) from None
    try:
        if alias := next((event for event in yaml.parse(text, _Loader) if isinstance(event, yaml.AliasEvent)), None):
            raise Problems([Problem(file, _number(alias.start_mark), "", "aliases (*name) are not for rules")])
        for node in yaml.compose_all(text, _Loader):
            if node is not None:
                _refuse_doubled_keys(file, node)
                yield Document(file, _construct(node), node)
    except yaml.MarkedYAMLError as error:
        raise Problems(
            [Problem(file, _number(error.problem_mark), "", f"is no YAML: {error.problem or error.context}")]
        ) from None
    except yaml.YAMLError as error:
        raise Problems([Problem(file, 1, "", f"is no YAML: {error}")]) from None


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
