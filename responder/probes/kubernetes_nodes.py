"""`kubernetes.nodes`: the nodes with their conditions, taints and capacity."""

from responder.clients import Clients
from responder.model.evidence import Observation, Reproduction
from responder.probes import Inquiry, Permission, Probe
from responder.probes._kubernetes import Gathering, Raw, name_of, reads

PRESSURES = ("MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable")


class KubernetesNodes(Probe):
    """The nodes with their conditions, taints and capacity. `value` is how many are not ready."""

    async def run(self, inquiry: Inquiry, clients: Clients) -> Observation:
        found = Gathering()
        await found.lists(("Node", "", clients.kubernetes.list("nodes")))
        found.refuse_if_nothing()
        nodes = found.objects
        away = [node for node in nodes if not _holds(node, "Ready")]
        pressed = [node for node in nodes if _pressures(node)]
        closed = [node for node in nodes if (node.get("spec") or {}).get("unschedulable")]
        parts = [f"{len(nodes)} nodes, {len(nodes) - len(away)} ready"]
        parts += [f"{len(pressed)} under pressure"] if pressed else ["none under pressure"]
        parts += [f"{len(closed)} cordoned"] if closed else []
        return Observation(
            summary=", ".join(parts),
            data=found.content(),
            empty=not nodes,
            facts=tuple(_line(node) for node in nodes if node in away or node in pressed or node in closed),
            value=float(len(away)),
            truncated="; ".join(found.truncated),
            gaps=tuple(found.gaps),
        )

    def reproduce(self, inquiry: Inquiry, clients: Clients) -> tuple[Reproduction, ...]:
        return (Reproduction(command=clients.kubernetes.kubectl("describe", "nodes")),)

    def permissions(self) -> tuple[Permission, ...]:
        return reads("nodes")


def _holds(node: Raw, condition: str) -> bool:
    found = (node.get("status") or {}).get("conditions") or ()
    return any(item.get("type") == condition and item.get("status") == "True" for item in found)


def _pressures(node: Raw) -> list[str]:
    return [name for name in PRESSURES if _holds(node, name)]


def _line(node: Raw) -> str:
    parts = [] if _holds(node, "Ready") else ["not ready"]
    parts += _pressures(node)
    parts += ["cordoned"] if (node.get("spec") or {}).get("unschedulable") else []
    return f"{name_of(node)}: {', '.join(parts)}"
