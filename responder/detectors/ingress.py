"""Ingresses that lead nowhere, that no controller serves, or without their certificate."""

from collections.abc import Iterator

from responder.detectors import Case
from responder.detectors._writing import CERTAIN, LIKELY, POSSIBLE, because, found, listed, plural
from responder.model.finding import Cause, Cleared, Finding
from responder.model.follow_up import FollowUp, objects
from responder.model.ingresses import DEFAULT_CLASS, Ingress, Route, has_port, ready_behind
from responder.model.kubernetes import Object, mappings, string

_REFERENCE = "https://kubernetes.io/docs/concepts/services-networking/ingress/"


def _cause(slug: str, title: str, meaning: str, confirm: str, fix: str, *, generic: bool = False) -> Cause:
    return Cause(
        slug=slug, title=title, meaning=meaning, confirm=confirm, fix=fix, reference=_REFERENCE, generic=generic
    )


NO_SERVICE = _cause(
    "ingress-without-service", "An ingress leads to a service that does not exist",
    "A path of the ingress names a service that is not in its namespace: the controller answers 503 or 404 there.",
    "kubectl describe ingress NAME: services \"…\" not found", "Correct the name, or create the service",
)  # fmt: skip
NO_PORT = _cause(
    "ingress-port-mismatch", "An ingress leads to a port that the service does not have",
    "The backend's port is none of the service's ports.",
    "kubectl describe ingress NAME; kubectl get service NAME -o yaml", "Correct the port in the ingress",
)  # fmt: skip
NO_ENDPOINTS = _cause(
    "ingress-without-endpoints", "An ingress leads to a service without ready endpoints",
    "Nothing behind the path is ready: the controller answers 503.",
    "kubectl get endpoints NAME", "Find out why the pods behind the service are not ready", generic=True,
)  # fmt: skip
NO_CLASS = _cause(
    "ingress-class-missing", "No controller serves an ingress",
    "It names an IngressClass that does not exist, or none where there is no default: no controller takes it up.",
    "kubectl get ingressclass; kubectl get ingress: ADDRESS is empty",
    "Set spec.ingressClassName to a class that exists, or install its controller",
)  # fmt: skip
NO_ADDRESS = _cause(
    "ingress-not-taken-up", "An ingress has no address",
    "Its class exists, and no controller has given it an address: the controller does not run, watches other "
    "namespaces, or waits for its load balancer. Some controllers give none at all.",
    "kubectl get ingress; the controller's pods and log", "Bring the controller back", generic=True,
)  # fmt: skip
NO_SECRET = _cause(
    "ingress-tls-secret-missing", "An ingress names a TLS secret that does not exist",
    "The controller has no certificate for the hosts and shows its default one, which browsers refuse.",
    "kubectl get secret NAME", "Create the secret, or look at what should (kubectl get certificate)",
)  # fmt: skip
CAUSES = (NO_SERVICE, NO_PORT, NO_ENDPOINTS, NO_CLASS, NO_ADDRESS, NO_SECRET)


READS = ("ingressclasses.networking.k8s.io",)


def follow_up(case: Case) -> Iterator[FollowUp]:
    """The classes, where an ingress of the namespace has no address."""
    waiting = [item for item in case.picture.all("Ingress", case.scene.namespace) if not Ingress(item).addresses]
    if waiting:
        yield objects(READS[0], f"{waiting[0].subject} has no address", cluster=True)


def detect(case: Case) -> Iterator[Finding | Cleared]:
    picture = case.scene.picture
    ingresses = [Ingress(item) for item in picture.all("Ingress", case.scene.namespace)]
    said = 0
    for ingress in ingresses:
        for finding in (*_paths(case, ingress), *_class(case, ingress), *_secrets(case, ingress)):
            said += 1
            yield finding
    if ingresses and not said:
        paths = sum(len(list(ingress.routes)) for ingress in ingresses)
        yield Cleared(
            text=f"ingresses ({plural(len(ingresses), 'ingress').replace('ingresss', 'ingresses')} with "
            f"{plural(paths, 'path')}, services and endpoints fit)",
            evidence=ingresses[0].item.evidence,
        )


