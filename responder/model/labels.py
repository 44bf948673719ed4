"""What the labels of an alert say of the broken thing, as opposed to the exporter that reports it.

A scrape adds its own `instance`, `job`, `service`, `endpoint`, `namespace`, `pod` and `container`. On what
kube-state-metrics, node-exporter or blackbox-exporter report they name the exporter, unless the scrape honours
the labels it finds; where it does not, the real ones are in `exported_*`.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cached_property

from responder.model.subject import Subject, Target

_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?")
_SHORT_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")
_PRINTABLE = re.compile(r"[^\x00-\x1f\x7f]{1,253}")
_REPORTER = re.compile(
    r"(?P<state>kube[-_]?state[-_]?metrics)"
    r"|(?P<node>(?:node|windows)[-_]?exporter|^nodes?$|^integrations/(?:unix|node_exporter|windows)$)"
    r"|(?P<kubelet>kubelet|cadvisor|^kubernetes-nodes)"
    r"|(?P<probe>blackbox)"
    r"|(?P<exporter>exporter|pushgateway)",
    re.IGNORECASE,
)
_SIDECAR = re.compile(r"(?:^|[-_])exporter$|^metrics$|^kube-rbac-proxy|pushgateway", re.IGNORECASE)
_NODE_PORTS = (":9100", ":9182", ":10250")
_HASH = "[bcdfghjklmnpqrstvwxz2456789]"  # k8s.io/apimachinery/pkg/util/rand leaves out vowels and 0, 1, 3
_OF_REPLICA_SET = re.compile(rf"(?P<deployment>.+)-{_HASH}{{6,10}}-{_HASH}{{5}}")
_REPLICA_SET = re.compile(rf"(?P<deployment>.+)-{_HASH}{{6,10}}")
_OF_OTHERS = re.compile(rf"(?P<owner>.+?)(?:-\d+)?-(?:{_HASH}{{5}}|\d+)")


def _spellings(label: str, opentelemetry: str = "", *others: str) -> tuple[str, ...]:
    """The names of a label: what a scrape renamed, as it is, as OpenTelemetry and as other configurations write it."""
    dotted = f"k8s.{opentelemetry or label}.name"
    return (f"exported_{label}", label, dotted, dotted.replace(".", "_"), *others)


_NAMESPACE = (*_spellings("namespace"), "kubernetes_namespace", "destination_workload_namespace", "service_namespace")
_POD = (*_spellings("pod"), "pod_name", "kubernetes_pod_name")
_CONTAINER = (*_spellings("container"), "container_name")
_NODE = (*_spellings("node"), "nodename", "kubernetes_node", "kubernetes_io_hostname")
_CLUSTER = ("k8s.cluster.name", "k8s_cluster_name")
_SERVICE = ("exported_service", "service", "kubernetes_service", "service.name", "service_name")
_APPLICATION = (
    "app.kubernetes.io/name",
    "app_kubernetes_io_name",
    "label_app_kubernetes_io_name",
    "k8s_app",
    "app",
    "application",
)
_WORKLOADS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Deployment", _spellings("deployment", "deployment", "kube_deployment")),
    ("StatefulSet", _spellings("statefulset", "statefulset", "kube_stateful_set")),
    ("DaemonSet", _spellings("daemonset", "daemonset", "kube_daemon_set")),
    ("Job", _spellings("job_name", "job", "kube_job")),
    ("CronJob", _spellings("cronjob", "cronjob", "kube_cronjob")),
    ("ReplicaSet", _spellings("replicaset", "replicaset", "kube_replica_set")),
    ("ReplicationController", ("replicationcontroller", "k8s.replicationcontroller.name")),
)
_NAMESPACED: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("HorizontalPodAutoscaler", _spellings("horizontalpodautoscaler", "hpa", "hpa")),
    ("PersistentVolumeClaim", _spellings("persistentvolumeclaim", "persistentvolumeclaim", "pvc")),
    ("PodDisruptionBudget", ("exported_poddisruptionbudget", "poddisruptionbudget")),
    ("ResourceQuota", ("resourcequota", "k8s.resourcequota.name", "k8s_resourcequota_name")),
    ("Ingress", ("exported_ingress", "ingress")),
)
_CLUSTER_WIDE: tuple[tuple[str, tuple[str, ...]], ...] = (("PersistentVolume", ("persistentvolume",)),)
_TYPED_OWNERS = (("workload_type", "workload"), ("owner_kind", "owner_name"), ("created_by_kind", "created_by_name"))
_KINDS = {kind.lower(): kind for kind, _ in _WORKLOADS}
_TARGET_KINDS = ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob")


def subject_of(labels: Mapping[str, str]) -> Subject:
    """The broken thing. Workloads come before the objects around them, these before pods, nodes and services."""
    return _Reading(labels).subject


def target_of(labels: Mapping[str, str], cluster_label: str = "cluster") -> Target:
    """Where to look for the cause. A value that no Kubernetes object can have is left out."""
    return _Reading(labels).target(cluster_label)


def owner_of_pod(pod: str) -> str:
    """What a pod's name says of its owner: the name without the parts that its controller generated."""
    found = _OF_REPLICA_SET.fullmatch(pod)
    if found:
        return found["deployment"]
    found = _OF_OTHERS.fullmatch(pod)
    return found["owner"] if found else pod


