"""What a case has without saying so: nodes, the system's pods, healthy workloads, and the noise of a living cluster."""

from pathlib import Path

import yaml

from tests.exam import events
from tests.exam.cluster import Cluster
from tests.exam.controllers import deploy
from tests.exam.description import Description, Raw
from tests.exam.workloads import WORKERS

BYSTANDERS: list[Raw] = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
SYSTEM = "kube-system"

CNI: dict[str, Raw] = {
    "calico": {"name": "calico-node", "image": "docker.io/calico/node:v3.28.2", "labels": {"k8s-app": "calico-node"}},
    "cilium": {"name": "cilium", "image": "quay.io/cilium/cilium:v1.16.3", "labels": {"k8s-app": "cilium"}},
    "flannel": {"name": "kube-flannel-ds", "image": "ghcr.io/flannel-io/flannel:v0.26.1", "labels": {"app": "flannel"}},
    "aws": {
        "name": "aws-node",
        "image": "602401143452.dkr.ecr.eu-west-1.amazonaws.com/amazon-k8s-cni:v1.18.5",
        "labels": {"k8s-app": "aws-node"},
    },
}
_SYSTEM_PODS: list[Raw] = [
    {
        "name": "coredns",
        "image": "registry.k8s.io/coredns/coredns:v1.11.3",
        "labels": {"k8s-app": "kube-dns"},
        "replicas": 2,
        "log": ".:53\nCoreDNS-1.11.3\n[INFO] plugin/reload: Running configuration SHA512 = 591cf328cccc12bc",
    },
    {
        "name": "kube-proxy",
        "kind": "DaemonSet",
        "image": "registry.k8s.io/kube-proxy:v1.31.4",
        "labels": {"k8s-app": "kube-proxy"},
        "log": 'I$KLOG       1 server_linux.go:132] "Using iptables Proxier"',
    },
    {
        "name": "metrics-server",
        "image": "registry.k8s.io/metrics-server/metrics-server:v0.7.2",
        "labels": {"k8s-app": "metrics-server"},
        "log": "I$KLOG       1 secure_serving.go:213] Serving securely on [::]:10250",
    },
]
_HEALTH = {
    "MemoryPressure": ("False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    "DiskPressure": ("False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    "PIDPressure": ("False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    "Ready": ("True", "KubeletReady", "kubelet is posting ready status"),
}


def nodes(cluster: Cluster, version: str) -> None:
    """A control plane and three workers."""
    for number, name in enumerate(("cp-1", *WORKERS)):
        plane = name == "cp-1"
        labels = {"kubernetes.io/hostname": name, "kubernetes.io/arch": "amd64", "kubernetes.io/os": "linux"}
        labels["topology.kubernetes.io/zone"] = f"eu-west-1{'aabc'[number]}"
        role = "control-plane" if plane else "worker"
        taint = {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}
        cluster.add(
            "Node",
            name,
            age="120d",
            metadata={"labels": {**labels, f"node-role.kubernetes.io/{role}": ""}},
            spec={"podCIDR": f"10.244.{number}.0/24", **({"taints": [taint]} if plane else {})},
            status={
                "addresses": [
                    {"type": "InternalIP", "address": f"172.18.0.{number + 2}"},
                    {"type": "Hostname", "address": name},
                ],
                "capacity": {"cpu": "8", "memory": "32Gi", "pods": "110", "ephemeral-storage": "100Gi"},
                "allocatable": {"cpu": "7800m", "memory": "30Gi", "pods": "110", "ephemeral-storage": "90Gi"},
                "conditions": [
                    {
                        "type": kind,
                        "status": status,
                        "reason": reason,
                        "message": message,
                        "lastHeartbeatTime": cluster.at("40s"),
                        "lastTransitionTime": cluster.at("40d"),
                    }
                    for kind, (status, reason, message) in _HEALTH.items()
                ],
                "nodeInfo": {
                    "architecture": "amd64",
                    "operatingSystem": "linux",
                    "osImage": "Ubuntu 22.04.5 LTS",
                    "kernelVersion": "5.15.0-125-generic",
                    "containerRuntimeVersion": "containerd://1.7.23",
                    "kubeletVersion": version,
                    "kubeProxyVersion": version,
                },
            },
        )
        usage = {"cpu": f"{900 + number * 310}m", "memory": f"{9 + number * 2}Gi"}
        cluster.add("NodeMetrics", name, age="30s", timestamp=cluster.at("30s"), window="20s", usage=usage)


def system(cluster: Cluster, case: Description) -> None:
    """Namespaces, DNS, proxy and network; a workload of the case with the same name takes a pod's place."""
    for name in ("default", SYSTEM, case.namespace):
        label = {"labels": {"kubernetes.io/metadata.name": name}}
        cluster.add("Namespace", name, age="200d", metadata=label, status={"phase": "Active"})
    own = {item["name"] for item in case.workloads if item.get("namespace", case.namespace) == SYSTEM}
    network = {"kind": "DaemonSet", "log": "I$KLOG       1 main.go:110] healthy", **CNI[case.cni]}
    for item in (*_SYSTEM_PODS, network):
        if item["name"] not in own:
            deploy(cluster, SYSTEM, {**item, "age": "60d"})
    ports = [{"name": f"dns{end}", "port": 53, "protocol": kind} for end, kind in (("", "UDP"), ("-tcp", "TCP"))]
    service = {"clusterIP": "10.96.0.10", "selector": {"k8s-app": "kube-dns"}, "ports": ports, "type": "ClusterIP"}
    cluster.add("Service", "kube-dns", SYSTEM, age="120d", spec=service)
    cluster.add(
        "StorageClass",
        "standard",
        age="120d",
        metadata={"annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
        provisioner="csi.storage.example.com",
        reclaimPolicy="Delete",
        volumeBindingMode="WaitForFirstConsumer",
        allowVolumeExpansion=True,
    )
    cluster.add("ServiceAccount", "default", case.namespace, age="200d")
    cluster.add("ConfigMap", "kube-root-ca.crt", case.namespace, age="200d", data={"ca.crt": ""})


def bystanders(cluster: Cluster, case: Description) -> None:
    """Healthy workloads in the namespace: another choice for each case."""
    taken = {item["name"] for item in case.workloads}
    choice = [item for item in BYSTANDERS if item["name"] not in taken]
    start = case.number * 5
    for item in (choice[(start + number) % len(choice)] for number in range(min(case.around, len(choice)))):
        deploy(cluster, case.namespace, {"age": "12d", **item})


def noise(cluster: Cluster) -> None:
    """What is said in any cluster and means nothing: it is about nodes that are well, or is over."""
    node = cluster.get("Node", "", "worker-2")
    limits = "Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: "
    for pod in cluster.all("Pod")[:2]:
        event = {"reason": "DNSConfigForming", "message": limits + "10.0.0.2 10.0.0.3 1.1.1.1", "count": 41}
        events.record(cluster, pod, {**event, "first": "55m"}, {"NODE": pod["spec"].get("nodeName", "")})
    synced = {"reason": "RegisteredNode", "type": "Normal", "from": "node-controller", "first": "50m"}
    message = "Node worker-2 event: Registered Node worker-2 in Controller"
    events.record(cluster, node, {**synced, "message": message}, {})