def _paths(case: Case, ingress: Ingress) -> Iterator[Finding]:
    """One finding for each service that paths lead to in vain."""
    by_service: dict[tuple[str, str], list[Route]] = {}
    for route in ingress.routes:
        by_service.setdefault((route.service, route.port), []).append(route)
    graph, item = case.scene.graph, ingress.item
    for (name, port), routes in by_service.items():
        service = case.scene.picture.get("Service", item.namespace, name)
        where = f"ingress/{item.name} leads from {listed(routes)} to"
        if service is None:
            if case.scene.knows_all("Service"):
                headline = f"{where} service/{name}, which does not exist"
                yield found(NO_SERVICE, item.subject, CERTAIN, headline, [because(headline, item)])
        elif port and not has_port(service, port):
            ports = listed(f"{string(one.get('port'))} {string(one.get('name'))}".strip() for one in _ports(service))
            headline = f"{where} port {port} of service/{name}, which has {ports or 'no ports'}"
            yield found(NO_PORT, item.subject, CERTAIN, headline, [because(headline, item, service)])
        elif (counted := ready_behind(graph, service)) and not counted[0]:
            headline = f"{where} service/{name}, which has no ready endpoints ({counted[1]} not ready)"
            behind = graph.workloads_behind(service)
            subject = behind[0].subject if behind else service.subject
            reasons = [because(headline, item, service)]
            yield found(NO_ENDPOINTS, subject, LIKELY, headline, reasons, suffering=[item.subject])


def _class(case: Case, ingress: Ingress) -> Iterator[Finding]:
    item, wanted = ingress.item, ingress.wanted_class
    classes = case.scene.picture.all("IngressClass")
    if not case.scene.picture.complete("IngressClass") or ingress.addresses:
        return
    names = {one.name for one in classes}
    default = any(one.annotations.get(DEFAULT_CLASS) == "true" for one in classes)
    have = listed(sorted(names)) or "none"
    if wanted and wanted not in names:
        # controllers of old also look at the annotation, without any class object
        sure = LIKELY if item.spec.get("ingressClassName") else POSSIBLE
        headline = f"ingress/{item.name} is for the class {wanted}, which does not exist (there is {have})"
        yield found(NO_CLASS, item.subject, sure, headline, [because(headline, item, *classes)])
    elif not wanted and not default:
        headline = f"ingress/{item.name} names no class, and none is the default (there is {have})"
        yield found(NO_CLASS, item.subject, LIKELY, headline, [because(headline, item, *classes)])
    elif _asked(case, item):
        headline = f"ingress/{item.name} of class {wanted or 'default'} has no address"
        yield found(NO_ADDRESS, item.subject, POSSIBLE, headline, [because(headline, item)])


def _secrets(case: Case, ingress: Ingress) -> Iterator[Finding]:
    picture, item = case.scene.picture, ingress.item
    for name, hosts in ingress.secrets.items():
        if picture.get("Secret", item.namespace, name) is not None:
            continue
        if picture.complete("Secret", item.namespace) or picture.complete("Secret of Ingress", item.namespace):
            headline = f"ingress/{item.name} takes its certificate from secret/{name}, which does not exist"
            reasons = [because(f"{headline}; it is for {listed(hosts) or 'all hosts'}", item)]
            yield found(NO_SECRET, item.subject, CERTAIN, headline, reasons)


def _asked(case: Case, item: Object) -> bool:
    """Whether a step asks for ingresses: many have no address, and that is nobody's fault."""
    return any(case.evidence[name].probe == "kubernetes.ingress" for name in item.evidence if name in case.evidence)


def _ports(service: Object) -> list[dict[str, object]]:
    return [dict(item) for item in mappings(service.spec.get("ports"))]
