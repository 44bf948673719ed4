"""Every action of every shipped runbook is looked at, and tried, by a real API server."""

import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from responder import detectors, plugins, probes
from responder.actions import Inquiry, load
from responder.clients import Clients
from responder.clients.kubernetes import LiveKubernetes
from responder.clock import SystemClock
from responder.metrics import Metrics
from responder.model.runbook import ActionProposal
from responder.model.subject import Target
from responder.probes import Probe
from responder.runbooks.loading import load as load_rules
from responder.runbooks.loading import shipped
from responder.settings import KubernetesSettings
from tests.fakes.clients import FailingHttp
from tests.kubernetes_server import RealApiServer
from tests.makers import NOW, alert

pytestmark = [pytest.mark.kubernetes, pytest.mark.integration]

NUMBERS = itertools.count()
CATALOG = load()
ANY = "deployment/api-gateway"
"""What an action is made on that names nothing."""


def proposals() -> list[tuple[str, ActionProposal]]:
    """The actions that ship, with the names of their runbooks."""
    catalog = plugins.load(probes, Probe, "probe", dotted=True)  # type: ignore[type-abstract]
    books = load_rules([shipped()], catalog, detectors.load()).runbooks
    return [(name, proposal) for name, book in books.items() for proposal in book.actions]


PROPOSALS = proposals()


@pytest.fixture
def namespace(api_server: RealApiServer) -> str:
    """A new namespace."""
    name = f"actions-{next(NUMBERS)}"
    api_server.create("/api/v1/namespaces", {"metadata": {"name": name}})
    return name


@pytest.fixture
async def clients(api_server: RealApiServer, tmp_path: Path) -> AsyncIterator[Clients]:
    settings = KubernetesSettings(kubeconfig=api_server.kubeconfig(tmp_path), cache="0s")  # type: ignore[arg-type]
    client = LiveKubernetes("", settings, Metrics(), SystemClock())
    yield Clients("", FailingHttp(), client)
    await client.close()


def template(name: str, image: str = "web:2") -> dict[str, Any]:
    container = {"name": name, "image": image, "resources": {"limits": {"memory": "256Mi", "cpu": "1"}}}
    return {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}}


def owned(owner: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    metadata = owner["metadata"]
    return [
        {"apiVersion": "apps/v1", "kind": kind, "name": metadata["name"], "uid": metadata["uid"], "controller": True}
    ]


def create(server: RealApiServer, namespace: str, target: str) -> None:
    """A workload as its controllers would keep it: a deployment of two revisions, and a pod that is not ready."""
    kind, _, name = target.partition("/")
    if kind == "cronjob":
        pods = {"spec": {"containers": [{"name": name, "image": "export:1"}], "restartPolicy": "Never"}}
        spec: dict[str, Any] = {"schedule": "0 * * * *", "jobTemplate": {"spec": {"template": pods}}}
        server.create(
            f"/apis/batch/v1beta1/namespaces/{namespace}/cronjobs", {"metadata": {"name": name}, "spec": spec}
        )
        return
    assert kind == "deployment"
    apps = f"/apis/apps/v1/namespaces/{namespace}"
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": name}}, "template": template(name)}
    made = server.create(f"{apps}/deployments", {"metadata": {"name": name}, "spec": spec})
    for number in (1, 2):
        metadata = {
            "name": f"{name}-{number}",
            "labels": {"app": name},
            "annotations": {"deployment.kubernetes.io/revision": str(number)},
            "ownerReferences": owned(made, "Deployment"),
        }
        body = {"metadata": metadata, "spec": spec | {"template": template(name, f"web:{number}")}}
        replicas = server.create(f"{apps}/replicasets", body)
    metadata = {"name": f"{name}-2-x", "labels": {"app": name}, "ownerReferences": owned(replicas, "ReplicaSet")}
    server.create(f"/api/v1/namespaces/{namespace}/pods", {"metadata": metadata, "spec": template(name)["spec"]})


@pytest.mark.parametrize("proposal", [one for _, one in PROPOSALS], ids=[f"{name}-{one.id}" for name, one in PROPOSALS])
async def test_an_action_that_ships_can_be_made(
    proposal: ActionProposal, namespace: str, clients: Clients, api_server: RealApiServer
) -> None:
    create(api_server, namespace, str(proposal.options.get("target") or ANY))
    inquiry = Inquiry(Target(namespace=namespace, workload=ANY), (alert(namespace=namespace),), NOW, NOW)
    action = CATALOG.build(proposal.action, proposal.options)
    seen = await action.preview(inquiry, clients)
    assert not seen.refusal
    assert seen.changes
    assert seen.namespaces == (namespace,)
    assert (await action.apply(await action.preview(inquiry, clients), clients, "Ada")).startswith("changed ")


async def test_maintenance_mode_takes_the_page_away(
    namespace: str, clients: Clients, api_server: RealApiServer
) -> None:
    (proposal,) = [one for _, one in PROPOSALS if one.id == "maintenance_mode"]
    create(api_server, namespace, "deployment/web-app")
    inquiry = Inquiry(Target(namespace=namespace), (alert(namespace=namespace),), NOW, NOW)
    action = CATALOG.build(proposal.action, proposal.options)
    seen = await action.preview(inquiry, clients)
    assert seen.text == f"Scale deployment/web-app in {namespace} from 2 to 0 replicas"
    await action.apply(seen, clients, "Ada")
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/web-app"
    assert api_server.send("GET", path)["spec"]["replicas"] == 0
