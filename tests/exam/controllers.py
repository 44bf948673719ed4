"""Controllers: what each makes of a workload, and what it says of it."""

from collections.abc import Mapping
from datetime import datetime

from tests.exam import events
from tests.exam.cluster import Cluster, stamp
from tests.exam.description import Raw, merged
from tests.exam.workloads import Workload


def deploy(cluster: Cluster, namespace: str, item: Raw) -> None:
    """Put a workload into the cluster with everything that belongs to it."""
    kind = _KINDS.get(item.get("kind", "Deployment"), Workload)
    kind(cluster, namespace, {"state": "none" if item.get("pending") else "running", **item}).deploy()


class Deployment(Workload):
    """A ReplicaSet for what is desired, and one for what ran before."""

    def control(self) -> None:
        before = self.item.get("before")
        item = self.keep(
            {
                "replicas": self.replicas,
                "selector": {"matchLabels": self.labels},
                "template": self.template_of(self.item),
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
                "progressDeadlineSeconds": 600,
                "revisionHistoryLimit": 10,
            },
            {},
            {"deployment.kubernetes.io/revision": "2" if before else "1"},
        )
        desired = min(self.replicas, before.get("surge", 1)) if before else self.replicas
        made = self._replica_set(self.item, desired, "2" if before else "1", self.born)
        ready, total = _ready(made), len(made)
        if before:
            kept = ("name", "labels", "port", "env", "spec", "pod", "age")
            shared: Raw = {key: self.item[key] for key in kept if key in self.item}
            ran = {"image": before["image"], "log": before.get("log", ""), "state": "running"}
            former = Deployment(
                self.cluster, self.namespace, {**shared, **ran, "container": self.item.get("container", self.name)}
            )
            count = before.get("replicas", self.replicas)
            ready += _ready(former._replica_set(former.item, count, "1", self.cluster.before(self.age)))
            total += count
        item["status"] = merged(self._deployment_status(ready, total, len(made)), item["status"])

    def _deployment_status(self, ready: int, total: int, updated: int) -> Raw:
        at = stamp(self.since)
        enough = ready >= self.replicas - self.replicas // 4
        if enough:
            available = _holds("Available", "MinimumReplicasAvailable", "Deployment has minimum availability.", at)
        else:
            message = "Deployment does not have minimum availability."
            available = _holds("Available", "MinimumReplicasUnavailable", message, at, status="False")
        set_name = f"{self.name}-{self._hash(self.item)}"
        stuck = (self.born >= self.since and updated and not enough) or (self.item.get("before") and ready < total)
        if stuck or self.item.get("refused"):
            message = f'ReplicaSet "{set_name}" has timed out progressing.'
            progressing = _holds("Progressing", "ProgressDeadlineExceeded", message, at, status="False")
            if self.since > self.cluster.before("10m"):
                message = f'ReplicaSet "{set_name}" is progressing.'
                progressing = _holds("Progressing", "ReplicaSetUpdated", message, at)
        else:
            message = f'ReplicaSet "{set_name}" has successfully progressed.'
            progressing = _holds("Progressing", "NewReplicaSetAvailable", message, self.cluster.at(self.age))
        conditions = [available, progressing]
        if self.item.get("refused"):
            conditions.append(_holds("ReplicaFailure", "FailedCreate", self.item["refused"], at))
        missing = self.replicas - ready
        return {
            "observedGeneration": 1,
            **({"replicas": total} if total else {}),
            **({"updatedReplicas": updated} if updated else {}),
            **({"readyReplicas": ready, "availableReplicas": ready} if ready else {}),
            **({"unavailableReplicas": missing} if missing > 0 else {}),
            "conditions": conditions,
        }

    def _hash(self, item: Raw) -> str:
        return self.cluster.random(f"{self.namespace}/{self.name}/{item['image']}", 10)

    def _replica_set(self, item: Raw, count: int, revision: str, born: datetime) -> list[Raw]:
        digest = self._hash(item)
        labels = {"pod-template-hash": digest}
        name = f"{self.name}-{digest}"
        template = self.template_of(item)
        template["metadata"] = {"labels": {**self.labels, **labels}, "creationTimestamp": None}
        owned = self.cluster.add(
            "ReplicaSet",
            name,
            self.namespace,
            age=self.cluster.now - born,
            metadata={
                "labels": {**self.labels, **labels},
                "annotations": {"deployment.kubernetes.io/revision": revision},
                "ownerReferences": [self.reference("Deployment", self.name)],
                "generation": 1,
            },
            spec={"replicas": count, "selector": {"matchLabels": {**self.labels, **labels}}, "template": template},
        )
        owner = self.reference("ReplicaSet", name)
        pods: list[Raw] = []
        if not self.item.get("refused"):
            names = [f"{name}-{self.cluster.random(f'{name}/{number}')}" for number in range(count)]
            pods = [self.pod(pod, number, self.spec_of(item), owner, labels) for number, pod in enumerate(names)]
        ready = _ready(pods)
        owned["status"] = {"replicas": len(pods), "fullyLabeledReplicas": len(pods), "observedGeneration": 1}
        owned["status"] |= {"readyReplicas": ready, "availableReplicas": ready} if ready else {}
        if refused := self.item.get("refused"):
            owned["status"]["conditions"] = [_holds("ReplicaFailure", "FailedCreate", refused, stamp(self.since))]
            event = {"reason": "FailedCreate", "message": f"Error creating: {refused}", "from": "replicaset-controller"}
            events.record(self.cluster, owned, {**event, "count": 16, "first": self.item.get("since", "25m")}, {})
        return pods


