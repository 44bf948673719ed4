"""The four faults: what breaks KubeChat, how that looks in the API, and how it is healed.

Each is a pair of coroutines. The first begins with a healthy cluster and ends with the broken one as it
stands at the story's now; the second mends it.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from scripts.clusters.kubelet import Json, Kubelets, condition, digest, pod_status, running
from scripts.clusters.story import Story, ago

SYSTEM = "kubechat-system"
APPS = f"/apis/apps/v1/namespaces/{SYSTEM}"
GATEWAY = f"{APPS}/deployments/api-gateway"
SCALER = f"/apis/autoscaling/v2beta2/namespaces/{SYSTEM}/horizontalpodautoscalers/api-gateway"

Act = Callable[[Kubelets, Story], Awaitable[None]]


async def release(kubelets: Kubelets, app: str, note: str, **container: Any) -> None:
    """Change the container of a deployment, as a release does."""
    spec = {"template": {"spec": {"containers": [{"name": app, **container}]}}}
    metadata = {"annotations": {"kubernetes.io/change-cause": note}}
    await kubelets.cluster.patch(f"{APPS}/deployments/{app}", {"metadata": metadata, "spec": spec})


async def scaler(kubelets: Kubelets, *, replicas: int, cpu: int, scaled: str) -> None:
    """The status that the autoscaler's controller would write: `cpu` in percent of the request."""
    found = "the HPA was able to successfully calculate a replica count from cpu resource utilization"
    limits = (
        "the desired count is within the acceptable range",
        "the desired replica count is more than the maximum replica count",
    )
    limited = replicas >= 5
    conditions = [
        condition("AbleToScale", True, "ReadyForNewScale", "recommended size matches current size"),
        condition("ScalingActive", True, "ValidMetricFound", f"{found} (percentage of request)"),
        condition("ScalingLimited", limited, ("DesiredWithinRange", "TooManyReplicas")[limited], limits[limited]),
    ]
    current = {"averageUtilization": cpu, "averageValue": f"{cpu * 250 // 100}m"}
    status = {
        "currentReplicas": replicas,
        "desiredReplicas": replicas,
        "lastScaleTime": scaled,
        "currentMetrics": [{"type": "Resource", "resource": {"name": "cpu", "current": current}}],
        "conditions": conditions,
    }
    await kubelets.cluster.patch(f"{SCALER}/status", {"status": status}, kind="application/merge-patch+json")


def killed(finished: str, started: str) -> Json:
    """A container that the kernel ended for its memory."""
    return {
        "terminated": {
            "exitCode": 137,
            "reason": "OOMKilled",
            "startedAt": started,
            "finishedAt": finished,
            "containerID": f"containerd://{digest(finished)}",
        }
    }


async def crash_loop(kubelets: Kubelets, story: Story) -> None:
    """A release of api-gateway caches more and, by the same change, may use half the memory: OOMKilled."""
    await story.turn(minutes=14)
    await release(
        kubelets,
        "api-gateway",
        "release 2.5.0: session cache, right-sized memory",
        image="kubechat/api-gateway:2.5.0",
        env=[{"name": "SESSION_CACHE", "value": "on"}],
        resources={"requests": {"memory": "128Mi"}, "limits": {"memory": "256Mi"}},
    )
    await kubelets.settled()
    await story.turn(minutes=9)
    first, second, third = await kubelets.pods("api-gateway")
    for pod, restarts, finished in ((first, 5, 70), (second, 4, 25)):
        meta = pod["metadata"]
        back_off = {
            "reason": "CrashLoopBackOff",
            "message": f"back-off {'2m40s' if restarts == 5 else '1m20s'} restarting failed container=api-gateway "
            f"pod={meta['name']}_{SYSTEM}({meta['uid']})",
        }
        last = killed(ago(seconds=finished), ago(seconds=finished + 48))
        await kubelets.set_status(
            pod, pod_status(pod, ready=False, state={"waiting": back_off}, last=last, restarts=restarts)
        )
        await kubelets.event(
            pod,
            "Warning",
            "BackOff",
            "Back-off restarting failed container",
            count=restarts * 5,
            first=ago(minutes=8),
            last=ago(seconds=9),
        )
    last = killed(ago(seconds=75), ago(seconds=131))
    state = {"running": {"startedAt": ago(seconds=34)}}
    await kubelets.set_status(third, pod_status(third, state=state, last=last, restarts=4))
    await _ready(kubelets, "api-gateway", 1)
    await scaler(kubelets, replicas=3, cpu=61, scaled=ago(days=2))


async def heal_crash_loop(kubelets: Kubelets, story: Story) -> None:
    """Roll back."""
    await story.turn(seconds=20)
    await release(
        kubelets,
        "api-gateway",
        "roll back to 2.4.1",
        image="kubechat/api-gateway:2.4.1",
        env=[{"name": "SESSION_CACHE", "value": "off"}],
        resources={"requests": {"memory": "256Mi"}, "limits": {"memory": "512Mi"}},
    )
    await kubelets.settled()


