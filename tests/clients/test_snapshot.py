"""A directory of files as a cluster."""

import gzip
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from responder.clients.snapshot import SnapshotKubernetes
from responder.errors import Permanent, Reason, Temporary


def item(kind: str, name: str, namespace: str = "shop", version: str = "v1", **rest: Any) -> dict[str, Any]:
    """An object."""
    metadata = {"name": name, "namespace": namespace} if namespace else {"name": name}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **rest}


def save(folder: Path, name: str, *items: dict[str, Any], kind: str = "List") -> None:
    """Write a list as `kubectl get -o json` does."""
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    body = json.dumps({"apiVersion": "v1", "kind": kind, "items": items}).encode()
    (folder / name).write_bytes(gzip.compress(body) if name.endswith(".gz") else body)


@pytest.fixture
def snapshot(tmp_path: Path) -> SnapshotKubernetes:
    return SnapshotKubernetes("", tmp_path)


async def names(snapshot: SnapshotKubernetes, resource: str, **where: Any) -> list[str]:
    """The names in a list."""
    return [found["metadata"]["name"] for found in (await snapshot.list(resource, **where)).items]


async def test_objects_are_found_whatever_their_file_is_called(tmp_path: Path, snapshot: SnapshotKubernetes) -> None:
    save(tmp_path, "everything.json", item("Pod", "web-1"), item("Deployment", "web", version="apps/v1"))
    save(tmp_path, "more.json.gz", item("Node", "n1", ""))
    (tmp_path / "one.json").write_text(json.dumps(item("Ingress", "front", version="networking.k8s.io/v1")))
    assert await names(snapshot, "pods") == ["web-1"]
    assert await names(snapshot, "deployments.apps", namespace="shop") == ["web"]
    assert await names(snapshot, "deployments") == ["web"]
    assert await names(snapshot, "nodes") == ["n1"]
    assert await names(snapshot, "ingresses.networking.k8s.io") == ["front"]


async def test_any_version_of_a_group_will_do(tmp_path: Path, snapshot: SnapshotKubernetes) -> None:
    save(tmp_path, "hpas.json", item("HorizontalPodAutoscaler", "web", version="autoscaling/v2beta2"))
    assert await names(snapshot, "horizontalpodautoscalers.autoscaling") == ["web"]


async def test_metrics_and_custom_kinds_are_found(tmp_path: Path, snapshot: SnapshotKubernetes) -> None:
    save(
        tmp_path,
        "list.json",
        item("PodMetrics", "web-1", version="metrics.k8s.io/v1beta1"),
        item("Policy", "p", version="example.org/v1"),
        item("Gateway", "g", version="example.org/v1"),
    )
    assert await names(snapshot, "pods.metrics.k8s.io") == ["web-1"]
    assert await names(snapshot, "policies.example.org") == ["p"]
    assert await names(snapshot, "gateways") == ["g"]


async def test_what_the_files_do_not_hold_is_not_found_and_what_they_hold_none_of_is_empty(
    tmp_path: Path, snapshot: SnapshotKubernetes
) -> None:
    save(tmp_path, "jobs.json")
    assert await names(snapshot, "jobs.batch") == []
    with pytest.raises(Permanent, match="says nothing of secrets") as caught:
        await snapshot.list("secrets")
    assert caught.value.reason is Reason.NOT_FOUND


async def test_a_dump_knows_only_its_namespaces(tmp_path: Path, snapshot: SnapshotKubernetes) -> None:
    save(tmp_path, "shop/pods.json", item("Pod", "web-1"), kind="PodList")
    save(tmp_path, "nodes.json", item("Node", "n1", ""), kind="NodeList")
    assert await names(snapshot, "pods", namespace="shop") == ["web-1"]
    assert (await snapshot.list("pods")).truncated == "the snapshot has pods of shop only"
    with pytest.raises(Permanent, match="says nothing of pods in other"):
        await snapshot.list("pods", namespace="other")


async def test_objects_of_typed_lists_need_no_kind_of_their_own(tmp_path: Path, snapshot: SnapshotKubernetes) -> None:
    bare = {"metadata": {"name": "web-1", "namespace": "shop"}}
    save(tmp_path, "pods.json", bare, kind="PodList")
    assert (await snapshot.get("pods", "web-1", namespace="shop"))["kind"] == "Pod"


