"""`kubernetes.top`: what pods and nodes use now, as metrics-server tells it."""

from collections.abc import Mapping
from typing import Any, Literal

from responder.clients import Clients
from responder.errors import Permanent, Reason
from responder.model.evidence import Observation, Reproduction
from responder.model.kubernetes import quantity
from responder.model.numbers import plain, shown
from responder.probes import Inquiry, Permission, Probe
from responder.probes._kubernetes import Gathering, name_of, reads
from responder.runbooks.templating import KubeName, Selector

LISTED = 8


class KubernetesTop(Probe):
    """What the pods of a namespace (or all nodes) use of processor and memory. `value` is the cores of the busiest."""

    of: Literal["pods", "nodes"] = "pods"
    selector: Selector = ""
    namespace: KubeName = ""

    async def run(self, inquiry: Inquiry, clients: Clients) -> Observation:
        kubernetes = clients.kubernetes
        namespace = "" if self.of == "nodes" else self.namespace or inquiry.target.namespace
        resource = f"{self.of}.metrics.k8s.io"
        found = Gathering()
        try:
            found.add("", namespace, await kubernetes.list(resource, namespace=namespace, labels=self.selector))
        except Permanent as trouble:
            if trouble.reason is Reason.NOT_FOUND:
                message = "the cluster has no metrics API: metrics-server is not installed"
                raise Permanent(message, Reason.NOT_CONFIGURED) from None
            raise
        used = sorted(((cores(item), memory(item), name_of(item)) for item in found.objects), reverse=True)
        lines = [f"{name}: {plain(cpu)} cores, {shown(size, 'bytes')}" for cpu, size, name in used]
        return Observation(
            summary=f"{len(used)} {self.of}; busiest {lines[0]}" if used else f"no {self.of} with metrics",
            data=found.content(),
            empty=not used,
            facts=tuple(lines[:LISTED]),
            value=used[0][0] if used else None,
            truncated="; ".join(found.truncated),
        )

    def reproduce(self, inquiry: Inquiry, clients: Clients) -> tuple[Reproduction, ...]:
        if self.of == "nodes":
            return (Reproduction(command=clients.kubernetes.kubectl("top", "nodes")),)
        namespace = self.namespace or inquiry.target.namespace
        which = ("-l", self.selector) if self.selector else ()
        command = clients.kubernetes.kubectl("-n", namespace, "top", "pods", *which, "--sort-by", "cpu")
        return (Reproduction(command=command),)

    def permissions(self) -> tuple[Permission, ...]:
        return reads(f"{self.of}.metrics.k8s.io")


def cores(item: Mapping[str, Any]) -> float:
    """Processor use in cores."""
    return _total(item, "cpu")


def memory(item: Mapping[str, Any]) -> float:
    """Memory use in bytes."""
    return _total(item, "memory")


def _total(item: Mapping[str, Any], resource: str) -> float:
    usages = [item.get("usage") or {}, *((c.get("usage") or {}) for c in item.get("containers") or ())]
    return sum(quantity(usage.get(resource, "0")) or 0.0 for usage in usages)
