"""One suite over every Kubernetes client: a recorded case served as an API, and the same as a directory of files."""

import gzip
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from aiohttp import web

from responder.clients import Kubernetes
from responder.clients.kubernetes import LiveKubernetes
from responder.clients.snapshot import SnapshotKubernetes
from responder.clock import SystemClock
from responder.errors import Permanent, Reason
from responder.metrics import Metrics
from responder.settings import KubernetesSettings

pytestmark = pytest.mark.integration

CASE = "boutique/runtime/1"


@pytest.fixture(scope="module")
def cases(shared: Path) -> Path:
    """The folder of recorded cases and the server that plays them."""
    folder = shared / "opsbench"
    if not (folder / "kubesnap.py").exists():
        pytest.skip("no recorded cluster cases: opsbench/ is not there")
    return folder


@pytest.fixture(scope="module")
def case(cases: Path) -> dict[str, Any]:
    """One recorded case."""
    file = cases / "cases" / f"{CASE.replace('/', '-')}.json.gz"
    recorded: dict[str, Any] = json.loads(gzip.decompress(file.read_bytes()))
    return recorded


@pytest.fixture(params=["live", "snapshot"])
async def kubernetes(
    request: pytest.FixtureRequest, cases: Path, case: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Kubernetes]:
    """The case, through each client."""
    if request.param == "snapshot":
        write_files(case, tmp_path)
        yield SnapshotKubernetes("", tmp_path)
        return
    monkeypatch.syspath_prepend(str(cases))
    import kubesnap  # type: ignore[import-not-found]

    async for client in live(kubesnap, cases, tmp_path):
        yield client


async def live(kubesnap: ModuleType, cases: Path, folder: Path) -> AsyncIterator[Kubernetes]:
    """The live client of a server that plays the case."""
    runner = web.AppRunner(kubesnap.make_app([str(cases / "cases")], CASE))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "case",
        "contexts": [{"name": "case", "context": {"cluster": "case", "user": "case"}}],
        "clusters": [{"name": "case", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "case", "user": {"token": "any"}}],
    }
    (folder / "kubeconfig").write_text(json.dumps(config))
    settings = KubernetesSettings(kubeconfig=folder / "kubeconfig")
    client = LiveKubernetes("", settings, Metrics(), SystemClock())
    yield client
    await client.close()
    await runner.cleanup()
    sys.modules.pop("kubesnap", None)


def write_files(case: dict[str, Any], folder: Path) -> None:
    """The case as `kubectl get -o json` would print it, with its logs."""
    (folder / "all.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": case["objects"]}))
    (folder / "jobs.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": []}))
    for key, text in case["logs"].items():
        path, _, previous = key.partition(":")
        namespace, pod, container = path.split("/")
        target = folder / namespace / pod
        target.mkdir(parents=True, exist_ok=True)
        (target / f"{container}{'.previous' if previous else ''}.log").write_text(text)


@pytest.fixture
def namespace(case: dict[str, Any]) -> str:
    """Where the fault is."""
    return str(case["namespace"])


def recorded(case: dict[str, Any], kind: str, namespace: str = "") -> set[str]:
    """The names of the recorded objects of a kind."""
    return {
        item["metadata"]["name"]
        for item in case["objects"]
        if item["kind"] == kind and item["metadata"].get("namespace") in ({namespace} if namespace else {None})
    }


@pytest.mark.parametrize(
    ("resource", "kind"),
    [("pods", "Pod"), ("deployments.apps", "Deployment"), ("replicasets.apps", "ReplicaSet"), ("services", "Service")],
)
async def test_lists_a_namespace(
    kubernetes: Kubernetes, case: dict[str, Any], namespace: str, resource: str, kind: str
) -> None:
    found = await kubernetes.list(resource, namespace=namespace)
    assert {item["metadata"]["name"] for item in found.items} == recorded(case, kind, namespace)
    assert {item["kind"] for item in found.items} == {kind}
    assert all(item["apiVersion"] for item in found.items)
    assert not found.truncated


async def test_lists_what_has_no_namespace(kubernetes: Kubernetes, case: dict[str, Any]) -> None:
    found = await kubernetes.list("nodes")
    assert {item["metadata"]["name"] for item in found.items} == recorded(case, "Node")


