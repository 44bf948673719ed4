"""What the labels of an alert say of the broken thing, as opposed to the exporter that reports it.

A scrape adds its own `instance`, `job`, `service`, `endpoint`, `namespace`, `pod` and `container`. On what
kube-state-metrics, node-exporter or blackbox-exporter report they name the exporter, unless the scrape honours
the labels it finds; where it does not, the real ones are in `exported_*`. Others write the real ones, or those of the
scrape, in another spelling: whose they are is told by the pod among them.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cached_property

from responder.model.clusters import ONE_LABEL, ClusterLabels
from responder.model.owners import cron_job_of, deployment_of, owner_of_pod
from responder.model.scraped import NAME, PRINTABLE, REPORTER, SHORT_NAME, Scraped
from responder.model.spellings import EXPORTED, PLAIN
from responder.model.subject import Subject, Target

_SIDECAR = re.compile(r"(?:^|[-_])exporter$|^metrics$|^kube-rbac-proxy|pushgateway", re.IGNORECASE)
_NODE_PORTS = (":9100", ":9182", ":10250")
_APPLICATION = (
    "app.kubernetes.io/name",
    "app_kubernetes_io_name",
    "label_app_kubernetes_io_name",
    "k8s_app",
    "app",
    "application",
)
_WORKLOADS = {
    "deployment": "Deployment",
    "statefulset": "StatefulSet",
    "daemonset": "DaemonSet",
    "cronjob": "CronJob",
    "job_name": "Job",
    "replicaset": "ReplicaSet",
    "replicationcontroller": "ReplicationController",
}
_NAMESPACED = {
    "horizontalpodautoscaler": "HorizontalPodAutoscaler",
    "persistentvolumeclaim": "PersistentVolumeClaim",
    "poddisruptionbudget": "PodDisruptionBudget",
    "resourcequota": "ResourceQuota",
    "ingress": "Ingress",
}
_CLUSTER_WIDE = {"persistentvolume": "PersistentVolume"}
_TYPED_OWNERS = (("workload_type", "workload"), ("owner_kind", "owner_name"), ("created_by_kind", "created_by_name"))
_KINDS = {kind.lower(): kind for kind in _WORKLOADS.values()}
_TARGET_KINDS = ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob")


def subject_of(labels: Mapping[str, str]) -> Subject:
    """The broken thing. Workloads come before the objects around them, these before pods, nodes and services."""
    return Reading(labels).subject


def target_of(labels: Mapping[str, str], clusters: ClusterLabels = ONE_LABEL) -> Target:
    """Where to look for the cause. A value that no Kubernetes object can have is left out."""
    return Reading(labels).target(clusters.cluster(labels))


def owner_of(labels: Mapping[str, str]) -> str:
    """The workload that the labels name, `deployment/NAME`, or what the pod's name says of it; else empty."""
    return Reading(labels).owner


def meant(labels: Mapping[str, str]) -> dict[str, str]:
    """The labels, with the names of kube-state-metrics for what they mean, whatever their spelling.

    `namespace` is that of the broken thing, also where the scrape calls it `exported_namespace` and has its own
    under that name.
    """
    return Reading(labels).meant


