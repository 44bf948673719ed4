"""`kubernetes.objects`: the objects of any resource, as the API server has them."""

from collections import Counter

from pydantic import Field, field_validator

from responder.clients import Clients
from responder.clients.discovery import UNKNOWN, well_known
from responder.errors import Permanent, Reason
from responder.model.evidence import KubernetesObjects, Observation, Reproduction
from responder.model.kubernetes import Object
from responder.probes import Inquiry, Permission, Probe
from responder.probes._kubernetes import Gathering, Question, place, reads
from responder.templating import KubeName, Selector

LISTED = 8


class KubernetesObjectsOf(Probe):
    """The objects of a resource: one by `name`, those with labels, or all of a namespace or of the cluster.

    A resource that the cluster does not know is an answer, too: there are none.
    """

    resource: KubeName = Field(description="plural and group, as `networkpolicies.networking.k8s.io`")
    namespace: KubeName = ""
    name: KubeName = Field("", description="one object; all if empty")
    selector: Selector = Field("", description="labels of the objects, as for kubectl")
    fields: str = Field("", description="a field selector, as `involvedObject.name=api-1`")
    cluster: bool = Field(False, description="look in all namespaces, or at what belongs to none")

    @field_validator("resource")
    @classmethod
    def _no_secrets(cls, resource: str) -> str:
        if "/" in resource:
            raise ValueError(f"{resource[:80]!r} is a part of an object: name the resource alone")
        return resource

    async def run(self, inquiry: Inquiry, clients: Clients) -> Observation:
        reading = Gathering(clients.kubernetes, inquiry)
        try:
            if self.name:
                await reading.get(self._question(inquiry), self.name)
            else:
                await reading.ask(self._question(inquiry))
        except Permanent as trouble:
            if trouble.reason is not Reason.NOT_FOUND or not (self.name or str(trouble).startswith(UNKNOWN)):
                raise
            return Observation(summary=f"no {self._words(inquiry)}", data=KubernetesObjects(), empty=True)
        objects = [Object(item) for item in reading.objects]
        kinds = ", ".join(f"{count} {kind}" for kind, count in Counter(item.kind for item in objects).items())
        return Observation(
            summary=kinds or f"no {self._words(inquiry)}",
            data=reading.content(),
            empty=not objects,
            facts=tuple(f"{item.kind.lower()}/{item.name}" for item in objects[:LISTED]),
            value=float(len(objects)),
            truncated="; ".join(reading.truncated),
        )

    def reproduce(self, inquiry: Inquiry, clients: Clients) -> tuple[Reproduction, ...]:
        question = self._question(inquiry)
        where = ["-n", question.namespace] if question.namespace else ["-A"] if self._is_namespaced() else []
        chosen = [self.name] if self.name else []
        chosen += ["-l", self.selector] if self.selector else []
        chosen += ["--field-selector", self.fields] if self.fields else []
        return (Reproduction(command=clients.kubernetes.kubectl(*where, "get", self.resource, *chosen, "-o", "yaml")),)

    def permissions(self) -> tuple[Permission, ...]:
        return reads(self.resource)

    def _question(self, inquiry: Inquiry) -> Question:
        namespace = "" if self.cluster or not self._is_namespaced() else place(inquiry, self.namespace).namespace
        return Question(self.resource, namespace, self.selector, self.fields)

    def _is_namespaced(self) -> bool:
        """Whether its objects are in namespaces; what is not known is asked for as if they were."""
        known = well_known(self.resource)
        return known[2] if known else not self.cluster

    def _words(self, inquiry: Inquiry) -> str:
        question = self._question(inquiry)
        inside = f" in {question.namespace}" if question.namespace else ""
        return f"{self.resource.partition('.')[0]}{f' {self.name}' if self.name else ''}{inside}"
