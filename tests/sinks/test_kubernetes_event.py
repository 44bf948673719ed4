"""Kubernetes events: on which object, within which limits, and what repeats change."""

import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from responder.clients import Clients
from responder.clients.kubernetes import LiveKubernetes
from responder.clients.snapshot import SnapshotKubernetes
from responder.clock import SystemClock
from responder.errors import Permanent, Reason
from responder.flow.message import compose
from responder.metrics import Metrics
from responder.model.incident import IncidentStatus
from responder.model.message import Message
from responder.model.subject import Subject, Target
from responder.probes import Inquiry
from responder.probes.kubernetes_events import KubernetesEvents
from responder.settings import KubernetesSettings
from responder.sinks._kubernetes_objects import Place, event_name, place_of
from responder.sinks.kubernetes_event import KubernetesEvent
from tests.fakes.clients import FailingHttp, FakeKubernetes
from tests.fakes.sinks.kubernetes_event import Fake
from tests.kubernetes_server import RealApiServer
from tests.makers import NOW
from tests.sinks.medium import medium
from tests.sinks.reports import announced, diagnosed, finding

NUMBERS = itertools.count()


@pytest.fixture
async def fake() -> AsyncIterator[Fake]:
    async with Fake() as running:
        yield running
    assert running.complaints == []


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def message(about: Subject | None = None, **fields: Any) -> Message:
    found = finding(subject=about) if about else finding()
    return compose(diagnosed(findings=(found,), **fields))


def resolved() -> Message:
    return message(status=IncidentStatus.RESOLVED, resolved_at=NOW)


async def told(fake: Fake, http: aiohttp.ClientSession, *messages: Message, receipt: str = "", **options: Any) -> str:
    sink = fake.sink(**options)
    for one in messages:
        receipt = await sink.deliver(one, receipt, medium(http))
    return receipt


async def test_the_event_is_on_the_object_at_fault(fake: Fake, http: aiohttp.ClientSession) -> None:
    path = "/apis/apps/v1/namespaces/kubechat-system/deployments/api-gateway"
    fake.objects[path] = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"uid": "u-1"}}
    await told(fake, http, message())
    [event] = fake.events.values()
    about = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "api-gateway", "namespace": "kubechat-system"}
    assert event["involvedObject"] == about | {"uid": "u-1"}
    assert (event["type"], event["reason"], event["count"]) == ("Warning", "Diagnosed", 1)
    assert event["message"].startswith("P1 api-gateway is killed for using more memory")
    assert event["message"].endswith(" http://responder.example/incidents/4f2a")


async def test_an_object_that_cannot_be_read_is_named_all_the_same(fake: Fake, http: aiohttp.ClientSession) -> None:
    await told(fake, http, message())
    [event] = fake.events.values()
    assert event["involvedObject"]["apiVersion"] == "apps/v1"
    assert "uid" not in event["involvedObject"]


async def test_news_change_the_event_and_raise_its_count(fake: Fake, http: aiohttp.ClientSession) -> None:
    receipt = await told(fake, http, compose(announced()), message(), resolved())
    [event] = fake.events.values()
    assert (event["type"], event["reason"], event["count"]) == ("Normal", "Resolved", 3)
    assert receipt.endswith(" 3")


async def test_an_event_that_the_cluster_forgot_is_written_again(fake: Fake, http: aiohttp.ClientSession) -> None:
    receipt = await told(fake, http, message())
    fake.events.clear()
    assert (await told(fake, http, resolved(), receipt=receipt)).endswith(" 1")
    assert len(fake.events) == 1


async def test_an_event_that_is_there_already_is_done(fake: Fake, http: aiohttp.ClientSession) -> None:
    await told(fake, http, compose(announced()))
    await told(fake, http, message())
    [event] = fake.events.values()
    assert event["reason"] == "Diagnosed"


async def test_without_a_finding_there_is_no_event_unless_asked_for(fake: Fake, http: aiohttp.ClientSession) -> None:
    assert await told(fake, http, compose(announced()), announce=False) == ""
    assert fake.requests == 0


async def test_a_message_is_at_most_1024_bytes(fake: Fake, http: aiohttp.ClientSession) -> None:
    for letters in (400, 489, 490, 491, 5000):
        long = message().model_copy(update={"headline": "ü" * letters, "key": f"long-{letters}"})
        await told(fake, http, long)
    sizes = [len(event["message"].encode()) for event in fake.events.values()]
    assert max(sizes) in (1023, 1024)
    assert all(event["message"].endswith("/incidents/4f2a") for event in fake.events.values())


