"""Kubernetes objects as they may be kept."""

from collections.abc import Mapping
from typing import Any


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