class Revised(Workload):
    """What keeps its history in ControllerRevisions."""

    def revision(self) -> str:
        """Keep the revision of the template, and give its hash."""
        digest = self.cluster.random(f"{self.namespace}/{self.name}/revision", 10)
        self.cluster.add(
            "ControllerRevision",
            f"{self.name}-{digest}",
            self.namespace,
            age=self.age,
            metadata={
                "labels": {**self.labels, "controller-revision-hash": digest},
                "ownerReferences": [self.reference(self.kind, self.name)],
            },
            data={"spec": {"template": {**self.template_of(self.item), "$patch": "replace"}}},
            revision=1,
        )
        return digest


class StatefulSet(Revised):
    """Pods with numbers, and claims of their own."""

    def control(self) -> None:
        sizes: Raw = self.item.get("volumes", {})
        storage = self.item.get("class", "standard")
        item = self.keep(
            {
                "replicas": self.replicas,
                "serviceName": self.name,
                "selector": {"matchLabels": self.labels},
                "template": self.template_of(self.item),
                "podManagementPolicy": "OrderedReady",
                "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
                "volumeClaimTemplates": [
                    {"metadata": {"name": name}, "spec": _claim(size, storage)} for name, size in sizes.items()
                ],
            },
            {},
        )
        owner, digest = self.reference("StatefulSet", self.name), self.revision()
        pods = []
        for number in range(self.item.get("made", self.replicas)):
            name = f"{self.name}-{number}"
            spec = self.spec_of(self.item)
            for volume, size in sizes.items():
                bound_claim(self.cluster, self.namespace, f"{volume}-{name}", size, storage, self.age)
            spec["volumes"] = [
                *spec.get("volumes", ()),
                *({"name": volume, "persistentVolumeClaim": {"claimName": f"{volume}-{name}"}} for volume in sizes),
            ]
            labels = {"apps.kubernetes.io/pod-index": str(number), "statefulset.kubernetes.io/pod-name": name}
            labels["controller-revision-hash"] = f"{self.name}-{digest}"
            pods.append(self.pod(name, number, spec, owner, labels))
        ready = _ready(pods)
        status: Raw = {"observedGeneration": 1, "replicas": len(pods), "collisionCount": 0}
        status |= {"availableReplicas": ready, "readyReplicas": ready, "currentReplicas": len(pods)}
        item["status"] = merged(status | {"updatedReplicas": len(pods)}, item["status"])


