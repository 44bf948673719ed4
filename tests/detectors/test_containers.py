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


def try_of(job: str, *, restarts: int = 0) -> dict[str, Any]:
    """A failed pod of a job."""
    ended = {"terminated": {"exitCode": 1, "reason": "Error", "finishedAt": "2026-03-01T00:00:00Z"}}
    made = pod(ended)
    made["metadata"] |= {"name": f"{job}-x", "ownerReferences": [{"kind": "Job", "name": job, "controller": True}]}
    made["status"]["phase"] = "Failed"
    made["status"]["containerStatuses"][0] |= {"restartCount": restarts, "lastState": ended if restarts else {}}
    return made


def job_of(name: str, condition: str, *, started: str, cron: str = "") -> dict[str, Any]:
    """A job that came to an end."""
    owners = [{"kind": "CronJob", "name": cron, "controller": True}] if cron else []
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": cases.NAMESPACE, "ownerReferences": owners},
        "status": {"startTime": started, "conditions": [{"type": condition, "status": "True"}]},
    }


@pytest.mark.parametrize(
    "jobs",
    [
        [job_of("import", "Complete", started="2026-03-01T00:00:00Z")],
        [
            job_of("import", "Failed", started="2026-03-01T00:00:00Z", cron="imports"),
            job_of("import-2", "Complete", started="2026-03-01T01:00:00Z", cron="imports"),
        ],
    ],
    ids=["it completed", "a later run did"],
)
def test_the_failed_tries_of_a_job_that_came_to_a_good_end_are_no_trouble(jobs: list[dict[str, Any]]) -> None:
    assert cases.findings(containers.detect, cases.case([try_of("import"), *jobs])) == []


@pytest.mark.parametrize("restarts", [0, 3])
def test_a_job_is_given_commands_that_work(restarts: int) -> None:
    seen = cases.case([try_of("import", restarts=restarts), job_of("import", "Failed", started="2026-03-01T00:00:00Z")])
    (finding,) = cases.findings(containers.detect, seen)
    assert finding.cause == ("crash-loop" if restarts else "container-failed")
    assert finding.next_steps == (
        f"kubectl -n {cases.NAMESPACE} logs import-x -c server" + " --previous" * bool(restarts),
    )


def test_the_memory_of_a_job_is_not_set_by_a_command() -> None:
    killed = try_of("import")
    killed["status"]["containerStatuses"][0]["state"]["terminated"]["reason"] = "OOMKilled"
    (finding,) = cases.findings(containers.detect, cases.case([killed]))
    assert finding.next_steps == (f"kubectl -n {cases.NAMESPACE} top pod import-x --containers",)
