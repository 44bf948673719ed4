"""`kubernetes.nodes`: the nodes, their conditions, and what is said about them."""

from collections.abc import Iterator

from responder.clients import Clients
from responder.model.evidence import Observation, Reproduction
from responder.model.kubernetes import Object, string, time
from responder.probes import Inquiry, Permission, Probe
from responder.probes._kubernetes import Gathering, Question, counted, line_of, lines_of, newest_last, pods_in, reads
from responder.templating import KubeName

PRESSURES = ("MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable")
_LISTED = 6


class KubernetesNodes(Probe):
    """The nodes with their conditions, taints and capacity, and the warnings about them.

    With `node` that one alone, with the pods on it. `value` is how many nodes are not ready.
    """

    node: KubeName = ""

    async def run(self, inquiry: Inquiry, clients: Clients) -> Observation:
        found = Gathering(clients.kubernetes, inquiry)
        questions = [
            Question("nodes", fields=f"metadata.name={self.node}" if self.node else ""),
            # events about what has no namespace are in the namespace default
            Question("events", "default", fields="involvedObject.kind=Node"),
        ]
        if self.node:
            questions.append(Question("pods", fields=f"spec.nodeName={self.node}"))
        await found.ask(*questions)
        nodes = [Object(item) for item in found.of("Node")]
        names = {node.name for node in nodes}
        events = [event for event in newest_last(found.of("Event")) if event.about[2] in names]
        pods = pods_in(found.objects)
        ailing = {node.name: ", ".join(_troubles(node)) for node in nodes if any(_troubles(node))}
        return Observation(
            summary=_summary(nodes) + (f"; {counted(pods, self.node)}" if pods else ""),
            data=found.content(),
            empty=not nodes,
            facts=(
                *(f"{name}: {what}" for name, what in ailing.items()),
                *lines_of(pods, _LISTED),
                *(line_of(event) for event in events[-_LISTED:]),
            ),
            value=float(sum(not _holds(node, "Ready") for node in nodes)),
            truncated="; ".join(found.truncated),
            gaps=tuple(found.gaps),
        )

    def reproduce(self, inquiry: Inquiry, clients: Clients) -> tuple[Reproduction, ...]:
        which = ("node", self.node) if self.node else ("nodes",)
        return (Reproduction(command=clients.kubernetes.kubectl("describe", *which)),)

    def permissions(self) -> tuple[Permission, ...]:
        return reads("nodes", "events", *(("pods",) if self.node else ()))


def _summary(nodes: list[Object]) -> str:
    ready = sum(_holds(node, "Ready") for node in nodes)
    pressed = sum(any(_holds(node, name) for name in PRESSURES) for node in nodes)
    closed = sum(bool(node.spec.get("unschedulable")) for node in nodes)
    parts = [f"{len(nodes)} node{'' if len(nodes) == 1 else 's'}", f"{ready} ready"]
    parts.append(f"{pressed} under pressure" if pressed else "none under pressure")
    parts += [f"{closed} cordoned"] if closed else []
    return ", ".join(parts)


def _holds(node: Object, condition: str) -> bool:
    return node.conditions.get(condition, {}).get("status") == "True"


def _troubles(node: Object) -> Iterator[str]:
    if not _holds(node, "Ready"):
        said = node.conditions.get("Ready", {})
        since = time(said.get("lastTransitionTime"))
        when = f" since {since:%Y-%m-%d %H:%M} UTC" if since else ""
        yield f"not ready{when}: {string(said.get('reason')) or 'no condition Ready'}"
    yield from (name for name in PRESSURES if _holds(node, name))
    if node.spec.get("unschedulable"):
        yield "cordoned"
