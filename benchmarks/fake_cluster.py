"""A Kubernetes API with one large deployment, that counts requests and may be slow or hang.

    python -m benchmarks.fake_cluster PORT PODS DELAY_SECONDS

`GET /_count` is the number of requests; a delay of -1 hangs on every list.
"""

import asyncio
import sys
from typing import Any

from aiohttp import web

NAMESPACE = "shop"
GROUPS = {"apps/v1": ("deployments", "replicasets", "statefulsets", "daemonsets"), "batch/v1": ("jobs", "cronjobs")}
CORE = ("pods", "services", "endpoints", "events", "configmaps", "secrets", "persistentvolumeclaims", "serviceaccounts")
CORE_REST = ("resourcequotas", "limitranges", "nodes", "namespaces", "persistentvolumes")


class Cluster:
    """The state of the fake."""

    def __init__(self, pods: int, delay: float) -> None:
        self.delay, self.requests = delay, 0
        self.objects = {
            "deployments": [workload("Deployment", "api-gateway", pods)],
            "replicasets": [workload("ReplicaSet", "api-gateway-7d9c5b6f4", pods, owner=("Deployment", "api-gateway"))],
            "pods": [pod(number) for number in range(pods)],
        }

    async def answer(self, request: web.Request) -> web.Response:
        """Any GET."""
        if request.path == "/_count":
            return web.json_response({"requests": self.requests})
        self.requests += 1
        if self.delay < 0:
            await asyncio.sleep(3600)
        await asyncio.sleep(self.delay)
        if request.path == "/version":
            return web.json_response({"gitVersion": "v1.31.0", "major": "1", "minor": "31"})
        if found := discovery(request.path):
            return web.json_response(found)
        parts = request.path.strip("/").split("/")
        if parts[-1] == "log":
            return web.Response(text="2026-01-01T00:00:00Z ERROR out of memory\n")
        if "namespaces" in parts and len(parts) > parts.index("namespaces") + 2:
            rest = parts[parts.index("namespaces") + 2 :]
        else:
            rest = parts[2:] if parts[0] == "api" else parts[3:]
        items = self.objects.get(rest[0], [])
        if len(rest) > 1:
            for item in items:
                if item["metadata"]["name"] == rest[1]:
                    return web.json_response(item)
            status = {"kind": "Status", "status": "Failure", "reason": "NotFound", "message": "not found", "code": 404}
            return web.json_response(status, status=404)
        return web.json_response({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": items})


def discovery(path: str) -> dict[str, Any] | None:
    """What the API serves."""
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    if path == "/apis":
        versions = [{"groupVersion": name, "version": name.split("/")[1]} for name in GROUPS]
        names = [name.split("/")[0] for name in GROUPS]
        groups = [
            {"name": name, "versions": [version], "preferredVersion": version}
            for name, version in zip(names, versions, strict=True)
        ]
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
    served = {"/api/v1": CORE + CORE_REST} | {f"/apis/{name}": kinds for name, kinds in GROUPS.items()}
    if path in served:
        resources = [
            {
                "name": name,
                "kind": name[:-1].capitalize(),
                "namespaced": name not in ("nodes", "namespaces", "persistentvolumes"),
                "verbs": ["get", "list"],
            }
            for name in served[path]
        ]
        version = path.removeprefix("/apis/").removeprefix("/api/")
        return {"kind": "APIResourceList", "groupVersion": version, "resources": resources}
    return None


def workload(kind: str, name: str, replicas: int, owner: tuple[str, str] | None = None) -> dict[str, Any]:
    """A workload that has no pod ready."""
    metadata: dict[str, Any] = {
        "name": name,
        "namespace": NAMESPACE,
        "uid": name,
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "annotations": {"deployment.kubernetes.io/revision": "1"},
    }
    if owner:
        metadata["ownerReferences"] = [{"kind": owner[0], "name": owner[1], "uid": owner[1], "controller": True}]
    labels = {"app": "api-gateway"}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": metadata,
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": container_spec()},
        },
        "status": {"replicas": replicas, "readyReplicas": 0},
    }


def container_spec() -> dict[str, Any]:
    """One container with a limit."""
    return {"containers": [{"name": "api", "image": "api:1", "resources": {"limits": {"memory": "64Mi"}}}]}


def pod(number: int) -> dict[str, Any]:
    """A pod that was killed for its memory."""
    killed = {"reason": "OOMKilled", "exitCode": 137, "finishedAt": "2026-01-01T00:01:00Z"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"api-gateway-7d9c5b6f4-{number:05d}",
            "namespace": NAMESPACE,
            "uid": f"pod-{number}",
            "labels": {"app": "api-gateway"},
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "ownerReferences": [
                {"kind": "ReplicaSet", "name": "api-gateway-7d9c5b6f4", "uid": "rs", "controller": True}
            ],
        },
        "spec": {**container_spec(), "nodeName": "node-1"},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "False"}],
            "containerStatuses": [
                {
                    "name": "api",
                    "ready": False,
                    "restartCount": 7,
                    "image": "api:1",
                    "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting"}},
                    "lastState": {"terminated": killed},
                }
            ],
        },
    }


def main() -> None:
    """Serve until ended."""
    cluster = Cluster(int(sys.argv[2]), float(sys.argv[3]))
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", cluster.answer)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)


if __name__ == "__main__":
    main()
