"""A cluster as files: a directory of `kubectl get … -o json` outputs, as `kubectl cluster-info dump` writes them.

Every `*.json` (or `*.json.gz`) holds a list or an object. Logs are `NAMESPACE/POD/logs.txt`, or by container
`NAMESPACE/POD/CONTAINER.log` and `CONTAINER.previous.log`. Files that change are read again.
"""

import asyncio
import gzip
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from responder.clients import Listing
from responder.clients.discovery import WELL_KNOWN
from responder.clients.objects import pruned
from responder.errors import Permanent, Reason, Temporary

_TERM = re.compile(r"(?:[^,(]|\([^)]*\))+")
_SET = re.compile(r"(\S+)\s+(in|notin)\s*\((.*)\)")
_EQUALITY = re.compile(r"([^=!\s]+)\s*(==|=|!=)\s*(\S*)")


@dataclass(frozen=True)
class _Files:
    stamp: tuple[tuple[str, int], ...]
    objects: tuple[dict[str, Any], ...]


class SnapshotKubernetes:
    """A directory that answers as a cluster does."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self._folder = folder
        self._files = _Files((), ())
        self._reading = asyncio.Lock()

    def kubectl(self, *arguments: str) -> str:
        """The command that would have asked the cluster."""
        return shlex.join(["kubectl", *arguments])

    async def list(
        self, resource: str, *, namespace: str = "", labels: str = "", fields: str = "", limit: int = 0
    ) -> Listing:
        """List a resource."""
        fits = _of_resource(resource)
        items = [
            item
            for item in await self._objects()
            if fits(item)
            and namespace in ("", _namespace(item))
            and match_labels(labels, (item.get("metadata") or {}).get("labels") or {})
            and match_fields(fields, item)
        ]
        if limit and len(items) > limit:
            return Listing(items[:limit], f"{len(items) - limit} more {resource} were not read")
        return Listing(items)

    async def get(self, resource: str, name: str, *, namespace: str = "") -> dict[str, Any]:
        """One object; raises Permanent with Reason.NOT_FOUND."""
        for item in (await self.list(resource, namespace=namespace)).items:
            if item["metadata"].get("name") == name:
                return item
        raise Permanent(f'{resource} "{name}" not found in the snapshot', Reason.NOT_FOUND)

    async def log(
        self,
        namespace: str,
        pod: str,
        container: str,
        *,
        previous: bool = False,
        tail: int = 500,
        since: timedelta | None = None,
    ) -> str:
        """The end of a container's log."""
        lines = (await asyncio.to_thread(self._log, namespace, pod, container, previous)).splitlines(keepends=True)
        if since is not None and lines:
            lines = _lately(lines, since)
        return "".join(lines[-tail:])

    async def version(self) -> str:
        """The version that the nodes' kubelets have."""
        for item in await self._objects():
            if item["kind"] == "Node":
                return str(item.get("status", {}).get("nodeInfo", {}).get("kubeletVersion", ""))
        return ""

    async def close(self) -> None:
        """Nothing is held open."""

    async def _objects(self) -> tuple[dict[str, Any], ...]:
        async with self._reading:
            self._files = await asyncio.to_thread(self._read)
        return self._files.objects

    def _read(self) -> _Files:
        if not self._folder.is_dir():
            raise Permanent(f"the snapshot {self._folder} is no directory", Reason.NOT_FOUND)
        files = sorted(p for p in self._folder.rglob("*") if p.name.endswith((".json", ".json.gz")))
        stamp = tuple((str(file), file.stat().st_mtime_ns) for file in files)
        if stamp == self._files.stamp:
            return self._files
        return _Files(stamp, tuple(item for file in files for item in _read_file(file)))

    def _log(self, namespace: str, pod: str, container: str, previous: bool) -> str:
        folder = self._folder / namespace / pod
        if folder.resolve().parent.parent != self._folder.resolve():
            raise Permanent(f"{namespace}/{pod} is no pod", Reason.BAD_REQUEST)
        names = [f"{container}.previous.log"] if previous else [f"{container}.log", "logs.txt"]
        for name in names:
            if (folder / name).is_file():
                return (folder / name).read_text(encoding="utf-8", errors="replace")
        if previous:
            raise Permanent(f'previous terminated container "{container}" in pod "{pod}" not found', Reason.BAD_REQUEST)
        raise Permanent(f"the snapshot has no log of {namespace}/{pod} {container}", Reason.NOT_FOUND)


