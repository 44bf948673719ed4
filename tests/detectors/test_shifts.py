"""Metrics that changed: who burns CPU, and where calls became slow first."""

from datetime import timedelta

import pytest

from responder.demo.clusters import RECORDED_AT
from responder.detectors import Case, shifts
from responder.model.evidence import Chart, Evidence, EvidenceStatus, Series
from responder.model.finding import Confidence
from tests.detectors import cases
from tests.makers import evidence

THROTTLED = "rate(container_cpu_cfs_throttled_seconds_total[1m])"
CPU = "rate(container_cpu_usage_seconds_total[1m])"
LATENCY = "istio_request_duration_milliseconds"


def workload(name: str, calls: str = "") -> list[dict[str, object]]:
    """A deployment with its service, and what it is told to call."""
    labels = {"app": name}
    variables = [{"name": "BACKEND_ADDR", "value": f"{calls}:8080"}] if calls else []
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "server", "env": variables}]}}
    place = {"name": name, "namespace": cases.NAMESPACE}
    pod = {"name": f"{name}-5f6d7c8b9-abcde", "namespace": cases.NAMESPACE, "labels": labels}
    return [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": place,
            "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": place,
            "spec": {"selector": labels, "ports": [{"port": 8080}]},
        },
        {"apiVersion": "v1", "kind": "Pod", "metadata": pod, "spec": template["spec"], "status": {"phase": "Running"}},
    ]


def course(before: float, after: float, **labels: str) -> Series:
    """Ten minutes, of which the last four are as bad as given."""
    end = RECORDED_AT.timestamp()
    points = tuple((end - 15 * at, after if at < 16 else before) for at in range(40, -1, -1))
    return Series(labels={"namespace": cases.NAMESPACE, **labels}, points=points)


def chart(query: str, *series: Series, unit: str = "") -> Chart:
    start = RECORDED_AT - timedelta(minutes=15)
    return Chart(query=query, unit=unit, series=series, start=start, end=RECORDED_AT)


def shop(**charts: Chart) -> Case:
    """A front that calls a cart, which calls a store."""
    objects = [*workload("front", "cart"), *workload("cart", "store"), *workload("store")]
    case = cases.case(objects)
    seen = {name: evidence(name, shape) for name, shape in charts.items()}
    return Case(case.target, case.alerts, case.started_at, case.now, {**case.evidence, **seen})


def of_workload(before: float, after: float, name: str) -> Series:
    return course(before, after, destination_workload=name)


def test_a_workload_that_burns_cpu_until_it_is_throttled_is_named() -> None:
    pod = "cart-5f6d7c8b9-abcde"
    case = shop(
        throttled=chart(THROTTLED, course(0.01, 0.6, pod=pod), course(0.0, 0.01, pod="store-5f6d7c8b9-abcde")),
        cpu=chart(CPU, course(0.02, 0.2, pod=pod), unit="cores"),
        latency=chart(LATENCY, of_workload(5, 90, "cart"), of_workload(20, 110, "front"), unit="milliseconds"),
    )
    (finding,) = cases.findings(shifts.detect, case)
    assert (finding.cause, str(finding.subject), finding.confidence) == (
        "pod-cpu-overload",
        "pod/" + pod,
        Confidence.LIKELY,
    )
    assert "60 % of the time" in finding.headline
    assert set(finding.evidence) == {"throttled", "cpu", "latency"}


def test_of_slow_calls_the_last_in_the_chain_is_named() -> None:
    case = shop(
        latency=chart(
            LATENCY,
            of_workload(20, 900, "front"),
            of_workload(9, 850, "cart"),
            of_workload(3, 800, "store"),
            unit="milliseconds",
        )
    )
    (finding,) = cases.findings(shifts.detect, case)
    assert (finding.cause, str(finding.subject)) == ("pod-network-delay", "deployment/store")
    assert finding.confidence is Confidence.POSSIBLE
    assert {str(item) for item in finding.suffering} == {"deployment/front", "deployment/cart"}