async def high_response_time(kubelets: Kubelets, story: Story) -> None:
    """Three times the traffic: the autoscaler is at its maximum and every pod is throttled at its CPU limit."""
    await story.turn(minutes=11)
    scaler_object = {"apiVersion": "autoscaling/v2beta2", "kind": "HorizontalPodAutoscaler"}
    scaler_object |= await kubelets.cluster.get(SCALER)
    await kubelets.cluster.patch(GATEWAY, {"spec": {"replicas": 5}})
    reason = "cpu resource utilization (percentage of request) above target"
    source = "horizontal-pod-autoscaler"
    await kubelets.event(scaler_object, "Normal", "SuccessfulRescale", f"New size: 5; reason: {reason}", source=source)
    await kubelets.settled()
    await story.turn(minutes=10)
    await scaler(kubelets, replicas=5, cpu=197, scaled=ago(minutes=11))
    for pod in (await kubelets.pods("api-gateway"))[:4]:
        message = (
            f'Readiness probe failed: Get "http://{pod["status"]["podIP"]}:8080/health/ready": '
            "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
        )
        await kubelets.event(pod, "Warning", "Unhealthy", message, count=4, first=ago(minutes=6), last=ago(seconds=40))


async def heal_high_response_time(kubelets: Kubelets, story: Story) -> None:
    """Allow more replicas and more CPU."""
    await story.turn(seconds=20)
    await kubelets.cluster.patch(SCALER, {"spec": {"maxReplicas": 10}}, kind="application/merge-patch+json")
    await release(kubelets, "api-gateway", "raise the CPU limit", resources={"limits": {"cpu": "1"}})
    await kubelets.settled()
    await scaler(kubelets, replicas=4, cpu=62, scaled=ago(seconds=15))


def not_mounted(pod: Json) -> tuple[Json, list[tuple[str, str, str]]]:
    """The container waits for a volume that cannot be made."""
    return pod_status(pod, ready=False, state={"waiting": {"reason": "ContainerCreating"}}), []


async def websocket_failures(kubelets: Kubelets, story: Story) -> None:
    """A release of redis mounts a ConfigMap that nobody made: the session store is gone."""
    await story.turn(minutes=7)
    kubelets.fates["redis"] = not_mounted
    note = {"annotations": {"kubernetes.io/change-cause": "redis 7.2 with its own configuration"}}
    volumes = [{"name": "config", "configMap": {"name": "redis-config-v2"}}]
    container = {"name": "redis", "image": "redis:7.2.4-alpine"}
    spec = {"template": {"spec": {"containers": [container], "volumes": volumes}}}
    await kubelets.cluster.patch(f"{APPS}/deployments/redis", {"metadata": note, "spec": spec})
    await _ready(kubelets, "redis", 0)

    async def waits() -> bool:
        return any(pod["status"].get("containerStatuses") for pod in await kubelets.pods("redis"))

    await kubelets.until(waits, "the new pod of redis")
    pod = (await kubelets.pods("redis"))[0]
    missing = 'MountVolume.SetUp failed for volume "config" : configmap "redis-config-v2" not found'
    await kubelets.event(pod, "Warning", "FailedMount", missing, count=10, first=ago(minutes=7), last=ago(seconds=25))
    token = next(volume["name"] for volume in pod["spec"]["volumes"] if volume["name"] != "config")
    late = (
        f"Unable to attach or mount volumes: unmounted volumes=[config], unattached volumes=[config {token}]: "
        "timed out waiting for the condition"
    )
    await kubelets.event(pod, "Warning", "FailedMount", late, count=2, first=ago(minutes=5), last=ago(minutes=2))


async def heal_websocket_failures(kubelets: Kubelets, story: Story) -> None:
    """Roll back to the ConfigMap that exists."""
    await story.turn(seconds=20)
    kubelets.fates["redis"] = running
    note = {"annotations": {"kubernetes.io/change-cause": "roll back to 6.2"}}
    volumes = [{"name": "config", "configMap": {"name": "redis-config"}}]
    container = {"name": "redis", "image": "redis:6.2.14-alpine"}
    spec = {"template": {"spec": {"containers": [container], "volumes": volumes}}}
    await kubelets.cluster.patch(f"{APPS}/deployments/redis", {"metadata": note, "spec": spec})
    await kubelets.settled()


async def database_issues(kubelets: Kubelets, story: Story) -> None:
    """A release of audit-service opens 60 connections a pod where 10 were: PostgreSQL has none left."""
    await story.turn(minutes=18)
    await release(
        kubelets,
        "audit-service",
        "release 2.4.0: larger connection pool",
        image="kubechat/audit-service:2.4.0",
        env=[{"name": "DB_POOL_SIZE", "value": "60"}],
    )
    await kubelets.settled()
    await story.turn(minutes=4)
    for pod in (await kubelets.pods("api-gateway"))[:2]:
        message = "Readiness probe failed: HTTP probe failed with statuscode: 503"
        await kubelets.event(pod, "Warning", "Unhealthy", message, count=7, first=ago(minutes=3), last=ago(seconds=30))


async def heal_database_issues(kubelets: Kubelets, story: Story) -> None:
    """Roll back."""
    await story.turn(seconds=20)
    await release(
        kubelets,
        "audit-service",
        "roll back to 2.3.7",
        image="kubechat/audit-service:2.3.7",
        env=[{"name": "DB_POOL_SIZE", "value": "10"}],
    )
    await kubelets.settled()


async def _ready(kubelets: Kubelets, app: str, count: int) -> None:
    async def done() -> bool:
        status = (await kubelets.cluster.get(f"{APPS}/deployments/{app}"))["status"]
        return bool(status.get("readyReplicas", 0) == count and status.get("unavailableReplicas", 0) > 0)

    await kubelets.until(done, f"{app}: {count} ready")


FAULTS: dict[str, tuple[Act, Act]] = {
    "crash_loop": (crash_loop, heal_crash_loop),
    "high_response_time": (high_response_time, heal_high_response_time),
    "websocket_failures": (websocket_failures, heal_websocket_failures),
    "database_issues": (database_issues, heal_database_issues),
}
