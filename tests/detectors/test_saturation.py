"""Processor and memory that are used up."""

from typing import Any

import pytest

from responder.detectors import saturation
from tests.detectors.cases import case, cleared, findings, recorded


def using(objects: list[dict[str, Any]], **usage: str) -> list[dict[str, Any]]:
    """The objects, with the usage of every container of the gateway changed."""
    for item in objects:
        if item["kind"] == "PodMetrics" and item["metadata"]["name"].startswith("api-gateway"):
            for container in item["containers"]:
                container["usage"] |= usage
    return objects


def test_a_workload_at_its_cpu_limit_is_throttled_and_its_autoscaler_is_named() -> None:
    (finding,) = findings(saturation.detect, case(recorded("high_response_time")))
    assert finding.cause == "cpu-throttling"
    assert str(finding.subject) == "deployment/api-gateway"
    assert "5 of 5 pods" in finding.headline
    assert "maximum of 5" in finding.headline
    assert any("maxReplicas" in step for step in finding.next_steps)


def test_a_healthy_cluster_is_cleared() -> None:
    healthy = case(recorded("high_response_time", "healthy"))
    assert not findings(saturation.detect, healthy)
    assert cleared(saturation.detect, healthy)


@pytest.mark.parametrize(("used", "said"), [("480Mi", False), ("511Mi", True)])
def test_memory_near_the_limit_is_said(used: str, said: bool) -> None:
    objects = using(recorded("high_response_time", "healthy"), memory=used)
    causes = [finding.cause for finding in findings(saturation.detect, case(objects))]
    assert ("memory-near-limit" in causes) is said


def test_without_metrics_nothing_is_claimed() -> None:
    objects = [item for item in recorded("high_response_time") if item["kind"] != "PodMetrics"]
    assert list(saturation.detect(case(objects))) == []


def test_a_node_without_processor_left_is_said_with_who_runs_there() -> None:
    objects = recorded("high_response_time", "healthy")
    for item in objects:
        if item["kind"] == "NodeMetrics":
            item["usage"]["cpu"] = "400"
    causes = {(finding.cause, finding.subject.kind) for finding in findings(saturation.detect, case(objects))}
    assert causes == {("node-cpu-saturated", "Node")}