def fingerprint(labels: Mapping[str, str]) -> str:
    """Alertmanager's fingerprint: FNV-1a (64 bits) over the sorted labels, 0xFF after each name and value."""
    number = 0xCBF29CE484222325
    for name, value in sorted((name.encode(), value.encode()) for name, value in labels.items()):
        for byte in name + b"\xff" + value + b"\xff":
            number = ((number ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{number:016x}"


class Reading:
    """The labels of one alert, and what follows from them."""

    def __init__(self, labels: Mapping[str, str]) -> None:
        self._from = Scraped(labels)

    @cached_property
    def subject(self) -> Subject:
        return next(self._candidates(), None) or Subject(kind="Unknown", name="")

    @property
    def meant(self) -> dict[str, str]:
        own = {"namespace": self.namespace, "pod": self.pod, "container": self.container, "node": self.node}
        others = {thing: self._from.first(thing, PRINTABLE) for thing in self._from.things.keys() - own.keys()}
        return {**self._from.labels, **{thing: name for thing, name in (own | others).items() if name}}

    @property
    def owner(self) -> str:
        if self.workload:
            kind, name = self.workload
            return f"{kind.lower()}/{name}"
        return owner_of_pod(self._seen_pod)

    def target(self, cluster: str) -> Target:
        subject = self.subject
        pod = self._seen_pod
        # with a node comes the namespace of its exporter, unless the labels tell that it is another's
        of_node = self._from.first("namespace", SHORT_NAME, without=self._from.own)
        return Target(
            cluster=cluster,
            namespace=of_node if subject.kind == "Node" else subject.namespace,
            workload=self._target_workload,
            pod=pod,
            container=self.container if pod else "",
            node=self.node,
        )

    @property
    def _seen_pod(self) -> str:
        """The pod that is meant, or the exporter's own where nothing else is."""
        return self.pod or (self.subject.name if self.subject.kind == "Pod" else "")

    def _candidates(self) -> Iterator[Subject]:
        """What may be broken, the likeliest first."""
        if self.workload:
            kind, name = self.workload
            yield Subject(kind=kind, name=name, namespace=self.namespace, container=self.container)
        for thing, kind in _NAMESPACED.items():
            if name := self._from.first(thing):
                yield Subject(kind=kind, name=name, namespace=self.namespace)
        for thing, kind in _CLUSTER_WIDE.items():
            if name := self._from.first(thing):
                yield Subject(kind=kind, name=name)
        if self.pod:
            yield Subject(kind="Pod", name=self.pod, namespace=self.namespace, container=self.container)
        if self.node:
            yield Subject(kind="Node", name=self.node)
        if url := self._probed:
            yield Subject(kind="Endpoint", name=url, namespace="" if "service" in self._from.labels else self.namespace)
        yield from self._vague()

    def _vague(self) -> Iterator[Subject]:
        """What is left: a name without a kind, the place, and last the scraped thing itself.

        That one is not meant where another namespace than its own is.
        """
        elsewhere = self._from.own if self._from.first("namespace", without=self._from.own) else ()
        application, service = self._application, self._from.first("service", without=elsewhere)
        if service and (not self._from.reporter or service in self._from.things["service"].get(EXPORTED, ())):
            yield Subject(kind="Service", name=service, namespace=self.namespace)
        if application and not REPORTER.search(application):
            yield Subject(kind="Application", name=application, namespace=self.namespace)
        if pod := self._from.first("pod", without=elsewhere):
            yield Subject(kind="Pod", name=pod, namespace=self.namespace)
        if service:
            yield Subject(kind="Service", name=service, namespace=self.namespace)
        if self.namespace:
            yield Subject(kind="Namespace", name=self.namespace, namespace=self.namespace)
        for kind, thing in (("Instance", "instance"), ("ScrapeJob", "job")):
            if name := self._from.first(thing, PRINTABLE):
                yield Subject(kind=kind, name=name)

    @cached_property
    def workload(self) -> tuple[str, str] | None:
        """Kind and name of the controller that the labels name, the one on top."""
        foreign = self._from.own - {PLAIN}  # what else describes a scrape's pod may name the exporter's workload
        for thing, kind in _WORKLOADS.items():
            if name := self._from.first(thing, without=foreign):
                return _above(kind, name)
        for kind_label, name_label in _TYPED_OWNERS:
            named = _KINDS.get(self._from.labels.get(kind_label, "").lower())
            if named and (name := self._from.possible(name_label)):
                return _above(named, name)
        return ("Deployment", self._served) if self._served else None

    @property
    def _served(self) -> str:
        """The workload that a mesh saw being called."""
        return self._from.possible("destination_workload")

    @cached_property
    def pod(self) -> str:
        """The pod that is meant, not the exporter's own."""
        return self._from.first("pod", without=self._from.own)

    @cached_property
    def container(self) -> str:
        """The container that is meant, where a pod or workload is."""
        for family in self._from.families:
            name = self._from.within(family, "container", SHORT_NAME)
            if name and (family == EXPORTED or self._may_be_meant(name, family)):
                return name
        return ""

    def _may_be_meant(self, container: str, family: str) -> bool:
        """Whether a container of this spelling is not the exporter's own."""
        if self._from.reporter in ("state", "node", "probe"):
            return family not in self._from.own and bool(self._from.within(family, "pod"))
        sidecar = self._from.reporter != "kubelet" and "job" in self._from.labels and _SIDECAR.search(container)
        return not sidecar

    @cached_property
    def namespace(self) -> str:
        """The namespace that is meant, as far as the exporter's can be told from it."""
        named = self._from.first("namespace", SHORT_NAME)
        served = self._from.possible("destination_workload_namespace", SHORT_NAME)
        if served and self.workload == ("Deployment", self._served):
            return served
        return named or served or self._from.possible("service_namespace", SHORT_NAME)

    @cached_property
    def node(self) -> str:
        """The node: by name, or the host that its exporter runs on."""
        if name := self._from.first("node"):
            return name
        instance = self._from.labels.get("instance", "")
        of_node = self._from.reporter == "node" or (self._from.reporter == "kubelet" and not self.pod)
        if of_node or instance.endswith(_NODE_PORTS):
            host = instance.rpartition(":")[0] or instance
            return host if NAME.fullmatch(host) else ""
        return ""

    @property
    def _application(self) -> str:
        return next((name for label in _APPLICATION if (name := self._from.possible(label))), "")

    @property
    def _probed(self) -> str:
        """The address that a blackbox exporter tried."""
        others = (self._from.possible(label, PRINTABLE) for label in ("target", "url"))
        instance = self._from.first("instance", PRINTABLE) or next(filter(None, others), "")
        return instance if self._from.reporter == "probe" or instance.startswith(("http://", "https://")) else ""

    @property
    def _target_workload(self) -> str:
        if self.workload is None or self.workload[0] not in _TARGET_KINDS:
            return ""
        return f"{self.workload[0].lower()}/{self.workload[1]}"


def _above(kind: str, name: str) -> tuple[str, str]:
    """A deployment stands for its replica sets, a cron job for its jobs."""
    if kind == "ReplicaSet" and (deployment := deployment_of(name)):
        return "Deployment", deployment
    if kind == "Job" and (cron_job := cron_job_of(name)):
        return "CronJob", cron_job
    return kind, name
