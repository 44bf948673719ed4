"""Nodes, and what makes a node a node."""

from datetime import timedelta

from responder.model.evidence import Evidence, Sample, Samples
from tests.insurer import lines
from tests.insurer.fault import fault
from tests.insurer.system import System, stamp
from tests.makers import NOW, evidence


def _units(system: System, stopped: tuple[str, str] = ("", "")) -> dict[str, Evidence]:
    samples = tuple(
        Sample(
            labels={"node": node, "name": f"{unit}.service", "state": "active"}, value=float((node, unit) != stopped)
        )
        for node, units in (
            ("cp-1", ("containerd", "kubelet", "kube-scheduler", "kube-proxy")),
            *((name, ("containerd", "kubelet", "kube-proxy")) for name in ("wrk-a", "wrk-b", "wrk-c")),
        )
        for unit in units
    )
    return {
        "node_services": evidence("node_services", Samples(query="node_systemd_unit_state", at=NOW, samples=samples))
    }


def _lost(system: System, node: str, reason: str, status: str, message: str) -> None:
    ready = system.get("Node", node)["status"]["conditions"][-1]
    ready |= {
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": stamp(NOW - timedelta(minutes=2)),
    }
    for (kind, name), item in list(system.objects.items()):
        if kind == "Pod" and item["spec"].get("nodeName") == node and item["metadata"]["namespace"] == system.namespace:
            system.not_ready(name.removesuffix("-0").removesuffix("-6bd9c-x7k2p"))


@fault("kubelet-unavailable", "by the node's condition", subject="node/wrk-c")
def _(system: System, app: str) -> None:
    _lost(system, "wrk-c", "NodeStatusUnknown", "Unknown", "Kubelet stopped posting node status.")


@fault(
    "kubelet-unavailable",
    "by its unit",
    subject="node/wrk-a",
    given=lambda system: _units(system, ("wrk-a", "kubelet")),
)
def _(system: System, app: str) -> None:
    pass


@fault("containerd-unavailable", "by the node's condition", subject="node/wrk-c")
def _(system: System, app: str) -> None:
    _lost(
        system,
        "wrk-c",
        "KubeletNotReady",
        "False",
        "[container runtime is down, PLEG is not healthy: pleg was last seen active 4m12s ago; threshold is 3m0s]",
    )


@fault(
    "containerd-unavailable",
    "by its unit",
    subject="node/wrk-b",
    given=lambda system: _units(system, ("wrk-b", "containerd")),
)
def _(system: System, app: str) -> None:
    pass


@fault(
    "kube-proxy-unavailable",
    "by its unit",
    subject="node/wrk-b",
    given=lambda system: _units(system, ("wrk-b", "kube-proxy")),
)
def _(system: System, app: str) -> None:
    for core in ("policy", "quote"):
        pod = system.pod_name(system.style.name(core))
        system.say(
            pod,
            system.style.name(core),
            lines.call_fails("http://ins-x:8080/a", "java.net.SocketTimeoutException: connect timed out"),
        )


@fault("kube-proxy-unavailable", "as a pod", subject="node/wrk-b")
def _(system: System, app: str) -> None:
    pod = system.get("Pod", "kube-proxy-bbbbb")
    pod["status"]["conditions"][0]["status"] = "False"


@fault("kube-scheduler-unavailable", "pods wait without a word", subject="node/cp-1")
def _(system: System, app: str) -> None:
    pod = system.not_ready(app)
    pod["spec"].pop("nodeName")
    pod["status"] = {"phase": "Pending"}
    pod["metadata"]["creationTimestamp"] = stamp(NOW - timedelta(minutes=2))
    system.events = [item for item in system.events if item["involvedObject"]["name"] != pod["metadata"]["name"]]


@fault(
    "kube-scheduler-unavailable",
    "by its unit",
    subject="node/cp-1",
    given=lambda system: _units(system, ("cp-1", "kube-scheduler")),
)
def _(system: System, app: str) -> None:
    pass


@fault("node-disk-pressure", "condition", subject="node/wrk-a")
def _(system: System, app: str) -> None:
    system.get("Node", "wrk-a")["status"]["conditions"][1] |= {
        "status": "True",
        "reason": "KubeletHasDiskPressure",
        "message": "kubelet has disk pressure",
    }


@fault("node-pid-pressure", "condition", subject="node/wrk-a")
def _(system: System, app: str) -> None:
    system.get("Node", "wrk-a")["status"]["conditions"][2] |= {
        "status": "True",
        "reason": "KubeletHasInsufficientPID",
        "message": "kubelet has insufficient PID available",
    }
