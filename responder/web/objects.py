"""Kubernetes objects as tables, one for each kind: what kubectl would show, and why a pod suffers. Pure."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from responder.model.evidence import KubernetesObjects
from responder.model.kubernetes import Container, Event, Object, Pod, quantity, time
from responder.model.numbers import plain, shown
from responder.model.picture import Picture
from responder.web.blocks import MOST_ROWS, Cell, Column, Table

NAME = Column("Name", "code")
AGE = Column("Age", "number")
MOST_OPEN = 2
PRESSURES = ("MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable")


def tables(content: KubernetesObjects) -> Iterator[Table]:
    """The tables, what tells most first; of many, those in which nothing stands out are folded."""
    picture = Picture.of([("", content)])
    kinds = list(dict.fromkeys(str(item.get("kind", "")) for item in content.objects))
    order = {kind: place for place, kind in enumerate(_TABLES)}
    for kind in sorted(kinds, key=lambda kind: order.get(kind, len(order))):
        found = picture.all(kind)
        if not found:
            continue
        columns, row, sort = _TABLES.get(kind, _OTHER)
        rows = sorted(found, key=sort)
        title = f"{kind} ({len(found)})" if len(found) > 1 else kind
        cells = [row(item) for item in rows[:MOST_ROWS]]
        quiet = not any(cell.tone in ("bad", "warn") for cell in itertools.chain.from_iterable(cells))
        yield Table(title, columns, cells, max(0, len(rows) - MOST_ROWS), folded=quiet and len(kinds) > MOST_OPEN)


def _pod(pod: Object) -> Sequence[Cell]:
    assert isinstance(pod, Pod)
    ready = sum(container.ready for container in pod.containers if not container.init)
    wanted = sum(not container.init for container in pod.containers)
    restarts = sum(container.restarts for container in pod.containers)
    done = pod.phase == "Succeeded"
    return (
        Cell(pod.name),
        _state(pod),
        Cell(f"{ready}/{wanted}", "" if ready == wanted or done else "bad"),
        Cell(str(restarts), "warn" if restarts else "dim"),
        _last_end(pod),
        Cell(pod.node, "dim"),
        Cell(at=pod.created),
    )


def _state(pod: Pod) -> Cell:
    """What kubectl prints as STATUS: the first container that is not well speaks for the pod."""
    if pod.metadata.get("deletionTimestamp"):
        return Cell("Terminating", "warn")
    for container in pod.containers:
        if reason := container.waiting.get("reason"):
            return Cell(f"{'Init: ' if container.init else ''}{reason}", "bad")
        ended = (container.status.get("state") or {}).get("terminated") or {}
        if ended and (not container.init or ended.get("exitCode")) and pod.phase != "Succeeded":
            return Cell(str(ended.get("reason") or f"exit code {ended.get('exitCode')}"), "bad")
    reason = str(pod.status.get("reason") or pod.phase or "unknown")
    return Cell(reason, "" if pod.phase in ("Running", "Succeeded") else "bad")


def _last_end(pod: Pod) -> Cell:
    """Why a container last ended: `OOMKilled, exit code 137`."""
    ended = [container for container in pod.containers if container.terminated and not _ended_well(container)]
    if not ended:
        return Cell()
    worst = max(ended, key=lambda container: container.restarts)
    end = worst.terminated
    text = ", ".join(part for part in (str(end.get("reason") or ""), f"exit code {end.get('exitCode')}") if part)
    named = f"{worst.name}: {text}" if len(pod.containers) > 1 else text
    return Cell(named, "bad", time(end.get("finishedAt")))


def _ended_well(container: Container) -> bool:
    return container.terminated.get("exitCode") == 0


def _workload(item: Object) -> Sequence[Cell]:
    status, spec = item.status, item.spec
    wanted = int(spec.get("replicas", status.get("desiredNumberScheduled", 1)) or 0)
    ready = int(status.get("readyReplicas", status.get("numberReady", 0)) or 0)
    updated = int(status.get("updatedReplicas", status.get("updatedNumberScheduled", 0)) or 0)
    return (
        Cell(item.name),
        Cell(f"{ready}/{wanted}", "" if ready >= wanted else "bad"),
        Cell(str(updated), "" if updated >= wanted else "warn"),
        Cell(_images(item), "dim"),
        Cell(at=item.created),
    )


def _replica_set(item: Object) -> Sequence[Cell]:
    wanted = int(item.spec.get("replicas") or 0)
    ready = int(item.status.get("readyReplicas") or 0)
    revision = str(item.annotations.get("deployment.kubernetes.io/revision", ""))
    return (
        Cell(item.name),
        Cell(revision),
        Cell(f"{ready}/{wanted}", "" if ready >= wanted else "bad"),
        Cell(_images(item), "dim"),
        Cell(at=item.created),
    )


def _job(item: Object) -> Sequence[Cell]:
    failed, done = int(item.status.get("failed") or 0), int(item.status.get("succeeded") or 0)
    return (
        Cell(item.name),
        Cell(f"{done}/{item.spec.get('completions') or 1}"),
        Cell(str(failed), "bad" if failed else "dim"),
        Cell(_images(item), "dim"),
        Cell(at=item.created),
    )


def _node(item: Object) -> Sequence[Cell]:
    ready = item.conditions.get("Ready", {}).get("status") == "True"
    pressed = [name for name in PRESSURES if item.conditions.get(name, {}).get("status") == "True"]
    capacity, info = item.status.get("capacity") or {}, item.status.get("nodeInfo") or {}
    memory = quantity(capacity.get("memory", ""))
    schedulable = "" if not item.spec.get("unschedulable") else ", no new pods"
    return (
        Cell(item.name),
        Cell(("Ready" if ready else "NotReady") + schedulable, "" if ready else "bad"),
        Cell(", ".join(pressed) or "none", "bad" if pressed else "dim"),
        Cell(str(capacity.get("cpu", ""))),
        Cell(shown(memory, "bytes") if memory else ""),
        Cell(str(info.get("kubeletVersion", "")), "dim"),
    )


def _event(item: Object) -> Sequence[Cell]:
    assert isinstance(item, Event)
    kind, _, name = item.about
    return (
        Cell(at=item.last),
        Cell(item.reason, "warn" if item.warning else ""),
        Cell(f"{kind.lower()}/{name}"),
        Cell(f"×{item.count}" if item.count > 1 else ""),
        Cell(item.message),
    )


def _usage(item: Object) -> Sequence[Cell]:
    used = [item.raw.get("usage") or {}, *(part.get("usage") or {} for part in item.raw.get("containers") or [])]
    cpu = sum(quantity(part.get("cpu", "")) or 0 for part in used)
    memory = sum(quantity(part.get("memory", "")) or 0 for part in used)
    return Cell(item.name), Cell(f"{plain(round(cpu, 3))} cores"), Cell(shown(memory, "bytes"))


def _other(item: Object) -> Sequence[Cell]:
    return Cell(item.name), Cell(item.namespace, "dim"), Cell(at=item.created)


def _images(item: Object) -> str:
    return ", ".join(str(part.get("image", "")) for part in item.template.get("containers") or [])


def _by_name(item: Object) -> Any:
    return item.namespace, item.name


def _worst_first(item: Object) -> Any:
    assert isinstance(item, Pod)
    return item.ready, -sum(container.restarts for container in item.containers), item.name


def _newest_first(item: Object) -> Any:
    assert isinstance(item, Event)
    return not item.warning, -(item.last.timestamp() if item.last else 0)


def _live_first(item: Object) -> Any:
    return -int(item.spec.get("replicas") or 0), -(item.created.timestamp() if item.created else 0)


_Layout = tuple[Sequence[Column], Callable[[Object], Sequence[Cell]], Callable[[Object], Any]]
_READY = Column("Ready", "number")
_IMAGES = Column("Images", "wide")
_WORKLOAD: _Layout = ((NAME, _READY, Column("Updated", "number"), _IMAGES, AGE), _workload, _by_name)
_USAGE: _Layout = ((NAME, Column("CPU", "number"), Column("Memory", "number")), _usage, _by_name)
_OTHER: _Layout = ((NAME, Column("Namespace"), AGE), _other, _by_name)
_TABLES: Mapping[str, _Layout] = {
    "Pod": (
        (NAME, Column("State"), _READY, Column("Restarts", "number"), Column("Last end"), Column("Node"), AGE),
        _pod,
        _worst_first,
    ),
    "Deployment": _WORKLOAD,
    "StatefulSet": _WORKLOAD,
    "DaemonSet": _WORKLOAD,
    "ReplicaSet": (
        (NAME, Column("Revision", "number"), _READY, _IMAGES, AGE),
        _replica_set,
        _live_first,
    ),
    "Job": ((NAME, Column("Done", "number"), Column("Failed", "number"), _IMAGES, AGE), _job, _by_name),
    "Event": (
        (
            Column("Last seen"),
            Column("Reason"),
            Column("Object", "code"),
            Column("Count", "number"),
            Column("Message", "wide"),
        ),
        _event,
        _newest_first,
    ),
    "Node": (
        (
            NAME,
            Column("State"),
            Column("Pressure"),
            Column("CPU", "number"),
            Column("Memory", "number"),
            Column("Kubelet"),
        ),
        _node,
        _by_name,
    ),
    "PodMetrics": _USAGE,
    "NodeMetrics": _USAGE,
}
