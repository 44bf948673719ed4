"""A pod as the kubelet reports it: of each container a state, of the pod what follows from them, and the logs.

A container is described by `name`, `image`, `state` and what belongs to it:

    running                       and ready; `restarts`, `exit` and `reason` tell of an earlier end
    unready                       runs and is not ready
    crash                         waits to be restarted; `exit`, `reason`, `message` of its last end, `ran` how long
    waiting                       cannot start: `reason`, `message`
    initializing                  waits for init containers
    completed, failed             has ended: `exit`, `reason`, `message`
    none                          nothing is known of it yet

`log` and `previous` are what it wrote (`writing.py`), over `writes` (50m) until now; `spec` is laid over its part of
the pod's spec; `usage` is what the metrics server measured.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.exam.cluster import Cluster, stamp
from tests.exam.description import Raw, ago, merged
from tests.exam.writing import written

UP = ("running", "unready")
TOLERATIONS = [
    {"effect": "NoExecute", "key": f"node.kubernetes.io/{key}", "operator": "Exists", "tolerationSeconds": 300}
    for key in ("not-ready", "unreachable")
]


@dataclass(frozen=True)
class PodMaker:
    """What the pods of a workload have in common. `containers` and `init` are descriptions as above."""

    cluster: Cluster
    namespace: str
    labels: Mapping[str, str]
    spec: Raw
    containers: Sequence[Raw]
    init: Sequence[Raw] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)
    owner: Raw | None = None

    def make(self, name: str, node: str, born: datetime, since: datetime, status: Mapping[str, object]) -> Raw:
        """Make a pod. `since` is when its trouble began; `status` is laid over what follows from its containers."""
        cluster = self.cluster
        uid = cluster.uid(f"Pod/{self.namespace}/{name}")
        number = int(cluster.digest(f"{self.namespace}/{name}")[:2], 16)
        index = next((at for at, item in enumerate(cluster.all("Node")) if item["metadata"]["name"] == node), 1)
        ip = f"10.244.{index}.{number}"
        words = {"POD": name, "UID": uid, "NODE": node, "NS": self.namespace, "IP": ip}
        init = [
            {**status, "ready": "terminated" in status["state"] and not status["state"]["terminated"]["exitCode"]}
            for status in (self._status(item, born, since, words) for item in self.init)
        ]
        main = [self._status(item, born, since, words) for item in self.containers]
        spec = merged(cluster.filled(self.spec, words), {"nodeName": node} if node else {})
        pod = cluster.add(
            "Pod",
            name,
            self.namespace,
            age=cluster.now - born,
            metadata={
                "labels": dict(self.labels),
                **({"annotations": dict(self.annotations)} if self.annotations else {}),
                **({"ownerReferences": [self.owner]} if self.owner else {}),
            },
            spec=spec,
            status=merged(self._pod_status(spec, init, main, born, since, index, ip), cluster.filled(status, words)),
        )
        for item in (*self.init, *self.containers):
            self._logs(item, name, born, since, words)
        self._measure(name)
        return pod

    def _measure(self, name: str) -> None:
        """What the metrics server says of the containers that run."""
        usage = [
            {
                "name": item["name"],
                "usage": item.get("usage") or {"cpu": "11m", "memory": f"{80 + len(item['image'])}Mi"},
            }
            for item in self.containers
            if item["state"] in UP
        ]
        if usage:
            at = self.cluster.at("30s")
            self.cluster.add(
                "PodMetrics", name, self.namespace, age="30s", timestamp=at, window="15s", containers=usage
            )

    def _pod_status(
        self, spec: Raw, init: Sequence[Raw], main: Sequence[Raw], born: datetime, since: datetime, index: int, ip: str
    ) -> Raw:
        began, changed = stamp(born), stamp(since)
        if not spec.get("nodeName"):
            return {"phase": "Pending", "qosClass": _quality(spec), "conditions": []}
        unready = [item["name"] for item in main if not item["ready"]]
        waits = [item["name"] for item in init if not item["ready"]]
        ended = all("terminated" in item["state"] for item in main)
        started = any("containerID" in item for item in main)
        failed = ended and any(item["state"]["terminated"]["exitCode"] for item in main)
        phase = ("Failed" if failed else "Succeeded") if ended else "Running" if started and not waits else "Pending"
        why: Raw = {}
        if phase == "Succeeded":
            why = {"reason": "PodCompleted"}
        elif unready:
            why = {"reason": "ContainersNotReady", "message": _unready(unready)}
        initialized: Raw = {"reason": "ContainersNotInitialized", "message": _incomplete(waits)} if waits else {}
        sandbox = started or any("containerID" in item for item in init)
        conditions = [
            _condition("PodReadyToStartContainers", sandbox, began),
            _condition("Initialized", not waits, began, initialized),
            _condition("Ready", not unready and not ended, changed if unready else began, why),
            _condition("ContainersReady", not unready and not ended, changed if unready else began, why),
            _condition("PodScheduled", True, began),
        ]
        return {
            "phase": phase,
            "conditions": conditions,
            "hostIP": f"172.18.0.{index + 2}",
            **({"podIP": ip, "podIPs": [{"ip": ip}]} if sandbox else {}),
            "startTime": began,
            "qosClass": _quality(spec),
            **({"initContainerStatuses": list(init)} if init else {}),
            "containerStatuses": list(main),
        }

    def _status(self, item: Raw, born: datetime, since: datetime, words: Mapping[str, str]) -> Raw:
        """The status of a container."""
        state, restarts = item["state"], int(item.get("restarts", 0))
        ident = f"containerd://{self.cluster.digest(words['UID'] + item['name'])}"
        ends = self._end(item, since, words) | {"containerID": ident}
        began: Raw = {"running": {"startedAt": stamp(self._started(item, born, since))}}
        waits = {key: self.cluster.filled(item[key], words) for key in ("reason", "message") if item.get(key)}
        now: Raw = {
            "running": began,
            "unready": began,
            "crash": {"waiting": {"reason": "CrashLoopBackOff", "message": _back_off(item, words)}},
            "waiting": {"waiting": waits},
            "initializing": {"waiting": {"reason": "PodInitializing"}},
            "completed": {"terminated": ends},
            "failed": {"terminated": ends},
        }.get(state, {"waiting": {"reason": "ContainerCreating"}})
        ran = state in (*UP, "crash", "completed", "failed")
        over = state == "crash" or (state in UP and restarts)
        return {
            "name": item["name"],
            "image": item["image"],
            "imageID": f"{item['image'].partition(':')[0]}@sha256:{self.cluster.digest(item['image'])}" if ran else "",
            "ready": state == "running",
            "started": state in UP,
            "restartCount": restarts,
            "state": now,
            "lastState": {"terminated": ends} if over else {},
            **({"containerID": ident} if ran else {}),
        }

    def _end(self, item: Raw, since: datetime, words: Mapping[str, str]) -> Raw:
        code = int(item.get("exit", 0 if item["state"] == "completed" else 1))
        reason = item.get("reason") or ("Error" if code else "Completed")
        finished = self.finished(item, since)
        begun = finished - ago(str(item.get("ran", "4s")))
        message = {"message": self.cluster.filled(item["message"], words)} if item.get("message") else {}
        return {
            "exitCode": code,
            "reason": reason,
            **message,
            "startedAt": "1970-01-01T00:00:00Z" if reason == "StartError" else stamp(begun),
            "finishedAt": stamp(finished),
        }

    def finished(self, item: Raw, since: datetime) -> datetime:
        """When a container ended last: one that crashes did a while ago, others when the trouble began."""
        if item["state"] == "crash":
            return self.cluster.now - ago(str(item.get("ended", "110s")))
        return since

    def _started(self, item: Raw, born: datetime, since: datetime) -> datetime:
        return since + timedelta(seconds=2) if item.get("restarts") else born + timedelta(seconds=3)

    def _logs(self, item: Raw, pod: str, born: datetime, since: datetime, words: Mapping[str, str]) -> None:
        last = self.cluster.now - timedelta(seconds=20)
        ran = ago(str(item.get("ran", "4s")))
        if item["state"] in ("crash", "completed", "failed"):
            last = self.finished(item, since)
            first = last - ran
        else:
            first = max(self._started(item, born, since), last - ago(str(item.get("writes", "50m"))))
        log, previous = item.get("log", ""), item.get("previous", "")
        if item["state"] == "crash":
            previous = previous or log
        for file, text, end in (("log", log, last), ("previous.log", previous, last - timedelta(minutes=5))):
            if text:
                begin = first - timedelta(minutes=5) if file != "log" else first
                lines = written(self.cluster.filled(text, words), min(begin, end - ran / 2), end)
                self.cluster.log(self.namespace, pod, f"{item['name']}.{file}", lines)


def part_of_spec(item: Raw) -> Raw:
    """A container's part of a pod's spec."""
    fields: Raw = {
        "name": item["name"],
        "image": item["image"],
        "imagePullPolicy": "Always" if item["image"].endswith(":latest") else "IfNotPresent",
        "resources": {},
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
    }
    if item.get("port"):
        fields["ports"] = [{"name": "main", "containerPort": item["port"], "protocol": "TCP"}]
    if item.get("env"):
        fields["env"] = [
            {"name": name, **({"valueFrom": value} if isinstance(value, dict) else {"value": str(value)})}
            for name, value in item["env"].items()
        ]
    return merged(fields, item.get("spec", {}))


def _back_off(item: Raw, words: Mapping[str, str]) -> str:
    delay = ("10s", "20s", "40s", "1m20s", "2m40s", "5m0s")[min(int(item.get("restarts", 1)), 6) - 1]
    pod = f"{words['POD']}_{words['NS']}({words['UID']})"
    return f"back-off {delay} restarting failed container={item['name']} pod={pod}"


def _condition(name: str, holds: bool, at: str, why: Mapping[str, str] = {}) -> Raw:
    reasons = {} if holds else dict(why)
    return {
        "type": name,
        "status": str(holds),
        "lastProbeTime": None,
        "lastTransitionTime": at,
        **reasons,
    }


def _unready(names: Sequence[str]) -> str:
    return f"containers with unready status: [{' '.join(names)}]"


def _incomplete(names: Sequence[str]) -> str:
    return f"containers with incomplete status: [{' '.join(names)}]"


def _quality(spec: Raw) -> str:
    wants = [item.get("resources") or {} for item in spec.get("containers", ())]
    if not any(wants):
        return "BestEffort"
    same = all(item.get("limits") and item.get("requests", item["limits"]) == item["limits"] for item in wants)
    return "Guaranteed" if same else "Burstable"
