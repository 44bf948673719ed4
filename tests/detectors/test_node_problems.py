"""Conditions that others than the kubelet set on a node are read as they are meant."""

from typing import Any

import pytest

from responder.detectors import node_problems
from responder.model.finding import Confidence
from tests.detectors.cases import case, findings


def node(kind: str, status: str, reason: str, message: str = "") -> dict[str, Any]:
    conditions = [
        {"type": "Ready", "status": "True", "reason": "KubeletReady"},
        {"type": kind, "status": status, "reason": reason, "message": message},
    ]
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "worker-1"}, "status": {"conditions": conditions}}


@pytest.mark.parametrize(
    ("kind", "reason", "message", "cause"),
    [
        ("ReadonlyFilesystem", "FilesystemIsReadOnly", "Remounting filesystem read-only", "node-filesystem-read-only"),
        ("KernelDeadlock", "DockerHung", "task docker:1234 blocked for more than 120 seconds.", "node-problem"),
        ("FrequentKubeletRestart", "FrequentKubeletRestart", "Found 6 matching logs", "node-problem"),
    ],
)
def test_what_a_watcher_reports_is_certain_and_quoted(kind: str, reason: str, message: str, cause: str) -> None:
    (finding,) = findings(node_problems.detect, case([node(kind, "True", reason, message)]))
    assert (finding.cause, str(finding.subject)) == (cause, "node/worker-1")
    assert finding.confidence is Confidence.CERTAIN
    assert kind in finding.headline
    assert message in finding.headline


@pytest.mark.parametrize(
    ("kind", "status", "reason"),
    [
        ("ReadonlyFilesystem", "False", "FilesystemIsNotReadOnly"),
        ("KernelDeadlock", "False", "KernelHasNoDeadlock"),
        ("FrequentKubeletRestart", "False", "NoFrequentKubeletRestart"),
        ("CiliumReady", "True", "CiliumIsUp"),
        ("MemoryPressure", "True", "KubeletHasInsufficientMemory"),
    ],
)
def test_what_is_well_and_what_the_kubelet_says_itself_are_no_such_problem(kind: str, status: str, reason: str) -> None:
    assert not findings(node_problems.detect, case([node(kind, status, reason)]))
