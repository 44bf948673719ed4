"""What kubelets write: the status of nodes and pods, and their events. All else is the real controllers' work."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from scripts.clusters.cluster import Cluster
from scripts.clusters.story import stamp

Json = dict[str, Any]
Event = tuple[str, str, str]
NODES = {"node-1": "10.20.0.11", "node-2": "10.20.0.12", "node-3": "10.20.0.13"}
SIZE = {"cpu": "4", "memory": "16Gi", "pods": "110", "ephemeral-storage": "100Gi"}


def now() -> str:
    return stamp(datetime.now(UTC))


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def condition(kind: str, status: bool, reason: str = "", message: str = "", since: str = "") -> Json:
    found = {"type": kind, "status": str(status), "lastTransitionTime": since or now()}
    return found | ({"reason": reason} if reason else {}) | ({"message": message} if message else {})


def node_status(address: str) -> Json:
    """A node that has all it needs."""
    fine = [
        ("MemoryPressure", False, "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
        ("DiskPressure", False, "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        ("PIDPressure", False, "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        ("Ready", True, "KubeletReady", "kubelet is posting ready status"),
    ]
    return {
        "capacity": SIZE,
        "allocatable": SIZE | {"cpu": "3920m", "memory": "15Gi"},
        "addresses": [{"type": "InternalIP", "address": address}],
        "conditions": [condition(*each) | {"lastHeartbeatTime": now()} for each in fine],
        "nodeInfo": {
            **dict.fromkeys(("machineID", "systemUUID", "bootID"), str(uuid4())),
            "kernelVersion": "6.1.0-18-amd64",
            "osImage": "Debian GNU/Linux 12 (bookworm)",
            "containerRuntimeVersion": "containerd://1.6.20",
            "kubeletVersion": "v1.20.2",
            "kubeProxyVersion": "v1.20.2",
            "operatingSystem": "linux",
            "architecture": "amd64",
        },
    }


def pod_status(
    pod: Json, *, ready: bool = True, state: Json | None = None, last: Json | None = None, restarts: int = 0
) -> Json:
    """The status of a pod of one container, which is in `state` and was in `last` before that."""
    name, container = pod["metadata"]["name"], pod["spec"]["containers"][0]
    state = state or {"running": {"startedAt": now()}}
    begun = not ("waiting" in state and not restarts)
    image = container["image"] if container["image"].count("/") else f"docker.io/library/{container['image']}"
    address = f"10.244.{int(digest(name)[:2], 16)}.{int(digest(name)[2:4], 16) or 1}"
    unready = ("ContainersNotReady", f"containers with unready status: [{container['name']}]")
    status = {
        "name": container["name"],
        "image": image if begun else container["image"],
        "imageID": f"{image.rpartition(':')[0]}@sha256:{digest(image)}" if begun else "",
        "ready": ready,
        "started": "running" in state,
        "restartCount": restarts,
        "state": state,
        "lastState": last or {},
        **({"containerID": f"containerd://{digest(name + str(restarts))}"} if begun else {}),
    }
    return {
        "phase": "Running" if begun else "Pending",
        "startTime": pod["status"].get("startTime") or now(),
        "hostIP": NODES[pod["spec"]["nodeName"]],
        **({"podIP": address, "podIPs": [{"ip": address}]} if begun else {}),
        "conditions": [
            condition("Initialized", True),
            condition("Ready", ready, *(() if ready else unready)),
            condition("ContainersReady", ready, *(() if ready else unready)),
        ],
        "containerStatuses": [
            status | ({"containerID": f"containerd://{digest(name + str(restarts))}"} if begun else {})
        ],
    }


Fate = Callable[[Json], tuple[Json, list[Event]]]


def running(pod: Json) -> tuple[Json, list[Event]]:
    """The container was started and is ready."""
    container = pod["spec"]["containers"][0]
    return pod_status(pod), [
        ("Normal", "Pulled", f'Container image "{container["image"]}" already present on machine'),
        ("Normal", "Created", f"Created container {container['name']}"),
        ("Normal", "Started", f"Started container {container['name']}"),
    ]


class Kubelets:
    """The kubelets of all nodes. `fates` says what becomes of a new pod, by its label `app`."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.fates: dict[str, Fate] = {}

    async def event(
        self, about: Json, kind: str, reason: str, message: str, *, count: int = 1, first: str = "", last: str = "",
        source: str = "kubelet",
    ) -> None:  # fmt: skip
        """An event about an object, as kubelets and controllers write them."""
        meta = about["metadata"]
        host = about["spec"].get("nodeName")
        body = {
            "metadata": {"name": f"{meta['name']}.{uuid4().hex[:16]}", "namespace": meta["namespace"]},
            "involvedObject": {
                "apiVersion": about["apiVersion"],
                "kind": about["kind"],
                "name": meta["name"],
                "namespace": meta["namespace"],
                "uid": meta["uid"],
            },
            "type": kind,
            "reason": reason,
            "message": message,
            "count": count,
            "firstTimestamp": first or now(),
            "lastTimestamp": last or now(),
            "source": {"component": source} | ({"host": host} if source == "kubelet" and host else {}),
        }
        await self.cluster.send("POST", f"/api/v1/namespaces/{meta['namespace']}/events", body)

    async def set_status(self, pod: Json, status: Json) -> None:
        meta = pod["metadata"]
        path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}/status"
        await self.cluster.patch(path, {"status": status})

    async def pods(self, app: str = "") -> list[Json]:
        """The pods, of one app if given, by name."""
        query = f"?labelSelector=app={app}" if app else ""
        found = (await self.cluster.get(f"/api/v1/pods{query}"))["items"]
        return [
            {"apiVersion": "v1", "kind": "Pod"} | pod for pod in sorted(found, key=lambda pod: pod["metadata"]["name"])
        ]

    async def step(self) -> None:
        """Start the pods that were scheduled and end those that were deleted."""
        for pod in await self.pods():
            meta = pod["metadata"]
            if not pod["spec"].get("nodeName"):
                continue
            if meta.get("deletionTimestamp"):
                path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"
                await self.cluster.send("DELETE", path, {"gracePeriodSeconds": 0})
            elif not pod["status"].get("containerStatuses"):
                status, events = self.fates.get(meta["labels"].get("app", ""), running)(pod)
                await self.set_status(pod, status)
                for event in events:
                    await self.event(pod, *event)

    async def until(self, done: Callable[[], Awaitable[bool]], what: str) -> None:
        """Play on until it is so."""
        for _ in range(400):
            await self.step()
            if await done():
                return
            await asyncio.sleep(0.1)
        raise TimeoutError(what)

    async def settled(self) -> None:
        """Play until every rollout is complete and no pod is on its way out."""

        async def done() -> bool:
            apps = await self.cluster.get("/apis/apps/v1/deployments")
            sets = await self.cluster.get("/apis/apps/v1/statefulsets")
            gone = any(pod["metadata"].get("deletionTimestamp") for pod in await self.pods())
            return not gone and all(_complete(item) for item in apps["items"] + sets["items"])

        await self.until(done, "all rollouts complete")


def _complete(item: Json) -> bool:
    status, wanted = item["status"], item["spec"]["replicas"]
    current = status.get("observedGeneration") == item["metadata"]["generation"]
    counts = [status.get(name, 0) for name in ("replicas", "readyReplicas", "updatedReplicas")]
    return current and counts == [wanted] * 3
