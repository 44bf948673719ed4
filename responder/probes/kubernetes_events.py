"""`kubernetes.events`: what the cluster's components said lately."""

from collections import Counter

from responder.clients import Clients
from responder.model.evidence import Observation, Reproduction
from responder.probes import Inquiry, Permission, Probe
from responder.probes._kubernetes import Gathering, reads
from responder.runbooks.templating import KubeName

LISTED = 10


class KubernetesEvents(Probe):
    """The warnings (or with `all_types` every event) of a namespace, or of the whole cluster where none is known.

    `value` is how many warnings there are.
    """

    namespace: KubeName = ""
    all_types: bool = False

    async def run(self, inquiry: Inquiry, clients: Clients) -> Observation:
        namespace = self.namespace or inquiry.target.namespace
        found = Gathering()
        fields = "" if self.all_types else "type!=Normal"
        await found.lists(("", namespace, clients.kubernetes.list("events", namespace=namespace, fields=fields)))
        found.refuse_if_nothing()
        warnings = [item for item in found.objects if item.get("type") == "Warning"]
        reasons = Counter(str(item.get("reason", "")) for item in warnings)
        named = ", ".join(f"{reason} ×{count}" for reason, count in reasons.most_common(6))
        return Observation(
            summary=f"{len(warnings)} warnings{': ' + named if named else ''}",
            data=found.content(),
            empty=not found.objects,
            facts=tuple(_line(item) for item in warnings[-LISTED:]),
            value=float(len(warnings)),
            truncated="; ".join(found.truncated),
            gaps=tuple(found.gaps),
        )

    def reproduce(self, inquiry: Inquiry, clients: Clients) -> tuple[Reproduction, ...]:
        namespace = self.namespace or inquiry.target.namespace
        where = ("-n", namespace) if namespace else ("-A",)
        which = () if self.all_types else ("--field-selector", "type!=Normal")
        command = clients.kubernetes.kubectl("get", "events", *where, *which, "--sort-by", ".lastTimestamp")
        return (Reproduction(command=command),)

    def permissions(self) -> tuple[Permission, ...]:
        return reads("events")


def _line(event: dict[str, object]) -> str:
    about = event.get("involvedObject") or event.get("regarding")
    named = f"{about.get('kind', '')} {about.get('name', '')}" if isinstance(about, dict) else ""
    return f"{event.get('reason', '')} {named}: {str(event.get('message') or event.get('note') or '')[:200]}"
