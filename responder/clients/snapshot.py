"""A cluster as files: a directory of `kubectl get … -o json` outputs, or what `kubectl cluster-info dump` writes.

Every `*.json` (or `*.json.gz`) holds a list or an object. Logs are `NAMESPACE/POD/logs.txt`, or by container
`NAMESPACE/POD/CONTAINER.log` and `CONTAINER.previous.log`. Files that change are read again.
"""

import asyncio
import gzip
import re
import shlex
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from responder.clients import Document, Execution, Listing
from responder.clients.discovery import WELL_KNOWN, segment
from responder.clients.objects import pruned
from responder.clients.selectors import by_fields, by_labels
from responder.errors import Permanent, Reason, Temporary
from responder.model.kubernetes import Object, mapping, string

_SUFFIXES = (".json", ".json.gz")
_TRIES = 4
_START = re.compile(r"^==== START logs for container (\S+) of pod \S+ ====$", re.MULTILINE)
_NAMES: Mapping[tuple[str, str], str] = {
    **{(group, kind): f"{name}.{group}".rstrip(".") for name, (group, kind, _) in WELL_KNOWN.items()},
    ("metrics.k8s.io", "PodMetrics"): "pods.metrics.k8s.io",
    ("metrics.k8s.io", "NodeMetrics"): "nodes.metrics.k8s.io",
}


@dataclass(frozen=True)
class _Cluster:
    """What the files say. `scopes` are the namespaces for which a resource was read, "" for all of them."""

    stamp: tuple[tuple[str, int, int], ...] = ()
    objects: Mapping[str, Sequence[dict[str, Any]]] = field(default_factory=dict)
    scopes: Mapping[str, set[str]] = field(default_factory=dict)


class SnapshotKubernetes:
    """A directory that answers as a cluster does. What it holds no file about is not found, rather than empty."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self._folder = folder
        self._cluster = _Cluster()
        self._reading = asyncio.Lock()

    def kubectl(self, *arguments: str) -> str:
        """The command that would have asked the cluster."""
        return shlex.join(["kubectl", *arguments])

    async def list(
        self, resource: str, *, namespace: str = "", labels: str = "", fields: str = "", limit: int = 0
    ) -> Listing:
        """List a resource."""
        fits_labels, fits_fields = by_labels(labels), by_fields(fields)
        cluster = await self._read()
        known = _known(cluster, resource)
        scopes = cluster.scopes.get(known, set())
        if not scopes or (namespace and not scopes & {"", namespace}):
            inside = f" in {namespace}" if namespace else ""
            raise Permanent(f"the snapshot says nothing of {resource}{inside}", Reason.NOT_FOUND)
        items = [
            item
            for item in cluster.objects.get(known, ())
            if namespace in ("", item["metadata"].get("namespace", ""))
            and fits_labels(item["metadata"].get("labels") or {})
            and fits_fields(item)
        ]
        truncated = ""
        if not namespace and "" not in scopes:
            truncated = f"the snapshot has {resource} of {', '.join(sorted(scopes))} only"
        if limit and len(items) > limit:
            truncated = f"{len(items) - limit} more {resource} were not read"
        return Listing(items[:limit] if limit else items, truncated)

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
        """The end of a container's log; raises Permanent with Reason.NOT_FOUND."""
        for name in (namespace, pod, container):
            segment(name)
        text = await asyncio.to_thread(_log, self._folder / namespace / pod, container, previous)
        if text is None:
            which = "previous log" if previous else "log"
            raise Permanent(f"the snapshot has no {which} of {namespace}/{pod} {container}", Reason.NOT_FOUND)
        lines = text.splitlines(keepends=True)
        if since is not None:
            lines = _lately(lines, since)
        return "".join(lines[-tail:])

    async def create(
        self, resource: str, body: Mapping[str, Any], *, namespace: str = "", dry_run: bool = False
    ) -> dict[str, Any]:
        """A snapshot cannot be changed: raises Permanent."""
        raise _unchangeable()

    async def patch(
        self, resource: str, name: str, body: Document, *, namespace: str = "", dry_run: bool = False
    ) -> dict[str, Any]:
        """A snapshot cannot be changed: raises Permanent."""
        raise _unchangeable()

    async def evict(self, pod: str, *, namespace: str, uid: str = "", dry_run: bool = False) -> None:
        """A snapshot cannot be changed: raises Permanent."""
        raise _unchangeable()

    async def version(self) -> str:
        """The version of the nodes' kubelets, or empty."""
        nodes = (await self._read()).objects.get("nodes", ())
        versions = (string(mapping(Object(node).status.get("nodeInfo")).get("kubeletVersion")) for node in nodes)
        return next(filter(None, versions), "")

    async def review(self, kind: str, spec: Mapping[str, Any], *, namespace: str = "") -> Mapping[str, Any]:
        """Raises Permanent: nobody is there to ask."""
        raise Permanent("access cannot be asked of a snapshot", Reason.NOT_FOUND)

    async def exec(
        self, namespace: str, pod: str, container: str, command: Sequence[str], *, timeout: float = 10
    ) -> Execution:
        """Raises Permanent: nothing runs in a snapshot."""
        raise Permanent("a command cannot be run in a snapshot", Reason.NOT_FOUND)

    async def close(self) -> None:
        """Nothing is held open."""

    async def _read(self) -> _Cluster:
        async with self._reading:
            self._cluster = await asyncio.to_thread(_read_folder, self._folder, self._cluster)
            return self._cluster


def _unchangeable() -> Permanent:
    return Permanent("a snapshot of a cluster cannot be changed", Reason.NOT_CONFIGURED)


