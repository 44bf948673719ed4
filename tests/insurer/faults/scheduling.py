"""Pods that no node takes, claims that no volume fits."""

# ruff: noqa: E501 - messages as they are written

from typing import Any

from tests.insurer.fault import DB, callers_of_database_fail, container, fault
from tests.insurer.system import System

NODES = "0/4 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, {}. preemption: 0/4 nodes are available: 4 Preemption is not helpful for scheduling."


@fault("node-cordon-mismatch", "the only node that fits")
def _(system: System, app: str) -> None:
    system.template(app)["nodeSelector"] = {"kubernetes.io/hostname": "wrk-b"}
    system.rolled_out(app)
    system.get("Node", "wrk-b")["spec"] = {
        "unschedulable": True,
        "taints": [{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}],
    }
    system.unscheduled(
        app, NODES.replace("{}", "1 node(s) were unschedulable, 2 node(s) didn't match Pod's node affinity/selector")
    )


@fault("node-affinity-mismatch", "no such zone")
def _(system: System, app: str) -> None:
    terms = [{"matchExpressions": [{"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["west"]}]}]
    system.template(app)["affinity"] = {
        "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    }
    system.rolled_out(app)
    system.unscheduled(app, NODES.replace("{}", "3 node(s) didn't match Pod's node affinity/selector"))


@fault("node-selector-mismatch", "no such label")
def _(system: System, app: str) -> None:
    system.template(app)["nodeSelector"] = {"disk": "nvme"}
    system.rolled_out(app)
    system.unscheduled(
        app,
        "0/4 nodes are available: 4 node(s) didn't match Pod's node affinity/selector. preemption: 0/4 nodes are available: 4 Preemption is not helpful for scheduling.",
    )


@fault("pod-anti-affinity-conflict", "every node has one")
def _(system: System, app: str) -> None:
    term = {
        "labelSelector": {"matchExpressions": [{"key": "app", "operator": "Exists"}]},
        "topologyKey": "kubernetes.io/hostname",
    }
    system.template(app)["affinity"] = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    system.rolled_out(app)
    system.unscheduled(app, NODES.replace("{}", "3 node(s) didn't match pod anti-affinity rules"))


@fault("taint-toleration-mismatch", "all workers are tainted")
def _(system: System, app: str) -> None:
    for name in ("wrk-a", "wrk-b", "wrk-c"):
        system.get("Node", name)["spec"] = {"taints": [{"key": "dedicated", "value": "batch", "effect": "NoSchedule"}]}
    system.unscheduled(app, NODES.replace("{}", "3 node(s) had untolerated taint {dedicated: batch}"))


@fault("cpu-capacity-mismatch", "too large a request")
def _(system: System, app: str) -> None:
    container(system, app)["resources"] = {"requests": {"cpu": "40"}}
    system.rolled_out(app)
    system.unscheduled(app, NODES.replace("{}", "3 Insufficient cpu"))


@fault("memory-capacity-mismatch", "too large a request")
def _(system: System, app: str) -> None:
    container(system, app)["resources"] = {"requests": {"memory": "300Gi"}}
    system.rolled_out(app)
    system.unscheduled(app, NODES.replace("{}", "3 Insufficient memory"))


def _unbound(system: System) -> dict[str, Any]:
    claim = system.get("PersistentVolumeClaim", "data-db-0")
    claim["status"]["phase"] = "Pending"
    claim["spec"].pop("volumeName", None)
    volume = system.get("PersistentVolume", "pv-1")
    volume["spec"].pop("claimRef", None)
    volume["status"]["phase"] = "Available"
    system.unscheduled(
        "db",
        "0/4 nodes are available: pod has unbound immediate PersistentVolumeClaims. preemption: 0/4 nodes are available: 4 Preemption is not helpful for scheduling.",
    )
    callers_of_database_fail(system)
    return claim


@fault("pvc-selector-mismatch", "labels", **DB)
def _(system: System, app: str) -> None:
    _unbound(system)["spec"]["selector"] = {"matchLabels": {"tier": "gold"}}
    system.event(
        "PersistentVolumeClaim",
        "data-db-0",
        "FailedBinding",
        "no persistent volumes available for this claim and no storage class is set",
    )


@fault("pvc-storage-class-mismatch", "no such class", **DB)
def _(system: System, app: str) -> None:
    _unbound(system)["spec"]["storageClassName"] = "fast"
    system.event(
        "PersistentVolumeClaim", "data-db-0", "ProvisioningFailed", 'storageclass.storage.k8s.io "fast" not found'
    )


@fault("pvc-access-mode-mismatch", "many", **DB)
def _(system: System, app: str) -> None:
    _unbound(system)["spec"]["accessModes"] = ["ReadWriteMany"]


@fault("pvc-capacity-mismatch", "too large", **DB)
def _(system: System, app: str) -> None:
    _unbound(system)["spec"]["resources"]["requests"]["storage"] = "500Gi"


@fault("pv-binding-occupied", "another's", **DB)
def _(system: System, app: str) -> None:
    _unbound(system)["spec"]["volumeName"] = "pv-1"
    volume = system.get("PersistentVolume", "pv-1")
    volume["spec"]["claimRef"] = {"namespace": "other", "name": "data-old", "uid": "z"}
    volume["status"]["phase"] = "Bound"
