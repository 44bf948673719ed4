"""For every detector: its cause, the nearest thing that it must not be taken for, and half of the evidence missing."""

# ruff: noqa: E501 - the lists read better unbroken

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from responder import detectors
from responder.detectors import (
    Case,
    addresses,
    admission,
    changes,
    configuration,
    containers,
    databases,
    databases_clients,
    gateways,
    images,
    names,
    nodes,
    permissions,
    ports,
    probes,
    replicas,
    scheduling,
    services,
    volumes,
)
from tests.detectors.insured import CLAIM, case, told
from tests.insurer import lines
from tests.insurer.faults import faults
from tests.insurer.system import System, stamp
from tests.makers import NOW

Change = Callable[[System], Any]
EVERY = detectors.load().families


def done(cause: str, name: str) -> Change:
    """A fault of the catalogue of faults."""
    fault = next(item for item in faults() if item.cause == cause and item.name == name)
    return lambda system: fault.do(system, system.style.name(fault.core))


def of_every(found: Case) -> dict[str, list[tuple[str, str, str]]]:
    """What each detector concludes; those that conclude nothing left out."""
    return {family: said for family, detect in EVERY.items() if (said := told(detect, found))}


def test_a_healthy_system_gives_no_detector_a_finding() -> None:
    assert of_every(case()) == {}


@pytest.mark.parametrize(
    "kind", ["Pod", "Service", "Deployment", "ConfigMap", "Event", "Node", "Endpoints", "ReplicaSet"]
)
def test_a_kind_that_could_not_be_read_is_no_finding(kind: str) -> None:
    assert of_every(case(unseen=[kind])) == {}


def test_without_any_evidence_nothing_is_said() -> None:
    assert of_every(case(unseen={item["kind"] for item in _everything()}, logs=False)) == {}


def _everything() -> list[dict[str, Any]]:
    kept: list[dict[str, Any]] = []
    case(lambda system: kept.extend(system.all()))
    return kept


# what is there for a reason


def metrics_service(system: System) -> None:
    system.service("claim-metrics", 9404, selects=CLAIM)


def replica_of_database(system: System) -> None:
    container = {
        "name": "mysql",
        "image": "mysql:8.0.30",
        "args": ["--read-only=1"],
        "ports": [{"containerPort": 3306}],
    }
    system.workload("db-replica", [container], kind="StatefulSet")
    system.service("db-replica", 3306)


def optional_secret(system: System) -> None:
    reference = {"secretRef": {"name": "not-there", "optional": True}}
    system.template(CLAIM)["containers"][0]["envFrom"] = [reference]
    system.rolled_out(CLAIM)
    system.not_ready(CLAIM)


def scaled_by_keda(system: System) -> None:
    done("deployment-zero-replicas", "silently")(system)
    system.get("Deployment", CLAIM)["metadata"]["labels"]["scaledobject.keda.sh/name"] = "claim"


def both_declare_one_port(system: System) -> None:
    system.template(CLAIM)["containers"].append(
        {"name": "agent", "image": "agent:1", "ports": [{"containerPort": 8080}]}
    )
    system.rolled_out(CLAIM)


def spare_service(system: System) -> None:
    system.add("Service", "legacy", spec={"selector": {"app": "legacy"}, "ports": [{"port": 80}]})


def zipkin_is_not_installed(system: System) -> None:
    env = system.template(CLAIM)["containers"][0]["env"]
    env.append({"name": "ZIPKIN_HOST", "value": "zipkin"})


def external_database(system: System) -> None:
    env = system.template(CLAIM)["containers"][0]["env"]
    env.append({"name": "ARCHIVE_URL", "value": "jdbc:mysql://archive.example.com:3310/old"})


def starts_slowly(system: System) -> None:
    pod = system.not_ready(CLAIM)
    pod["status"]["containerStatuses"][0]["state"]["running"]["startedAt"] = stamp(NOW - timedelta(seconds=50))
    words = "Readiness probe failed: dial tcp 10.244.1.7:8080: connect: connection refused"
    system.event("Pod", pod["metadata"]["name"], "Unhealthy", words, count=3, ago=10)


def cordoned_node(system: System) -> None:
    system.get("Node", "wrk-c")["spec"] = {"unschedulable": True}


def old_login_trouble(system: System) -> None:
    said = lines.no_login("Access denied for user 'insurer'@'10.244.2.31' (using password: YES)")
    system.say(system.pod_name(CLAIM), CLAIM, said, ago=2200)


