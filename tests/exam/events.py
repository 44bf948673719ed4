"""Events, as `kubectl get events` shows them: what is older than an hour is forgotten."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from tests.exam.cluster import Cluster, stamp
from tests.exam.description import Raw

KEPT = timedelta(hours=1)
FROM = {
    "FailedScheduling": "default-scheduler",
    "Scheduled": "default-scheduler",
    "NotTriggerScaleUp": "cluster-autoscaler",
    "TriggeredScaleUp": "cluster-autoscaler",
    "FailedAttachVolume": "attachdetach-controller",
    "SuccessfulAttachVolume": "attachdetach-controller",
    "ProvisioningFailed": "persistentvolume-controller",
    "ScalingReplicaSet": "deployment-controller",
    "SyncLoadBalancerFailed": "service-controller",
    "EnsuringLoadBalancer": "service-controller",
    "NodeNotReady": "node-controller",
    "TaintManagerEviction": "taint-eviction-controller",
}
"""Which component says a thing, where it is not the kubelet."""


def record(cluster: Cluster, item: Raw, event: Mapping[str, object], words: Mapping[str, str]) -> None:
    """Keep an event about an object: reason and message, and of type, count, first, last, from what is known.

    A kubelet names its node as the host. What was said last more than an hour ago is not kept.
    """
    first = cluster.before(str(event.get("first", "20m")))
    last = max(first, cluster.before(str(event.get("last", "40s")))) if event.get("count", 1) != 1 else first
    if cluster.now - last > KEPT:
        return
    reason = str(event["reason"])
    component = str(event.get("from") or FROM.get(reason, "kubelet"))
    metadata = item["metadata"]
    space = metadata.get("namespace", "default")
    key = f"{item['kind']}/{metadata['name']}/{reason}/{event['message']}"
    host = words.get("NODE", "") if component == "kubelet" else ""
    field = {"fieldPath": event["field"]} if event.get("field") else {}
    cluster.add(
        "Event",
        f"{metadata['name']}.{cluster.digest(key)[:16]}",
        space,
        age=cluster.now - first,
        involvedObject={
            **{name: item[name] for name in ("apiVersion", "kind")},
            **{name: metadata[name] for name in ("name", "namespace", "uid", "resourceVersion") if name in metadata},
            **field,
        },
        reason=reason,
        message=cluster.filled(str(event["message"]), words),
        type=str(event.get("type", "Warning")),
        count=int(str(event.get("count", 1))),
        firstTimestamp=stamp(first),
        lastTimestamp=stamp(last),
        eventTime=None,
        source={"component": component, **({"host": host} if host else {})},
        reportingComponent=component,
        reportingInstance=host,
    )


def of_container(
    cluster: Cluster, pod: Raw, item: Raw, born: datetime, since: datetime, words: Mapping[str, str]
) -> None:
    """What the kubelet says of a container in its state; of one that was restarted, since its trouble began."""
    state, image, name = item["state"], item["image"], item["name"]
    field = f"spec.containers{{{name}}}"
    age = _age(cluster.now - (max(born, since) if item.get("restarts") else born))

    def emit(reason: str, message: str, count: int = 1, kind: str = "Normal", last: str = "40s") -> None:
        event = {"reason": reason, "message": message, "count": count, "type": kind, "field": field}
        record(cluster, pod, {**event, "first": age, "last": last}, words)

    if state in ("none", "initializing"):
        return
    if state == "waiting":
        _cannot_start(item, emit)
        return
    tries = int(item.get("restarts", 0)) + (state != "running")
    emit("Pulled", f'Container image "{image}" already present on machine', tries, last="110s")
    emit("Created", f"Created container: {name}", tries, last="110s")
    if item.get("reason") == "StartError":
        emit("Failed", f"Error: {item['message']}", tries, "Warning", "110s")
    else:
        emit("Started", f"Started container {name}", tries, last="110s")
    if state == "crash":
        pod_name = f"{words['POD']}_{words['NS']}({words['UID']})"
        emit("BackOff", f"Back-off restarting failed container {name} in pod {pod_name}", 4 * tries, "Warning", "15s")


def _cannot_start(item: Raw, emit: Callable[..., None]) -> None:
    reason, message, image = item.get("reason", ""), str(item.get("message", "")), item["image"]
    if reason not in ("ImagePullBackOff", "ErrImagePull"):
        if message:
            emit("Pulled", f'Container image "{image}" already present on machine', 60, last="12s")
            emit("Failed", f"Error: {message}", 60, "Warning", "12s")
        return
    why = message.partition("ErrImagePull: ")[2] or str(item.get("pull", ""))
    emit("Pulling", f'Pulling image "{image}"', 6, last="3m")
    emit("Failed", f'Failed to pull image "{image}": {why}', 6, "Warning", "3m")
    emit("Failed", "Error: ErrImagePull", 6, "Warning", "3m")
    emit("BackOff", f'Back-off pulling image "{image}"', 70, last="10s")
    emit("Failed", "Error: ImagePullBackOff", 70, "Warning", "10s")


def _age(since: timedelta) -> str:
    return f"{since.total_seconds():.0f}s"
