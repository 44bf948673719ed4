"""`kubernetes.exec`: the pod that is chosen, and what its command says."""

from typing import Any

import pytest

from responder.clients import Clients, Execution
from responder.errors import Permanent, Reason
from responder.model.evidence import Observation
from responder.model.subject import Target
from responder.probes import Inquiry
from responder.probes.kubernetes_exec import KubernetesExec
from tests.fakes.clients import FailingHttp, FakeKubernetes
from tests.makers import NOW, alert

LABELS = {"app": "web"}
TARGET = Target(namespace="shop", workload="deployment/web")


def pod(name: str, ready: bool = True) -> dict[str, Any]:
    return {
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop", "labels": LABELS},
        "spec": {"initContainers": [{"name": "init"}], "containers": [{"name": "web"}, {"name": "sidecar"}]},
        "status": {"conditions": [{"type": "Ready", "status": str(ready)}]},
    }


DEPLOYMENT = {
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {"selector": {"matchLabels": LABELS}},
}


def cluster(*pods: dict[str, Any], **ended: Any) -> FakeKubernetes:
    return FakeKubernetes([DEPLOYMENT, *pods], execution=Execution(**{"code": 0, **ended}))


async def ask(kubernetes: FakeKubernetes, **options: Any) -> Observation:
    given = {"command": ("nc", "-z", "redis", "6379"), **options}
    asked = Inquiry(TARGET, (alert(),), NOW, NOW)
    return await KubernetesExec(**given).run(asked, Clients("", FailingHttp(), kubernetes))


async def test_a_ready_pod_of_the_workload_is_asked() -> None:
    kubernetes = cluster(pod("web-1", ready=False), pod("web-2"), stdout="open\n")
    seen = await ask(kubernetes)
    assert kubernetes.asked[-1] == "exec web-2/web: nc -z redis 6379"
    assert seen.summary == "nc in web-2: succeeded: open"
    assert (seen.value, seen.breached) == (0, False)


async def test_a_container_and_a_pod_can_be_named() -> None:
    kubernetes = cluster(pod("web-1"), pod("web-2"))
    seen = await ask(kubernetes, pod="web-1", container="sidecar")
    assert kubernetes.asked[-1].startswith("exec web-1/sidecar:")
    assert seen.empty


async def test_a_failing_command_and_one_that_does_not_start_are_told_apart() -> None:
    failed = await ask(cluster(pod("web-1"), code=1, stderr="timed out\n"))
    absent = await ask(cluster(pod("web-1"), code=None, error="executable file not found"))
    assert "exit code 1: timed out" in failed.summary
    assert (failed.breached, failed.value) == (True, 1)
    assert "did not run: executable file not found" in absent.summary
    assert (absent.breached, absent.value) == (True, None)


async def test_output_that_is_not_the_expected_is_said() -> None:
    seen = await ask(cluster(pod("web-1"), stdout="closed"), expect_output="^open")
    assert seen.breached
    assert "the output is not what it should be" in seen.summary


async def test_no_ready_pod_is_no_answer() -> None:
    with pytest.raises(Permanent, match="no pod of deployment/web is ready") as caught:
        await ask(cluster(pod("web-1", ready=False)))
    assert caught.value.reason is Reason.NOT_FOUND


async def test_what_the_settings_do_not_allow_is_said() -> None:
    kubernetes = cluster(pod("web-1"))
    kubernetes.execution = None
    with pytest.raises(Permanent) as caught:
        await ask(kubernetes)
    assert caught.value.reason is Reason.FORBIDDEN