def gateway_with_an_odd_route(system: System) -> None:
    data = system.get("ConfigMap", "edge-gateway-config")["data"]
    route = (
        f"        - id: legacy\n          uri: http://{CLAIM}:8080\n          predicates:\n            - Path=/old/**\n"
    )
    data["application.yml"] += route


def restarted_long_ago(system: System) -> None:
    status = system.get("Pod", system.pod_name(CLAIM))["status"]["containerStatuses"][0]
    ended = {"exitCode": 1, "reason": "Error", "finishedAt": stamp(NOW - timedelta(days=2))}
    status |= {"restartCount": 7, "lastState": {"terminated": ended}}


def claim_waits_for_its_first_pod(system: System) -> None:
    spec = {"storageClassName": "local", "accessModes": ["ReadWriteOnce"]}
    system.add("PersistentVolumeClaim", "later", spec=spec, status={"phase": "Pending"})


def roomy_quota(system: System) -> None:
    system.add("ResourceQuota", "team", spec={}, status={"hard": {"pods": "80"}, "used": {"pods": "45"}})


def refused_once(system: System) -> None:
    message = f'Error creating: pods "{CLAIM}-6bd9c-" is forbidden: exceeded quota: team, requested: pods=1, used: pods=44, limited: pods=44'
    system.event("ReplicaSet", f"{CLAIM}-6bd9c", "FailedCreate", message, ago=2000)


def spring_security_says_no(system: System) -> None:
    system.template(CLAIM)["volumes"] = [{"name": "files", "emptyDir": {}}]
    system.template(CLAIM)["containers"][0]["volumeMounts"] = [{"name": "files", "mountPath": "/data"}]
    pod = system.rolled_out(CLAIM)["metadata"]["name"]
    said = "org.springframework.security.access.AccessDeniedException: Access is denied"
    system.say(pod, CLAIM, [lines.spring("ERROR", said)], ago=20)


def not_known_yet_when_it_was_made(system: System) -> None:
    made = NOW - timedelta(seconds=90)
    system.get("Service", "ins-payment-service")["metadata"]["creationTimestamp"] = stamp(made)
    said = lines.call_fails("http://ins-payment-service:8080/x", "java.net.UnknownHostException: ins-payment-service")
    system.say(system.pod_name(CLAIM), CLAIM, said, ago=70)


def name_of_a_headless_service_without_pods(system: System) -> None:
    system.get("Service", "cache")["spec"]["clusterIP"] = "None"
    system.not_ready("cache")
    system.get("Deployment", "cache")["status"]["readyReplicas"] = 1
    said = lines.call_fails("http://cache:6379/x", "java.net.UnknownHostException: cache")
    system.say(system.pod_name(CLAIM), CLAIM, said, ago=20)


def pages_that_are_not_there(system: System) -> None:
    said = (
        '10.244.0.9 - - [04/Mar/2026:02:59:40 +0000] "GET /api/v1/claimservice/claims/77 HTTP/1.1" 404 0 "-" "Mozilla"'
    )
    system.say(system.pod_name("portal"), "portal", [said] * 4, ago=20)


def written_when_made(system: System) -> None:
    made = system.get("ConfigMap", "db-config")["metadata"]
    made["managedFields"] = [{"manager": "kubectl", "operation": "Apply", "time": made["creationTimestamp"]}]


@pytest.mark.parametrize(
    "change",
    [
        metrics_service,
        replica_of_database,
        scaled_by_keda,
        both_declare_one_port,
        spare_service,
        zipkin_is_not_installed,
        external_database,
        cordoned_node,
        old_login_trouble,
        gateway_with_an_odd_route,
        restarted_long_ago,
        claim_waits_for_its_first_pod,
        roomy_quota,
        refused_once,
        spring_security_says_no,
        written_when_made,
        pages_that_are_not_there,
        not_known_yet_when_it_was_made,
    ],
    ids=lambda change: change.__name__.replace("_", " "),
)
def test_what_is_there_for_a_reason_is_no_finding(change: Change) -> None:
    assert of_every(case(change)) == {}


@pytest.mark.parametrize(
    ("change", "detect"),
    [
        (name_of_a_headless_service_without_pods, names.detect),
        (optional_secret, configuration.detect),
        (starts_slowly, probes.detect),
        (starts_slowly, containers.detect),
    ],
    ids=[
        "a name without pods behind it",
        "a secret that is optional",
        "a start that takes its time",
        "a start is no crash",
    ],
)
def test_a_detector_leaves_alone_what_is_not_its_business(change: Change, detect: detectors.Detect) -> None:
    assert told(detect, case(change)) == []


