"""What the controllers make of services: an address, and the endpoints behind it."""

from tests.exam.cluster import Cluster
from tests.exam.description import Raw


def endpoints(cluster: Cluster) -> None:
    """Endpoints and EndpointSlices of every service with a selector."""
    for number, service in enumerate(cluster.all("Service")):
        spec = service["spec"]
        spec.setdefault("type", "ClusterIP")
        spec.setdefault("clusterIP", f"10.96.{number // 200 + 7}.{number % 200 + 20}")
        spec.setdefault("sessionAffinity", "None")
        service.setdefault("status", {"loadBalancer": {}})
        if spec.get("selector"):
            _endpoints_of(cluster, service)


def _endpoints_of(cluster: Cluster, service: Raw) -> None:
    metadata, selector = service["metadata"], service["spec"]["selector"].items()
    pods = [
        pod
        for pod in cluster.all("Pod")
        if pod["metadata"]["namespace"] == metadata["namespace"]
        and selector <= (pod["metadata"].get("labels") or {}).items()
        and pod["status"].get("podIP")
        and pod["status"]["phase"] not in ("Succeeded", "Failed")
    ]
    ready = [(pod, is_ready(pod)) for pod in pods]
    ports = [
        {"name": port.get("name", ""), "port": _target(port, pods), "protocol": port.get("protocol", "TCP")}
        for port in service["spec"].get("ports", ())
    ]
    subset = {
        key: [_address(pod) for pod, well in ready if well is good]
        for key, good in (("addresses", True), ("notReadyAddresses", False))
        if any(well is good for _, well in ready)
    }
    subsets = [{**subset, "ports": ports}] if subset else []
    name, namespace = metadata["name"], metadata["namespace"]
    cluster.add("Endpoints", name, namespace, metadata={"labels": metadata.get("labels", {})}, subsets=subsets)
    cluster.add(
        "EndpointSlice",
        f"{name}-{cluster.random(f'slice/{name}')}",
        namespace,
        metadata={"labels": {"kubernetes.io/service-name": name}},
        addressType="IPv4",
        ports=ports,
        endpoints=[
            {
                "addresses": [pod["status"]["podIP"]],
                "conditions": {"ready": well, "serving": well, "terminating": False},
                "nodeName": pod["spec"]["nodeName"],
                "targetRef": _address(pod)["targetRef"],
            }
            for pod, well in ready
        ],
    )


def is_ready(pod: Raw) -> bool:
    """Whether a pod's condition says so."""
    return any(item["type"] == "Ready" and item["status"] == "True" for item in pod["status"]["conditions"])


def _target(port: Raw, pods: list[Raw]) -> int:
    target = port.get("targetPort", port["port"])
    if isinstance(target, int):
        return target
    declared = (item for pod in pods for part in pod["spec"]["containers"] for item in part.get("ports", ()))
    return next((int(item["containerPort"]) for item in declared if item.get("name") == target), int(port["port"]))


def _address(pod: Raw) -> Raw:
    metadata = pod["metadata"]
    reference = {"kind": "Pod", "name": metadata["name"], "namespace": metadata["namespace"], "uid": metadata["uid"]}
    return {"ip": pod["status"]["podIP"], "nodeName": pod["spec"]["nodeName"], "targetRef": reference}
