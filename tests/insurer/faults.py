"""What can be done to the system: each fault breaks a copy, and says what is to be named.

The kubelet's, scheduler's and API server's messages are those of Kubernetes 1.28 to 1.31.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from responder.model.evidence import Chart, Evidence, Sample, Samples, Series
from tests.insurer import lines
from tests.insurer.system import System, stamp
from tests.makers import NOW, evidence

NODES = "0/4 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, {}. preemption: 0/4 nodes are available: 4 Preemption is not helpful for scheduling."  # noqa: E501


@dataclass(frozen=True)
class Fault:
    """A fault: which causes are right, of what, and how it is done. `core` says to whom."""

    cause: str
    name: str
    do: Callable[[System, str], Any]
    core: str = "claim"
    subject: str = ""
    given: Callable[[System], dict[str, Evidence]] | None = None
    also: tuple[str, ...] = field(default=())

    def expected(self, system: System) -> str:
        return (self.subject or "deployment/{app}").format(app=system.style.name(self.core), ns=system.namespace)

    def __str__(self) -> str:
        return f"{self.cause}: {self.name}"


_FAULTS: list[Fault] = []


def fault(
    cause: str, name: str, **options: Any
) -> Callable[[Callable[[System, str], Any]], Callable[[System, str], Any]]:
    def remember(do: Callable[[System, str], Any]) -> Callable[[System, str], Any]:
        _FAULTS.append(Fault(cause, name, do, **options))
        return do

    return remember


def faults() -> list[Fault]:
    return list(_FAULTS)


def container(system: System, app: str, kind: str = "Deployment") -> dict[str, Any]:
    found: dict[str, Any] = system.template(app, kind)["containers"][0]
    return found


def set_env(system: System, app: str, name: str, value: str, kind: str = "Deployment") -> None:
    env = container(system, app, kind).setdefault("env", [])
    env[:] = [item for item in env if item["name"] != name]
    env.append({"name": name, "value": value})


def fresh(system: System, app: str, kind: str = "Deployment") -> str:
    """The pod made anew, its old log gone."""
    pod = system.pod_name(app)
    for key in [key for key in system.logs if key.startswith(f"{pod}/")]:
        del system.logs[key]
    system.rolled_out(app, kind)
    return pod


# admission


def _quota(system: System, hard: dict[str, str], used: dict[str, str]) -> None:
    system.add("ResourceQuota", "team", spec={"hard": hard}, status={"hard": hard, "used": used})


def _exceeded(system: System, app: str, asked: str, used: str, limited: str) -> None:
    system.refused(
        app,
        f'pods "{app}-6bd9c-" is forbidden: exceeded quota: team, requested: {asked}, used: {used}, limited: {limited}',
    )  # noqa: E501
    _quota(system, dict([limited.split("=")]), dict([used.split("=")]))


_NS = {"subject": "namespace/{ns}"}


@fault("namespace-cpu-quota-exceeded", "requests", **_NS)
def _(system: System, app: str) -> None:
    _exceeded(system, app, "requests.cpu=100m", "requests.cpu=4", "requests.cpu=4")


@fault("namespace-cpu-quota-exceeded", "limits", **_NS)
def _(system: System, app: str) -> None:
    _exceeded(system, app, "limits.cpu=500m", "limits.cpu=19800m", "limits.cpu=20")


@fault("namespace-memory-quota-exceeded", "limits", **_NS)
def _(system: System, app: str) -> None:
    _exceeded(system, app, "limits.memory=600Mi", "limits.memory=24000Mi", "limits.memory=24Gi")


@fault("namespace-pod-quota-exceeded", "pods", **_NS)
def _(system: System, app: str) -> None:
    _exceeded(system, app, "pods=1", "pods=44", "pods=44")


@fault("namespace-pod-quota-exceeded", "a rollout is refused", **_NS)
def _(system: System, app: str) -> None:
    workload = system.get("Deployment", app)
    message = f'pods "{app}-7ffff-" is forbidden: exceeded quota: team, requested: count/pods=1, used: count/pods=44, limited: count/pods=44'  # noqa: E501
    workload["status"]["conditions"].append(
        {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message}
    )  # noqa: E501
    _quota(system, {"count/pods": "44"}, {"count/pods": "44"})


@fault("namespace-service-quota-exceeded", "a service is missing", **_NS)
def _(system: System, app: str) -> None:
    del system.objects["Service", app], system.objects["Endpoints", app]
    count = str(sum(kind == "Service" for kind, _ in system.objects))
    _quota(system, {"services": count}, {"services": count})


@fault("namespace-storage-quota-exceeded", "the claim is missing", **_NS)
def _(system: System, app: str) -> None:
    del system.objects["PersistentVolumeClaim", "data-db-0"]
    system.get("PersistentVolume", "pv-1")["status"]["phase"] = "Available"
    system.get("PersistentVolume", "pv-1")["spec"].pop("claimRef")
    system.unscheduled(
        "db",
        '0/4 nodes are available: persistentvolumeclaim "data-db-0" not found. preemption: 0/4 nodes are available: 4 Preemption is not helpful for scheduling.',
    )  # noqa: E501
    _quota(system, {"requests.storage": "5Gi"}, {"requests.storage": "0"})
    _callers_of_database_fail(system)


@fault("missing-service-account", "forbidden")
def _(system: System, app: str) -> None:
    system.template(app)["serviceAccountName"] = "claims-runner"
    system.refused(
        app,
        f'pods "{app}-6bd9c-" is forbidden: error looking up service account {system.namespace}/claims-runner: serviceaccount "claims-runner" not found',
    )  # noqa: E501


# scheduling


@fault("node-cordon-mismatch", "the only node that fits")
def _(system: System, app: str) -> None:
    system.template(app)["nodeSelector"] = {"kubernetes.io/hostname": "wrk-b"}
    system.rolled_out(app)
    system.get("Node", "wrk-b")["spec"] = {
        "unschedulable": True,
        "taints": [{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}],
    }  # noqa: E501
    system.unscheduled(
        app, NODES.replace("{}", "1 node(s) were unschedulable, 2 node(s) didn't match Pod's node affinity/selector")
    )  # noqa: E501


@fault("node-affinity-mismatch", "no such zone")
def _(system: System, app: str) -> None:
    terms = [{"matchExpressions": [{"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["west"]}]}]
    system.template(app)["affinity"] = {
        "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    }  # noqa: E501
    system.rolled_out(app)
    system.unscheduled(app, NODES.replace("{}", "3 node(s) didn't match Pod's node affinity/selector"))


@fault("node-selector-mismatch", "no such label")
def _(system: System, app: str) -> None:
    system.template(app)["nodeSelector"] = {"disk": "nvme"}
    system.rolled_out(app)
    system.unscheduled(
        app,
        "0/4 nodes are available: 4 node(s) didn't match Pod's node affinity/selector. preemption: 0/4 nodes are available: 4 Preemption is not helpful for scheduling.",
    )  # noqa: E501


@fault("pod-anti-affinity-conflict", "every node has one")
def _(system: System, app: str) -> None:
    term = {
        "labelSelector": {"matchExpressions": [{"key": "app", "operator": "Exists"}]},
        "topologyKey": "kubernetes.io/hostname",
    }  # noqa: E501
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
    )  # noqa: E501
    _callers_of_database_fail(system)
    return claim


_DB = {"subject": "statefulset/db"}


@fault("pvc-selector-mismatch", "labels", **_DB)
def _(system: System, app: str) -> None:
    _unbound(system)["spec"]["selector"] = {"matchLabels": {"tier": "gold"}}
    system.event(
        "PersistentVolumeClaim",
        "data-db-0",
        "FailedBinding",
        "no persistent volumes available for this claim and no storage class is set",
    )  # noqa: E501


@fault("pvc-storage-class-mismatch", "no such class", **_DB)
def _(system: System, app: str) -> None:
    _unbound(system)["spec"]["storageClassName"] = "fast"
    system.event(
        "PersistentVolumeClaim", "data-db-0", "ProvisioningFailed", 'storageclass.storage.k8s.io "fast" not found'
    )


@fault("pvc-access-mode-mismatch", "many", **_DB)
def _(system: System, app: str) -> None:
    _unbound(system)["spec"]["accessModes"] = ["ReadWriteMany"]


@fault("pvc-capacity-mismatch", "too large", **_DB)
def _(system: System, app: str) -> None:
    _unbound(system)["spec"]["resources"]["requests"]["storage"] = "500Gi"


@fault("pv-binding-occupied", "another's", **_DB)
def _(system: System, app: str) -> None:
    _unbound(system)["spec"]["volumeName"] = "pv-1"
    volume = system.get("PersistentVolume", "pv-1")
    volume["spec"]["claimRef"] = {"namespace": "other", "name": "data-old", "uid": "z"}
    volume["status"]["phase"] = "Bound"


# nodes


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
    )  # noqa: E501


@fault(
    "containerd-unavailable",
    "by its unit",
    subject="node/wrk-b",
    given=lambda system: _units(system, ("wrk-b", "containerd")),
)  # noqa: E501
def _(system: System, app: str) -> None:
    pass


@fault(
    "kube-proxy-unavailable",
    "by its unit",
    subject="node/wrk-b",
    given=lambda system: _units(system, ("wrk-b", "kube-proxy")),
)  # noqa: E501
def _(system: System, app: str) -> None:
    for core in ("policy", "quote"):
        pod = system.pod_name(system.style.name(core))
        system.say(
            pod,
            system.style.name(core),
            lines.call_fails("http://ins-x:8080/a", "java.net.SocketTimeoutException: connect timed out"),
        )  # noqa: E501


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
)  # noqa: E501
def _(system: System, app: str) -> None:
    pass


@fault("node-disk-pressure", "condition", subject="node/wrk-a")
def _(system: System, app: str) -> None:
    system.get("Node", "wrk-a")["status"]["conditions"][1] |= {
        "status": "True",
        "reason": "KubeletHasDiskPressure",
        "message": "kubelet has disk pressure",
    }  # noqa: E501


@fault("node-pid-pressure", "condition", subject="node/wrk-a")
def _(system: System, app: str) -> None:
    system.get("Node", "wrk-a")["status"]["conditions"][2] |= {
        "status": "True",
        "reason": "KubeletHasInsufficientPID",
        "message": "kubelet has insufficient PID available",
    }  # noqa: E501


# start


def _pull(system: System, app: str, reason: str, said: str, image: str) -> None:
    container(system, app)["image"] = image
    fresh(system, app)
    pod = system.waiting(app, reason, f'Back-off pulling image "{image}"')
    system.event("Pod", pod["metadata"]["name"], "Failed", f'Failed to pull image "{image}": {said}', count=3)
    system.event("Pod", pod["metadata"]["name"], "Failed", "Error: ErrImagePull", count=3)


@fault("incorrect-image-reference", "no such tag")
def _(system: System, app: str) -> None:
    image = "registry.example.com/insurer/claim:1.4.99"
    _pull(
        system,
        app,
        "ImagePullBackOff",
        f'rpc error: code = NotFound desc = failed to pull and unpack image "{image}": failed to resolve reference "{image}": {image}: not found',
        image,
    )  # noqa: E501


@fault("incorrect-image-reference", "malformed")
def _(system: System, app: str) -> None:
    container(system, app)["image"] = "registry.example.com/Insurer/claim::1"
    fresh(system, app)
    system.waiting(
        app,
        "InvalidImageName",
        'Failed to apply default image tag "registry.example.com/Insurer/claim::1": couldn\'t parse image name: invalid reference format',
    )  # noqa: E501


@fault("image-registry-dns-failure", "no such host")
def _(system: System, app: str) -> None:
    image = "registry.exampel.com/insurer/claim:1.4.2"
    _pull(
        system,
        app,
        "ErrImagePull",
        f'rpc error: code = Unknown desc = failed to pull and unpack image "{image}": failed to resolve reference "{image}": failed to do request: Head "https://registry.exampel.com/v2/insurer/claim/manifests/1.4.2": dial tcp: lookup registry.exampel.com on 10.0.0.2:53: no such host',
        image,
    )  # noqa: E501


@fault("missing-image-pull-secret", "unauthorized")
def _(system: System, app: str) -> None:
    image = "registry.example.com/insurer/claim:1.4.2"
    _pull(
        system,
        app,
        "ImagePullBackOff",
        f'rpc error: code = Unknown desc = failed to pull and unpack image "{image}": failed to resolve reference "{image}": unexpected status from HEAD request to https://registry.example.com/v2/insurer/claim/manifests/1.4.2: 401 Unauthorized',
        image,
    )  # noqa: E501


@fault("missing-image-pull-secret", "the secret is absent")
def _(system: System, app: str) -> None:
    image = "registry.example.com/insurer/claim:1.4.2"
    system.template(app)["imagePullSecrets"] = [{"name": "regcred"}]
    _pull(
        system,
        app,
        "ImagePullBackOff",
        f'failed to resolve reference "{image}": failed to authorize: failed to fetch anonymous token: unexpected status: 403 Forbidden',
        image,
    )  # noqa: E501
    system.event(
        "Pod",
        system.pod_name(app),
        "FailedToRetrieveImagePullSecret",
        "Unable to retrieve some image pull secrets (regcred); attempting to pull the image may not succeed.",
    )  # noqa: E501


@fault("missing-secret-binding", "a secret in the environment")
def _(system: System, app: str) -> None:
    container(system, app)["envFrom"] = [{"secretRef": {"name": "claim-credentials"}}]
    fresh(system, app)
    system.waiting(app, "CreateContainerConfigError", 'secret "claim-credentials" not found')


@fault("missing-secret-binding", "a key of a secret")
def _(system: System, app: str) -> None:
    container(system, app)["env"].append(
        {"name": "API_KEY", "valueFrom": {"secretKeyRef": {"name": "db-login", "key": "apikey"}}}
    )  # noqa: E501
    fresh(system, app)
    system.waiting(app, "CreateContainerConfigError", f"couldn't find key apikey in Secret {system.namespace}/db-login")


@fault("missing-secret-binding", "a secret that is mounted")
def _(system: System, app: str) -> None:
    system.template(app)["volumes"] = [{"name": "tls", "secret": {"secretName": "claim-tls"}}]
    fresh(system, app)
    pod = system.waiting(app, "ContainerCreating", "")
    system.event(
        "Pod",
        pod["metadata"]["name"],
        "FailedMount",
        'MountVolume.SetUp failed for volume "tls" : secret "claim-tls" not found',
        count=7,
    )  # noqa: E501


@fault("missing-config-map", "in the environment")
def _(system: System, app: str) -> None:
    container(system, app)["envFrom"] = [{"configMapRef": {"name": "claim-settings"}}]
    fresh(system, app)
    system.waiting(app, "CreateContainerConfigError", 'configmap "claim-settings" not found')


@fault("volume-mount-permission-denied", "Java may not write")
def _(system: System, app: str) -> None:
    system.template(app)["volumes"] = [{"name": "files", "emptyDir": {}}]
    container(system, app)["volumeMounts"] = [{"name": "files", "mountPath": "/var/lib/claims"}]
    pod = fresh(system, app)
    system.crashing(app)
    said = lines.failed(
        lines.spring("ERROR", "Application run failed", "o.s.boot.SpringApplication", "main"),
        "org.springframework.beans.factory.BeanCreationException: Error creating bean with name 'store'",
        "java.nio.file.AccessDeniedException: /var/lib/claims/store.lock",
    )  # noqa: E501
    system.say(pod, app, said, previous=True)


@fault("volume-mount-permission-denied", "MySQL may not write", **_DB)
def _(system: System, app: str) -> None:
    pod = fresh(system, "db", "StatefulSet")
    system.crashing("db")
    said = [
        "2026-03-04T02:59:11.0Z 1 [ERROR] [MY-012592] [InnoDB] Operating system error number 13 in a file operation.",
        "2026-03-04T02:59:11.0Z 1 [ERROR] [MY-012595] [InnoDB] The error means mysqld does not have the access rights to the directory.",
        "mysqld: Can't create/write to file '/var/lib/mysql/is_writable' (OS errno 13 - Permission denied)",
    ]  # noqa: E501
    system.say(pod, "mysql", said, previous=True)
    _callers_of_database_fail(system)


# run


@fault("oom-killed", "over and over")
def _(system: System, app: str) -> None:
    fresh(system, app)
    system.crashing(app, code=137, reason="OOMKilled", lived=25)


@fault("oom-killed", "once, and up again")
def _(system: System, app: str) -> None:
    status = system.get("Pod", system.pod_name(app))["status"]["containerStatuses"][0]
    ended = NOW - timedelta(minutes=2)
    status |= {
        "restartCount": 1,
        "lastState": {
            "terminated": {
                "exitCode": 137,
                "reason": "OOMKilled",
                "startedAt": stamp(system.style.born),
                "finishedAt": stamp(ended),
            }
        },
    }  # noqa: E501


def _killed_by_probe(system: System, app: str, probe: dict[str, Any], words: str, lived: float) -> None:
    container(system, app)["livenessProbe"] = probe
    pod = fresh(system, app)
    system.crashing(app, code=143, lived=lived, restarts=3)
    system.event("Pod", pod, "Unhealthy", f"Liveness probe failed: {words}", count=9)
    system.event(
        "Pod", pod, "Killing", f"Container {app} failed liveness probe, will be restarted", count=3, warn=False
    )


_PERIOD = {"initialDelaySeconds": 120, "periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": 3}


@fault("liveness-probe-incorrect-port", "another port")
def _(system: System, app: str) -> None:
    port = system.style.port("claim")
    _killed_by_probe(
        system,
        app,
        {"tcpSocket": {"port": 9999}, **_PERIOD},
        "dial tcp 10.244.1.7:9999: connect: connection refused",
        160,
    )  # noqa: E501
    system.say(system.pod_name(app), app, lines.started(app, port), previous=True)


@fault("liveness-probe-incorrect-protocol", "gRPC to Tomcat")
def _(system: System, app: str) -> None:
    port = system.style.port("claim")
    _killed_by_probe(
        system,
        app,
        {"grpc": {"port": port, "service": ""}, **_PERIOD},
        f'timeout: failed to connect service "10.244.1.7:{port}" within 5s: context deadline exceeded',
        165,
    )  # noqa: E501
    system.say(system.pod_name(app), app, lines.started(app, port), previous=True)


@fault("liveness-probe-incorrect-protocol", "HTTPS to Tomcat")
def _(system: System, app: str) -> None:
    port = system.style.port("claim")
    _killed_by_probe(
        system,
        app,
        {"httpGet": {"port": port, "path": "/actuator/health", "scheme": "HTTPS"}, **_PERIOD},
        f'Get "https://10.244.1.7:{port}/actuator/health": http: server gave HTTP response to HTTPS client',
        165,
    )  # noqa: E501


@fault("liveness-probe-incorrect-protocol", "HTTP where all others ask the socket")
def _(system: System, app: str) -> None:
    port = system.style.port("claim")
    _killed_by_probe(
        system, app, {"httpGet": {"port": port, "path": "/"}, **_PERIOD}, "HTTP probe failed with statuscode: 404", 165
    )


@fault("liveness-probe-incorrect-timing", "five seconds for a start of eighty")
def _(system: System, app: str) -> None:
    port = system.style.port("claim")
    probe = {
        "tcpSocket": {"port": port},
        "initialDelaySeconds": 5,
        "periodSeconds": 3,
        "timeoutSeconds": 1,
        "failureThreshold": 1,
    }  # noqa: E501
    _killed_by_probe(system, app, probe, f"dial tcp 10.244.1.7:{port}: connect: connection refused", 9)
    system.say(system.pod_name(app), app, lines.started(app, port)[:4], previous=True)


def _never_ready(system: System, app: str, probe: dict[str, Any], words: str) -> None:
    container(system, app)["readinessProbe"] = probe
    pod = fresh(system, app)
    system.not_ready(app)
    system.event("Pod", pod, "Unhealthy", f"Readiness probe failed: {words}", count=14)
    system.say(pod, app, lines.started(app, system.style.port("claim")))


@fault("readiness-probe-incorrect-port", "another port")
def _(system: System, app: str) -> None:
    _never_ready(
        system, app, {"tcpSocket": {"port": 8181}, **_PERIOD}, "dial tcp 10.244.1.7:8181: connect: connection refused"
    )


@fault("readiness-probe-incorrect-protocol", "gRPC to Tomcat")
def _(system: System, app: str) -> None:
    port = system.style.port("claim")
    _never_ready(
        system,
        app,
        {"grpc": {"port": port}, **_PERIOD},
        f'timeout: failed to connect service "10.244.1.7:{port}" within 5s: context deadline exceeded',
    )  # noqa: E501


@fault("readiness-probe-incorrect-protocol", "HTTPS to Tomcat")
def _(system: System, app: str) -> None:
    port = system.style.port("claim")
    _never_ready(
        system,
        app,
        {"httpGet": {"port": port, "scheme": "HTTPS"}, **_PERIOD},
        f'Get "https://10.244.1.7:{port}/": http: server gave HTTP response to HTTPS client',
    )  # noqa: E501


@fault("deployment-zero-replicas", "with a word of the controller")
def _(system: System, app: str) -> None:
    _scaled_down(system, app)
    system.event("Deployment", app, "ScalingReplicaSet", f"Scaled down replica set {app}-6bd9c to 0 from 1", warn=False)


@fault("deployment-zero-replicas", "silently")
def _(system: System, app: str) -> None:
    _scaled_down(system, app)


@fault("deployment-zero-replicas", "while a caller complains")
def _(system: System, app: str) -> None:
    _scaled_down(system, app)
    caller = system.style.name("policy")
    said = lines.call_fails(f"http://{app}:{system.style.port('claim')}/api/v1/claimservice/1", lines.CONNECT)
    system.say(system.pod_name(caller), caller, said, ago=20)


@fault("deployment-zero-replicas", "by a person, as the manager tells")
def _(system: System, app: str) -> None:
    _scaled_down(system, app)
    system.get("Deployment", app)["metadata"]["managedFields"] = [
        {
            "manager": "kubectl",
            "operation": "Update",
            "subresource": "scale",
            "time": stamp(NOW - timedelta(minutes=3)),
            "fieldsV1": {"f:spec": {"f:replicas": {}}},
        }
    ]  # noqa: E501


def _scaled_down(system: System, app: str) -> None:
    del system.objects["Pod", system.pod_name(app)]
    system.get("Deployment", app)["spec"]["replicas"] = 0
    system.get("Deployment", app)["status"] = {"conditions": [{"type": "Available", "status": "True"}]}
    system.get("ReplicaSet", f"{app}-6bd9c")["spec"]["replicas"] = 0
    system.objects["Endpoints", app]["subsets"] = []


def _sidecar(system: System, app: str, **spec: Any) -> str:
    system.template(app)["containers"].append(
        {"name": "log-agent", "image": "registry.example.com/tools/agent:2.1", **spec}
    )
    return fresh(system, app)


@fault("service-sidecar-port-conflict", "Spring Boot finds its port taken")
def _(system: System, app: str) -> None:
    port = system.style.port("claim")
    pod = _sidecar(system, app, ports=[{"containerPort": port}])
    system.crashing(app)
    system.say(pod, app, lines.port_taken(port), previous=True)


@fault("service-sidecar-port-conflict", "the sidecar, in Go, finds it taken and declares nothing")
def _(system: System, app: str) -> None:
    port = system.style.port("claim")
    pod = _sidecar(system, app, args=["--listen", f":{port}"])
    system.crashing(app, container=1)
    system.say(
        pod, "log-agent", [f"2026/03/04 02:59:01 listen tcp :{port}: bind: address already in use"], previous=True
    )
    system.say(pod, app, lines.started(app, port))


@fault("service-sidecar-port-conflict", "the sidecar, nginx")
def _(system: System, app: str) -> None:
    port = system.style.port("claim")
    pod = _sidecar(system, app, ports=[{"containerPort": port}], image="nginx:1.25")
    system.crashing(app, container=1)
    system.say(
        pod,
        "log-agent",
        [f"2026/03/04 02:59:01 [emerg] 1#1: bind() to 0.0.0.0:{port} failed (98: Address already in use)"],
        previous=True,
    )  # noqa: E501


@fault("service-sidecar-port-conflict", "without a log")
def _(system: System, app: str) -> None:
    _sidecar(system, app, ports=[{"containerPort": system.style.port("claim")}])
    system.crashing(app)


# databases


def _callers_of_database_fail(system: System) -> None:
    """The services complain while the database is away; some of them are restarted for it."""
    for core in ("policy", "claim", "quote", "payment", "invoice", "user"):
        app = system.style.name(core)
        system.say(system.pod_name(app), app, lines.refused_by_mysql(), ago=40)
    for core in ("policy", "payment"):
        app = system.style.name(core)
        system.crashing(app)
        system.say(system.pod_name(app), app, lines.refused_by_mysql(), ago=50, previous=True)


@fault("mysql-invalid-credentials", "fails to start")
def _(system: System, app: str) -> None:
    pod = fresh(system, app)
    system.crashing(app)
    system.say(
        pod, app, lines.no_login("Access denied for user 'insurer'@'10.244.2.31' (using password: YES)"), previous=True
    )


@fault("mysql-invalid-credentials", "stays up, never ready")
def _(system: System, app: str) -> None:
    pod = fresh(system, app)
    system.not_ready(app)
    for ago in (120, 80, 40):
        system.say(
            pod, app, lines.no_login("Access denied for user 'claims'@'10.244.2.31' (using password: NO)"), ago=ago
        )


@fault("mysql-invalid-credentials", "at run time, by a pool that retries")
def _(system: System, app: str) -> None:
    pod = fresh(system, app)
    system.say(
        pod,
        app,
        [
            lines.spring(
                "WARN",
                "HikariPool-1 - Pool is empty, failed to create/setup connection",
                "com.zaxxer.hikari.pool.HikariPool",
                "HikariPool-1 connection adder",
            ),
            *lines.failed(
                lines.spring("ERROR", "Connection is not available"),
                "org.springframework.transaction.CannotCreateTransactionException: Could not open JPA EntityManager for transaction",
                "java.sql.SQLTransientConnectionException: HikariPool-1 - Connection is not available, request timed out after 30000ms.",
                "java.sql.SQLException: Access denied for user 'root'@'10.244.2.31' (using password: YES)",
            ),
        ],
        ago=30,
    )  # noqa: E501


@fault("mysql-invalid-port", "in the log alone")
def _(system: System, app: str) -> None:
    pod = fresh(system, app)
    system.crashing(app)
    system.say(pod, app, lines.refused_by_mysql(), ago=60, previous=True)


@fault("mysql-invalid-port", "it times out")
def _(system: System, app: str) -> None:
    pod = fresh(system, app)
    system.not_ready(app)
    system.say(pod, app, lines.refused_by_mysql("java.net.SocketTimeoutException: connect timed out"), ago=60)


@fault("mysql-invalid-port", "in a variable")
def _(system: System, app: str) -> None:
    set_env(system, app, "SPRING_DATASOURCE_URL", "jdbc:mysql://db:3307/claim?useSSL=false")
    pod = fresh(system, app)
    system.crashing(app)
    system.say(pod, app, lines.refused_by_mysql(), ago=60, previous=True)


@fault("mysql-invalid-port", "in a variable of its own, the host in a secret")
def _(system: System, app: str) -> None:
    set_env(system, app, "CLAIM_MYSQL_PORT", "13306")
    pod = fresh(system, app)
    system.crashing(app)
    system.say(pod, app, lines.refused_by_mysql(), ago=60, previous=True)


@fault("db-connection-exhaustion", "callers are turned away", **_DB)
def _(system: System, app: str) -> None:
    for core in ("claim", "payment", "quote"):
        name = system.style.name(core)
        pod = fresh(system, name)
        system.crashing(name)
        system.say(
            pod,
            name,
            lines.no_login(
                'Data source rejected establishment of connection,  message from server: "Too many connections"'
            ).__class__(
                line.replace("java.sql.SQLException", "java.sql.SQLNonTransientConnectionException")
                for line in lines.no_login(
                    'Data source rejected establishment of connection,  message from server: "Too many connections"'
                )
            ),
            previous=True,
        )  # noqa: E501


@fault("db-connection-exhaustion", "by its own setting, and one caller at run time", **_DB)
def _(system: System, app: str) -> None:
    system.get("ConfigMap", "db-config")["data"]["my.cnf"] = "[mysqld]\nmax_connections = 5\n"
    pod = system.pod_name(app)
    system.say(pod, app, lines.statement_fails("Too many connections", "com.mysql.cj.exceptions.CJException"), ago=20)


@fault("db-connection-exhaustion", "by an argument alone", **_DB)
def _(system: System, app: str) -> None:
    container(system, "db", "StatefulSet")["args"] = ["--max-connections=10"]


_READ_ONLY = "The MySQL server is running with the --read-only option so it cannot execute this statement"


@fault("db-read-only", "a writer says so", **_DB)
def _(system: System, app: str) -> None:
    system.say(system.pod_name(app), app, lines.statement_fails(_READ_ONLY), ago=20)
    for core in ("audit", "user", "policy", "invoice", "schedule", "payment-refund"):
        other = system.style.name(core)
        said = lines.statement_fails(_READ_ONLY.replace("--read-only", "--super-read-only"))
        system.say(system.pod_name(other), other, said, ago=25)  # noqa: E501


@fault("db-read-only", "an argument alone", **_DB)
def _(system: System, app: str) -> None:
    container(system, "db", "StatefulSet")["args"] = ["--read-only=1"]


@fault("db-read-only", "the config map", **_DB)
def _(system: System, app: str) -> None:
    system.get("ConfigMap", "db-config")["data"]["my.cnf"] = "[mysqld]\nsuper_read_only=ON\n"
    system.say(system.pod_name(app), app, lines.statement_fails(_READ_ONLY), ago=20)


# services


@fault("service-selector-mismatch", "another label")
def _(system: System, app: str) -> None:
    system.get("Service", app)["spec"]["selector"] = {"app": f"{app}-v2"}
    system.objects["Endpoints", app].pop("subsets")


@fault("service-port-mapping-mismatch", "another target")
def _(system: System, app: str) -> None:
    system.get("Service", app)["spec"]["ports"][0]["targetPort"] = 9090
    system.objects["Endpoints", app]["subsets"][0]["ports"][0]["port"] = 9090


@fault("service-port-mapping-mismatch", "a name that no port has")
def _(system: System, app: str) -> None:
    system.get("Service", app)["spec"]["ports"][0]["targetPort"] = "web"
    system.objects["Endpoints", app].pop("subsets")


@fault("service-protocol-mismatch", "UDP")
def _(system: System, app: str) -> None:
    system.get("Service", app)["spec"]["ports"][0]["protocol"] = "UDP"


@fault("service-env-var-address-mismatch", "a misspelt host")
def _(system: System, app: str) -> None:
    wrong = system.style.name("payment") + "s"
    set_env(system, app, "PAYMENT_URL", f"http://{wrong}:{system.style.port('payment')}")
    pod = fresh(system, app)
    system.say(
        pod,
        app,
        lines.call_fails(f"http://{wrong}:{system.style.port('payment')}/x", f"java.net.UnknownHostException: {wrong}"),
        ago=20,
    )  # noqa: E501


@fault("service-env-var-address-mismatch", "a wrong port")
def _(system: System, app: str) -> None:
    payment = system.style.name("payment")
    set_env(system, app, "PAYMENT_URL", f"http://{payment}:18081")
    pod = fresh(system, app)
    system.say(
        pod,
        app,
        lines.call_fails(f"http://{payment}:18081/x", "java.net.SocketTimeoutException: connect timed out"),
        ago=20,
    )  # noqa: E501


@fault("service-env-var-address-mismatch", "a host that is unlike any")
def _(system: System, app: str) -> None:
    set_env(system, app, "NACOS_ADDRS", "nowhere:8848")
    pod = fresh(system, app)
    system.crashing(app)
    system.say(
        pod,
        app,
        lines.failed(
            lines.spring("ERROR", "Application run failed", "o.s.boot.SpringApplication", "main"),
            "com.alibaba.nacos.api.exception.NacosException: failed to req API:/nacos/v1/ns/instance after all servers([nowhere:8848]) tried",
            "java.net.UnknownHostException: nowhere",
        ),
        previous=True,
    )  # noqa: E501


@fault("service-dns-resolution-failure", "a policy that leads out of the cluster")
def _(system: System, app: str) -> None:
    system.template(app)["dnsPolicy"] = "None"
    system.template(app)["dnsConfig"] = {"nameservers": ["203.0.113.53"]}
    pod = fresh(system, app)
    system.crashing(app)
    system.say(
        pod,
        app,
        lines.refused_by_mysql("java.net.UnknownHostException: db: Temporary failure in name resolution"),
        previous=True,
    )  # noqa: E501


@fault("service-dns-resolution-failure", "the node's DNS")
def _(system: System, app: str) -> None:
    system.template(app)["dnsPolicy"] = "Default"
    pod = fresh(system, app)
    system.not_ready(app)
    system.say(pod, app, lines.refused_by_mysql("java.net.UnknownHostException: db: Name or service not known"))


@fault("service-dns-resolution-failure", "its service is gone", core="payment")
def _(system: System, app: str) -> None:
    del system.objects["Service", app], system.objects["Endpoints", app]
    for core in ("claim", "invoice"):
        caller = system.style.name(core)
        system.say(
            system.pod_name(caller),
            caller,
            lines.call_fails(f"http://{app}:{system.style.port('payment')}/x", f"java.net.UnknownHostException: {app}"),
            ago=20,
        )  # noqa: E501


@fault("service-dns-resolution-failure", "a host alias")
def _(system: System, app: str) -> None:
    payment = system.style.name("payment")
    system.template(app)["hostAliases"] = [{"ip": "192.0.2.7", "hostnames": [payment]}]
    fresh(system, app)


@fault("service-dns-resolution-failure", "a rule of the cluster's DNS", core="payment")
def _(system: System, app: str) -> None:
    text = system.get("ConfigMap", "coredns")["data"]["Corefile"]
    name = f"{app}.{system.namespace}.svc.cluster.local"
    rule = f"    template ANY ANY {name} {{\n        rcode NXDOMAIN\n    }}\n    kubernetes cluster"
    system.get("ConfigMap", "coredns")["data"]["Corefile"] = text.replace("    kubernetes cluster", rule)
    caller = system.style.name("claim")
    system.say(
        system.pod_name(caller),
        caller,
        lines.call_fails(f"http://{app}:{system.style.port('payment')}/x", f"java.net.UnknownHostException: {app}"),
        ago=20,
    )  # noqa: E501


_GATEWAY = {"subject": "deployment/edge-gateway"}


def _reroute(system: System) -> None:
    data, style = system.get("ConfigMap", "edge-gateway-config")["data"], system.style
    right = f"uri: http://{style.name('claim')}:{style.port('claim')}\n"
    assert right in data["application.yml"]
    wrong = f"uri: http://{style.name('user')}:{style.port('user')}\n"
    data["application.yml"] = data["application.yml"].replace(right, wrong)


@fault("gateway-misroute", "in its config map", **_GATEWAY)
def _(system: System, app: str) -> None:
    _reroute(system)


@fault("gateway-misroute", "and the other service says 404", **_GATEWAY)
def _(system: System, app: str) -> None:
    _reroute(system)
    user = system.style.name("user")
    system.say(
        system.pod_name(user),
        user,
        [lines.spring("WARN", "No mapping for GET /api/v1/claimservice/claims", "o.s.web.servlet.PageNotFound")] * 3,
        ago=20,
    )  # noqa: E501


@fault("gateway-misroute", "in a variable that overrides the file", **_GATEWAY)
def _(system: System, app: str) -> None:
    style = system.style
    set_env(system, "edge-gateway", "SPRING_CLOUD_GATEWAY_ROUTES_1_ID", "claim")
    set_env(
        system, "edge-gateway", "SPRING_CLOUD_GATEWAY_ROUTES_1_URI", f"http://{style.name('user')}:{style.port('user')}"
    )
    set_env(system, "edge-gateway", "SPRING_CLOUD_GATEWAY_ROUTES_1_PREDICATES_0", "Path=/api/v1/claimservice/**")


@fault("gateway-misroute", "in nginx", subject="deployment/portal")
def _(system: System, app: str) -> None:
    style = system.style
    places = "".join(
        f"    location /{core}/ {{\n      proxy_pass http://{style.name('user' if core == 'claim' else core)}:{style.port(core)};\n    }}\n"
        for core in ("policy", "claim", "quote", "payment", "user")
    )
    system.get("ConfigMap", "portal-nginx")["data"]["nginx.conf"] = (
        f"http {{\n  server {{\n    listen 80;\n{places}  }}\n}}\n"
    )


# performance


def _series(values: list[float], **labels: str) -> Series:
    start = NOW.timestamp() - 15 * len(values)
    return Series(labels=labels, points=tuple((start + 15 * number, value) for number, value in enumerate(values)))


def _charts(
    system: System, role: str, query: str, unit: str, shifted: dict[str, tuple[float, float]], usual: float
) -> dict[str, Evidence]:  # noqa: E501
    calm, after = 24, 16
    series = [
        _series(
            [before + 0.01 * before * (number % 3) for number in range(calm)] + [worst] * after,
            namespace=system.namespace,
            **({"pod": system.pod_name(name)} if role != "latency" else {"destination_workload": name}),
        )
        for (kind, name) in system.objects
        if kind == "Deployment"
        for before, worst in [shifted.get(name, (usual, usual))]
    ]
    return {
        role: evidence(
            role, Chart(query=query, unit=unit, series=tuple(series), start=NOW - timedelta(minutes=10), end=NOW)
        )
    }  # noqa: E501


def _latency(system: System, **slow: tuple[float, float]) -> dict[str, Evidence]:
    named = {system.style.name(core.replace("_", "-")): value for core, value in slow.items()}
    return _charts(system, "latency", "istio_request_duration_milliseconds_bucket", "milliseconds", named, 4.0)


def _overloaded(system: System) -> dict[str, Evidence]:
    app = system.style.name("claim")
    throttled = _charts(
        system, "throttled", "container_cpu_cfs_throttled_seconds_total", "ratio", {app: (0.01, 0.8)}, 0.01
    )
    cpu = _charts(system, "cpu", "container_cpu_usage_seconds_total", "cores", {app: (0.05, 0.5)}, 0.05)
    return {**throttled, **cpu, **_latency(system, claim=(4.0, 900.0), policy=(9.0, 1000.0))}


@fault("pod-cpu-overload", "throttled", given=_overloaded)
def _(system: System, app: str) -> None:
    pass


@fault(
    "pod-network-delay",
    "a quick service and its callers",
    given=lambda system: _latency(system, claim=(2.0, 1800.0), policy=(30.0, 2300.0)),
)  # noqa: E501
def _(system: System, app: str) -> None:
    pass


@fault(
    "node-network-delay",
    "all of one node",
    subject="node/wrk-b",
    given=lambda system: _latency(system, claim=(2.0, 800.0), broker=(2.0, 700.0), payment_refund=(3.0, 900.0)),
)  # noqa: E501
def _(system: System, app: str) -> None:
    for core in ("claim", "broker", "payment-refund"):
        system.get("Pod", system.pod_name(system.style.name(core)))["spec"]["nodeName"] = "wrk-b"


def _loss(system: System) -> dict[str, Evidence]:
    series = tuple(
        _series([0.1] * 24 + [40.0 if node == "wrk-b" else 0.3] * 16, node=node)
        for node in ("cp-1", "wrk-a", "wrk-b", "wrk-c")
    )  # noqa: E501
    chart = Chart(
        query="rate(node_netstat_Tcp_RetransSegs[1m])",
        unit="segments/s",
        series=series,
        start=NOW - timedelta(minutes=10),
        end=NOW,
    )  # noqa: E501
    return {**_latency(system, claim=(2.0, 400.0), broker=(2.0, 300.0)), "retransmits": evidence("retransmits", chart)}


@fault("node-network-packet-loss", "one node sends again", subject="node/wrk-b", given=_loss)
def _(system: System, app: str) -> None:
    pass