class DaemonSet(Revised):
    """A pod on each worker."""

    def control(self) -> None:
        rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}}
        item = self.keep(
            {
                "selector": {"matchLabels": self.labels},
                "template": self.template_of(self.item),
                "updateStrategy": rolling,
            },
            {},
        )
        owner, digest = self.reference("DaemonSet", self.name), self.revision()
        labels = {"controller-revision-hash": digest}
        names = [f"{self.name}-{self.cluster.random(f'{self.name}/{number}')}" for number in range(self.replicas)]
        pods = [self.pod(name, number, self.spec_of(self.item), owner, labels) for number, name in enumerate(names)]
        ready, count = _ready(pods), len(pods)
        status: Raw = {"currentNumberScheduled": count, "desiredNumberScheduled": count, "numberMisscheduled": 0}
        status |= {"numberReady": ready, "numberAvailable": ready, "updatedNumberScheduled": count}
        status |= {"numberUnavailable": count - ready} if ready < count else {}
        item["status"] = merged(status | {"observedGeneration": 1}, item["status"])


class Job(Workload):
    """Pods that end."""

    def control(self) -> None:
        selected = {"batch.kubernetes.io/job-name": self.name, "job-name": self.name}
        state, at = self.item.get("outcome", self.item["state"]), stamp(self.since)
        limit = self.item.get("changes", {}).get("spec", {}).get("backoffLimit", 6)
        status: Raw = {"startTime": self.cluster.at(self.age)}
        if state == "completed":
            done = [
                _holds(name, "CompletionsReached", "Reached expected number of succeeded pods", at)
                for name in ("SuccessCriteriaMet", "Complete")
            ]
            status |= {"succeeded": 1, "completionTime": at, "ready": 0, "conditions": done}
        elif state == "failed":
            message = "Job has reached the specified backoff limit"
            failed = [_holds(name, "BackoffLimitExceeded", message, at) for name in ("FailureTarget", "Failed")]
            status |= {"failed": self.replicas, "ready": 0, "conditions": failed}
        else:
            status |= {"active": self.replicas, "ready": int(self.item["state"] == "running")}
        spec = {"parallelism": 1, "completions": 1, "backoffLimit": limit, "completionMode": "NonIndexed"}
        spec |= {"selector": {"matchLabels": selected}, "template": self.template_of(self.item), "suspend": False}
        self.keep(spec, status)
        owner = self.reference("Job", self.name)
        for number in range(self.replicas):
            name = f"{self.name}-{self.cluster.random(f'{self.name}/{number}')}"
            self.pod(name, number, self.spec_of(self.item), owner, selected)


_KINDS: Mapping[str, type[Workload]] = {kind.__name__: kind for kind in (Deployment, StatefulSet, DaemonSet, Job)}


def bound_claim(cluster: Cluster, namespace: str, name: str, size: str, storage: str, age: str) -> None:
    """A claim and the volume that it is bound to."""
    volume = f"pvc-{cluster.uid(f'PersistentVolumeClaim/{namespace}/{name}')}"
    claim = cluster.add(
        "PersistentVolumeClaim",
        name,
        namespace,
        age=age,
        metadata={"annotations": {"pv.kubernetes.io/bind-completed": "yes"}},
        spec={**_claim(size, storage), "volumeName": volume},
        status={"phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": size}},
    )
    reference = {"kind": "PersistentVolumeClaim", "namespace": namespace, "name": name}
    cluster.add(
        "PersistentVolume",
        volume,
        age=age,
        spec={
            "capacity": {"storage": size},
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": storage,
            "persistentVolumeReclaimPolicy": "Delete",
            "claimRef": {**reference, "apiVersion": "v1", "uid": claim["metadata"]["uid"]},
            "csi": {"driver": "csi.storage.example.com", "volumeHandle": f"vol-0{cluster.digest(volume)[:16]}"},
        },
        status={"phase": "Bound"},
    )


def _claim(size: str, storage: str) -> Raw:
    requests = {"requests": {"storage": size}}
    return {
        "accessModes": ["ReadWriteOnce"],
        "resources": requests,
        "storageClassName": storage,
        "volumeMode": "Filesystem",
    }


def _holds(name: str, reason: str, message: str, at: str, status: str = "True") -> Raw:
    return {
        "type": name,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": at,
        "lastUpdateTime": at,
    }


def _ready(pods: list[Raw]) -> int:
    conditions = (condition for pod in pods for condition in pod["status"]["conditions"])
    return sum(item["type"] == "Ready" and item["status"] == "True" for item in conditions)
