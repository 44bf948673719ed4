"""Containers that end or never get ready, and workloads without any."""

from datetime import timedelta
from typing import Any

from tests.insurer import lines
from tests.insurer.fault import container, fault, fresh
from tests.insurer.system import System, stamp
from tests.makers import NOW


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
    }


def _told(system: System, words: str) -> str:
    """What the kubelet says of a probe; a mesh's agent passes on status codes, and answers 500 for all else."""
    if not system.style.mesh or "statuscode" in words:
        return words
    return "HTTP probe failed with statuscode: 500"


def _killed_by_probe(system: System, app: str, probe: dict[str, Any], words: str, lived: float) -> None:
    container(system, app)["livenessProbe"] = probe
    pod = fresh(system, app)
    system.crashing(app, code=143, lived=lived, restarts=3)
    system.event("Pod", pod, "Unhealthy", f"Liveness probe failed: {_told(system, words)}", count=9)
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
    )
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
    )
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
    )


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
    }
    _killed_by_probe(system, app, probe, f"dial tcp 10.244.1.7:{port}: connect: connection refused", 9)
    system.say(system.pod_name(app), app, lines.started(app, port)[:4], previous=True)


def _never_ready(system: System, app: str, probe: dict[str, Any], words: str) -> None:
    container(system, app)["readinessProbe"] = probe
    pod = fresh(system, app)
    system.not_ready(app)
    system.event("Pod", pod, "Unhealthy", f"Readiness probe failed: {_told(system, words)}", count=14)
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
    )


@fault("readiness-probe-incorrect-protocol", "HTTPS to Tomcat")
def _(system: System, app: str) -> None:
    port = system.style.port("claim")
    _never_ready(
        system,
        app,
        {"httpGet": {"port": port, "scheme": "HTTPS"}, **_PERIOD},
        f'Get "https://10.244.1.7:{port}/": http: server gave HTTP response to HTTPS client',
    )


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
    ]


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
    )


@fault("service-sidecar-port-conflict", "without a log")
def _(system: System, app: str) -> None:
    _sidecar(system, app, ports=[{"containerPort": system.style.port("claim")}])
    system.crashing(app)
