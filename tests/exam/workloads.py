"""Workloads with their pods, as controllers make them.

name, kind, replicas          kind is Deployment, StatefulSet, DaemonSet, Job or Pod
image, state, log, …          of the container named for the workload, see `pods.py`; `container` names it otherwise
sidecars, init                further containers
port, service                 its port makes a Service of its name; `service: false` makes none
env, spec, pod                variables; what is laid over the container's and the pod's spec
volumes, class                of a StatefulSet: claim templates with their sizes, and the storage class
age, since, new               when it was deployed; when trouble began; whether its pods were made only then
pods                          how single pods differ, in order
before                        what ran before a rollout: {image, replicas}; those pods still run
refused                       no pods are made, and this is what the API server answers
pending                       no node is found, and this is what the scheduler says
events                        what is said of each pod
status, changes               laid over the pods' status; laid over the workload
owner                         the kind/name that made it
"""

from collections.abc import Mapping
from datetime import datetime

from tests.exam import events
from tests.exam.cluster import Cluster, stamp
from tests.exam.description import Raw, ago, merged
from tests.exam.pods import TOLERATIONS, PodMaker, part_of_spec

WORKERS = ("worker-1", "worker-2", "worker-3")
NEVER_STARTED = ("waiting", "none", "initializing")
ENDED = ("failed", "completed")
OF_CONTAINER = (
    *("image", "state", "exit", "reason", "message", "restarts", "ran", "ended", "log", "previous", "spec", "port"),
    *("env", "writes", "pull", "usage"),
)


