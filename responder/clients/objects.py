"""Kubernetes objects as they may be kept."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from responder.errors import Permanent, Reason

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
    """An object without what nobody reads or may see: managed fields, and the values of secrets and config maps."""
    found = {"apiVersion": version, "kind": kind, **item}
    metadata = dict(found.get("metadata") or {})
    metadata.pop("managedFields", None)
    annotations = dict(metadata.get("annotations") or {})
    if annotations.pop("kubectl.kubernetes.io/last-applied-configuration", None) is not None:
        metadata["annotations"] = annotations
    found["metadata"] = metadata
    if found["kind"] in ("Secret", "ConfigMap"):
        for field in ("data", "stringData", "binaryData"):
            if found.get(field):
                found[field] = dict.fromkeys(found[field], "")
    return found
