"""An alert as the rules of kube-prometheus make it of what kube-state-metrics says about an object."""

from collections.abc import Iterator, Mapping

from tests.exam.cluster import Cluster
from tests.exam.description import Description, Raw

_SCRAPED = {
    "job": "kube-state-metrics",
    "instance": "10.244.2.14:8443",
    "service": "kube-state-metrics",
    "endpoint": "https-main",
}
_SUMMARIES: Mapping[str, str] = {
    "KubePodCrashLooping": "Pod is crash looping.",
    "KubePodNotReady": "Pod has been in a non-ready state for more than 15 minutes.",
    "KubeDeploymentReplicasMismatch": "Deployment has not matched the expected number of replicas.",
    "KubeDeploymentRolloutStuck": "Deployment rollout is not progressing.",
    "KubeStatefulSetReplicasMismatch": "StatefulSet has not matched the expected number of replicas.",
    "KubeDaemonSetRolloutStuck": "DaemonSet rollout is stuck.",
    "KubeContainerWaiting": "Pod container waiting longer than 1 hour",
    "KubeJobFailed": "Job failed to complete.",
    "KubeJobNotCompleted": "Job did not complete in time",
    "KubeHpaReplicasMismatch": "HPA has not matched desired number of replicas.",
    "KubeNodeNotReady": "Node is not ready.",
    "KubeNodePressure": "Node has as active Condition.",
    "KubeQuotaExceeded": "Namespace quota has exceeded the limits.",
    "KubePersistentVolumeFillingUp": "PersistentVolume is filling up.",
    "KubeAggregatedAPIDown": "Kubernetes aggregated API is down.",
    "TargetDown": "One or more targets are unreachable.",
    "CPUThrottlingHigh": "Processes experience elevated CPU throttling.",
}
_LABELS = {"job": "job_name"}
_SUMMED = ("KubePodNotReady", "KubeAggregatedAPIDown", "TargetDown")
"""Alerts whose expression sums the labels of the scrape away."""


def alert_of(cluster: Cluster, case: Description) -> Raw:
    """The alert, as the webhook has it. A pod is named by its workload: `pod/api`, or `pod/api:1` for its second."""
    name = case.alert["name"]
    labels = {"alertname": name, "severity": "warning", "prometheus": "monitoring/k8s"}
    if name in _SUMMARIES and name not in _SUMMED:
        labels |= _SCRAPED
    elif name == "KubePodNotReady":
        labels["job"] = "kube-state-metrics"
    if of := case.alert.get("of"):
        labels |= _named(cluster, case, *of.split("/"))
    labels |= {key: str(value) for key, value in cluster.filled(case.alert.get("labels", {})).items()}
    summary = case.alert.get("summary") or _SUMMARIES.get(name, "")
    return {
        "status": case.alert.get("status", "firing"),
        "labels": labels,
        "annotations": {"summary": summary} if summary else {},
        "startsAt": cluster.at(case.alert.get("since", "15m")),
        "endsAt": cluster.at(case.alert["ended"]) if "ended" in case.alert else "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.example/graph",
    }


def _named(cluster: Cluster, case: Description, kind: str, name: str) -> Raw:
    if kind == "node":
        return {"node": name}
    namespace = {"namespace": case.alert.get("namespace", case.namespace)}
    if kind != "pod":
        return namespace | {_LABELS.get(kind, kind): name}
    workload, _, number = name.partition(":")
    pod = pods_of(cluster, namespace["namespace"], workload)[int(number or 0)]
    labels: Raw = namespace | {"pod": pod["metadata"]["name"]}
    if case.alert["name"] in ("KubePodCrashLooping", "KubeContainerWaiting"):
        status = next(_waiting(pod), None)
        container = case.alert.get("container") or (status["name"] if status else "")
        reason = status["state"]["waiting"].get("reason", "") if status else "CrashLoopBackOff"
        labels |= {"container": container, "reason": reason, "uid": pod["metadata"]["uid"]}
    return labels


def pods_of(cluster: Cluster, namespace: str, workload: str) -> list[Raw]:
    """The pods of a workload, or the one of that name."""
    return [
        item
        for item in cluster.all("Pod")
        if item["metadata"]["namespace"] == namespace
        and (item["metadata"]["name"] == workload or item["metadata"]["name"].startswith(f"{workload}-"))
    ]


def _waiting(pod: Raw) -> Iterator[Raw]:
    statuses = (*pod["status"].get("initContainerStatuses", ()), *pod["status"].get("containerStatuses", ()))
    return (item for item in statuses if "waiting" in item["state"])
