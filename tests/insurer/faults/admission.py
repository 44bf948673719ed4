"""What the API server refuses to create."""

# ruff: noqa: E501 - messages as they are written

from tests.insurer.fault import callers_of_database_fail, fault
from tests.insurer.system import System


def _quota(system: System, hard: dict[str, str], used: dict[str, str]) -> None:
    system.add("ResourceQuota", "team", spec={"hard": hard}, status={"hard": hard, "used": used})


def _exceeded(system: System, app: str, asked: str, used: str, limited: str) -> None:
    system.refused(
        app,
        f'pods "{app}-6bd9c-" is forbidden: exceeded quota: team, requested: {asked}, used: {used}, limited: {limited}',
    )
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
    message = f'pods "{app}-7ffff-" is forbidden: exceeded quota: team, requested: count/pods=1, used: count/pods=44, limited: count/pods=44'
    workload["status"]["conditions"].append(
        {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message}
    )
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
    )
    _quota(system, {"requests.storage": "5Gi"}, {"requests.storage": "0"})
    callers_of_database_fail(system)


@fault("missing-service-account", "forbidden")
def _(system: System, app: str) -> None:
    system.template(app)["serviceAccountName"] = "claims-runner"
    system.refused(
        app,
        f'pods "{app}-6bd9c-" is forbidden: error looking up service account {system.namespace}/claims-runner: serviceaccount "claims-runner" not found',
    )
