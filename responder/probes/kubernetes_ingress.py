"""`kubernetes.ingress`: ingresses, and where their rules lead."""

from collections.abc import Iterator, Sequence

from pydantic import Field

from responder.clients import Clients
from responder.errors import Permanent, Reason, Trouble
from responder.model.evidence import KubernetesObjects, Observation, Reproduction
from responder.model.graph import Graph
from responder.model.ingresses import Ingress, has_port, ready_behind
from responder.model.kubernetes import Object
from responder.model.picture import Picture
from responder.probes import Inquiry, Permission, Probe
from responder.probes._kubernetes import Gathering, Question, in_namespace, line_of, newest_last, place, reads
from responder.templating import KubeName

_LISTED = 8
_NETWORKING = "networking.k8s.io"


class KubernetesIngress(Probe):
    """Ingresses with services, endpoints, class, address and the annotations that decide about WebSockets and timeouts.

    `value` is how many of their paths lead nowhere. Whether TLS secrets exist is looked at with `secrets` only, since
    the right to see them is the right to read them; their contents are thrown away.
    """

    name: KubeName = Field("", description="one ingress; all of the namespace if empty")
    namespace: KubeName = ""
    secrets: bool = Field(False, description="look whether TLS secrets exist; needs the right to get secrets")

    async def run(self, inquiry: Inquiry, clients: Clients) -> Observation:
        namespace = in_namespace(place(inquiry, self.namespace))
        found = Gathering(clients.kubernetes, inquiry)
        await found.ask(
            Question(f"ingresses.{_NETWORKING}", namespace),
            Question(f"ingressclasses.{_NETWORKING}", welcome=True),
            Question("services", namespace),
            Question("endpoints", namespace, welcome=True),
            Question("endpointslices.discovery.k8s.io", namespace, welcome=True),
            Question("events", namespace, fields="involvedObject.kind=Ingress"),
        )
        ingresses = [
            Ingress(Object(item)) for item in found.of("Ingress") if self.name in ("", item["metadata"]["name"])
        ]
        if self.secrets:
            await self._look_for_secrets(clients, found, namespace, ingresses)
        data = found.content()
        graph = Graph(Picture.of([("", data)]), namespace)
        nowhere = [text for ingress in ingresses for text in _nowhere(graph, ingress)]
        troubles = [*nowhere, *(text for ingress in ingresses for text in _others(data, ingress))]
        events = [event for event in newest_last(found.of("Event")) if event.warning]
        paths = sum(len(list(ingress.routes)) for ingress in ingresses)
        return Observation(
            summary=_summary(ingresses, paths, troubles),
            data=data,
            empty=not ingresses,
            facts=(
                *troubles[:_LISTED],
                *(_line(ingress) for ingress in ingresses[:_LISTED]),
                *(f"{name}: {value[:120]}" for item in ingresses[:3] for name, value in item.told.items()),
                *(line_of(event) for event in events[-3:]),
            ),
            value=float(len(nowhere)),
            breached=bool(troubles),
            truncated="; ".join(found.truncated),
            gaps=tuple(found.gaps),
        )

    def reproduce(self, inquiry: Inquiry, clients: Clients) -> tuple[Reproduction, ...]:
        namespace = place(inquiry, self.namespace).namespace
        kubectl = clients.kubernetes.kubectl
        which = [self.name] if self.name else []
        return (
            Reproduction(command=kubectl("-n", namespace, "describe", "ingress", *which)),
            Reproduction(command=kubectl("-n", namespace, "get", "services,endpoints")),
        )

    def permissions(self) -> tuple[Permission, ...]:
        read = reads(
            *(f"ingresses.{_NETWORKING}", f"ingressclasses.{_NETWORKING}", "services", "endpoints", "events"),
            "endpointslices.discovery.k8s.io",
        )
        return (*read, Permission("", "secrets", ("get",))) if self.secrets else read

    async def _look_for_secrets(
        self, clients: Clients, found: Gathering, namespace: str, ingresses: Sequence[Ingress]
    ) -> None:
        """Get the secrets that are named one by one; one that is absent is noted as a part read whole."""
        names = dict.fromkeys(name for ingress in ingresses for name in ingress.secrets)
        seen = 0
        for name in names:
            try:
                found.objects.append(await clients.kubernetes.get("secrets", name, namespace=namespace))
            except Trouble as trouble:
                if not (isinstance(trouble, Permanent) and trouble.reason is Reason.NOT_FOUND):
                    found.miss(f"secret {name}", trouble)
                    continue
            seen += 1
        if names and seen == len(names):
            found.complete.append(f"Secret of Ingress/{namespace}")


def _nowhere(graph: Graph, ingress: Ingress) -> Iterator[str]:
    """The paths behind which nothing answers."""
    for route in ingress.routes:
        service = graph.picture.get("Service", ingress.item.namespace, route.service)
        if service is None:
            if graph.picture.complete("Service", ingress.item.namespace):
                yield f"{route}: service/{route.service} does not exist"
        elif route.port and not has_port(service, route.port):
            yield f"{route}: service/{route.service} has no port {route.port}"
        elif (counted := ready_behind(graph, service)) and not counted[0]:
            yield f"{route}: service/{route.service} has no ready endpoints ({counted[1]} not ready)"


def _others(data: KubernetesObjects, ingress: Ingress) -> Iterator[str]:
    """What else keeps an ingress from serving: its class, its secrets."""
    classes = {item["metadata"]["name"] for item in data.objects if item["kind"] == "IngressClass"}
    wanted = ingress.wanted_class
    if wanted and wanted not in classes and "IngressClass" in data.complete:
        yield f"ingress/{ingress.item.name}: there is no IngressClass {wanted}"
    secrets = {item["metadata"]["name"] for item in data.objects if item["kind"] == "Secret"}
    if f"Secret of Ingress/{ingress.item.namespace}" in data.complete:
        for name in ingress.secrets:
            if name not in secrets:
                yield f"ingress/{ingress.item.name}: secret/{name} does not exist"


def _summary(ingresses: Sequence[Ingress], paths: int, troubles: Sequence[str]) -> str:
    if not ingresses:
        return "no ingresses"
    many = f"{len(ingresses)} ingress{'' if len(ingresses) == 1 else 'es'} with {paths} path{'' if paths == 1 else 's'}"
    return f"{many}: {troubles[0]}{f' and {len(troubles) - 1} more' if len(troubles) > 1 else ''}" if troubles else (
        f"{many}, all lead to ready endpoints"
    )  # fmt: skip


def _line(ingress: Ingress) -> str:
    addresses = ", ".join(ingress.addresses) or "no address"
    secrets = f", TLS {', '.join(ingress.secrets)}" if ingress.secrets else ", no TLS"
    return f"ingress/{ingress.item.name}: class {ingress.wanted_class or 'default'}, {addresses}{secrets}"