def match_labels(selector: str, labels: Mapping[str, str]) -> bool:
    """Whether labels fit a selector (Kubernetes, concepts/overview/working-with-objects/labels)."""
    for term in (found[0].strip() for found in _TERM.finditer(selector)):
        if found := _SET.fullmatch(term):
            inside = labels.get(found[1]) in {value.strip() for value in found[3].split(",")}
            fits = inside if found[2] == "in" else not inside
        elif found := _EQUALITY.fullmatch(term):
            fits = (labels.get(found[1]) == found[3]) != (found[2] == "!=")
        else:
            fits = (term.lstrip("!") in labels) != term.startswith("!")
        if not fits:
            return False
    return True


def match_fields(selector: str, item: Mapping[str, Any]) -> bool:
    """Whether an object fits a field selector (`involvedObject.name=x,type!=Normal`)."""
    for term in filter(None, selector.split(",")):
        found = _EQUALITY.fullmatch(term.strip())
        if found is None:
            raise Permanent(f"{term!r} is no field selector", Reason.BAD_REQUEST)
        value: Any = item
        for part in found[1].split("."):
            value = value.get(part, "") if isinstance(value, Mapping) else ""
        if (str(value) == found[3]) == (found[2] == "!="):
            return False
    return True


def _read_file(file: Path) -> Iterator[dict[str, Any]]:
    data = file.read_bytes()
    try:
        content = from_json(gzip.decompress(data) if file.suffix == ".gz" else data)
    except (OSError, ValueError) as error:
        raise Temporary(f"{file.name} of the snapshot is no JSON: {error}", Reason.BAD_ANSWER) from None
    if not isinstance(content, dict):
        return
    kind = str(content.get("kind", ""))
    if "items" in content and (kind.endswith("List") or not kind):
        for item in content["items"] or ():
            own = str(item.get("kind") or kind.removesuffix("List"))
            yield pruned(item, str(item.get("apiVersion") or content.get("apiVersion", "")), own)
    elif kind and content.get("metadata"):
        yield pruned(content, str(content.get("apiVersion", "")), kind)


def _of_resource(resource: str) -> Callable[[Mapping[str, Any]], bool]:
    name, _, group = resource.partition(".")
    known = WELL_KNOWN.get(name)

    def fits(item: Mapping[str, Any]) -> bool:
        has, _, version = str(item["apiVersion"]).partition("/")
        its_group = has if version else ""
        if known is not None and group in ("", known[0]):
            return item["kind"] == known[1] and its_group == known[0]
        plural = str(item["kind"]).lower()
        if group == "metrics.k8s.io":
            return plural == f"{name.removesuffix('s')}metrics" and its_group == group
        return its_group == group and name in (f"{plural}s", f"{plural}es", f"{plural.removesuffix('y')}ies")

    return fits


def _namespace(item: Mapping[str, Any]) -> str:
    return str((item.get("metadata") or {}).get("namespace", ""))


def _lately(lines: list[str], since: timedelta) -> list[str]:
    """The lines of the last while, counted from the newest: a recording's now is when it was made."""
    stamps = [_stamp(line) for line in lines]
    newest = max((stamp for stamp in stamps if stamp), default=None)
    if newest is None:
        return lines
    return [line for line, stamp in zip(lines, stamps, strict=True) if stamp is None or stamp >= newest - since]


def _stamp(line: str) -> datetime | None:
    try:
        return datetime.fromisoformat(line.partition(" ")[0])
    except ValueError:
        return None