async def test_lists_all_namespaces(kubernetes: Kubernetes) -> None:
    found = await kubernetes.list("pods")
    assert len({item["metadata"]["namespace"] for item in found.items}) > 1


async def test_a_list_of_nothing_is_empty(kubernetes: Kubernetes, namespace: str) -> None:
    assert (await kubernetes.list("jobs.batch", namespace=namespace)).items == []


async def test_selects_by_labels_and_fields(kubernetes: Kubernetes, namespace: str) -> None:
    pods = (await kubernetes.list("pods", namespace=namespace)).items
    app, node = pods[0]["metadata"]["labels"]["app"], pods[0]["spec"].get("nodeName", "")
    chosen = await kubernetes.list("pods", namespace=namespace, labels=f"app={app}", fields=f"spec.nodeName={node}")
    assert pods[0]["metadata"]["name"] in [item["metadata"]["name"] for item in chosen.items]
    others = await kubernetes.list("pods", namespace=namespace, labels=f"app notin ({app})")
    assert app not in {item["metadata"]["labels"].get("app") for item in others.items}
    warnings = await kubernetes.list("events", namespace=namespace, fields="type!=Normal")
    assert {item["type"] for item in warnings.items} == {"Warning"}


async def test_says_what_a_bound_left_out(kubernetes: Kubernetes, namespace: str) -> None:
    found = await kubernetes.list("pods", namespace=namespace, limit=2)
    assert len(found.items) == 2
    assert "more pods were not read" in found.truncated


async def test_gets_one_object(kubernetes: Kubernetes, case: dict[str, Any], namespace: str) -> None:
    name = min(recorded(case, "Deployment", namespace))
    found = await kubernetes.get("deployments.apps", name, namespace=namespace)
    assert (found["kind"], found["apiVersion"], found["metadata"]["name"]) == ("Deployment", "apps/v1", name)


@pytest.mark.parametrize("resource", ["pods", "deployments.apps", "certificates.cert-manager.io"])
async def test_what_is_not_there_is_not_found(kubernetes: Kubernetes, namespace: str, resource: str) -> None:
    with pytest.raises(Permanent) as caught:
        await kubernetes.get(resource, "absent", namespace=namespace)
    assert caught.value.reason is Reason.NOT_FOUND


async def test_a_missing_group_is_not_found(kubernetes: Kubernetes) -> None:
    with pytest.raises(Permanent) as caught:
        await kubernetes.list("pods.metrics.k8s.io")
    assert caught.value.reason is Reason.NOT_FOUND


async def test_a_bad_selector_is_refused(kubernetes: Kubernetes, namespace: str) -> None:
    with pytest.raises(Permanent) as caught:
        await kubernetes.list("pods", namespace=namespace, labels="app in web")
    assert caught.value.reason is Reason.BAD_REQUEST


async def test_reads_the_end_of_a_log(kubernetes: Kubernetes, case: dict[str, Any]) -> None:
    key, text = next((key, text) for key, text in case["logs"].items() if ":" not in key and text.count("\n") > 5)
    namespace, pod, container = key.split("/")
    read = await kubernetes.log(namespace, pod, container, tail=3)
    assert read.splitlines() == text.splitlines()[-3:]


async def test_a_log_of_a_pod_that_is_gone_is_not_found(kubernetes: Kubernetes, namespace: str) -> None:
    with pytest.raises(Permanent) as caught:
        await kubernetes.log(namespace, "absent", "server")
    assert caught.value.reason is Reason.NOT_FOUND


async def test_tells_the_version(kubernetes: Kubernetes) -> None:
    assert (await kubernetes.version()).startswith("v1.")


async def test_managed_fields_are_dropped(kubernetes: Kubernetes, namespace: str) -> None:
    for resource in ("pods", "deployments.apps", "configmaps"):
        for item in (await kubernetes.list(resource, namespace=namespace)).items:
            assert "managedFields" not in item["metadata"]


async def test_commands_are_those_of_kubectl(kubernetes: Kubernetes) -> None:
    assert kubernetes.kubectl("get", "pods", "-l", "a in (b)").endswith("get pods -l 'a in (b)'")
