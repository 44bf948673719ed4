"""Variables of runbooks: what differs from team to team, with a default in the runbook and a value in the settings.

`{{ vars.NAME }}` is replaced when the files are read, before templates are looked at. A value may therefore be a whole
address, and may hold templates of its own. Conditions read `vars.NAME`.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from responder.documents import Document, Problem
from responder.plugins import did_you_mean

_USE = re.compile(r"\{\{-?\s*vars\.([A-Za-z_]\w*)\s*-?\}\}")
_READ = re.compile(r"\bvars\.([A-Za-z_]\w*)")
_MISUSE = re.compile(r"\{[{%][^{}]*\bvars\b[^{}]*[%}]\}")


@dataclass(frozen=True)
class Variables:
    """What the settings say. `inside`: Responder runs in the one cluster that it looks at."""

    given: Mapping[str, str] = field(default_factory=dict)
    inside: bool = False

    def fill(self, document: Document) -> tuple[Document, list[Problem]]:
        """A runbook's document with its variables replaced and their values as they count here, and what is wrong."""
        data = document.data
        declared = data.get("variables", {})
        if not isinstance(declared, Mapping):
            return document, []
        known = {str(name): self._valued(str(name), item) for name, item in declared.items()}
        values = {name: str(item["value"]) for name, item in known.items() if isinstance(item, Mapping)}
        problems: list[Problem] = []
        filled = {
            key: _replaced(item, values, (key,), document, problems)
            for key, item in data.items()
            if key not in ("variables", "apiVersion", "kind", "metadata")
        }
        return replace(document, data={**data, **filled, **({"variables": known} if known else {})}), problems

    def unknown(self, declared: Iterator[str]) -> Iterator[str]:
        """What the settings set that no runbook has, in words."""
        names = sorted(set(declared))
        for name in self.given:
            if name not in names:
                yield f"variables: no runbook has the variable {name!r}{did_you_mean(name, names)}"

    def _valued(self, name: str, item: Any) -> Any:
        """The declaration with the value that counts; one of a wrong form is left to the model to refuse."""
        if isinstance(item, str):
            item = {"value": item}
        if not isinstance(item, Mapping):
            return item
        value = item.get("value", "")
        if self.inside and "inside" in item:
            value = item["inside"]
        return {**item, "value": self.given.get(name, value)}


def _replaced(
    value: Any, values: Mapping[str, str], path: tuple[object, ...], document: Document, problems: list[Problem]
) -> Any:
    if isinstance(value, Mapping):
        return {key: _replaced(item, values, (*path, key), document, problems) for key, item in value.items()}
    if isinstance(value, list):
        return [_replaced(item, values, (*path, index), document, problems) for index, item in enumerate(value)]
    if not isinstance(value, str) or "vars" not in value:
        return value
    for name in {found[1] for found in (_READ if path[-1] == "when" else _USE).finditer(value)} - values.keys():
        message = f"there is no variable {name!r}{did_you_mean(name, list(values))}: declare it under variables"
        problems.append(document.problem(path, message))
    text = _USE.sub(lambda found: values.get(found[1], "x"), value)
    if wrong := _MISUSE.search(_USE.sub("", value)):
        problems.append(document.problem(path, f"{wrong[0]}: a variable stands alone, as {{{{ vars.name }}}}"))
    return text