# the cause alone, and with half of the evidence

SEEN: list[tuple[detectors.Detect, str, str, tuple[str, ...], list[str]]] = [
    (admission.detect, "namespace-pod-quota-exceeded", "pods", ("Event",), ["namespace-pod-quota-exceeded"]),
    (admission.detect, "missing-service-account", "forbidden", ("ResourceQuota", "Event"), ["missing-service-account"]),
    (addresses.detect, "service-env-var-address-mismatch", "a wrong port", ("Service",), []),
    (addresses.detect, "service-env-var-address-mismatch", "a misspelt host", ("Service",), []),
    (changes.detect, "deployment-zero-replicas", "by a person, as the manager tells", ("Service",), ["recent-change"]),
    (configuration.detect, "missing-secret-binding", "a key of a secret", ("Secret", "Event"), ["missing-secret-binding"]),
    (configuration.detect, "missing-secret-binding", "a secret that is mounted", ("Event", "Secret"), []),
    (configuration.detect, "missing-config-map", "in the environment", ("ConfigMap",), ["missing-config-map"]),
    (containers.detect, "oom-killed", "over and over", ("Event", "ReplicaSet"), ["oom-killed"]),
    (databases.detect, "db-read-only", "a writer says so", ("ConfigMap",), ["db-read-only"]),
    (databases.detect, "db-read-only", "an argument alone", ("StatefulSet",), []),
    (databases_clients.detect, "mysql-invalid-credentials", "fails to start", ("Service", "ConfigMap"), ["mysql-invalid-credentials"]),
    (databases_clients.detect, "mysql-invalid-port", "in the log alone", ("StatefulSet",), []),
    (gateways.detect, "gateway-misroute", "in its config map", ("ConfigMap",), []),
    (images.detect, "incorrect-image-reference", "malformed", ("Event",), ["incorrect-image-reference"]),
    (images.detect, "image-registry-dns-failure", "no such host", ("Event",), ["image-pull-failed"]),
    (names.detect, "service-dns-resolution-failure", "a host alias", ("Service",), []),
    (names.detect, "service-dns-resolution-failure", "a policy that leads out of the cluster", ("ConfigMap",), ["service-dns-resolution-failure"]),
    (nodes.detect, "kubelet-unavailable", "by the node's condition", ("Pod",), ["kubelet-unavailable"]),
    (nodes.detect, "kubelet-unavailable", "by the node's condition", ("Node",), []),
    (permissions.detect, "volume-mount-permission-denied", "Java may not write", ("Event",), ["volume-mount-permission-denied"]),
    (ports.detect, "service-sidecar-port-conflict", "without a log", ("Event",), ["service-sidecar-port-conflict"]),
    (probes.detect, "readiness-probe-incorrect-port", "another port", ("Event",), ["readiness-probe-incorrect-port"]),
    (probes.detect, "liveness-probe-incorrect-timing", "five seconds for a start of eighty", ("Service",), ["liveness-probe-incorrect-timing"]),
    (replicas.detect, "deployment-zero-replicas", "silently", ("Event",), ["deployment-zero-replicas"]),
    (replicas.detect, "deployment-zero-replicas", "silently", ("Service",), []),
    (scheduling.detect, "node-selector-mismatch", "no such label", ("Node",), ["node-selector-mismatch"]),
    (scheduling.detect, "taint-toleration-mismatch", "all workers are tainted", ("Node", "Event"), ["taint-toleration-mismatch"]),
    (services.detect, "service-selector-mismatch", "another label", ("Endpoints",), ["service-selector-mismatch"]),
    (services.detect, "service-protocol-mismatch", "UDP", ("Pod",), ["service-protocol-mismatch"]),
    (services.detect, "service-selector-mismatch", "another label", ("Pod",), []),
    (volumes.detect, "pvc-capacity-mismatch", "too large", ("Event",), ["pvc-capacity-mismatch"]),
    (volumes.detect, "pvc-capacity-mismatch", "too large", ("PersistentVolume", "Event"), ["no-volume-for-claim"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("detect", "cause", "name", "unseen", "expected"),
    SEEN,
    ids=[f"{cause}, {name}, without {' '.join(unseen)}" for _, cause, name, unseen, _ in SEEN],
)
def test_half_of_the_evidence_gives_what_it_can(
    detect: detectors.Detect, cause: str, name: str, unseen: tuple[str, ...], expected: list[str]
) -> None:
    found = told(detect, case(done(cause, name), unseen=unseen))
    assert list(dict.fromkeys(item[0] for item in found)) == expected