class Workload:
    """What its controller and its pods have in common."""

    def __init__(self, cluster: Cluster, namespace: str, item: Raw) -> None:
        self.cluster, self.namespace, self.item = cluster, namespace, item
        self.name: str = item["name"]
        self.kind: str = item.get("kind", "Deployment")
        self.labels: Raw = item.get("labels") or {"app.kubernetes.io/name": self.name}
        self.age: str = item.get("age", "6d")
        self.since = cluster.before(item.get("since", "25m"))
        self.born = self._born(item, self.since)
        self.replicas: int = len(WORKERS) if self.kind == "DaemonSet" else item.get("replicas", 1)

    def deploy(self) -> None:
        """Put it into the cluster with everything that belongs to it."""
        self.service()
        self.control()

    def control(self) -> None:
        """Make its pods: a bare pod is its own."""
        owner = self.item.get("owned")
        uid = self.cluster.get(owner["kind"], self.namespace, owner["name"])["metadata"]["uid"] if owner else ""
        reference = {**owner, "uid": uid, "controller": True, "blockOwnerDeletion": True} if owner else None
        self.pod(self.name, 0, self.spec_of(self.item), reference, {})

    def _containers(self, item: Raw) -> list[Raw]:
        own = {key: item[key] for key in OF_CONTAINER if key in item}
        return [{"name": item.get("container", self.name), **own}, *map(_running, item.get("sidecars", ()))]

    def spec_of(self, item: Raw) -> Raw:
        account = item.get("pod", {}).get("serviceAccountName", "default")
        init = [part_of_spec(part) for part in item.get("init", ())]
        token = {"mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "name": "kube-api-access-x7kd2"}
        containers = [part_of_spec(part) for part in self._containers(item)]
        for container in containers:
            container["volumeMounts"] = [*container.get("volumeMounts", ()), {**token, "readOnly": True}]
        base: Raw = {
            "containers": containers,
            **({"initContainers": init} if init else {}),
            "restartPolicy": "Never" if self.kind == "Job" else "Always",
            "dnsPolicy": "ClusterFirst",
            "schedulerName": "default-scheduler",
            "serviceAccount": account,
            "serviceAccountName": account,
            "securityContext": {},
            "terminationGracePeriodSeconds": 30,
        }
        return merged(base, item.get("pod", {}))

    def template_of(self, item: Raw) -> Raw:
        return {"metadata": {"labels": self.labels, "creationTimestamp": None}, "spec": self.spec_of(item)}

    def pod(self, name: str, number: int, spec: Raw, owner: Raw | None, labels: Mapping[str, str]) -> Raw:
        different = self.item.get("pods", ())
        item = merged(self.item, different[number]) if number < len(different) else self.item
        node = "" if item.get("pending") or item.get("gated") else item.get("node", WORKERS[number % len(WORKERS)])
        since = self.cluster.before(item["since"]) if "since" in item else self.since
        born = self._born(item, since)
        if item["image"] != self.item["image"]:
            first, *others = spec["containers"]
            spec = {**spec, "containers": [{**first, "image": item["image"]}, *others]}
        maker = PodMaker(
            cluster=self.cluster,
            namespace=self.namespace,
            labels={**self.labels, **labels},
            spec={**spec, "enableServiceLinks": True, "preemptionPolicy": "PreemptLowerPriority", "priority": 0}
            | {"tolerations": [*spec.get("tolerations", ()), *TOLERATIONS]},
            containers=self._containers(item),
            init=[_ended(part) for part in item.get("init", ())],
            annotations=item.get("annotations", {}),
            owner=owner,
        )
        pod = maker.make(name, node, born, since, self._scheduling(item, since) | item.get("status", {}))
        self._record_events(pod, item, node, born, since, maker)
        if item.get("deleted"):
            pod["metadata"] |= {"deletionTimestamp": self.cluster.at(item["deleted"]), "deletionGracePeriodSeconds": 30}
        return pod

    def _born(self, item: Raw, since: datetime) -> datetime:
        """When a pod was made: one that never started when its trouble began, one that ended before it ran."""
        if not item.get("new", item["state"] in (*NEVER_STARTED, *ENDED)):
            return self.cluster.before(self.age)
        return since - ago(str(item.get("ran", "4s"))) if item["state"] in ENDED else since

    def _scheduling(self, item: Raw, since: datetime) -> Raw:
        if not item.get("pending"):
            return {}
        unscheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": item["pending"]}
        return {"conditions": [{**unscheduled, "lastProbeTime": None, "lastTransitionTime": stamp(since)}]}

    def _record_events(self, pod: Raw, item: Raw, node: str, born: datetime, since: datetime, maker: PodMaker) -> None:
        metadata = pod["metadata"]
        words = {"POD": metadata["name"], "UID": metadata["uid"], "NODE": node, "NS": self.namespace}
        words["IP"] = pod["status"].get("podIP", "")
        age = f"{(self.cluster.now - born).total_seconds():.0f}s"
        entries: list[Raw] = list(item.get("events", ()))
        if item.get("pending"):
            entries.append({"reason": "FailedScheduling", "message": item["pending"], "count": 5, "first": age})
        elif node:
            message = f"Successfully assigned {self.namespace}/{metadata['name']} to {node}"
            entries.append({"reason": "Scheduled", "message": message, "type": "Normal", "first": age})
            for part in (*maker.init, *maker.containers):
                events.of_container(self.cluster, pod, part, born, since, words)
        for entry in entries:
            events.record(self.cluster, pod, entry, words)

    def service(self) -> None:
        if not self.item.get("port") or not self.item.get("service", True):
            return
        head = {"clusterIP": "None"} if self.kind == "StatefulSet" and self.item.get("headless", True) else {}
        port = {"name": "main", "port": self.item["port"], "targetPort": self.item["port"], "protocol": "TCP"}
        spec = {"selector": self.labels, "ports": [port], "type": "ClusterIP", **head}
        self.cluster.add("Service", self.name, self.namespace, age=self.age, spec=spec)

    def keep(self, spec: Raw, status: Raw, annotations: Mapping[str, str] | None = None) -> Raw:
        metadata: Raw = {"labels": self.labels, "generation": 1}
        if annotations:
            metadata["annotations"] = dict(annotations)
        if self.item.get("owner"):
            kind, _, name = self.item["owner"].partition("/")
            metadata["ownerReferences"] = [self.reference(kind, name)]
        item = self.cluster.add(
            self.kind, self.name, self.namespace, age=self.age, metadata=metadata, spec=spec, status=status
        )
        changed = merged(item, self.cluster.filled(self.item.get("changes", {})))
        item.clear()
        item.update(changed)
        return item

    def reference(self, kind: str, name: str) -> Raw:
        owner = self.cluster.get(kind, self.namespace, name)
        head = {"apiVersion": owner["apiVersion"], "kind": kind, "name": name, "uid": owner["metadata"]["uid"]}
        return {**head, "controller": True, "blockOwnerDeletion": True}


def _running(part: Raw) -> Raw:
    return {"state": "running", **part}


def _ended(part: Raw) -> Raw:
    return {"state": "completed", **part}