async def test_a_snapshot_is_not_written_to(http: aiohttp.ClientSession, tmp_path: Path) -> None:
    clients = Clients("", FailingHttp(None), SnapshotKubernetes("", tmp_path))
    with pytest.raises(Permanent, match="cannot be changed") as caught:
        await KubernetesEvent(name="x").deliver(message(), "", medium(http, cluster=lambda _message: clients))
    assert caught.value.reason is Reason.NOT_CONFIGURED


async def test_an_event_of_ours_is_no_evidence(fake: Fake, http: aiohttp.ClientSession) -> None:
    await told(fake, http, message())
    theirs = {"kind": "Event", "metadata": {"name": "x", "namespace": "shop"}, "type": "Warning", "reason": "Failed"}
    kubernetes = FakeKubernetes(objects=[*fake.events.values(), theirs])
    inquiry = Inquiry(Target(), (), NOW, NOW)
    seen = await KubernetesEvents().run(inquiry, Clients("", FailingHttp(None), kubernetes))
    assert seen.value == 1


@pytest.mark.parametrize(
    ("subject", "target", "expected"),
    [
        (Subject(kind="Pod", name="web-1", namespace="shop"), {}, Place("Pod", "web-1", "shop")),
        (Subject(kind="Pod", name="web-1"), {"namespace": "shop"}, Place("Pod", "web-1", "shop")),
        (Subject(kind="Node", name="n.example"), {"namespace": "shop"}, Place("Node", "n.example", "")),
        (Subject(kind="Unknown", name=""), {"node": "n1", "namespace": "shop"}, Place("Node", "n1", "")),
        (Subject(kind="Unknown", name=""), {"namespace": "shop"}, Place("Namespace", "shop", "")),
        (Subject(kind="Pod", name="../x", namespace="shop"), {"pod": "web-1", "namespace": "shop"}, None),
        (
            Subject(kind="Queue", name="orders", namespace="shop"),
            {"workload": "statefulset/queue", "namespace": "shop"},
            Place("StatefulSet", "queue", "shop"),
        ),
        (Subject(kind="Pod", name="web-1", namespace="a/b"), {}, None),
        (Subject(kind="Pod", name="x" * 254, namespace="shop"), {}, None),
    ],
)
def test_objects_are_found_and_names_that_are_none_are_not(
    subject: Subject, target: dict[str, str], expected: Place | None
) -> None:
    found = place_of(message(subject, subject=subject, target=Target(**target)))
    if expected is None and target.get("pod"):
        expected = Place("Pod", target["pod"], target["namespace"])
    assert found == expected


async def test_an_incident_about_no_object_is_no_event_and_no_trouble(fake: Fake, http: aiohttp.ClientSession) -> None:
    unknown = Subject(kind="Unknown", name="")
    nowhere = message(unknown, subject=unknown, target=Target())
    assert await told(fake, http, nowhere) == ""
    assert "No event" in fake.sink().preview(nowhere).payload


@pytest.mark.parametrize("length", [1, 236, 237, 253])
def test_names_of_events_are_valid_however_long_the_object_is_called(length: int) -> None:
    name = event_name(Place("Pod", "a" * (length - 1) + "z", "shop"), "key")
    assert len(name) <= 253
    assert event_name(Place("Pod", "a" * 235 + ".-b" + "c" * 15, "shop"), "key").count("..") == 0


@pytest.mark.kubernetes
@pytest.mark.integration
async def test_a_real_api_server_takes_the_event(
    api_server: RealApiServer, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    space = f"event-{next(NUMBERS)}"
    api_server.create("/api/v1/namespaces", {"metadata": {"name": space}})
    settings = KubernetesSettings(kubeconfig=api_server.kubeconfig(tmp_path, "admin"))
    client = LiveKubernetes("", settings, Metrics(), SystemClock())
    where = medium(http, cluster=lambda _message: Clients("", FailingHttp(None), client))
    sink = KubernetesEvent(name="events")
    try:
        for subject in (Subject(kind="Deployment", name="web", namespace=space), Subject(kind="Namespace", name=space)):
            long = message(subject).model_copy(update={"headline": "ü" * 5000})
            receipt = await sink.deliver(long, "", where)
            assert (await sink.deliver(long, receipt, where)).endswith(" 2")
            assert (await sink.deliver(long, "", where)).endswith(" 1"), "409 is done"
        written = (await client.list("events", namespace=space)).items
        assert [(event["count"], event["involvedObject"]["kind"]) for event in written] == [(2, "Deployment")]
    finally:
        await client.close()
