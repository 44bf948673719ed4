"""`kubernetes.custom_resources`: found by discovery, told by their conditions."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from responder.clients import Clients, Kubernetes
from responder.clients.kubernetes import LiveKubernetes
from responder.clients.snapshot import SnapshotKubernetes
from responder.clock import SystemClock
from responder.errors import Permanent, Reason
from responder.metrics import Metrics
from responder.model.custom_resources import CustomResources
from responder.model.evidence import Observation
from responder.model.subject import Target
from responder.probes import Inquiry
from responder.probes.kubernetes_custom_resources import KubernetesCustomResources
from responder.settings import KubernetesSettings
from tests.detectors.test_custom_resources import raw, ready
from tests.fakes.apiserver import MODERN, FakeApiServer, listing, serving
from tests.fakes.clients import FailingHttp, FakeKubernetes
from tests.makers import NOW, alert

RESOURCE = "kubechatcommands.kubechat.io"


async def ask(kubernetes: Kubernetes, **options: Any) -> Observation:
    asked = Inquiry(Target(namespace="shop"), (alert(),), NOW, NOW)
    return await KubernetesCustomResources(**{"resource": RESOURCE, **options}).run(
        asked, Clients("", FailingHttp(), kubernetes)
    )


def cluster(*items: dict[str, Any]) -> FakeKubernetes:
    return FakeKubernetes([{**item, "kind": RESOURCE} for item in items])


async def test_those_that_are_not_well_are_told_first() -> None:
    bad, late = raw("b", status=ready("False", "Bad", "no luck")), raw("c", status=ready(observed=1))
    seen = await ask(cluster(raw("a", status=ready()), bad, late))
    assert seen.summary == f"3 {RESOURCE}: 1 not well, 1 not reconciled (shop/b)"
    assert seen.facts[0] == "shop/b: Ready=False for 60 min: Bad no luck"
    assert seen.facts[1] == "shop/c: generation 3, its operator has seen 1"
    assert (seen.value, seen.breached) == (2, True)


async def test_a_name_chooses_and_none_is_an_answer() -> None:
    assert (await ask(cluster(raw("a"), raw("b")), name="a")).summary.startswith("1 ")
    assert (await ask(cluster())).empty


async def test_a_live_server_is_asked_in_the_version_it_has(tmp_path: Path) -> None:
    path = "/apis/kubechat.io/v1alpha1"
    resources = [{"name": "kubechatcommands", "kind": "KubeChatCommand", "namespaced": True}]
    server = FakeApiServer(
        {path: {"resources": resources}, f"{path}/namespaces/shop/kubechatcommands": listing("KubeChatCommand", "a")},
        groups={**MODERN, "kubechat.io": ("v1alpha1",)},
    )
    async with serving(server):
        settings = KubernetesSettings(kubeconfig=server.kubeconfig(tmp_path))
        client = LiveKubernetes("", settings, Metrics(), SystemClock())
        seen = await ask(client)
        absent = await ask(client, resource="certificates.cert-manager.io")
        other = await ask(client, resource="others.kubechat.io")
        await client.close()
    assert isinstance(seen.data, CustomResources)
    assert (seen.data.kind, [item.name for item in seen.data.items]) == ("KubeChatCommand", ["a"])
    for unknown in (absent, other):
        assert isinstance(unknown.data, CustomResources)
        assert unknown.data.present is False
        assert unknown.summary.startswith("the cluster does not know ")


async def test_a_snapshot_that_does_not_hold_them_is_no_answer(tmp_path: Path) -> None:
    with pytest.raises(Permanent, match="the snapshot says nothing") as caught:
        await ask(SnapshotKubernetes("", tmp_path))
    assert caught.value.reason is Reason.NOT_FOUND


@pytest.mark.parametrize("resource", ["pods", "", "a/b.c", "A.b", ".b", "deployment/x"])
def test_what_is_no_custom_resource_is_refused(resource: str) -> None:
    with pytest.raises(ValidationError):
        KubernetesCustomResources(resource=resource)
