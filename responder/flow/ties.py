"""Ties: which objects have to do with what the alert names. Pure.

What an alert names depends on what it runs on, mounts, calls and is admitted by; it is reached through services and
ingresses. An object that none of these leads to may be unwell, but is not the cause.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property

from responder.detectors import Case
from responder.model.finding import Finding
from responder.model.graph import Graph
from responder.model.kubernetes import WORKLOADS, Object, mapping, mappings
from responder.model.labels import subject_of
from responder.model.subject import Subject

Key = tuple[str, str, str]

EVERYWHERE = ("Namespace", "ResourceQuota", "LimitRange", "NetworkPolicy")
"""What applies to everything in its namespace."""
CLUSTER_WIDE = (
    *("APIService", "ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"),
    *("CustomResourceDefinition", "Cluster"),
)
"""What applies to everything in the cluster."""
SYSTEM = "kube-system"
VAGUE = ("Unknown", "Namespace", "Cluster")
"""Kinds of subjects that name no one object."""


class Ties:
    """What has to do with the objects that the alerts name."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._picture = case.picture
        self._graphs: dict[str, Graph] = {}

    def hold(self, finding: Finding) -> bool:
        """Whether the finding is about something that has to do with the alert; so is everything if it names nothing
        that was seen.
        """
        namespace = finding.subject.namespace
        if not self._named and namespace in ("", self._case.scene.namespace):
            return True
        return any(self._reaches(item) for item in (finding.subject, *finding.suffering))

    def _reaches(self, subject: Subject) -> bool:
        if subject.kind in CLUSTER_WIDE or not subject.name:
            return True
        if subject.kind in EVERYWHERE:
            name = subject.name if subject.kind == "Namespace" else subject.namespace
            return name in self._namespaces
        key = (subject.kind, subject.namespace, subject.name)
        if key in self._related or self._known(subject) is None:
            # what was not seen as an object (a host outside, a key of a secret) is named by what was
            return True
        return subject.kind == "DaemonSet" and subject.namespace == SYSTEM

    def _known(self, subject: Subject) -> Object | None:
        return self._picture.get(subject.kind, subject.namespace, subject.name)

    @cached_property
    def _named(self) -> Sequence[Object]:
        """The objects that the alerts name, as far as they were seen."""
        target = self._case.target
        kind, _, name = target.workload.partition("/")
        subjects = [
            Subject(kind=known, name=name, namespace=target.namespace) for known in WORKLOADS if known.lower() == kind
        ]
        subjects += [Subject(kind="Pod", name=target.pod, namespace=target.namespace)] if target.pod else []
        subjects += [Subject(kind="Node", name=target.node)] if target.node and not subjects else []
        subjects += [found for alert in self._case.alerts if (found := subject_of(alert.labels)).kind not in VAGUE]
        return [item for subject in dict.fromkeys(subjects) if (item := self._known(subject)) is not None]

    @cached_property
    def _namespaces(self) -> frozenset[str]:
        return frozenset({self._case.target.namespace, *(item.namespace for item in self._named)})

    @cached_property
    def _related(self) -> frozenset[Key]:
        """Everything that the named objects lead to."""
        seen: set[Key] = set()
        waiting = list(self._named) or [*self._case.scene.graph.workloads, *self._case.scene.pods]
        while waiting:
            item = waiting.pop()
            key = (item.kind, item.namespace, item.name)
            if key not in seen:
                seen.add(key)
                waiting += self._next(item)
        return frozenset(seen)

    def _next(self, item: Object) -> Iterator[Object]:
        yield from self._owners(item)
        if item.kind in WORKLOADS:
            yield from self._of_workload(item)
        match item.kind:
            case "Pod":
                yield from self._of_pod(item)
            case "Node":
                yield from (pod for pod in self._picture.pods() if pod.node == item.name and item in self._named)
            case "Service":
                graph = self._graph(item.namespace)
                yield from graph.behind(item)
                yield from graph.workloads_behind(item)
                yield from filter(None, [graph.intended(item)])
            case "Ingress":
                yield from self._services_of(item)
            case "PersistentVolumeClaim":
                yield from self._get("PersistentVolume", "", item.spec.get("volumeName"))
                yield from self._get("StorageClass", "", item.spec.get("storageClassName"))
            case "HorizontalPodAutoscaler":
                scaled = mapping(item.spec.get("scaleTargetRef"))
                yield from self._get(str(scaled.get("kind")), item.namespace, scaled.get("name"))

    def _owners(self, item: Object) -> Iterator[Object]:
        for owner in mappings(item.metadata.get("ownerReferences")):
            yield from self._get(str(owner.get("kind")), item.namespace, owner.get("name"))
            yield from self._get(str(owner.get("kind")), "", owner.get("name"))

    def _of_workload(self, item: Object) -> Iterator[Object]:
        graph = self._graph(item.namespace)
        yield from self._picture.pods_of(item)
        yield from (made for kind in ("ReplicaSet", "Job") for made in self._owned(kind, item))
        for service in graph.services_of(item):
            yield service
            yield from (
                one for one in self._picture.all("Ingress", item.namespace) if service in self._services_of(one)
            )
        yield from self._references(item)
        for address in graph.addresses(item):
            yield from filter(None, [graph.service(address.host)])
        for scaler in self._picture.all("HorizontalPodAutoscaler", item.namespace):
            scaled = mapping(scaler.spec.get("scaleTargetRef"))
            if (scaled.get("kind"), scaled.get("name")) == (item.kind, item.name):
                yield scaler

    def _of_pod(self, item: Object) -> Iterator[Object]:
        yield from self._get("Node", "", item.spec.get("nodeName"))
        yield from self._references(item)
        for complaint in self._case.scene.complaints:
            if complaint.pod == item.name:
                yield from filter(None, [self._case.scene.called(complaint)])
                yield from self._case.scene.servers(complaint)

    def _references(self, item: Object) -> Iterator[Object]:
        for volume in mappings(item.template.get("volumes")):
            claim = mapping(volume.get("persistentVolumeClaim")).get("claimName")
            yield from self._get("PersistentVolumeClaim", item.namespace, claim)
        for template in mappings(item.spec.get("volumeClaimTemplates")):
            prefix = f"{mapping(template.get('metadata')).get('name')}-{item.name}-"
            claims = self._picture.all("PersistentVolumeClaim", item.namespace)
            yield from (claim for claim in claims if claim.name.startswith(prefix))

    def _owned(self, kind: str, owner: Object) -> Iterator[Object]:
        for made in self._picture.all(kind, owner.namespace):
            if made.controller == (owner.kind, owner.name):
                yield made

    def _services_of(self, ingress: Object) -> Sequence[Object]:
        backends = [mapping(ingress.spec.get("defaultBackend"))]
        for rule in mappings(ingress.spec.get("rules")):
            paths = mappings(mapping(rule.get("http")).get("paths"))
            backends += [mapping(path.get("backend")) for path in paths]
        names = [mapping(item.get("service")).get("name") or item.get("serviceName") for item in backends]
        return [found for name in names if (found := self._picture.get("Service", ingress.namespace, str(name or "")))]

    def _graph(self, namespace: str) -> Graph:
        if namespace not in self._graphs:
            self._graphs[namespace] = Graph(self._picture, namespace)
        return self._graphs[namespace]

    def _get(self, kind: str, namespace: str, name: object) -> Iterator[Object]:
        if name and (found := self._picture.get(kind, namespace, str(name))) is not None:
            yield found
