"""Patches as an API server applies them: a merge patch (RFC 7396), and the operations that we send (RFC 6902)."""

import copy
from collections.abc import Mapping
from typing import Any


class BadPatch(Exception):
    """It cannot be applied: a test fails, or it names nothing."""


def merged(target: Any, patch: Any) -> Any:
    """The target with a merge patch."""
    if not isinstance(patch, Mapping):
        return copy.deepcopy(patch)
    found = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            found.pop(name, None)
        else:
            found[name] = merged(found.get(name), value)
    return found


def operated(target: Any, operations: list[dict[str, Any]]) -> Any:
    """The target after the operations; raises BadPatch."""
    found = copy.deepcopy(target)
    for operation in operations:
        *way, last = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]]
        at = found
        try:
            for part in way:
                at = at[int(part)] if isinstance(at, list) else at[part]
            key: Any = int(last) if isinstance(at, list) else last
            before = at[key]
        except (KeyError, IndexError, ValueError, TypeError):
            raise BadPatch(f"the path {operation['path']} names nothing") from None
        if operation["op"] == "test" and before != operation["value"]:
            raise BadPatch(f"testing value {operation['path']} failed: test failed")
        if operation["op"] == "replace":
            at[key] = copy.deepcopy(operation["value"])
        elif operation["op"] != "test":
            raise BadPatch(f"unexpected operation {operation['op']!r}")
    return found
