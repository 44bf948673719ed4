"""`kubernetes.pods`: pods by selector or namespace, with the events about them."""

from responder.clients import Clients
from responder.model.evidence import Observation, Reproduction
from responder.probes import Inquiry, Permission, Probe
from responder.probes._kubernetes import Gathering, counted, lines_of, reads, ready
from responder.runbooks.templating import KubeName, Selector


class KubernetesPods(Probe):
    """The pods of a namespace, or those that a label selector picks, with the events about them.

    `value` is how many are not ready.
    """

    selector: Selector = ""
    namespace: KubeName = ""
    events: bool = True

    async def run(self, inquiry: Inquiry, clients: Clients) -> Observation:
        namespace = self.namespace or inquiry.target.namespace
        found = Gathering()
        kubernetes = clients.kubernetes
        questions = [
            (
                "" if self.selector else "Pod",
                namespace,
                kubernetes.list("pods", namespace=namespace, labels=self.selector),
            )
        ]
        if self.events:
            questions.append(("", namespace, kubernetes.list("events", namespace=namespace, fields="type!=Normal")))
        await found.lists(*questions)
        found.refuse_if_nothing()
        pods = [item for item in found.objects if item["kind"] == "Pod"]
        return Observation(
            summary=counted(pods),
            data=found.content(),
            empty=not pods,
            facts=lines_of(pods),
            value=float(sum(not ready(pod) for pod in pods)),
            truncated="; ".join(found.truncated),
            gaps=tuple(found.gaps),
        )

    def reproduce(self, inquiry: Inquiry, clients: Clients) -> tuple[Reproduction, ...]:
        namespace = self.namespace or inquiry.target.namespace
        where = ("-n", namespace) if namespace else ("-A",)
        which = ("-l", self.selector) if self.selector else ()
        return (Reproduction(command=clients.kubernetes.kubectl("get", "pods", *where, *which, "-o", "wide")),)

    def permissions(self) -> tuple[Permission, ...]:
        return reads("pods", "events")