def _read_folder(folder: Path, before: _Cluster) -> _Cluster:
    """What the files hold; while somebody is writing them, what they hold a moment later."""
    for left in reversed(range(_TRIES)):
        try:
            stamp = _stamp(folder)
            if stamp == before.stamp:
                return before
            found = _read_files(folder, stamp)
            if _stamp(folder) == stamp or not left:
                return found
        except Temporary:
            if not left:
                raise
        time.sleep(0.05)
    return before


def _stamp(folder: Path) -> tuple[tuple[str, int, int], ...]:
    if not folder.is_dir():
        raise Permanent(f"the snapshot {folder} is no directory", Reason.NOT_CONFIGURED)
    found = []
    for path in sorted(folder.rglob("*.json*")):
        if path.name.endswith(_SUFFIXES):
            try:
                about = path.stat()
            except OSError as error:
                raise Temporary(f"{path.name} of the snapshot is gone: {error.strerror}", Reason.BAD_ANSWER) from None
            found.append((str(path.relative_to(folder)), about.st_mtime_ns, about.st_size))
    return tuple(found)


def _read_files(folder: Path, stamp: tuple[tuple[str, int, int], ...]) -> _Cluster:
    objects: dict[str, dict[tuple[str, str], dict[str, Any]]] = defaultdict(dict)
    scopes: dict[str, set[str]] = defaultdict(set)
    for name, _, _ in stamp:
        path = Path(name)
        scope = path.parts[0] if len(path.parts) > 1 else ""
        if named := _named_by(path):
            scopes[named].add(scope)
        for item in _read_file(folder / path):
            resource = _resource_of(item)
            metadata = item["metadata"]
            objects[resource][str(metadata.get("namespace", "")), str(metadata.get("name", ""))] = item
            scopes[resource].add(scope if metadata.get("namespace") == scope else "")
    return _Cluster(stamp, {resource: list(found.values()) for resource, found in objects.items()}, dict(scopes))


def _read_file(file: Path) -> Iterator[dict[str, Any]]:
    try:
        data = file.read_bytes()
        content = from_json(gzip.decompress(data) if file.suffix == ".gz" else data)
    except (OSError, EOFError, ValueError) as error:
        raise Temporary(f"{file.name} of the snapshot cannot be read: {error}", Reason.BAD_ANSWER) from None
    if not isinstance(content, dict):
        return
    version, kind = str(content.get("apiVersion", "")), str(content.get("kind", ""))
    items = content.get("items") if "items" in content else [content]
    for item in items if isinstance(items, list) else ():
        if isinstance(item, dict) and isinstance(item.get("metadata"), dict):
            yield pruned(item, version, kind.removesuffix("List"))


def _named_by(path: Path) -> str:
    """The resource that a file is named for: `deployments.json`, `replication-controllers.json`."""
    stem = path.name.removesuffix(".gz").removesuffix(".json").replace("-", "")
    if stem in WELL_KNOWN:
        return f"{stem}.{WELL_KNOWN[stem][0]}".rstrip(".")
    return {"podmetrics": "pods.metrics.k8s.io", "nodemetrics": "nodes.metrics.k8s.io"}.get(stem, stem)


def _resource_of(item: Mapping[str, Any]) -> str:
    """The resource of an object; of custom kinds by the rules of English."""
    group, _, version = str(item["apiVersion"]).rpartition("/")
    kind = str(item["kind"])
    if (group, kind) in _NAMES:
        return _NAMES[group, kind]
    word = kind.lower()
    plural = re.sub(r"y$", "ie", word) if re.search(r"[^aeiou]y$", word) else word
    plural += "es" if re.search(r"(?:s|x|ch|sh)$", plural) else "s"
    return f"{plural}.{group}" if version and group else plural


def _known(cluster: _Cluster, resource: str) -> str:
    """The full name of a resource that may be named without its group."""
    name, _, group = resource.partition(".")
    if group:
        return resource
    usual = f"{name}.{WELL_KNOWN[name][0]}".rstrip(".") if name in WELL_KNOWN else resource
    if usual in cluster.scopes:
        return usual
    return next((known for known in cluster.scopes if known.partition(".")[0] == name), usual)


def _log(folder: Path, container: str, previous: bool) -> str | None:
    try:
        own = folder / (f"{container}.previous.log" if previous else f"{container}.log")
        if own.is_file():
            return own.read_text(encoding="utf-8", errors="replace")
        dump = folder / "logs.txt"
        if previous or not dump.is_file():
            return None
        return _section(dump.read_text(encoding="utf-8", errors="replace"), container)
    except OSError as error:
        raise Temporary(f"a log of the snapshot cannot be read: {error.strerror}", Reason.BAD_ANSWER) from None


def _section(text: str, container: str) -> str | None:
    """A container's part of what `cluster-info dump` writes; the whole where nothing marks parts."""
    marks = list(_START.finditer(text))
    if not marks:
        return text
    for mark in marks:
        if mark[1] == container:
            return text[mark.end() :].partition("\n==== END logs")[0].lstrip("\n")
    return None


def _lately(lines: list[str], since: timedelta) -> list[str]:
    """The lines of the last while, counted from the newest: a recording's now is when it was made."""
    times = [_time(line) for line in lines]
    newest = max((at for at in times if at), default=None)
    if newest is None:
        return lines
    return [line for line, at in zip(lines, times, strict=True) if at is None or at >= newest - since]


def _time(line: str) -> datetime | None:
    try:
        return datetime.fromisoformat(line.partition(" ")[0])
    except ValueError:
        return None
