"""The live client against an API server that does what the test says."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from responder.clients import Exists
from responder.clients.kubernetes import LiveKubernetes, connect
from responder.clients.snapshot import SnapshotKubernetes
from responder.clock import SystemClock
from responder.errors import Permanent, Reason, Temporary
from responder.metrics import Metrics
from responder.settings import KubernetesSettings
from tests.fakes.apiserver import FakeApiServer, listing, serving, status

pytestmark = pytest.mark.integration

Connect = Callable[..., LiveKubernetes]


@pytest.fixture
async def server() -> AsyncIterator[FakeApiServer]:
    async with serving(FakeApiServer()) as fake:
        yield fake


@pytest.fixture
async def connected(server: FakeApiServer, tmp_path: Path) -> AsyncIterator[Connect]:
    clients: list[LiveKubernetes] = []

    def make(user: dict[str, Any] | None = None, **settings: Any) -> LiveKubernetes:
        given = {"kubeconfig": server.kubeconfig(tmp_path, **(user or {})), "timeout": "5s", "cache": "0s"} | settings
        clients.append(LiveKubernetes("", KubernetesSettings(**given), Metrics(), SystemClock()))
        return clients[-1]

    yield make
    for client in clients:
        await client.close()


PODS = "/api/v1/namespaces/shop/pods"
LOG = f"{PODS}/web-1/log"


async def test_items_of_a_list_say_what_they_are_and_carry_no_ballast(
    server: FakeApiServer, connected: Connect
) -> None:
    server.answers[PODS] = listing("Pod", "web-1")
    found = await connected().list("pods", namespace="shop")
    assert found.items == [{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web-1", "namespace": "shop"}}]
    assert not found.truncated


async def test_values_of_secrets_and_config_maps_are_never_kept(server: FakeApiServer, connected: Connect) -> None:
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": '{"data":{"password":"aHVudGVyMg=="}}'}
    secret = {"metadata": {"name": "db", "annotations": annotations}, "data": {"password": "aHVudGVyMg=="}}
    server.answers["/api/v1/namespaces/shop/secrets"] = {"kind": "SecretList", "items": [secret]}
    server.answers["/api/v1/namespaces/shop/configmaps/c"] = {"kind": "ConfigMap", "data": {"a": "hunter2"}}
    kubernetes = connected()
    found = (await kubernetes.list("secrets", namespace="shop")).items[0]
    assert found["data"] == {"password": ""}
    assert "aHVudGVyMg" not in json.dumps(found)
    assert (await kubernetes.get("configmaps", "c", namespace="shop"))["data"] == {"a": ""}


async def test_all_pages_are_read(server: FakeApiServer, connected: Connect) -> None:
    server.answers[PODS] = [listing("Pod", "a", **{"continue": "next"}), listing("Pod", "b")]
    found = await connected().list("pods", namespace="shop")
    assert [item["metadata"]["name"] for item in found.items] == ["a", "b"]
    assert [query.get("continue") for query in server.queries if "limit" in query] == [None, "next"]


async def test_a_list_that_expires_on_the_way_is_read_again(server: FakeApiServer, connected: Connect) -> None:
    expired = status(410, "Expired", "The provided continue parameter is too old")
    first = listing("Pod", "a", **{"continue": "next"})
    server.answers[PODS] = [first, expired, first, listing("Pod", "b")]
    found = await connected().list("pods", namespace="shop")
    assert [item["metadata"]["name"] for item in found.items] == ["a", "b"]


async def test_a_list_that_expires_again_and_again_is_given_up(server: FakeApiServer, connected: Connect) -> None:
    expired = status(410, "Expired", "The provided continue parameter is too old")
    first = listing("Pod", "a", **{"continue": "next"})
    server.answers[PODS] = [first, expired, first, expired]
    with pytest.raises(Permanent, match="too old"):
        await connected().list("pods", namespace="shop")


async def test_more_than_the_bound_is_left_out_and_said(server: FakeApiServer, connected: Connect) -> None:
    server.answers[PODS] = listing("Pod", "a", "b", **{"continue": "next", "remainingItemCount": 40})
    found = await connected().list("pods", namespace="shop", limit=2)
    assert len(found.items) == 2
    assert found.truncated == "40 more pods were not read"
    found = await connected(max_items=1).list("pods", namespace="shop")
    assert (len(found.items), found.truncated) == (1, "41 more pods were not read")


async def test_selectors_travel_as_given(server: FakeApiServer, connected: Connect) -> None:
    await connected().list("pods", namespace="shop", labels="app in (a,b),!c", fields="spec.nodeName=n&x")
    assert server.queries[-1]["labelSelector"] == "app in (a,b),!c"
    assert server.queries[-1]["fieldSelector"] == "spec.nodeName=n&x"


@pytest.mark.parametrize("name", ["..", ".", "", "a/b", "../../secrets", "a%2fb"])
async def test_a_name_cannot_leave_its_place_in_the_path(connected: Connect, name: str) -> None:
    with pytest.raises(Permanent) as caught:
        await connected().get("pods", name, namespace="shop")
    assert caught.value.reason is Reason.BAD_REQUEST


ANSWERS = [
    (status(401, "Unauthorized", "Unauthorized"), Permanent, Reason.UNAUTHORIZED),
    (status(403, "Forbidden", 'pods is forbidden: User "x" cannot list resource "pods"'), Permanent, Reason.FORBIDDEN),
    (status(404, "NotFound", 'pods "x" not found'), Permanent, Reason.NOT_FOUND),
    (web.Response(text="404 page not found\n", status=404), Permanent, Reason.NOT_FOUND),
    (status(400, "BadRequest", "unable to parse requirement"), Permanent, Reason.BAD_REQUEST),
    (status(429, "TooManyRequests", "too many"), Temporary, Reason.OVERLOADED),
    (status(500, "InternalError", "etcdserver: leader changed"), Temporary, Reason.SERVER_ERROR),
    (web.Response(text="service unavailable\n", status=503), Temporary, Reason.SERVER_ERROR),
    (web.Response(text="<html>login</html>", content_type="text/html"), Temporary, Reason.BAD_ANSWER),
    (web.Response(text=""), Temporary, Reason.BAD_ANSWER),
    (web.json_response([1, 2]), Temporary, Reason.BAD_ANSWER),
    (web.json_response({"items": 5}), Permanent, Reason.BAD_ANSWER),
    (web.json_response({"items": [5]}), Permanent, Reason.BAD_ANSWER),
    (web.json_response({"kind": "PodList", "items": [{"metadata": 5}]}), Permanent, Reason.BAD_ANSWER),
]


@pytest.mark.parametrize(("answer", "error", "reason"), ANSWERS)
async def test_trouble_is_named(
    server: FakeApiServer, connected: Connect, answer: web.Response, error: type[Exception], reason: Reason
) -> None:
    server.answers[PODS] = answer
    with pytest.raises(error) as caught:
        await connected().list("pods", namespace="shop")
    assert caught.value.reason is reason  # type: ignore[attr-defined]


async def test_a_pause_that_the_server_asks_for_is_passed_on(server: FakeApiServer, connected: Connect) -> None:
    overloaded = web.Response(
        text="Too many requests, please try again later.", status=429, headers={"Retry-After": "7"}
    )
    server.answers[PODS] = [overloaded, status(504, "Timeout", "Too large resource version", retryAfterSeconds=3)]
    kubernetes = connected()
    for seconds in (7, 3):
        with pytest.raises(Temporary) as caught:
            await kubernetes.list("pods", namespace="shop")
        assert caught.value.after == seconds


async def test_messages_are_short_and_hold_no_secret(server: FakeApiServer, connected: Connect) -> None:
    server.answers[PODS] = status(403, "Forbidden", "token=hunter2hunter2 " + "x" * 5000)
    with pytest.raises(Permanent) as caught:
        await connected().list("pods", namespace="shop")
    assert "hunter2" not in str(caught.value)
    assert len(str(caught.value)) < 350


async def test_nobody_there_is_temporary(connected: Connect, server: FakeApiServer) -> None:
    server.url = "http://127.0.0.1:1"
    with pytest.raises(Temporary, match="cannot connect") as caught:
        await connected().list("pods")
    assert caught.value.reason is Reason.UNREACHABLE


async def test_a_hanging_server_is_given_up_and_then_left_alone(server: FakeApiServer, connected: Connect) -> None:
    server.otherwise = 3600.0
    kubernetes = connected(timeout="50ms")
    asked = await asyncio.gather(
        *(kubernetes.list("pods", namespace=f"n{n}") for n in range(6)), return_exceptions=True
    )
    assert all(isinstance(answer, Temporary) for answer in asked)
    with pytest.raises(Temporary) as caught:
        await kubernetes.list("deployments.apps", namespace="shop")
    assert caught.value.reason is Reason.BREAKER_OPEN


async def test_many_who_ask_the_same_are_one_request(server: FakeApiServer, connected: Connect) -> None:
    kubernetes = connected(cache="5s")
    await asyncio.gather(*(kubernetes.list("deployments.apps", namespace="shop") for _ in range(50)))
    assert server.requests == {"/apis": 1, "/apis/apps/v1/namespaces/shop/deployments": 1}


async def test_a_refused_token_is_loaded_again_once(server: FakeApiServer, connected: Connect, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("old")
    plugin = tmp_path / "plugin.py"
    plugin.write_text(
        "import json, pathlib\n"
        f"token = pathlib.Path({str(token)!r}).read_text()\n"
        "print(json.dumps({'apiVersion': 'client.authentication.k8s.io/v1', 'kind': 'ExecCredential',"
        " 'status': {'token': token}}))\n"
    )
    exec_plugin = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": sys.executable,
        "args": [str(plugin)],
        "interactiveMode": "Never",
    }
    server.tokens = {"old"}
    kubernetes = connected({"exec": exec_plugin})
    await kubernetes.version()
    server.tokens = {"new"}
    with pytest.raises(Permanent):
        await kubernetes.version()
    kubernetes._server._connection.made_at -= 60  # type: ignore[union-attr]
    token.write_text("new")
    assert await kubernetes.version() == "v1.31.2"


@pytest.mark.parametrize("text", ["", "{", "kind: Config", "contexts: 5\ncurrent-context: x"])
async def test_an_unusable_kubeconfig_says_so(tmp_path: Path, text: str) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(text)
    kubernetes = LiveKubernetes("", KubernetesSettings(kubeconfig=file), Metrics(), SystemClock())
    with pytest.raises(Permanent, match="configuration cannot be used") as caught:
        await kubernetes.list("pods")
    assert caught.value.reason is Reason.NOT_CONFIGURED
    await kubernetes.close()


async def test_a_missing_group_is_named(connected: Connect) -> None:
    with pytest.raises(Permanent, match=r"no certificates\.cert-manager\.io: group cert-manager\.io") as caught:
        await connected().list("certificates.cert-manager.io")
    assert caught.value.reason is Reason.NOT_FOUND


async def test_an_old_server_is_asked_for_the_versions_it_has(server: FakeApiServer, connected: Connect) -> None:
    server.groups = {"batch": ("v1", "v1beta1"), "autoscaling": ("v1", "v2beta1", "v2beta2"), "policy": ("v1beta1",)}

    def resources(name: str, kind: str) -> dict[str, Any]:
        return {"kind": "APIResourceList", "resources": [{"name": name, "kind": kind, "namespaced": True}]}

    server.answers["/apis/batch/v1"] = resources("jobs", "Job")
    server.answers["/apis/batch/v1beta1"] = resources("cronjobs", "CronJob")
    server.answers["/apis/autoscaling/v2beta2"] = resources("horizontalpodautoscalers", "HorizontalPodAutoscaler")
    kubernetes = connected()
    for resource in ("cronjobs.batch", "horizontalpodautoscalers.autoscaling", "poddisruptionbudgets.policy", "jobs"):
        await kubernetes.list(resource, namespace="shop")
    assert {path for path in server.requests if "/namespaces/" in path} == {
        "/apis/batch/v1beta1/namespaces/shop/cronjobs",
        "/apis/autoscaling/v2beta2/namespaces/shop/horizontalpodautoscalers",
        "/apis/policy/v1beta1/namespaces/shop/poddisruptionbudgets",
        "/apis/batch/v1/namespaces/shop/jobs",
    }


async def test_where_discovery_is_denied_the_usual_versions_are_tried(
    server: FakeApiServer, connected: Connect
) -> None:
    server.answers["/apis"] = status(403, "Forbidden", "no")
    await connected().list("horizontalpodautoscalers.autoscaling", namespace="shop")
    assert server.requests["/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers"] == 1


async def test_custom_resources_are_found_by_their_group(server: FakeApiServer, connected: Connect) -> None:
    server.groups = {"cert-manager.io": ("v1",)}
    resource = {"name": "issuers", "kind": "Issuer", "namespaced": True}
    server.answers["/apis/cert-manager.io/v1"] = {"resources": [{"name": "issuers/status"}, resource]}
    server.answers["/apis/cert-manager.io/v1/namespaces/shop/issuers"] = listing("Issuer", "acme")
    found = await connected().list("issuers.cert-manager.io", namespace="shop")
    assert found.items[0]["kind"] == "Issuer"


async def test_the_end_of_a_log_is_asked_for_with_its_times(server: FakeApiServer, connected: Connect) -> None:
    server.answers[LOG] = "2026-01-01T00:00:00Z hello\n"
    assert await connected().log("shop", "web-1", "web", previous=True, tail=7) == "2026-01-01T00:00:00Z hello\n"
    query = server.queries[-1]
    assert (query["tailLines"], query["previous"], query["timestamps"], query["container"]) == (
        "7",
        "true",
        "true",
        "web",
    )


async def test_a_pod_that_is_not_scheduled_has_an_empty_log(server: FakeApiServer, connected: Connect) -> None:
    server.answers[LOG] = web.Response(status=204)
    assert await connected().log("shop", "web-1", "web") == ""


@pytest.mark.parametrize(
    "answer",
    [
        status(400, "BadRequest", 'container "web" in pod "web-1" is waiting to start: ContainerCreating'),
        status(400, "BadRequest", 'previous terminated container "web" in pod "web-1" not found'),
        status(404, "NotFound", 'pods "web-1" not found'),
        "unable to retrieve container logs for containerd://61a71252",
    ],
)
async def test_a_log_that_is_not_there_is_not_found(
    server: FakeApiServer, connected: Connect, answer: web.Response | str
) -> None:
    server.answers[LOG] = answer
    with pytest.raises(Permanent) as caught:
        await connected().log("shop", "web-1", "web", previous=True)
    assert caught.value.reason is Reason.NOT_FOUND


async def test_a_dead_kubelet_does_not_stop_questions_about_the_cluster(
    server: FakeApiServer, connected: Connect
) -> None:
    for number in range(8):
        server.answers[f"{PODS}/p{number}/log"] = 3600.0
    kubernetes = connected(timeout="50ms")
    logs = await asyncio.gather(
        *(kubernetes.log("shop", f"p{number}", "web") for number in range(8)), return_exceptions=True
    )
    assert all(isinstance(answer, Temporary) for answer in logs)
    assert (await kubernetes.list("pods", namespace="shop")).items == []


async def test_a_log_that_is_too_large_keeps_its_end(
    server: FakeApiServer, connected: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("responder.clients.kubernetes.LARGEST_LOG", 100)
    server.answers[LOG] = ["x" * 100, "the end\n"]
    assert await connected().log("shop", "web-1", "web", tail=400) == "the end\n"
    assert [query["tailLines"] for query in server.queries] == ["400", "100"]


async def test_commands_are_quoted_for_a_shell(tmp_path: Path) -> None:
    settings = KubernetesSettings(kubeconfig=tmp_path / "my config", context="prod; rm")
    command = LiveKubernetes("", settings, Metrics(), SystemClock()).kubectl("-n", "shop", "get", "pods")
    assert command == f"kubectl --kubeconfig '{tmp_path}/my config' --context 'prod; rm' -n shop get pods"


async def test_the_settings_choose_the_client(tmp_path: Path) -> None:
    def made(**settings: Any) -> object:
        return connect("", KubernetesSettings(**settings), Metrics(), SystemClock())

    assert isinstance(made(snapshot=tmp_path), SnapshotKubernetes)
    assert isinstance(made(kubeconfig=tmp_path / "kubeconfig"), LiveKubernetes)
    assert isinstance(made(context="prod"), LiveKubernetes)
    assert isinstance(made(in_cluster=True), LiveKubernetes)
    assert made(in_cluster=False) is None


async def test_outside_a_cluster_the_pods_account_says_so() -> None:
    kubernetes = LiveKubernetes("", KubernetesSettings(in_cluster=True), Metrics(), SystemClock())
    with pytest.raises(Permanent, match="configuration cannot be used"):
        await kubernetes.version()
    await kubernetes.close()


EVENTS = "/api/v1/namespaces/shop/events"


async def test_an_object_can_be_made_and_changed(server: FakeApiServer, connected: Connect) -> None:
    server.answers[EVENTS] = {"kind": "Event", "metadata": {"name": "e"}}
    server.answers[f"{EVENTS}/e"] = {"kind": "Event", "metadata": {"name": "e"}, "count": 2}
    kubernetes = connected(cache="1m")
    for _ in range(2):
        made = await kubernetes.create("events", {"metadata": {"name": "e"}}, namespace="shop")
        changed = await kubernetes.patch("events", "e", {"count": 2}, namespace="shop")
    assert (made["metadata"]["name"], changed["count"]) == ("e", 2)
    assert server.requests[EVENTS] == server.requests[f"{EVENTS}/e"] == 2, "a change is never answered from memory"


async def test_what_is_there_already_is_told_from_other_refusals(server: FakeApiServer, connected: Connect) -> None:
    server.answers[EVENTS] = [
        status(409, "AlreadyExists", 'events "e" already exists'),
        status(422, "Invalid", "message: can have at most 1024 bytes"),
        status(403, "Forbidden", "cannot create resource"),
    ]
    kubernetes = connected()
    with pytest.raises(Exists, match="already exists"):
        await kubernetes.create("events", {"metadata": {"name": "e"}}, namespace="shop")
    for reason in (Reason.BAD_REQUEST, Reason.FORBIDDEN):
        with pytest.raises(Permanent) as caught:
            await kubernetes.create("events", {"metadata": {"name": "e"}}, namespace="shop")
        assert caught.value.reason is reason
        assert not isinstance(caught.value, Exists)


async def test_what_is_changed_cannot_leave_its_place_in_the_path(server: FakeApiServer, connected: Connect) -> None:
    with pytest.raises(Permanent, match="no name of an object"):
        await connected().patch("events", "../pods/web-1", {}, namespace="shop")
    assert not server.requests
