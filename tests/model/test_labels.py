"""The subject of an alert is the broken thing, not the exporter that reports it."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from responder.model.clusters import ClusterLabels
from responder.model.labels import fingerprint, subject_of, target_of
from responder.model.subject import Target

STATE = {
    "job": "kube-state-metrics",
    "service": "prometheus-kube-state-metrics",
    "endpoint": "http",
    "instance": "10.244.0.3:8080",
    "container": "kube-state-metrics",
    "pod": "prometheus-kube-state-metrics-865d4cc775-rj5r5",
    "namespace": "monitoring",
}
NODE = {
    "job": "node-exporter",
    "service": "prometheus-node-exporter",
    "endpoint": "metrics",
    "container": "node-exporter",
    "pod": "prometheus-node-exporter-x7b2c",
    "namespace": "monitoring",
    "instance": "worker-1.example.org:9100",
}
KUBELET = {"job": "kubelet", "service": "kubelet", "endpoint": "https-metrics", "instance": "10.0.0.7:10250"}
PROBE = {
    "job": "blackbox",
    "service": "blackbox-exporter",
    "pod": "blackbox-exporter-5b4c-zzzzz",
    "namespace": "monitoring",
}


def shown(labels: dict[str, str]) -> str:
    """`Kind namespace/name (container)`, the empty parts left out."""
    found = subject_of(labels)
    place = f"{found.namespace}/{found.name}" if found.namespace else found.name
    return f"{found.kind} {place}{f' ({found.container})' if found.container else ''}".strip()


@pytest.mark.parametrize(
    ("labels", "subject"),
    [
        pytest.param({"deployment": "api", "namespace": "shop"}, "Deployment shop/api", id="deployment"),
        pytest.param({"statefulset": "db", "namespace": "shop"}, "StatefulSet shop/db", id="statefulset"),
        pytest.param({"daemonset": "agent", "namespace": "shop"}, "DaemonSet shop/agent", id="daemonset"),
        pytest.param({"cronjob": "backup", "namespace": "shop"}, "CronJob shop/backup", id="cronjob"),
        pytest.param({"job_name": "backup-1", "namespace": "shop"}, "Job shop/backup-1", id="job"),
        pytest.param({"horizontalpodautoscaler": "api", "namespace": "a"}, "HorizontalPodAutoscaler a/api", id="hpa"),
        pytest.param({"hpa": "api", "namespace": "a"}, "HorizontalPodAutoscaler a/api", id="old hpa"),
        pytest.param({"poddisruptionbudget": "api", "namespace": "a"}, "PodDisruptionBudget a/api", id="pdb"),
        pytest.param({"persistentvolumeclaim": "data", "namespace": "a"}, "PersistentVolumeClaim a/data", id="pvc"),
        pytest.param({"persistentvolume": "pvc-1", "namespace": "a"}, "PersistentVolume pvc-1", id="pv"),
        pytest.param({"resourcequota": "cpu", "namespace": "a"}, "ResourceQuota a/cpu", id="quota"),
        pytest.param({"ingress": "web", "namespace": "a"}, "Ingress a/web", id="ingress"),
        pytest.param({"node": "worker-1"}, "Node worker-1", id="node"),
        pytest.param({"nodename": "worker-1"}, "Node worker-1", id="nodename"),
        pytest.param({"pod": "api-0", "container": "app", "namespace": "a"}, "Pod a/api-0 (app)", id="pod"),
        pytest.param({"service": "api", "namespace": "a"}, "Service a/api", id="service"),
        pytest.param({"namespace": "a"}, "Namespace a/a", id="namespace"),
        pytest.param({"instance": "db.example.org:5432", "job": "postgres"}, "Instance db.example.org:5432", id="host"),
        pytest.param({"job": "prometheus"}, "ScrapeJob prometheus", id="job of a scrape"),
        pytest.param({"alertname": "X", "severity": "none"}, "Unknown", id="nothing"),
        pytest.param({}, "Unknown", id="no labels"),
    ],
)
def test_the_labels_of_an_object_name_it(labels: dict[str, str], subject: str) -> None:
    assert shown(labels) == subject


@pytest.mark.parametrize(
    ("labels", "subject"),
    [
        pytest.param(
            {"pod": "api-0", "deployment": "api", "namespace": "a"}, "Deployment a/api", id="deployment first"
        ),
        pytest.param({"node": "w1", "pod": "api-0", "namespace": "a"}, "Pod a/api-0", id="pod before its node"),
        pytest.param(
            {**KUBELET, "persistentvolumeclaim": "data", "namespace": "a", "node": "w1"},
            "PersistentVolumeClaim a/data",
            id="claim before node",
        ),
        pytest.param({"job_name": "b-1", "cronjob": "b", "namespace": "a"}, "CronJob a/b", id="cronjob above its job"),
        pytest.param({"pod": "api-0", "service": "api", "namespace": "a"}, "Pod a/api-0", id="pod before service"),
        pytest.param({"app": "api", "namespace": "a"}, "Application a/api", id="application before namespace"),
    ],
)
def test_the_most_specific_label_wins(labels: dict[str, str], subject: str) -> None:
    assert shown(labels) == subject


@pytest.mark.parametrize(
    ("labels", "subject"),
    [
        pytest.param(
            {**STATE, "daemonset": "agent", "namespace": "kube-system"}, "DaemonSet kube-system/agent", id="ds"
        ),
        pytest.param({**STATE, "node": "worker-1", "condition": "Ready"}, "Node worker-1", id="node condition"),
        pytest.param(
            {**STATE, "job_name": "b-1", "namespace": "a"}, "Job a/b-1", id="job is the scrape's, job_name not"
        ),
        pytest.param(
            {**STATE, "pod": "api-0", "container": "app", "namespace": "a", "uid": "b9cc"},
            "Pod a/api-0 (app)",
            id="labels honoured",
        ),
        pytest.param(
            {**STATE, "exported_pod": "api-0", "exported_container": "app", "exported_namespace": "a"},
            "Pod a/api-0 (app)",
            id="labels not honoured",
        ),
        pytest.param({**STATE, "exported_job": "x", "exported_namespace": "a"}, "Namespace a/a", id="vague"),
        pytest.param(
            {**STATE, "deployment": "api", "exported_namespace": "a"}, "Deployment a/api", id="exported place"
        ),
        pytest.param(
            {**STATE, "namespace": "monitoring", "uid": "b9cc"},
            "Pod monitoring/prometheus-kube-state-metrics-865d4cc775-rj5r5 (kube-state-metrics)",
            id="kube-state-metrics itself",
        ),
        pytest.param(
            {"job": "vm-ksm", "service": "vm-kube-state-metrics", "pod": "vm-kube-state-metrics-1", "node": "w1"},
            "Node w1",
            id="another name of the job",
        ),
        pytest.param(
            {**STATE, "service": "ksm", "pod": "ksm-865d4cc775-rj5r5", "container": "main", "node": "w1"},
            "Node w1",
            id="another name of the pod",
        ),
        pytest.param(
            {"job": "kube-state-metrics", "namespace": "monitoring", "service": "ksm"},
            "Service monitoring/ksm",
            id="down",
        ),
        pytest.param(
            {"pod": "prometheus-node-exporter-x7b2c", "container": "node-exporter", "namespace": "monitoring"},
            "Pod monitoring/prometheus-node-exporter-x7b2c (node-exporter)",
            id="an exporter's own trouble, the scrape's labels summed away",
        ),
    ],
)
def test_kube_state_metrics_is_not_what_it_reports(labels: dict[str, str], subject: str) -> None:
    assert shown(labels) == subject


@pytest.mark.parametrize(
    ("labels", "subject"),
    [
        pytest.param(NODE, "Node worker-1.example.org", id="host of the instance"),
        pytest.param({**NODE, "nodename": "worker-1"}, "Node worker-1", id="nodename"),
        pytest.param({**NODE, "node": "worker-1"}, "Node worker-1", id="node"),
        pytest.param({**NODE, "exported_node": "worker-2", "node": "worker-1"}, "Node worker-2", id="exported"),
        pytest.param({**NODE, "instance": "10.0.0.4:9100"}, "Node 10.0.0.4", id="address"),
        pytest.param({"job": "nodes", "instance": "worker-1"}, "Node worker-1", id="no port"),
        pytest.param({"job": "linux", "instance": "worker-1:9100"}, "Node worker-1", id="only the port tells"),
        pytest.param({"job": "integrations/unix", "instance": "worker-1"}, "Node worker-1", id="agent"),
        pytest.param(KUBELET, "Node 10.0.0.7", id="kubelet"),
        pytest.param({**KUBELET, "node": "worker-1"}, "Node worker-1", id="kubelet with node"),
        pytest.param(
            {**KUBELET, "pod": "api-0", "container": "app", "namespace": "a", "node": "w1"},
            "Pod a/api-0 (app)",
            id="cadvisor",
        ),
        pytest.param(
            {"job": "node-exporter", "namespace": "monitoring", "service": "node-exporter"},
            "Service monitoring/node-exporter",
            id="targets down",
        ),
    ],
)
def test_node_exporter_and_kubelet_stand_for_their_node(labels: dict[str, str], subject: str) -> None:
    assert shown(labels) == subject


@pytest.mark.parametrize(
    ("labels", "subject"),
    [
        pytest.param({**PROBE, "instance": "https://shop.example/"}, "Endpoint https://shop.example/", id="service"),
        pytest.param({"job": "blackbox", "instance": "shop.example:443"}, "Endpoint shop.example:443", id="address"),
        pytest.param({"job": "web", "instance": "http://a/"}, "Endpoint http://a/", id="only the address tells"),
        pytest.param(
            {"job": "probe/shop/web-blackbox", "namespace": "shop", "instance": "http://a/"},
            "Endpoint shop/http://a/",
            id="probe object",
        ),
        pytest.param(
            {"job": "redis", "pod": "redis-0", "container": "redis-exporter", "namespace": "a"},
            "Pod a/redis-0",
            id="exporter beside the server",
        ),
        pytest.param(
            {"job": "redis-exporter", "pod": "redis-exporter-5b4c", "app": "cart", "namespace": "a"},
            "Application a/cart",
            id="exporter in a pod of its own",
        ),
        pytest.param(
            {"job": "pushgateway", "pod": "pushgateway-5b4c", "exported_service": "billing", "namespace": "a"},
            "Service a/billing",
            id="pushed",
        ),
    ],
)
def test_other_exporters_stand_for_what_they_watch(labels: dict[str, str], subject: str) -> None:
    assert shown(labels) == subject


@pytest.mark.parametrize(
    ("labels", "subject"),
    [
        pytest.param({"pod_name": "api-0", "container_name": "app", "namespace": "a"}, "Pod a/api-0 (app)", id="old"),
        pytest.param({"kubernetes_pod_name": "api-0", "kubernetes_namespace": "a"}, "Pod a/api-0", id="annotations"),
        pytest.param({"k8s.pod.name": "api-0", "k8s.namespace.name": "a"}, "Pod a/api-0", id="OpenTelemetry"),
        pytest.param(
            {"k8s_deployment_name": "api", "k8s_namespace_name": "a", "k8s_container_name": "app", "k8s_pod_name": "p"},
            "Deployment a/api (app)",
            id="OpenTelemetry in Prometheus",
        ),
        pytest.param({"k8s.node.name": "w1"}, "Node w1", id="OpenTelemetry node"),
        pytest.param({"k8s.job.name": "b-1", "k8s.namespace.name": "a"}, "Job a/b-1", id="OpenTelemetry job"),
        pytest.param({"service.name": "checkout", "namespace": "a"}, "Service a/checkout", id="OpenTelemetry service"),
        pytest.param(
            {"workload": "api", "workload_type": "deployment", "namespace": "a"}, "Deployment a/api", id="mixin"
        ),
        pytest.param(
            {"workload": "api", "workload_type": "StatefulSet", "namespace": "a"}, "StatefulSet a/api", id="case"
        ),
        pytest.param({"workload": "api", "namespace": "a"}, "Namespace a/a", id="workload without its type"),
        pytest.param(
            {"owner_kind": "DaemonSet", "owner_name": "agent", "namespace": "a"}, "DaemonSet a/agent", id="owner"
        ),
        pytest.param({"created_by_kind": "Job", "created_by_name": "b-1", "namespace": "a"}, "Job a/b-1", id="creator"),
        pytest.param({"replicaset": "api-7d9f8b6c5d", "namespace": "a"}, "Deployment a/api", id="replica set"),
        pytest.param({"replicaset": "lonely", "namespace": "a"}, "ReplicaSet a/lonely", id="replica set of its own"),
        pytest.param(
            {"destination_workload": "api", "destination_workload_namespace": "a"}, "Deployment a/api", id="Istio"
        ),
        pytest.param({"app.kubernetes.io/name": "api", "namespace": "a"}, "Application a/api", id="recommended label"),
        pytest.param(
            {"app_kubernetes_io_name": "api", "namespace": "a"}, "Application a/api", id="as Prometheus has it"
        ),
        pytest.param(
            {"label_app_kubernetes_io_name": "api", "namespace": "a"}, "Application a/api", id="from the labels"
        ),
        pytest.param(
            {"k8s_app": "kube-dns", "namespace": "kube-system"}, "Application kube-system/kube-dns", id="k8s_app"
        ),
    ],
)
def test_other_spellings_are_understood(labels: dict[str, str], subject: str) -> None:
    assert shown(labels) == subject


@pytest.mark.parametrize(
    "value",
    [
        "whatever/promstack",
        "Shop",
        "-shop",
        "shop-",
        "a b",
        "",
        "x" * 300,
        "shop;rm -rf",
        "shöp",
        '"}) or up{a="',
        "../..",
    ],
)
def test_what_cannot_be_a_name_is_never_taken_for_one(value: str) -> None:
    names = ("namespace", "pod", "deployment", "node", "container", "job_name", "service", "app", "workload")
    labels = {**dict.fromkeys(names, value), "workload_type": "deployment"}
    assert shown(labels) == "Unknown"
    assert target_of(labels) == Target()


def test_an_impossible_name_leaves_the_next_one() -> None:
    assert (
        shown({"exported_namespace": "a/b", "namespace": "shop", "deployment": "NOT", "pod": "api-0"})
        == "Pod shop/api-0"
    )


@pytest.mark.parametrize(
    ("labels", "target"),
    [
        pytest.param(
            {"deployment": "api", "namespace": "a", "cluster": "eu-1"},
            Target(cluster="eu-1", namespace="a", workload="deployment/api"),
            id="workload",
        ),
        pytest.param(
            {"pod": "api-0", "container": "app", "namespace": "a", "node": "w1"},
            Target(namespace="a", pod="api-0", container="app", node="w1"),
            id="pod",
        ),
        pytest.param({**STATE, "node": "w1"}, Target(node="w1"), id="a node has no namespace"),
        pytest.param(
            {"node": "w1", "namespace": "a"},
            Target(namespace="a", node="w1"),
            id="a namespace of no exporter",
        ),
        pytest.param(
            {**STATE, "node": "w1", "exported_namespace": "a"},
            Target(namespace="a", node="w1"),
            id="a node and a namespace that is not the exporter's",
        ),
        pytest.param(NODE, Target(node="worker-1.example.org"), id="node-exporter"),
        pytest.param(
            {**STATE, "job_name": "b-1", "namespace": "a"}, Target(namespace="a", workload="job/b-1"), id="job"
        ),
        pytest.param(
            {"replicaset": "api-7d9f8b6c5d", "namespace": "a"},
            Target(namespace="a", workload="deployment/api"),
            id="rs",
        ),
        pytest.param({"replicaset": "lonely", "namespace": "a"}, Target(namespace="a"), id="lonely replica set"),
        pytest.param({"k8s.cluster.name": "eu-1"}, Target(cluster="eu-1"), id="OpenTelemetry"),
        pytest.param({"cluster": "arn:aws:eks:eu:1:cluster/x"}, Target(cluster="arn:aws:eks:eu:1:cluster/x"), id="arn"),
        pytest.param({"cluster": "a\nb"}, Target(), id="control characters"),
        pytest.param({"container": "app", "namespace": "a"}, Target(namespace="a"), id="a container of no pod"),
    ],
)
def test_the_target_is_where_to_look(labels: dict[str, str], target: Target) -> None:
    assert target_of(labels) == target


def test_the_cluster_is_told_by_the_label_that_is_set() -> None:
    assert target_of({"cluster": "a", "k8s_cluster": "b"}, ClusterLabels(("k8s_cluster",))).cluster == "b"


@given(st.dictionaries(st.sampled_from([*STATE, "deployment", "node", "uid", "exported_pod"]), st.text(max_size=20)))
def test_any_labels_have_a_subject_and_a_target(labels: dict[str, str]) -> None:
    subject, target = subject_of(labels), target_of(labels)
    assert subject.kind
    assert subject.name or subject.kind == "Unknown"
    assert target.namespace == "" or target.namespace in labels.values()


EXPECTED = {
    "22-vmalert-ksm-labels-leak-no-honorlabels": "DaemonSet kube-system/svclb-traefik-cfbcf9b2",
    "26-openshift-kubejobfailed-job-vs-job_name": "Job openshift-marketplace/fa8004602e11c23123aaoijdppl2310",
    "27-kubeprometheus-crashlooping-real": (
        "Pod default/payment-processing-worker-747ccfb9db-pd6wz (payment-processing-container)"
    ),
    "03-msteams-group-of-many-long-generatorurl": "Unknown",
    "29-kubeprometheus-watchdog-real": "Unknown",
}


@pytest.mark.parametrize("name", EXPECTED)
def test_real_alerts_name_what_is_broken(shared: Path, name: str) -> None:
    path = shared / "alertmanager" / "payloads" / f"{name}.json"
    labels = json.loads(path.read_text(encoding="utf-8"))["alerts"][0]["labels"]
    assert shown(labels) == EXPECTED[name]


def test_the_fingerprint_is_alertmanagers_own(shared: Path) -> None:
    path = shared / "alertmanager" / "payloads" / "27-kubeprometheus-crashlooping-real.json"
    alert = json.loads(path.read_text(encoding="utf-8"))["alerts"][0]
    assert fingerprint(alert["labels"]) == alert["fingerprint"]
