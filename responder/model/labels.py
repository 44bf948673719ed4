"""What an alert's labels say of the broken thing, as opposed to the exporter that reported it.

kube-state-metrics, node-exporter and the kubelet put their own `instance`, `job`, `service`, `container`,
`pod`, `endpoint` and `namespace` on what they export, unless the scrape honours labels; then the real
ones are in `exported_*`.
"""

import re
from collections.abc import Mapping

from responder.model.subject import Subject, Target

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")

_EXPORTERS = re.compile(r"(?i)kube-state-metrics|node-exporter|blackbox|pushgateway")
_STATE_METRICS = re.compile(r"(?i)kube-state-metrics")
_NODE_EXPORTERS = re.compile(r"(?i)node-?exporter")

_ALIASES: Mapping[str, tuple[str, ...]] = {
    "namespace": (
        "exported_namespace",
        "namespace",
        "kubernetes_namespace",
        "k8s_namespace_name",
        "k8s.namespace.name",
    ),
    "pod": ("exported_pod", "pod", "pod_name", "kubernetes_pod_name", "k8s_pod_name", "k8s.pod.name"),
    "container": ("exported_container", "container", "container_name", "k8s_container_name", "k8s.container.name"),
    "node": ("exported_node", "node", "nodename", "kubernetes_node", "k8s_node_name", "k8s.node.name"),
    "cluster": ("cluster", "k8s_cluster_name", "k8s.cluster.name"),
}

_WORKLOADS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Deployment", ("deployment", "kube_deployment", "k8s_deployment_name", "k8s.deployment.name")),
    ("StatefulSet", ("statefulset", "kube_stateful_set", "k8s_statefulset_name", "k8s.statefulset.name")),
    ("DaemonSet", ("daemonset", "kube_daemon_set", "k8s_daemonset_name", "k8s.daemonset.name")),
    ("CronJob", ("cronjob", "k8s_cronjob_name", "k8s.cronjob.name")),
    ("Job", ("job_name", "exported_job", "k8s_job_name", "k8s.job.name")),
    ("ReplicaSet", ("replicaset", "k8s_replicaset_name", "k8s.replicaset.name")),
)

_OTHERS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("HorizontalPodAutoscaler", ("horizontalpodautoscaler", "hpa")),
    ("PersistentVolumeClaim", ("persistentvolumeclaim",)),
    ("PersistentVolume", ("persistentvolume",)),
    ("PodDisruptionBudget", ("poddisruptionbudget",)),
    ("ResourceQuota", ("resourcequota",)),
    ("Ingress", ("exported_ingress", "ingress")),
)

_APPLICATION = ("app.kubernetes.io/name", "app_kubernetes_io_name", "label_app_kubernetes_io_name", "app", "k8s_app")


def subject_of(labels: Mapping[str, str]) -> Subject:
    """The broken thing: the most specific workload that the labels name, else pod, node, service, namespace."""
    target = target_of(labels)
    namespace = target.namespace
    if found := _workload(labels):
        return Subject(kind=found[0], name=found[1], namespace=namespace, container=target.container)
    for kind, names in _OTHERS:
        if name := _first(labels, names, _NAME):
            cluster_wide = kind == "PersistentVolume"
            return Subject(kind=kind, name=name, namespace="" if cluster_wide else namespace)
    if target.pod:
        return Subject(kind="Pod", name=target.pod, namespace=namespace, container=target.container)
    if target.node:
        return Subject(kind="Node", name=target.node)
    if not _is_exporter(labels):
        for kind, name in (("Service", labels.get("service", "")), ("Deployment", _application(labels))):
            if _NAME.fullmatch(name):
                return Subject(kind=kind, name=name, namespace=namespace)
    if namespace:
        return Subject(kind="Namespace", name=namespace, namespace=namespace)
    for kind, label in (("Instance", "instance"), ("Job", "job")):
        if labels.get(label) and not _is_exporter(labels):
            return Subject(kind=kind, name=labels[label])
    return Subject(kind="Unknown", name="")


def target_of(labels: Mapping[str, str], cluster_label: str = "cluster") -> Target:
    """Where to look for the cause. Values that no object of Kubernetes can have are left out."""
    exporter = _is_exporter(labels)
    pod = _own(labels, "pod", exporter)
    found = _workload(labels)
    return Target(
        cluster=labels.get(cluster_label, "") or _first(labels, _ALIASES["cluster"], re.compile(r".+")),
        namespace=_first(labels, _ALIASES["namespace"], _NAMESPACE),
        workload=f"{found[0].lower()}/{found[1]}" if found and found[0] != "ReplicaSet" else "",
        pod=pod,
        container=_own(labels, "container", exporter) if pod else "",
        node=_node(labels),
    )


def _workload(labels: Mapping[str, str]) -> tuple[str, str] | None:
    for kind, names in _WORKLOADS:
        for name in names:
            value = labels.get(name, "")
            # exported_job is the Kubernetes Job only beside kube-state-metrics' own job
            if name == "exported_job" and not _STATE_METRICS.search(labels.get("job", "")):
                continue
            if value and _NAME.fullmatch(value):
                return kind, value
    kinds = {kind.lower(): kind for kind, _ in _WORKLOADS}
    named = kinds.get(labels.get("workload_type", labels.get("owner_kind", "")).lower(), "")
    owner = labels.get("workload", labels.get("owner_name", ""))
    return (named, owner) if named and _NAME.fullmatch(owner) else None


def _own(labels: Mapping[str, str], what: str, exporter: bool) -> str:
    """The value of a label, unless it belongs to the exporter.

    kube-state-metrics' alerts that concern pods carry the pod's own name (honoured labels); those that do
    not concern a pod carry the exporter's pod, which bears the exporter's name.
    """
    for name in _ALIASES[what]:
        value = labels.get(name, "")
        if not value or not _NAME.fullmatch(value):
            continue
        if exporter and not name.startswith("exported_") and _EXPORTERS.search(labels.get("pod", "")):
            continue
        if exporter and what == "container" and _EXPORTERS.search(value):
            continue
        return value
    return ""


def _node(labels: Mapping[str, str]) -> str:
    if name := _first(labels, _ALIASES["node"], _NAME):
        return name
    words = " ".join(labels.get(name, "") for name in ("job", "service", "container", "pod"))
    if _NODE_EXPORTERS.search(words):
        host = labels.get("instance", "").rpartition(":")[0] or labels.get("instance", "")
        return host if _NAME.fullmatch(host) and not re.fullmatch(r"[0-9.]+", host) else ""
    return ""


def _is_exporter(labels: Mapping[str, str]) -> bool:
    return any(_EXPORTERS.search(labels.get(name, "")) for name in ("job", "service", "container", "pod"))


def _application(labels: Mapping[str, str]) -> str:
    return next((labels[name] for name in _APPLICATION if labels.get(name)), "")


def _first(labels: Mapping[str, str], names: tuple[str, ...], valid: re.Pattern[str]) -> str:
    return next((labels[name] for name in names if valid.fullmatch(labels.get(name, ""))), "")