def fingerprint(labels: Mapping[str, str]) -> str:
    """Alertmanager's fingerprint: FNV-1a (64 bits) over the sorted labels, 0xFF after each name and value."""
    number = 0xCBF29CE484222325
    for name, value in sorted((name.encode(), value.encode()) for name, value in labels.items()):
        for byte in name + b"\xff" + value + b"\xff":
            number = ((number ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{number:016x}"


class _Reading:
    """The labels of one alert, and what follows from them."""

    def __init__(self, labels: Mapping[str, str]) -> None:
        self._labels = labels

    @property
    def subject(self) -> Subject:
        return next(self._candidates(), None) or Subject(kind="Unknown", name="")

    def target(self, cluster_label: str) -> Target:
        subject = self.subject
        pod = self.pod or (subject.name if subject.kind == "Pod" else "")
        node_only = subject.kind == "Node"
        return Target(
            cluster=self._first((cluster_label, *_CLUSTER), _PRINTABLE),
            namespace="" if node_only else subject.namespace,
            workload=self._target_workload,
            pod=pod,
            container=self.container if pod else "",
            node=self.node,
        )

    def _candidates(self) -> Iterator[Subject]:
        """What may be broken, the likeliest first."""
        if self.workload:
            kind, name = self.workload
            yield Subject(kind=kind, name=name, namespace=self.namespace, container=self.container)
        for kind, names in _NAMESPACED:
            if name := self._first(names):
                yield Subject(kind=kind, name=name, namespace=self.namespace)
        for kind, names in _CLUSTER_WIDE:
            if name := self._first(names):
                yield Subject(kind=kind, name=name)
        if self.pod:
            yield Subject(kind="Pod", name=self.pod, namespace=self.namespace, container=self.container)
        if self.node:
            yield Subject(kind="Node", name=self.node)
        if url := self._probed:
            yield Subject(kind="Endpoint", name=url, namespace="" if "service" in self._labels else self.namespace)
        yield from self._vague()

    def _vague(self) -> Iterator[Subject]:
        """What is left: a name without a kind, the place, and last the scraped thing itself."""
        application, service = self._first(_APPLICATION), self._first(_SERVICE)
        if service and (not self.reporter or service == self._labels.get("exported_service")):
            yield Subject(kind="Service", name=service, namespace=self.namespace)
        if application and not _REPORTER.search(application):
            yield Subject(kind="Application", name=application, namespace=self.namespace)
        if pod := self._first(_POD):
            yield Subject(kind="Pod", name=pod, namespace=self.namespace)
        if service:
            yield Subject(kind="Service", name=service, namespace=self.namespace)
        if self.namespace:
            yield Subject(kind="Namespace", name=self.namespace, namespace=self.namespace)
        for kind, label in (("Instance", "instance"), ("ScrapeJob", "job")):
            if name := self._first((f"exported_{label}", label), _PRINTABLE):
                yield Subject(kind=kind, name=name)

    @cached_property
    def reporter(self) -> str:
        """Whose scrape labels these are: `state`, `node`, `kubelet`, `probe`, another `exporter`, or empty.

        Only a scrape has a job: where an aggregation dropped it, what is left belongs to the broken thing.
        """
        if "job" not in self._labels:
            return ""
        for label in ("job", "service"):
            if found := _REPORTER.search(self._labels.get(label, "")):
                return found.lastgroup or ""
        return ""

    @cached_property
    def workload(self) -> tuple[str, str] | None:
        """Kind and name of the controller that the labels name."""
        for kind, names in _WORKLOADS:
            if name := self._first(names):
                return self._above(kind, name)
        for kind_label, name_label in _TYPED_OWNERS:
            named = _KINDS.get(self._labels.get(kind_label, "").lower())
            if named and (name := self._first((name_label,))):
                return self._above(named, name)
        if name := self._first(("destination_workload",)):
            return "Deployment", name
        return None

    @cached_property
    def pod(self) -> str:
        """The pod that is meant, not the exporter's own."""
        exported, others = _POD[0], _POD[1:]
        if name := self._first((exported,)):
            return name
        name = self._first(others)
        return "" if name and self._is_reporter_pod(name) else name

    @cached_property
    def container(self) -> str:
        """The container that is meant, where a pod or workload is."""
        exported, others = _CONTAINER[0], _CONTAINER[1:]
        if name := self._first((exported,), _SHORT_NAME):
            return name
        name = self._first(others, _SHORT_NAME)
        if self.reporter in ("state", "node", "probe") and not (self.pod and "pod" in self._labels):
            return ""
        sidecar = self.reporter not in ("state", "kubelet") and "job" in self._labels and _SIDECAR.search(name)
        return "" if sidecar else name

    @cached_property
    def namespace(self) -> str:
        """The namespace that is meant, as far as the exporter's can be told from it."""
        return self._first(_NAMESPACE, _SHORT_NAME)

    @cached_property
    def node(self) -> str:
        """The node: by name, or the host that its exporter runs on."""
        if name := self._first(_NODE):
            return name
        instance = self._labels.get("instance", "")
        if self.reporter == "node" or (self.reporter == "kubelet" and not self.pod) or instance.endswith(_NODE_PORTS):
            host = instance.rpartition(":")[0] or instance
            return host if _NAME.fullmatch(host) else ""
        return ""

    @property
    def _probed(self) -> str:
        """The address that a blackbox exporter tried."""
        instance = self._first(("exported_instance", "instance", "target", "url"), _PRINTABLE)
        return instance if self.reporter == "probe" or instance.startswith(("http://", "https://")) else ""

    @property
    def _target_workload(self) -> str:
        if self.workload is None or self.workload[0] not in _TARGET_KINDS:
            return ""
        return f"{self.workload[0].lower()}/{self.workload[1]}"

    def _is_reporter_pod(self, pod: str) -> bool:
        if self.reporter in ("node", "probe"):
            return True
        if self.reporter == "kubelet" or not self.reporter:
            return False
        # only kube-state-metrics' series of a pod have its uid, and only where labels are honoured
        if "uid" in self._labels and "exported_pod" not in self._labels:
            return False
        service = self._labels.get("service", "")
        return bool(service and pod.startswith(f"{service}-")) or bool(_REPORTER.search(pod))

    def _above(self, kind: str, name: str) -> tuple[str, str]:
        """A deployment's replica set stands for the deployment."""
        found = _REPLICA_SET.fullmatch(name) if kind == "ReplicaSet" else None
        return ("Deployment", found["deployment"]) if found else (kind, name)

    def _first(self, names: tuple[str, ...], valid: re.Pattern[str] = _NAME) -> str:
        """The first of the labels that has a possible value."""
        labels = self._labels
        for name in names:
            if (value := labels.get(name)) and valid.fullmatch(value):
                return value
        return ""
