"""The system as the API server and the kubelets tell it, when it is well; and what can be done to it."""

# ruff: noqa: E501 - messages as they are written

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.makers import NOW

Raw = dict[str, Any]
BUSINESS = (
    "policy", "claim", "quote", "customer", "customer-contact", "broker", "broker-commission", "premium", "payment",
    "payment-refund", "invoice", "document", "document-template", "mail", "sms", "audit", "risk", "risk-score", "tariff",
    "tariff2", "fraud", "reinsurance", "partner", "product", "product-catalog", "rating", "user", "auth", "role", "report",
    "statistic", "schedule", "calendar", "address", "geo", "vehicle", "admin-policy", "admin-user",
)  # fmt: skip


@dataclass(frozen=True)
class Style:
    """How a system is set up: names, ports, where the settings live."""

    prefix: str = "ins-"
    suffix: str = "-service"
    namespace: str = "insurance"
    shared_port: bool = True
    """All services on 8080, or each on its own port."""
    settings: str = "env"
    """Where the address of the database is: env, secret, config-map."""
    headless_database: bool = False
    mesh: bool = False
    """Whether every pod has a proxy beside it, which asks the probes in the kubelet's place."""
    own_databases: bool = False
    """Whether payment, quote and policy have a MySQL of their own."""
    rolling: bool = False
    """Whether the pod of the old template stays, ready, while that of the new one does not come up."""
    age: float = 40
    """Minutes since it was set up."""

    @property
    def born(self) -> datetime:
        return NOW - timedelta(minutes=self.age)

    def name(self, core: str) -> str:
        return f"{self.prefix}{core}{self.suffix}"

    def port(self, core: str) -> int:
        return 8080 if self.shared_port else 12000 + BUSINESS.index(core)


def stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class System:
    """Objects by kind and name, and logs by `pod/container[:previous]` as (seconds before now, line)."""

    style: Style
    objects: dict[tuple[str, str], Raw] = field(default_factory=dict)
    events: list[Raw] = field(default_factory=list)
    logs: dict[str, list[str]] = field(default_factory=dict)

    @property
    def namespace(self) -> str:
        return self.style.namespace

    def since(self, seconds: float) -> float:
        """How long ago it was so many seconds after everything was set up."""
        return 60 * self.style.age - seconds

    def copy(self) -> "System":
        return copy.deepcopy(self)

    def get(self, kind: str, name: str) -> Raw:
        return self.objects[kind, name]

    def all(self) -> list[Raw]:
        return [*self.objects.values(), *self.events]

    def add(self, kind: str, name: str, namespace: str | None = None, version: str = "v1", **content: Any) -> Raw:
        """An object, by its kind and name."""
        metadata = {"name": name, "uid": f"{kind}-{name}", "creationTimestamp": stamp(self.style.born)}
        space = self.namespace if namespace is None else namespace
        if space:
            metadata["namespace"] = space
        metadata |= content.pop("metadata", {})
        item = {"apiVersion": version, "kind": kind, "metadata": metadata, **content}
        self.objects[kind, name] = item
        return item

    def event(
        self, kind: str, name: str, reason: str, message: str, *, count: int = 1, ago: float = 60, warn: bool = True
    ) -> None:
        """What a component says of an object."""
        at = stamp(NOW - timedelta(seconds=ago))
        self.events.append(
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {
                    "name": f"{name}.{len(self.events):x}",
                    "namespace": "default" if kind == "Node" else self.namespace,
                    "creationTimestamp": at,
                },
                "involvedObject": {"kind": kind, "name": name, "namespace": "" if kind == "Node" else self.namespace},
                "reason": reason,
                "message": message,
                "type": "Warning" if warn else "Normal",
                "count": count,
                "firstTimestamp": at,
                "lastTimestamp": at,
            }
        )

    def say(self, pod: str, container: str, said: Sequence[str], *, ago: float = 60, previous: bool = False) -> None:
        """Lines of a log, all within a second, so long ago."""
        key = f"{pod}/{container}{':previous' if previous else ''}"
        at = (NOW - timedelta(seconds=ago)).strftime("%Y-%m-%dT%H:%M:%S")
        self.logs.setdefault(key, []).extend(f"{at}.{number:09d}Z {line}" for number, line in enumerate(said))

    # what is there

    def node(self, name: str, *, plane: bool = False, labels: dict[str, str] | None = None) -> None:
        conditions = [
            {"type": kind, "status": "False", "reason": f"KubeletHasSufficient{kind}", "message": "kubelet has enough"}
            for kind in ("MemoryPressure", "DiskPressure", "PIDPressure")
        ]
        conditions.append(
            {
                "type": "Ready",
                "status": "True",
                "reason": "KubeletReady",
                "message": "kubelet is posting ready status",
                "lastTransitionTime": stamp(NOW - timedelta(days=9)),
            }
        )
        role = {"node-role.kubernetes.io/control-plane": ""} if plane else {"topology.kubernetes.io/zone": "east"}
        taints = [{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}] if plane else []
        self.add(
            "Node", name, "",
            metadata={"labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", **role, **(labels or {})}},
            spec={"taints": taints} if taints else {},
            status={
                "conditions": conditions,
                "allocatable": {"cpu": "16", "memory": "64Gi", "pods": "110"},
                "capacity": {"cpu": "16", "memory": "64Gi", "pods": "110"},
                "addresses": [{"type": "InternalIP", "address": f"10.1.0.{len(name)}"}],
            },
        )  # fmt: skip

    def workload(
        self, name: str, containers: list[Raw], *, kind: str = "Deployment", node: str = "wrk-a", **template: Any
    ) -> Raw:
        """A workload of one replica that is well, with its pod."""
        labels = {"app": name}
        spec = {
            "containers": containers,
            "restartPolicy": "Always",
            "dnsPolicy": "ClusterFirst",
            "terminationGracePeriodSeconds": 30,
            **template,
        }
        made = self.add(
            kind, name, version="apps/v1",
            metadata={"labels": labels, "annotations": {"deployment.kubernetes.io/revision": "1"}, "generation": 1},
            spec={"replicas": 1, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": spec}},
            status={"replicas": 1, "readyReplicas": 1, "availableReplicas": 1, "updatedReplicas": 1, "conditions": [{"type": "Available", "status": "True"}]},
        )  # fmt: skip
        self.pod(made, node)
        return made

    def pod(self, workload: Raw, node: str = "wrk-a", *, age: timedelta | None = None) -> Raw:
        """The pod of a workload, ready; made anew from its template."""
        name, kind = workload["metadata"]["name"], workload["kind"]
        template = workload["spec"]["template"]
        owner, born = (kind, name), NOW - (age or timedelta(minutes=self.style.age))
        labels = dict(template["metadata"]["labels"])
        if kind == "Deployment":
            labels["pod-template-hash"] = "6bd9c"
            self.add(
                "ReplicaSet", f"{name}-6bd9c", version="apps/v1",
                metadata={"ownerReferences": [_owner(kind, name)], "annotations": {"deployment.kubernetes.io/revision": "1"}},
                spec={"replicas": 1, "template": template}, status={"replicas": 1, "readyReplicas": 1},
            )  # fmt: skip
            owner = ("ReplicaSet", f"{name}-6bd9c")
        pod = self.pod_name(name)
        containers = copy.deepcopy(template["spec"]["containers"])
        if self.style.mesh:
            containers = [_rewritten(item) for item in containers] + [PROXY]
        ready_at = stamp(born + timedelta(seconds=90))
        return self.add(
            "Pod", pod,
            metadata={"labels": labels, "ownerReferences": [_owner(*owner)], "creationTimestamp": stamp(born)},
            spec={**copy.deepcopy(template["spec"]), "containers": containers, "nodeName": node, "schedulerName": "default-scheduler"},
            status={
                "phase": "Running",
                "startTime": stamp(born),
                "conditions": [
                    {"type": "PodScheduled", "status": "True", "lastTransitionTime": stamp(born)},
                    {"type": "Ready", "status": "True", "lastTransitionTime": ready_at},
                ],
                "containerStatuses": [running(item["name"], item["image"], born) for item in containers],
            },
        )  # fmt: skip

    def pod_name(self, workload: str) -> str:
        kinds = [kind for kind in ("Deployment", "StatefulSet", "DaemonSet") if (kind, workload) in self.objects]
        return f"{workload}-0" if kinds == ["StatefulSet"] else f"{workload}-6bd9c-x7k2p"

    def service(self, name: str, port: int, *, target: int | str | None = None, selects: str = "", **spec: Any) -> None:
        """A service with its endpoints."""
        app = selects or name
        self.add(
            "Service", name,
            spec={"type": "ClusterIP", "clusterIP": f"10.96.{len(self.objects) % 250}.{len(name)}", "selector": {"app": app}, "ports": [{"name": "main", "port": port, "targetPort": target or port, "protocol": "TCP"}], **spec},
        )  # fmt: skip
        self.add(
            "Endpoints",
            name,
            subsets=[
                {
                    "addresses": [{"ip": "10.244.1.7", "targetRef": {"kind": "Pod", "name": self.pod_name(app)}}],
                    "ports": [{"port": target or port}],
                }
            ],
        )

    # what happens to it

    def template(self, name: str, kind: str = "Deployment") -> Raw:
        """The pod's spec in a workload's template."""
        spec: Raw = self.get(kind, name)["spec"]["template"]["spec"]
        return spec

    def rolled_out(self, name: str, kind: str = "Deployment") -> Raw:
        """The pod made anew from a template that was changed, two minutes ago; still ready."""
        if self.style.rolling and kind == "Deployment":
            self._keep_old(name)
        return self.pod(
            self.get(kind, name),
            self.get("Pod", self.pod_name(name))["spec"].get("nodeName", "wrk-a"),
            age=timedelta(minutes=min(4, self.style.age / 2)),
        )

    def _keep_old(self, name: str) -> None:
        old = copy.deepcopy(self.get("Pod", self.pod_name(name)))
        replicas = copy.deepcopy(self.get("ReplicaSet", f"{name}-6bd9c"))
        old["metadata"] |= {"name": f"{name}-5aaaa-old01", "ownerReferences": [_owner("ReplicaSet", f"{name}-5aaaa")]}
        old["metadata"]["labels"] |= {"pod-template-hash": "5aaaa"}
        replicas["metadata"]["name"] = f"{name}-5aaaa"
        self.objects["Pod", f"{name}-5aaaa-old01"] = old
        self.objects["ReplicaSet", f"{name}-5aaaa"] = replicas

    def not_ready(self, name: str) -> Raw:
        """A pod that runs and is not ready; its service has no endpoint."""
        pod = self.get("Pod", self.pod_name(name))
        pod["status"]["conditions"][-1] |= {
            "status": "False",
            "reason": "ContainersNotReady",
            "lastTransitionTime": pod["status"]["startTime"],
        }
        for status in pod["status"].get("containerStatuses", []):
            status |= {"ready": False}
        if ("Pod", f"{name}-5aaaa-old01") in self.objects:
            self.get("Deployment", name)["status"] |= {"replicas": 2, "readyReplicas": 1, "unavailableReplicas": 1}
            return pod
        for kind in ("Deployment", "StatefulSet"):
            if (kind, name) in self.objects:
                self.get(kind, name)["status"] |= {"readyReplicas": 0, "availableReplicas": 0, "unavailableReplicas": 1}
        for (kind, service), item in self.objects.items():
            if kind == "Endpoints" and self.get("Service", service)["spec"].get("selector") == {"app": name}:
                item["subsets"] = [{"notReadyAddresses": [{"ip": "10.244.1.7"}]}]
        return pod

    def waiting(self, name: str, reason: str, message: str, container: int = 0) -> Raw:
        """A container that has not begun."""
        pod = self.not_ready(name)
        pod["status"]["phase"] = "Pending"
        status = pod["status"]["containerStatuses"][container]
        status |= {"state": {"waiting": {"reason": reason, "message": message}}, "started": False}
        return pod

    def crashing(
        self,
        name: str,
        *,
        code: int = 1,
        reason: str = "Error",
        lived: float = 40,
        restarts: int = 4,
        container: int = 0,
        message: str = "",
    ) -> Raw:
        """A container in its back-off."""
        pod = self.not_ready(name)
        status = pod["status"]["containerStatuses"][container]
        for other in pod["status"]["containerStatuses"]:
            other["ready"] = other is not status
        ended = NOW - timedelta(seconds=50)
        last = {
            "exitCode": code,
            "reason": reason,
            "startedAt": stamp(ended - timedelta(seconds=lived)),
            "finishedAt": stamp(ended),
            **({"message": message} if message else {}),
        }
        back_off = {
            "reason": "CrashLoopBackOff",
            "message": f"back-off 1m20s restarting failed container={status['name']}",
        }
        status |= {"restartCount": restarts, "state": {"waiting": back_off}, "lastState": {"terminated": last}}
        self.event(
            "Pod",
            pod["metadata"]["name"],
            "BackOff",
            f"Back-off restarting failed container {status['name']} in pod {pod['metadata']['name']}",
            count=restarts,
        )
        return pod

    def unscheduled(self, name: str, message: str) -> Raw:
        """A pod that the scheduler finds no node for."""
        pod = self.not_ready(name)
        pod["spec"].pop("nodeName", None)
        pod["status"] = {
            "phase": "Pending",
            "startTime": pod["status"]["startTime"],
            "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}],
        }
        self.event("Pod", pod["metadata"]["name"], "FailedScheduling", message, count=3)
        return pod

    def refused(self, name: str, message: str) -> None:
        """A workload whose pods the API server does not let be created."""
        del self.objects["Pod", self.pod_name(name)]
        self.get("Deployment", name)["status"] = {
            "unavailableReplicas": 1,
            "conditions": [
                {"type": "Available", "status": "False"},
                {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message},
            ],
        }
        self.objects["Endpoints", name]["subsets"] = []
        self.event("ReplicaSet", f"{name}-6bd9c", "FailedCreate", f"Error creating: {message}", count=6)


PROXY: Raw = {
    "name": "istio-proxy",
    "image": "docker.io/istio/proxyv2:1.22.3",
    "ports": [{"containerPort": 15090, "name": "http-envoy-prom"}],
    "readinessProbe": {"httpGet": {"port": 15021, "path": "/healthz/ready"}},
}


def _rewritten(container: Raw) -> Raw:
    """As the mesh's injector writes probes: the proxy's agent asks them."""
    found = dict(container)
    for kind, path in (("livenessProbe", "livez"), ("readinessProbe", "readyz")):
        probe = container.get(kind)
        if probe and "exec" not in probe:
            rest = {key: value for key, value in probe.items() if key not in ("httpGet", "tcpSocket", "grpc")}
            found[kind] = {**rest, "httpGet": {"port": 15020, "path": f"/app-health/{container['name']}/{path}"}}
    return found


def _owner(kind: str, name: str) -> Raw:
    return {"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": f"{kind}-{name}", "controller": True}


def running(name: str, image: str, since: datetime) -> Raw:
    return {
        "name": name,
        "image": image,
        "ready": True,
        "started": True,
        "restartCount": 0,
        "state": {"running": {"startedAt": stamp(since)}},
        "lastState": {},
    }
