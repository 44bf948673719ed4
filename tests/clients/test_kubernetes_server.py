"""The live client and the probes against a real API server."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from responder.clients import Clients
from responder.clients.http import AioHttp
from responder.clients.kubernetes import LiveKubernetes
from responder.clock import SystemClock
from responder.errors import Permanent, Reason
from responder.metrics import Metrics
from responder.model.subject import Target
from responder.probes import Inquiry
from responder.probes.kubernetes_logs import KubernetesLogs
from responder.probes.kubernetes_namespace import AROUND, INSIDE, KubernetesNamespace
from responder.probes.kubernetes_workload import KubernetesWorkload
from responder.settings import KubernetesSettings
from tests.kubernetes_server import RealApiServer

pytestmark = [pytest.mark.kubernetes, pytest.mark.integration]

Connect = Callable[..., LiveKubernetes]
NUMBERS = itertools.count()


@pytest.fixture
async def connected(api_server: RealApiServer, tmp_path: Path) -> AsyncIterator[Connect]:
    clients: list[LiveKubernetes] = []

    def make(user: str = "admin") -> LiveKubernetes:
        settings = KubernetesSettings(kubeconfig=api_server.kubeconfig(tmp_path, user))
        clients.append(LiveKubernetes("", settings, Metrics(), SystemClock()))
        return clients[-1]

    yield make
    for client in clients:
        await client.close()


@pytest.fixture
def namespace(api_server: RealApiServer) -> str:
    """A new namespace."""
    name = f"shop-{next(NUMBERS)}"
    api_server.create("/api/v1/namespaces", {"metadata": {"name": name}})
    return name


def pod_spec() -> dict[str, Any]:
    """One container."""
    return {"containers": [{"name": "web", "image": "web:1"}]}


def create_deployment(server: RealApiServer, namespace: str) -> None:
    """A deployment with a replica set and a pod, as its controllers would make them."""
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": pod_spec()}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    apps, core = f"/apis/apps/v1/namespaces/{namespace}", f"/api/v1/namespaces/{namespace}"
    made = server.create(f"{apps}/deployments", {"metadata": {"name": "web"}, "spec": spec})
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": made["metadata"]["uid"]}
    metadata: dict[str, Any] = {
        "name": "web-1",
        "labels": labels,
        "annotations": {"deployment.kubernetes.io/revision": "1"},
        "ownerReferences": [{**owner, "controller": True}],
    }
    made = server.create(f"{apps}/replicasets", {"metadata": metadata, "spec": spec})
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-1", "uid": made["metadata"]["uid"]}
    metadata = {"name": "web-1-x", "labels": labels, "ownerReferences": [{**owner, "controller": True}]}
    server.create(f"{core}/pods", {"metadata": metadata, "spec": pod_spec()})


def allow(server: RealApiServer, namespace: str, *resources: str) -> None:
    """Let the viewer read resources of a namespace."""
    rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
    rule = {"apiGroups": ["", "apps"], "resources": list(resources), "verbs": ["get", "list"]}
    server.create(f"{rbac}/roles", {"metadata": {"name": "read"}, "rules": [rule]})
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "read"}
    subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "viewer"}
    server.create(f"{rbac}/rolebindings", {"metadata": {"name": "read"}, "roleRef": reference, "subjects": [subject]})


def asked_by(kubernetes: LiveKubernetes, namespace: str) -> tuple[Inquiry, Clients]:
    """An inquiry about the namespace's deployment."""
    now = datetime.now(UTC)
    target = Target(namespace=namespace, workload="deployment/web")
    http: Any = AioHttp
    return Inquiry(target, (), now, now), Clients("", http, kubernetes)


@pytest.mark.parametrize(
    ("resource", "kind"),
    [
        ("pods", "Pod"),
        ("deployments.apps", "Deployment"),
        ("replicasets.apps", "ReplicaSet"),
        ("cronjobs.batch", "CronJob"),
        ("horizontalpodautoscalers.autoscaling", "HorizontalPodAutoscaler"),
        ("poddisruptionbudgets.policy", "PodDisruptionBudget"),
        ("ingresses.networking.k8s.io", "Ingress"),
        ("endpointslices.discovery.k8s.io", "EndpointSlice"),
        ("controllerrevisions.apps", "ControllerRevision"),
    ],
)
async def test_every_resource_is_found_in_the_version_that_the_server_has(
    connected: Connect, namespace: str, api_server: RealApiServer, resource: str, kind: str
) -> None:
    create_deployment(api_server, namespace)
    found = await connected().list(resource, namespace=namespace)
    assert {item["kind"] for item in found.items} <= {kind}
    assert all(item["apiVersion"] and "managedFields" not in item["metadata"] for item in found.items)


async def test_gets_objects_and_says_what_is_not_there(
    connected: Connect, namespace: str, api_server: RealApiServer
) -> None:
    create_deployment(api_server, namespace)
    kubernetes = connected()
    found = await kubernetes.get("deployments.apps", "web", namespace=namespace)
    assert (found["kind"], found["apiVersion"]) == ("Deployment", "apps/v1")
    for resource in ("deployments.apps", "pods.metrics.k8s.io", "certificates.cert-manager.io"):
        with pytest.raises(Permanent) as caught:
            await kubernetes.get(resource, "absent", namespace=namespace)
        assert caught.value.reason is Reason.NOT_FOUND


