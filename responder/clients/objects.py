"""Kubernetes objects as they may be kept."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from responder.errors import Permanent, Reason
from responder.model.extracts import extract

COMPONENT = "responder"
"""What events that we write name as their source."""


def is_ours(item: Mapping[str, Any]) -> bool:
    """Whether it is an event that we wrote: a finding is no evidence of itself."""
    return item.get("kind") == "Event" and item.get("reportingComponent") == COMPONENT


@dataclass(frozen=True)
class Page:
    """A part of a list: its objects, the token of the next part, how many are left as far as the server says."""

    items: list[dict[str, Any]]
    onward: str = ""
    left: int = 0


def read_page(answer: Mapping[str, Any], version: str, kind: str) -> Page:
    """The answer to a list; its items carry no kind of their own. Raises Permanent where it is no list."""
    try:
        kind = kind or str(answer["kind"]).removesuffix("List")
        items = [pruned(item, str(answer.get("apiVersion") or version), kind) for item in answer["items"] or ()]
        metadata = answer.get("metadata") or {}
        onward = str(metadata.get("continue") or "")
        return Page(items, onward, int(metadata.get("remainingItemCount") or 0) if onward else 0)
    except (AttributeError, KeyError, TypeError, ValueError):
        raise Permanent("the Kubernetes API answered with something that is no list", Reason.BAD_ANSWER) from None


def pruned(item: Mapping[str, Any], version: str, kind: str) -> dict[str, Any]:
    """An object without what nobody reads or may see: which fields a manager owns, the values of secrets, and of
    config maps what tells neither of places nor of limits.
    """
    found = {"apiVersion": version, "kind": kind, **item}
    metadata = dict(found.get("metadata") or {})
    owners = metadata.pop("managedFields", None) or ()
    if managers := list(filter(None, (_manager(entry) for entry in owners if isinstance(entry, Mapping)))):
        metadata["managers"] = managers
    annotations = dict(metadata.get("annotations") or {})
    if annotations.pop("kubectl.kubernetes.io/last-applied-configuration", None) is not None:
        metadata["annotations"] = annotations
    found["metadata"] = metadata
    if found["kind"] == "Secret":
        for field in ("data", "stringData", "binaryData"):
            if found.get(field):
                found[field] = dict.fromkeys(found[field], "")
    if found["kind"] == "ConfigMap":
        if found.get("data"):
            found["data"] = extract(found["data"])
        if found.get("binaryData"):
            found["binaryData"] = dict.fromkeys(found["binaryData"], "")
    return found


def _manager(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Who wrote an object last, when, by which operation, and which top fields of spec and data."""
    owned = entry.get("fieldsV1") or {}
    fields = [
        f"{part.removeprefix('f:')}.{name.removeprefix('f:')}" if name else part.removeprefix("f:")
        for part in ("f:spec", "f:data")
        if part in owned
        for name in (owned[part] or {"": {}})
        if name != "."
    ]
    about = {name: entry[name] for name in ("manager", "operation", "subresource", "time") if entry.get(name)}
    return {**about, **({"fields": fields} if fields else {})}
