"""`kubernetes.objects` reads any resource, and says what it read whole."""

import pytest
from pydantic import ValidationError

from responder.clients import Clients
from responder.errors import Permanent, Reason
from responder.model.evidence import KubernetesObjects, Observation
from responder.model.subject import Target
from responder.probes import Inquiry, Permission
from responder.probes.kubernetes_objects import KubernetesObjectsOf
from tests.fakes.clients import FailingHttp, FakeKubernetes
from tests.makers import NOW

POLICY = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "deny", "namespace": "shop"},
    "spec": {},
}
INQUIRY = Inquiry(Target(namespace="shop"), (), NOW, NOW)


async def ask(kubernetes: FakeKubernetes, **options: object) -> Observation:
    probe = KubernetesObjectsOf.model_validate({"resource": "networkpolicies.networking.k8s.io", **options})
    return await probe.run(INQUIRY, Clients("", FailingHttp(), kubernetes))


async def test_the_objects_of_the_targets_namespace_are_read_whole() -> None:
    seen = await ask(FakeKubernetes(objects=[POLICY]))
    assert isinstance(seen.data, KubernetesObjects)
    assert [item["metadata"]["name"] for item in seen.data.objects] == ["deny"]
    assert seen.data.complete == ("NetworkPolicy/shop",)
    assert seen.summary == "1 NetworkPolicy"


async def test_none_is_an_answer() -> None:
    seen = await ask(FakeKubernetes(objects=[POLICY]), namespace="other")
    assert seen.empty
    assert seen.summary == "no networkpolicies in other"


async def test_a_part_of_a_list_is_not_the_whole() -> None:
    seen = await ask(FakeKubernetes(objects=[POLICY]), fields="metadata.name=deny")
    assert isinstance(seen.data, KubernetesObjects)
    assert seen.data.complete == ()


async def test_one_object_that_is_not_there_is_an_answer() -> None:
    seen = await ask(FakeKubernetes(objects=[POLICY]), name="gone")
    assert seen.empty
    assert seen.summary == "no networkpolicies gone in shop"


async def test_a_refusal_is_none() -> None:
    trouble = Permanent("may not", Reason.FORBIDDEN)
    with pytest.raises(Permanent, match="may not"):
        await ask(FakeKubernetes(troubles={"networkpolicies.networking.k8s.io": trouble}))


def test_it_needs_the_right_to_read_that_resource_and_shows_how_to_see_it() -> None:
    probe = KubernetesObjectsOf(resource="networkpolicies.networking.k8s.io")
    assert probe.permissions() == (Permission("networking.k8s.io", "networkpolicies"),)
    (shown,) = probe.reproduce(INQUIRY, Clients("", FailingHttp(), FakeKubernetes()))
    assert shown.command == "kubectl -n shop get networkpolicies.networking.k8s.io -o yaml"


def test_parts_of_objects_cannot_be_asked_for() -> None:
    with pytest.raises(ValidationError):
        KubernetesObjectsOf(resource="pods/exec")