async def test_custom_resources_are_found(connected: Connect, namespace: str, api_server: RealApiServer) -> None:
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    names = {"plural": "brokers", "singular": "broker", "kind": "Broker"}
    versions = [{"name": "v1alpha1", "served": True, "storage": True, "schema": schema}]
    spec = {"group": "queue.example.org", "scope": "Namespaced", "names": names, "versions": versions}
    definition = {"metadata": {"name": "brokers.queue.example.org"}, "spec": spec}
    api_server.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)
    async with asyncio.timeout(20):
        while True:
            try:
                found = await connected().list("brokers.queue.example.org", namespace=namespace)
                break
            except Permanent:
                await asyncio.sleep(0.2)
    assert found.items == []


async def test_all_pages_are_read(
    connected: Connect, namespace: str, api_server: RealApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("responder.clients.kubernetes.PAGE", 2)
    for number in range(5):
        api_server.create(f"/api/v1/namespaces/{namespace}/configmaps", {"metadata": {"name": f"c{number}"}})
    kubernetes = connected()
    found = await kubernetes.list("configmaps", namespace=namespace)
    assert {f"c{number}" for number in range(5)} <= {item["metadata"]["name"] for item in found.items}
    found = await kubernetes.list("configmaps", namespace=namespace, limit=2)
    assert len(found.items) == 2
    assert "more configmaps were not read" in found.truncated


async def test_an_unknown_token_is_unauthorized(connected: Connect) -> None:
    with pytest.raises(Permanent) as caught:
        await connected("stranger").list("pods")
    assert caught.value.reason is Reason.UNAUTHORIZED


async def test_what_is_not_allowed_is_forbidden_and_named(connected: Connect, namespace: str) -> None:
    with pytest.raises(Permanent, match='cannot list resource "pods"') as caught:
        await connected("nobody").list("pods", namespace=namespace)
    assert caught.value.reason is Reason.FORBIDDEN


async def test_a_bad_selector_is_refused(connected: Connect, namespace: str) -> None:
    for selector in ({"labels": "a in b"}, {"fields": "spec.absent=1"}):
        with pytest.raises(Permanent) as caught:
            await connected().list("pods", namespace=namespace, **selector)
        assert caught.value.reason is Reason.BAD_REQUEST


async def test_the_log_of_a_pod_without_a_node_is_empty(
    connected: Connect, namespace: str, api_server: RealApiServer
) -> None:
    create_deployment(api_server, namespace)
    kubernetes = connected()
    assert await kubernetes.log(namespace, "web-1-x", "web") == ""
    for pod, container in (("web-1-x", "absent"), ("absent", "web")):
        with pytest.raises(Permanent) as caught:
            await kubernetes.log(namespace, pod, container)
        assert caught.value.reason is Reason.NOT_FOUND


async def test_tells_the_version(connected: Connect) -> None:
    assert (await connected().version()).startswith("v1.")


async def test_a_workload_is_read_with_all_that_belongs_to_it(
    connected: Connect, namespace: str, api_server: RealApiServer
) -> None:
    create_deployment(api_server, namespace)
    inquiry, clients = asked_by(connected(), namespace)
    seen = await KubernetesWorkload().run(inquiry, clients)
    assert seen.summary == "1 pod of deployment/web: 0 ready, 1 pending"
    assert {item["kind"] for item in seen.data.objects} == {"Deployment", "ReplicaSet", "Pod"}  # type: ignore[union-attr]
    assert any(fact.startswith("revision 1 at ") and fact.endswith(": web:1") for fact in seen.facts)
    assert not seen.gaps


async def test_a_user_who_may_see_little_is_told_what_was_not_seen(
    connected: Connect, namespace: str, api_server: RealApiServer
) -> None:
    create_deployment(api_server, namespace)
    allow(api_server, namespace, "pods", "deployments")
    inquiry, clients = asked_by(connected("viewer"), namespace)
    seen = await KubernetesNamespace().run(inquiry, clients)
    assert {item["kind"] for item in seen.data.objects} == {"Deployment", "Pod"}  # type: ignore[union-attr]
    assert set(seen.data.complete) == {f"Pod/{namespace}", f"Deployment/{namespace}"}  # type: ignore[union-attr]
    assert {gap.reason for gap in seen.gaps} == {Reason.FORBIDDEN}
    denied = {f"{name.partition('.')[0]} in {namespace}" for name in INSIDE} - {
        f"pods in {namespace}",
        f"deployments in {namespace}",
    }
    around = {name.partition(".")[0] for name in AROUND} | {"events in default", "pods in kube-system"}
    assert sorted(gap.what for gap in seen.gaps) == sorted(denied | around)


async def test_nobody_is_told_that_all_is_denied(connected: Connect, namespace: str) -> None:
    inquiry, clients = asked_by(connected("nobody"), namespace)
    for probe in (KubernetesNamespace(), KubernetesWorkload(), KubernetesLogs()):
        with pytest.raises(Permanent) as caught:
            await probe.run(inquiry, clients)
        assert caught.value.reason is Reason.FORBIDDEN


async def test_a_namespace_that_does_not_exist_is_named(connected: Connect) -> None:
    inquiry, clients = asked_by(connected(), "absent")
    with pytest.raises(Permanent, match="no namespace absent"):
        await KubernetesNamespace().run(inquiry, clients)