@pytest.mark.parametrize(
    "charts",
    [
        {"throttled": chart(THROTTLED, course(0.3, 0.5, pod="cart-5f6d7c8b9-abcde"))},
        {"throttled": chart(THROTTLED, course(0.01, 0.1, pod="cart-5f6d7c8b9-abcde"))},
        {"latency": chart(LATENCY, of_workload(3, 20, "store"), unit="milliseconds")},
        {"latency": chart(LATENCY, of_workload(500, 900, "store"), unit="milliseconds")},
        {"latency": chart(LATENCY, of_workload(3, 900, "elsewhere"), unit="milliseconds")},
        {"other": chart("up", course(0, 1, pod="cart-5f6d7c8b9-abcde"))},
    ],
    ids=[
        "always throttled",
        "hardly throttled",
        "a few milliseconds",
        "always slow",
        "unknown workload",
        "other metric",
    ],
)
def test_what_is_as_usual_or_too_small_is_no_finding(charts: dict[str, Chart]) -> None:
    assert cases.findings(shifts.detect, shop(**charts)) == []


def test_slow_calls_to_pods_of_one_node_alone_are_blamed_on_the_node() -> None:
    objects = [*workload("front"), *workload("cart"), *workload("store")]
    for item in objects:
        if item["kind"] == "Pod":
            item["spec"] = {**item["spec"], "nodeName": "one" if "front" not in item["metadata"]["name"] else "two"}  # type: ignore[dict-item, index]
    objects += [{"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}} for name in ("one", "two")]
    for item in objects:
        if item["kind"] == "Pod":
            name = str(item["metadata"]["name"]).split("-")[0]  # type: ignore[index]
            item["metadata"]["ownerReferences"] = [  # type: ignore[index]
                {"kind": "Deployment", "name": name, "controller": True, "apiVersion": "apps/v1"}
            ]
    case = cases.case(objects, whole=("Pod", "Deployment", "Service"))
    told = [of_workload(3, 200, "cart"), of_workload(3, 300, "store"), of_workload(5, 5, "front")]
    seen = {"latency": evidence("latency", chart(LATENCY, *told, unit="milliseconds"))}
    first, *_ = cases.findings(
        shifts.detect, Case(case.target, case.alerts, case.started_at, case.now, {**case.evidence, **seen})
    )
    assert (first.cause, str(first.subject)) == ("node-network-delay", "node/one")
    assert first.confidence is Confidence.POSSIBLE


def test_one_outlier_is_no_shift() -> None:
    points = tuple((at, 900.0 if number == 30 else 3.0) for number, (at, _) in enumerate(course(0, 0).points))
    one = Series(labels={"namespace": cases.NAMESPACE, "destination_workload": "store"}, points=points)
    assert cases.findings(shifts.detect, shop(latency=chart(LATENCY, one, unit="milliseconds"))) == []


def test_calm_metrics_are_cleared() -> None:
    case = shop(latency=chart(LATENCY, of_workload(3, 3, "store"), of_workload(9, 9, "cart"), unit="milliseconds"))
    assert cases.cleared(shifts.detect, case) == ["shifts of CPU and latency (2 workloads as before)"]


@pytest.mark.parametrize("status", [EvidenceStatus.ERROR, EvidenceStatus.DENIED, EvidenceStatus.EMPTY])
def test_without_an_answer_nothing_is_said(status: EvidenceStatus) -> None:
    case = shop()
    silent = Evidence(id="latency", probe="prometheus.range", status=status, summary="", at=RECORDED_AT)
    assert list(shifts.detect(Case(case.target, case.alerts, case.started_at, case.now, {"latency": silent}))) == []


def test_a_series_too_short_to_tell_says_nothing() -> None:
    short = Series(
        labels={"namespace": cases.NAMESPACE, "destination_workload": "store"}, points=((0.0, 1.0), (15.0, 9.0))
    )
    assert list(shifts.detect(shop(latency=chart(LATENCY, short)))) == []


def test_points_without_a_number_do_not_move_the_beginning() -> None:
    whole = of_workload(3, 900, "store")
    gaps = Series(labels=whole.labels, points=tuple((at - 3600, float("nan")) for at, _ in whole.points) + whole.points)
    found = [
        cases.findings(shifts.detect, shop(latency=chart(LATENCY, series, unit="milliseconds")))[0].since
        for series in (whole, gaps)
    ]
    assert found[0] == found[1]
