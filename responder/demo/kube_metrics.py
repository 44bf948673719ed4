"""What kube-state-metrics and cAdvisor say of the recorded objects, in their own metric names."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from responder.demo.behaviour import Behaviour
from responder.model.kubernetes import quantity

Objects = Mapping[str, Any]
MIB = 1024 * 1024
SECONDS_A_RESTART = 2.0
PERIODS_A_SECOND = 10.0


def state(objects: Objects, behaviour: Behaviour, age: float) -> Iterator[Metric]:
    """kube-state-metrics. The recorded restarts happen one after the other, from `age` 0 on."""
    yield from _workloads(objects)
    yield from _autoscalers(objects)
    yield from _pods(objects)
    yield from _containers(objects, age if behaviour.restarts else 0.0)


def _workloads(objects: Objects) -> Iterator[Metric]:
    wanted = _gauge("kube_deployment_spec_replicas", "namespace", "deployment")
    ready = _gauge("kube_deployment_status_replicas_ready", "namespace", "deployment")
    available = _gauge("kube_deployment_status_replicas_available", "namespace", "deployment")
    missing = _gauge("kube_deployment_status_replicas_unavailable", "namespace", "deployment")
    for item in objects["deployments"]:
        labels = [item["metadata"]["namespace"], item["metadata"]["name"]]
        wanted.add_metric(labels, item["spec"]["replicas"])
        ready.add_metric(labels, item["status"].get("readyReplicas", 0))
        available.add_metric(labels, item["status"].get("availableReplicas", 0))
        missing.add_metric(labels, item["status"].get("unavailableReplicas", 0))
    yield from (wanted, ready, available, missing)
    sets = _gauge("kube_statefulset_replicas", "namespace", "statefulset")
    sets_ready = _gauge("kube_statefulset_status_replicas_ready", "namespace", "statefulset")
    for item in objects["statefulsets"]:
        labels = [item["metadata"]["namespace"], item["metadata"]["name"]]
        sets.add_metric(labels, item["spec"]["replicas"])
        sets_ready.add_metric(labels, item["status"].get("readyReplicas", 0))
    yield from (sets, sets_ready)


def _autoscalers(objects: Objects) -> Iterator[Metric]:
    current = _gauge("kube_horizontalpodautoscaler_status_current_replicas", "namespace", "horizontalpodautoscaler")
    maximum = _gauge("kube_horizontalpodautoscaler_spec_max_replicas", "namespace", "horizontalpodautoscaler")
    for item in objects["horizontalpodautoscalers"]:
        labels = [item["metadata"]["namespace"], item["metadata"]["name"]]
        current.add_metric(labels, item["status"].get("currentReplicas", 0))
        maximum.add_metric(labels, item["spec"]["maxReplicas"])
    yield from (current, maximum)


def _pods(objects: Objects) -> Iterator[Metric]:
    ready = _gauge("kube_pod_status_ready", "namespace", "pod", "condition")
    phase = _gauge("kube_pod_status_phase", "namespace", "pod", "phase")
    labels = _gauge("kube_pod_labels", "namespace", "pod", "label_app", "label_tier")
    for pod in objects["pods"]:
        meta = pod["metadata"]
        name = [meta["namespace"], meta["name"]]
        conditions = {each["type"]: each["status"] for each in pod["status"]["conditions"]}
        for value in ("true", "false", "unknown"):
            ready.add_metric([*name, value], int(conditions.get("Ready", "").lower() == value))
        for value in ("Pending", "Running", "Succeeded", "Failed", "Unknown"):
            phase.add_metric([*name, value], int(pod["status"]["phase"] == value))
        labels.add_metric([*name, meta["labels"].get("app", ""), meta["labels"].get("tier", "")], 1)
    yield from (ready, phase, labels)


def _containers(objects: Objects, age: float) -> Iterator[Metric]:
    place = ("namespace", "pod", "container")
    restarts = CounterMetricFamily("kube_pod_container_status_restarts", "Restarts.", labels=place)
    waiting = _gauge("kube_pod_container_status_waiting_reason", *place, "reason")
    ended = _gauge("kube_pod_container_status_last_terminated_reason", *place, "reason")
    limits = _gauge("kube_pod_container_resource_limits", *place, "node", "resource", "unit")
    requests = _gauge("kube_pod_container_resource_requests", *place, "node", "resource", "unit")
    for pod, spec, status in _each_container(objects):
        labels = [pod["metadata"]["namespace"], pod["metadata"]["name"], spec["name"]]
        restarts.add_metric(labels, min(status.get("restartCount", 0), int(age / SECONDS_A_RESTART)))
        if reason := (status.get("state", {}).get("waiting") or {}).get("reason"):
            waiting.add_metric([*labels, reason], 1)
        if reason := (status.get("lastState", {}).get("terminated") or {}).get("reason"):
            ended.add_metric([*labels, reason], 1)
        for family, kind in ((limits, "limits"), (requests, "requests")):
            for resource, amount in spec.get("resources", {}).get(kind, {}).items():
                unit = "core" if resource == "cpu" else "byte"
                place_of = [*labels, pod["spec"].get("nodeName", ""), resource, unit]
                family.add_metric(place_of, quantity(amount) or 0)
    yield from (restarts, waiting, ended, limits, requests)


class Usage:
    """cAdvisor's and the kubelet's view: CPU, throttling and memory of every running container, and volumes."""

    def __init__(self) -> None:
        self._seconds: dict[tuple[str, str, str], float] = defaultdict(float)
        self._periods: dict[tuple[str, str, str], float] = defaultdict(float)
        self._throttled: dict[tuple[str, str, str], float] = defaultdict(float)

    def advance(self, seconds: float, objects: Objects, behaviour: Behaviour) -> None:
        """Let time pass."""
        for key, cpu, _ in _used(objects):
            self._seconds[key] += cpu * seconds
            self._periods[key] += PERIODS_A_SECOND * seconds
            share = behaviour.throttled if key[2] == "api-gateway" else 0.01
            self._throttled[key] += PERIODS_A_SECOND * seconds * share

    def families(self, objects: Objects) -> Iterator[Metric]:
        """The metric families of the containers that run now."""
        place = ["namespace", "pod", "container"]
        seconds = CounterMetricFamily("container_cpu_usage_seconds", "CPU.", labels=place)
        periods = CounterMetricFamily("container_cpu_cfs_periods", "Periods.", labels=place)
        throttled = CounterMetricFamily("container_cpu_cfs_throttled_periods", "Throttled.", labels=place)
        memory = _gauge("container_memory_working_set_bytes", *place)
        bound = _gauge("container_spec_memory_limit_bytes", *place)
        limits = {
            (pod["metadata"]["namespace"], pod["metadata"]["name"], spec["name"]): quantity(
                spec.get("resources", {}).get("limits", {}).get("memory", "0")
            )
            for pod, spec, _ in _each_container(objects)
        }
        for key, _, used in _used(objects):
            seconds.add_metric(key, self._seconds[key])
            periods.add_metric(key, int(self._periods[key]))
            throttled.add_metric(key, int(self._throttled[key]))
            memory.add_metric(key, used)
            bound.add_metric(key, limits.get(key) or 0)
        yield from (seconds, periods, throttled, memory, bound)
        claim = ["kubechat-system", "data-postgres-0"]
        for name, size in (("capacity", 20 * 1024 * MIB), ("used", 7.4 * 1024 * MIB), ("available", 12.6 * 1024 * MIB)):
            volume = _gauge(f"kubelet_volume_stats_{name}_bytes", "namespace", "persistentvolumeclaim")
            volume.add_metric(claim, size)
            yield volume


def _each_container(objects: Objects) -> Iterator[tuple[Any, Any, Any]]:
    for pod in objects["pods"]:
        statuses = {each["name"]: each for each in pod["status"].get("containerStatuses", [])}
        for spec in pod["spec"]["containers"]:
            yield pod, spec, statuses.get(spec["name"], {})


def _used(objects: Objects) -> Iterator[tuple[tuple[str, str, str], float, float]]:
    for item in objects["podmetrics"]:
        for container in item["containers"]:
            key = (item["metadata"]["namespace"], item["metadata"]["name"], container["name"])
            yield key, quantity(container["usage"]["cpu"]) or 0, quantity(container["usage"]["memory"]) or 0


def _gauge(name: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, "As its exporter has it.", labels=labels)
