"""Containers that end: why, in the runtime's words and their own."""

from typing import Any

import pytest

from responder.detectors import containers
from responder.model.finding import Confidence
from tests.detectors import cases

KILLED = (
    "Failed to create pod sandbox: rpc error: runc create failed: unable to start container process: "
    "container init was OOM-killed (memory limit too low?): unknown"
)


def pod(state: dict[str, Any], ready: bool = False) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "cart-0", "namespace": cases.NAMESPACE, "uid": "u"},
        "spec": {"nodeName": "one", "containers": [{"name": "server", "resources": {"limits": {"memory": "5Mi"}}}]},
        "status": {
            "phase": "Pending",
            "conditions": [{"type": "Ready", "status": str(ready)}],
            "containerStatuses": [{"name": "server", "ready": ready, "restartCount": 0, "state": state}],
        },
    }


def event(message: str, kind: str = "Warning") -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "e", "namespace": cases.NAMESPACE},
        "involvedObject": {"kind": "Pod", "name": "cart-0", "namespace": cases.NAMESPACE, "uid": "u"},
        "type": kind,
        "reason": "FailedCreatePodSandBox",
        "message": message,
    }


@pytest.mark.parametrize(
    "given",
    [
        [pod({"waiting": {"reason": "ContainerCreating"}}), event(KILLED)],
        [pod({"waiting": {"reason": "RunContainerError", "message": KILLED}})],
    ],
    ids=["an event says so", "the state says so"],
)
def test_a_limit_too_low_to_start_with_is_named(given: list[dict[str, Any]]) -> None:
    (finding,) = cases.findings(containers.detect, cases.case(given))
    assert (finding.cause, finding.confidence) == ("oom-killed", Confidence.CERTAIN)
    assert "5Mi before its container has started" in finding.headline


@pytest.mark.parametrize(
    "given",
    [
        [pod({"waiting": {"reason": "ContainerCreating"}})],
        [pod({"waiting": {"reason": "ContainerCreating"}}), event("network is not ready")],
        [pod({"running": {}}, ready=True), event(KILLED)],
    ],
    ids=["nothing is said", "something else", "it runs by now"],
)
def test_other_troubles_at_the_start_are_not_the_memory(given: list[dict[str, Any]]) -> None:
    assert cases.findings(containers.detect, cases.case(given)) == []
