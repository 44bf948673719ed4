"""`python -m scripts.clusters KUBECONFIG FAULT`: see the package."""

import asyncio
import json
import shutil
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from scripts.clusters import logs
from scripts.clusters.cluster import Cluster, connect
from scripts.clusters.faults import FAULTS, release, scaler
from scripts.clusters.kubelet import NODES, Json, Kubelets, node_status
from scripts.clusters.story import NOW, Story, ago, stamp

CLUSTERS = Path(__file__).parents[2] / "responder" / "demo" / "clusters"
RESOURCES = (
    *("nodes", "namespaces", "persistentvolumes", "persistentvolumeclaims", "configmaps", "services", "endpoints"),
    *("pods", "events", "deployments.apps", "replicasets.apps", "statefulsets.apps", "daemonsets.apps"),
    *("controllerrevisions.apps", "horizontalpodautoscalers.v2beta2.autoscaling", "poddisruptionbudgets.policy"),
    *("ingresses.networking.k8s.io", "networkpolicies.networking.k8s.io", "jobs.batch", "cronjobs.batch"),
    *("resourcequotas", "limitranges", "serviceaccounts", "secrets", "storageclasses.storage.k8s.io"),
)
NAMESPACES = ("", "kubechat-system", "ingress-nginx")
USAGE = {  # CPU in millicores and memory in MiB of a healthy pod
    "api-gateway": (135, 186),
    "nlp-service": (420, 910),
    "audit-service": (60, 140),
    "web-app": (8, 41),
    "kubechat-operator": (12, 64),
    "redis": (15, 88),
    "postgres": (210, 640),
    "ingress-nginx": (35, 96),
}
FAULTY_USAGE = {"high_response_time": {"api-gateway": (493, 301)}, "crash_loop": {"api-gateway": (180, 233)}}


async def record(kubeconfig: Path, fault: str) -> None:
    """Play the fault's story and keep the cluster as it is before, during and after."""
    breaks, heals = FAULTS[fault]
    folder, story = CLUSTERS / fault, Story()
    async with connect(kubeconfig) as cluster:
        kubelets = Kubelets(cluster)
        await deploy(kubelets, story)
        await keep(cluster, story, folder / "healthy", "")
        await breaks(kubelets, story)
        await keep(cluster, story, folder / "faulty", fault)
        await heals(kubelets, story)
        await keep(cluster, story, folder / "healed", "")


async def deploy(kubelets: Kubelets, story: Story) -> None:
    """KubeChat as it ran before: three revisions of the gateway, all pods ready."""
    cluster = kubelets.cluster
    await story.turn(days=41)
    for name, address in NODES.items():
        labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
        await cluster.send("POST", "/api/v1/nodes", {"metadata": {"name": name, "labels": labels}})
        await cluster.patch(f"/api/v1/nodes/{name}/status", {"status": node_status(address)})

    async def usable() -> bool:
        return not any(node["spec"].get("taints") for node in (await cluster.get("/api/v1/nodes"))["items"])

    await kubelets.until(usable, "nodes without taints")
    await cluster.kubectl("create", "--filename", str(Path(__file__).with_name("kubechat.yaml")))
    await kubelets.settled()
    for days, version in ((23, "2.4.0"), (9, "2.4.1")):
        await story.turn(days=days)
        await release(kubelets, "api-gateway", f"release {version}", image=f"kubechat/api-gateway:{version}")
        await kubelets.settled()
    await scaler(kubelets, replicas=3, cpu=54, scaled=ago(days=2))


async def keep(cluster: Cluster, story: Story, folder: Path, fault: str) -> None:
    """Write the cluster's objects, usage and logs."""
    await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    for resource in RESOURCES:
        text = story.retell(await cluster.kubectl("get", resource, "--all-namespaces", "--output=json"))
        items = [item for item in map(_bare, json.loads(text)["items"]) if _belongs(item)]
        _save(folder / f"{resource.split('.')[0]}.json", items)
    pods = json.loads((folder / "pods.json").read_text())["items"]
    services = json.loads((folder / "services.json").read_text())["items"]
    redis = next(each["spec"]["clusterIP"] for each in services if each["metadata"]["name"] == "redis-service")
    logs.write(folder, pods, fault, redis)
    usage = USAGE | FAULTY_USAGE.get(fault, {})
    running = [pod for pod in pods if pod["status"]["phase"] == "Running"]
    _save(folder / "podmetrics.json", [_pod_metrics(pod, usage) for pod in running])
    _save(folder / "nodemetrics.json", [_node_metrics(name, number) for number, name in enumerate(NODES)])


def _pod_metrics(pod: Json, usage: dict[str, tuple[int, int]]) -> Json:
    """What the metrics server says of a pod."""
    meta = pod["metadata"]
    labels = meta["labels"]
    cpu, memory = usage[labels.get("app") or labels["app.kubernetes.io/name"]]
    spread = sum(map(ord, meta["name"])) % 9 - 4
    used = {"cpu": f"{cpu + spread}m", "memory": f"{(memory + spread) * 1024}Ki"}
    return {
        "apiVersion": "metrics.k8s.io/v1beta1",
        "kind": "PodMetrics",
        "metadata": {
            "name": meta["name"],
            "namespace": meta["namespace"],
            "labels": labels,
            "creationTimestamp": stamp(NOW),
        },
        "timestamp": ago(seconds=12),
        "window": "30s",
        "containers": [{"name": pod["spec"]["containers"][0]["name"], "usage": used}],
    }


def _node_metrics(name: str, number: int) -> Json:
    return {
        "apiVersion": "metrics.k8s.io/v1beta1",
        "kind": "NodeMetrics",
        "metadata": {"name": name, "creationTimestamp": stamp(NOW)},
        "timestamp": ago(seconds=12),
        "window": "30s",
        "usage": {"cpu": f"{740 + 130 * number}m", "memory": f"{(4100 + 350 * number) * 1024}Ki"},
    }


def _bare(item: Json) -> Json:
    """Without what nobody reads, and without the values of secrets."""
    item["metadata"].pop("managedFields", None)
    if item["kind"] == "Secret":
        item["data"] = dict.fromkeys(item.get("data", {}), "")
    return item


def _belongs(item: Json) -> bool:
    """KubeChat's objects; events live for an hour."""
    meta = item["metadata"]
    if item["kind"] == "Event":
        seen = item["lastTimestamp"] or item["eventTime"] or meta["creationTimestamp"]
        if datetime.fromisoformat(seen[:19] + "+00:00") < NOW - timedelta(hours=1):
            return False
    if item["kind"] == "Namespace":
        return meta["name"] in (*NAMESPACES, "default", "kube-system")
    return meta.get("namespace", "") in NAMESPACES and meta["name"] != "kube-root-ca.crt"


def _save(path: Path, items: list[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    body = {"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": "", "selfLink": ""}, "items": items}
    path.write_text(json.dumps(body, separators=(",", ":")) + "\n")


asyncio.run(record(Path(sys.argv[1]), sys.argv[2]))
