"""`kubernetes.pods`: pods by selector, workload or namespace, with the events about them."""

from responder.clients import Clients
from responder.clients.selectors import written
from responder.model.evidence import Observation, Reproduction
from responder.model.kubernetes import Event, Object
from responder.probes import Inquiry, Permission, Probe
from responder.probes._kubernetes import (
    WORKLOADS,
    Gathering,
    Question,
    counted,
    find_workload,
    line_of,
    lines_of,
    newest_last,
    place,
    pods_in,
    reads,
)
from responder.templating import KubeName, Selector

_LISTED = 6


class KubernetesPods(Probe):
    """The pods that a label selector picks, or of a workload, or of a namespace (all without one), with their events.

    The events are warnings. `value` is how many of the pods are not ready.
    """

    selector: Selector = ""
    workload: KubeName = ""
    namespace: KubeName = ""
    events: bool = True

    async def run(self, inquiry: Inquiry, clients: Clients) -> Observation:
        where = place(inquiry, self.namespace, self.workload)
        labels, of = self.selector, self.selector
        if self.workload and not labels:
            owner = Object(await find_workload(clients.kubernetes, where))
            labels, of = written(owner.spec.get("selector") or {}), self.workload
        found = Gathering(clients.kubernetes, inquiry)
        questions = [Question("pods", where.namespace, labels)]
        if self.events:
            questions.append(Question("events", where.namespace, fields="type!=Normal"))
        await found.ask(*questions)
        pods = pods_in(found.objects)
        names = {(pod.namespace, pod.name) for pod in pods}
        events = [item for item in found.of("Event") if _is_about(Event(item), names)]
        found.objects = [*(dict(pod.raw) for pod in pods), *events]
        return Observation(
            summary=counted(pods, of or where.namespace),
            data=found.content(),
            empty=not pods,
            facts=(*lines_of(pods), *(line_of(event) for event in newest_last(events)[-_LISTED:])),
            value=float(sum(not pod.ready for pod in pods)),
            truncated="; ".join(found.truncated),
            gaps=tuple(found.gaps),
        )

    def reproduce(self, inquiry: Inquiry, clients: Clients) -> tuple[Reproduction, ...]:
        where = place(inquiry, self.namespace, self.workload)
        inside = ("-n", where.namespace) if where.namespace else ("-A",)
        which = ("-l", self.selector) if self.selector else ()
        return (Reproduction(command=clients.kubernetes.kubectl("get", "pods", *inside, *which, "-o", "wide")),)

    def permissions(self) -> tuple[Permission, ...]:
        kind = self.workload.partition("/")[0]
        own = (WORKLOADS[kind],) if kind in WORKLOADS else ()
        return reads("pods", *(("events",) if self.events else ()), *own)


def _is_about(event: Event, names: set[tuple[str, str]]) -> bool:
    kind, namespace, name = event.about
    return kind == "Pod" and (namespace, name) in names