async def test_a_list_can_be_bounded(tmp_path: Path, snapshot: SnapshotKubernetes) -> None:
    save(tmp_path, "pods.json", *(item("Pod", f"web-{number}") for number in range(5)))
    found = await snapshot.list("pods", limit=2)
    assert (len(found.items), found.truncated) == (2, "3 more pods were not read")


async def test_files_that_change_are_read_again(tmp_path: Path, snapshot: SnapshotKubernetes) -> None:
    save(tmp_path, "pods.json", item("Pod", "old"))
    assert await names(snapshot, "pods") == ["old"]
    save(tmp_path, "pods.json", item("Pod", "newer"))
    assert await names(snapshot, "pods") == ["newer"]


@pytest.mark.parametrize("text", ["{", "", '{"items": [1, {"a": 2}, null]}', "[]", '{"kind": "PodList", "items": 5}'])
async def test_files_that_are_no_objects_do_no_harm(tmp_path: Path, snapshot: SnapshotKubernetes, text: str) -> None:
    (tmp_path / "bad.json").write_text(text)
    with pytest.raises((Temporary, Permanent)):
        await snapshot.list("pods")


async def test_a_missing_directory_says_so(tmp_path: Path) -> None:
    with pytest.raises(Permanent, match="is no directory") as caught:
        await SnapshotKubernetes("", tmp_path / "absent").list("pods")
    assert caught.value.reason is Reason.NOT_CONFIGURED


async def test_values_of_secrets_are_not_kept(tmp_path: Path, snapshot: SnapshotKubernetes) -> None:
    save(tmp_path, "secrets.json", item("Secret", "db", data={"password": "aHVudGVyMg=="}))
    assert (await snapshot.get("secrets", "db", namespace="shop"))["data"] == {"password": ""}


async def test_logs_are_those_of_the_container(tmp_path: Path, snapshot: SnapshotKubernetes) -> None:
    folder = tmp_path / "shop" / "web-1"
    folder.mkdir(parents=True)
    (folder / "web.log").write_text("one\ntwo\nthree\n")
    (folder / "web.previous.log").write_text("before\n")
    assert await snapshot.log("shop", "web-1", "web", tail=2) == "two\nthree\n"
    assert await snapshot.log("shop", "web-1", "web", previous=True) == "before\n"
    for container, previous in (("other", False), ("other", True)):
        with pytest.raises(Permanent) as caught:
            await snapshot.log("shop", "web-1", container, previous=previous)
        assert caught.value.reason is Reason.NOT_FOUND


async def test_logs_of_a_dump_are_taken_apart_by_container(tmp_path: Path, snapshot: SnapshotKubernetes) -> None:
    folder = tmp_path / "shop" / "web-1"
    folder.mkdir(parents=True)
    parts = [
        f"==== START logs for container {name} of pod shop/web-1 ====\n{name} said\n"
        f"==== END logs for container {name} of pod shop/web-1 ====\n"
        for name in ("web", "proxy")
    ]
    (folder / "logs.txt").write_text("".join(parts))
    assert await snapshot.log("shop", "web-1", "proxy") == "proxy said"
    with pytest.raises(Permanent):
        await snapshot.log("shop", "web-1", "absent")


async def test_lately_counts_from_the_newest_line(tmp_path: Path, snapshot: SnapshotKubernetes) -> None:
    folder = tmp_path / "shop" / "web-1"
    folder.mkdir(parents=True)
    (folder / "web.log").write_text("2020-01-01T00:00:00Z a\n2020-01-01T00:00:50Z b\n2020-01-01T00:01:00Z c\n")
    text = await snapshot.log("shop", "web-1", "web", since=timedelta(seconds=30))
    assert [line[-1] for line in text.splitlines()] == ["b", "c"]


@pytest.mark.parametrize("pod", ["..", "../..", "a/../../b", ""])
async def test_a_log_cannot_be_outside_the_directory(tmp_path: Path, snapshot: SnapshotKubernetes, pod: str) -> None:
    (tmp_path / "web.log").write_text("secret")
    with pytest.raises(Permanent) as caught:
        await snapshot.log("shop", pod, "web")
    assert caught.value.reason is Reason.BAD_REQUEST


async def test_the_version_is_that_of_the_kubelets(tmp_path: Path, snapshot: SnapshotKubernetes) -> None:
    save(tmp_path, "nodes.json", item("Node", "n1", "", status={"nodeInfo": {"kubeletVersion": "v1.31.2"}}))
    assert await snapshot.version() == "v1.31.2"
