"""`kubernetes.top`: what pods and nodes use now, as metrics-server tells it, and what they may use."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from responder.clients import Clients, Kubernetes
from responder.errors import Permanent, Reason, Trouble
from responder.model.evidence import Observation, Reproduction
from responder.model.kubernetes import Object, Pod, quantity
from responder.model.numbers import plain, shown
from responder.probes import Inquiry, Permission, Probe
from responder.probes._kubernetes import Gathering, Raw, place, reads
from responder.templating import KubeName, Selector

_LISTED = 8


@dataclass(frozen=True)
class _Amount:
    """Cores and bytes of memory; None where nothing is said."""

    cpu: float | None = None
    memory: float | None = None


@dataclass(frozen=True)
class _Use:
    """What one pod or node uses, and how much of it it may."""

    name: str
    used: _Amount
    bound: _Amount = field(default_factory=_Amount)

    @property
    def line(self) -> str:
        cpu = f"{plain(self.used.cpu or 0)}{_of(self.used.cpu, self.bound.cpu, plain)} cores"
        memory = f"{_bytes(self.used.memory or 0)}{_of(self.used.memory, self.bound.memory, _bytes)}"
        return f"{self.name}: {cpu}, {memory}"

    @property
    def pressing(self) -> tuple[float, float]:
        """Sorts: what is nearest to its bound first, then what uses most processor."""
        shares = [
            used / bound
            for used, bound in ((self.used.cpu, self.bound.cpu), (self.used.memory, self.bound.memory))
            if used is not None and bound
        ]
        return -max(shares, default=0.0), -(self.used.cpu or 0.0)


class KubernetesTop(Probe):
    """What the pods of a namespace (or all nodes) use of processor and memory, the one nearest its limit first.

    `value` is the cores of the busiest.
    """

    of: Literal["pods", "nodes"] = "pods"
    selector: Selector = ""
    namespace: KubeName = ""

    async def run(self, inquiry: Inquiry, clients: Clients) -> Observation:
        kubernetes = clients.kubernetes
        namespace = "" if self.of == "nodes" else place(inquiry, self.namespace).namespace
        found = Gathering(kubernetes, inquiry)
        listing = await self._metrics(kubernetes, namespace)
        found.objects += listing
        try:
            bounds = _bounds((await kubernetes.list(self.of, namespace=namespace, labels=self.selector)).items)
        except Trouble as trouble:
            bounds = {}
            found.miss(f"the {'limits' if self.of == 'pods' else 'capacity'} of {self.of}", trouble)
        uses = sorted(_uses(listing, bounds), key=lambda use: (use.pressing, use.name))
        return Observation(
            summary=f"{len(uses)} {self.of}; {uses[0].line}" if uses else f"no {self.of} with metrics",
            data=found.content(),
            empty=not uses,
            facts=tuple(use.line for use in uses[:_LISTED]),
            value=max((use.used.cpu or 0.0 for use in uses), default=None),
            truncated="; ".join(found.truncated),
            gaps=tuple(found.gaps),
        )

    def reproduce(self, inquiry: Inquiry, clients: Clients) -> tuple[Reproduction, ...]:
        if self.of == "nodes":
            return (Reproduction(command=clients.kubernetes.kubectl("top", "nodes")),)
        namespace = place(inquiry, self.namespace).namespace
        inside = ("-n", namespace) if namespace else ("-A",)
        which = ("-l", self.selector) if self.selector else ()
        command = clients.kubernetes.kubectl("top", "pods", *inside, *which, "--sort-by", "cpu")
        return (Reproduction(command=command),)

    def permissions(self) -> tuple[Permission, ...]:
        return reads(f"{self.of}.metrics.k8s.io", self.of)

    async def _metrics(self, kubernetes: Kubernetes, namespace: str) -> list[Raw]:
        try:
            return list(
                (await kubernetes.list(f"{self.of}.metrics.k8s.io", namespace=namespace, labels=self.selector)).items
            )
        except Permanent as trouble:
            if trouble.reason is Reason.NOT_FOUND:
                message = "the cluster has no metrics API: metrics-server is not installed"
                raise Permanent(message, Reason.NOT_CONFIGURED) from None
            raise


def _uses(metrics: Iterable[Raw], bounds: Mapping[tuple[str, str], _Amount]) -> Iterator[_Use]:
    for item in map(Object, metrics):
        usages = [item.raw.get("usage") or {}, *((c.get("usage") or {}) for c in item.raw.get("containers") or ())]
        used = _Amount(_total(usages, "cpu"), _total(usages, "memory"))
        yield _Use(item.name, used, bounds.get((item.namespace, item.name), _Amount()))


def _bounds(objects: Iterable[Raw]) -> Mapping[tuple[str, str], _Amount]:
    """Capacity of nodes, limits of pods where every container has one."""
    found: dict[tuple[str, str], _Amount] = {}
    for raw in objects:
        item = Object(raw)
        if item.kind == "Node":
            given = [item.status.get("allocatable") or {}]
        else:
            containers = (container for container in Pod(raw).containers if not container.init)
            given = [(container.spec.get("resources") or {}).get("limits") or {} for container in containers]
        cpu, memory = (
            _total(given, name) if all(name in each for each in given) else None for name in ("cpu", "memory")
        )
        found[item.namespace, item.name] = _Amount(cpu, memory)
    return found


def _total(amounts: Iterable[Mapping[str, Any]], name: str) -> float:
    return sum(quantity(each.get(name, "0")) or 0.0 for each in amounts)


def _of(used: float | None, bound: float | None, write: Callable[[float], str]) -> str:
    return f" of {write(bound)} ({round(100 * used / bound)} %)" if bound and used is not None else ""


def _bytes(value: float) -> str:
    return shown(value, "bytes")
