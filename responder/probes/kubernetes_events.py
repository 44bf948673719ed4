"""`kubernetes.events`: what the cluster's components said lately."""

from collections import Counter

from responder.clients import Clients
from responder.model.evidence import Observation, Reproduction
from responder.model.kubernetes import Event
from responder.probes import Inquiry, Permission, Probe
from responder.probes._kubernetes import Gathering, Question, line_of, newest_last, place, reads
from responder.templating import KubeName

_LISTED = 10


class KubernetesEvents(Probe):
    """The warnings (or with `all_types` every event) of a namespace, or of the whole cluster where none is known.

    `about` keeps those about one object: `pod/NAME`, `deployment/NAME`. `value` is how many warnings there are.
    """

    namespace: KubeName = ""
    about: KubeName = ""
    all_types: bool = False

    async def run(self, inquiry: Inquiry, clients: Clients) -> Observation:
        where = place(inquiry, self.namespace)
        found = Gathering(clients.kubernetes, inquiry)
        await found.ask(Question("events", where.namespace, fields="" if self.all_types else "type!=Normal"))
        if self.about:
            found.objects = [item for item in found.objects if self._concerns(Event(item))]
            found.complete = []
        events = newest_last(found.objects)
        warnings = [event for event in events if event.warning]
        reasons: Counter[str] = Counter()
        for event in warnings:
            reasons[event.reason] += event.count
        named = ", ".join(f"{reason} ×{count}" for reason, count in reasons.most_common(6))
        inside = f" in {where.namespace}" if where.namespace else ""
        others = f" of {len(events)} events" if self.all_types else ""
        return Observation(
            summary=f"{len(warnings)} warnings{others}{inside}{': ' + named if named else ''}",
            data=found.content(),
            empty=not events,
            facts=tuple(line_of(event) for event in (warnings or events)[: -_LISTED - 1 : -1]),
            value=float(len(warnings)),
            truncated="; ".join(found.truncated),
            gaps=tuple(found.gaps),
        )

    def reproduce(self, inquiry: Inquiry, clients: Clients) -> tuple[Reproduction, ...]:
        where = place(inquiry, self.namespace)
        inside = ("-n", where.namespace) if where.namespace else ("-A",)
        fields = [] if self.all_types else ["type!=Normal"]
        if self.about:
            fields.append(f"involvedObject.name={self.about.rpartition('/')[2]}")
        which = ("--field-selector", ",".join(fields)) if fields else ()
        command = clients.kubernetes.kubectl("get", "events", *inside, *which, "--sort-by", ".lastTimestamp")
        return (Reproduction(command=command),)

    def permissions(self) -> tuple[Permission, ...]:
        return reads("events")

    def _concerns(self, event: Event) -> bool:
        wanted_kind, _, wanted = self.about.rpartition("/")
        kind, _, name = event.about
        return name == wanted and wanted_kind in ("", kind.lower())
