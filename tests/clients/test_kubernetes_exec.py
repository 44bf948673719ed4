"""Access reviews and commands in containers: the protocols, and what the settings allow."""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from responder.clients.allowing import allowed
from responder.clients.kubernetes import LARGEST_OUTPUT, LiveKubernetes
from responder.clients.snapshot import SnapshotKubernetes
from responder.clock import SystemClock
from responder.errors import Permanent, Reason, Temporary
from responder.metrics import Metrics
from responder.settings import KubernetesSettings
from tests.fakes.apiserver import FakeApiServer, serving, status

RULES = {"shop": [["nslookup", "kubernetes.default"], ["nc", "-z", "*", "8080"]]}
Client = Callable[..., Any]


@asynccontextmanager
async def client(server: FakeApiServer, folder: Path, **settings: Any) -> AsyncIterator[LiveKubernetes]:
    async with serving(server):
        given = KubernetesSettings(kubeconfig=server.kubeconfig(folder), exec=RULES, cache="0s", **settings)
        found = LiveKubernetes("", given, Metrics(), SystemClock())
        yield found
        await found.close()


@pytest.mark.parametrize(
    ("command", "may"),
    [
        (["nslookup", "kubernetes.default"], True),
        (["nslookup", "kubernetes.default", "10.0.0.1"], False),
        (["nslookup"], False),
        (["nc", "-z", "redis", "8080"], True),
        (["nc", "-z", "-e/bin/sh", "8080"], False),
        (["nc", "-z", "redis; id", "8080"], True),
        (["nc", "-z", "redis", "8081"], False),
        (["sh", "-c", "id"], False),
        ([], False),
    ],
)
def test_only_lists_of_arguments_that_are_allowed_may_run(command: list[str], may: bool) -> None:
    assert allowed(RULES, "shop", command) is may
    assert not allowed(RULES, "other", command)


@pytest.mark.parametrize("rule", [[], ["*"], ["*", "x"], ["sh", "-c", "*"], ["/bin/bash", "*"], ["env", "*"]])
def test_a_rule_that_would_run_anything_is_refused(rule: list[str]) -> None:
    with pytest.raises(ValidationError, match=r"kubernetes\.exec"):
        KubernetesSettings(exec={"shop": [rule]})


async def test_a_command_says_its_output_and_its_code(tmp_path: Path) -> None:
    frames = [(1, ""), (1, "hello\n"), (2, "token=hunter2\n"), (3, '{"metadata":{},"status":"Success"}')]
    server = FakeApiServer(frames=frames)
    async with client(server, tmp_path) as kubernetes:
        ended = await kubernetes.exec("shop", "web-1", "web", ["nslookup", "kubernetes.default"])
    assert (ended.code, ended.stdout, ended.stderr, ended.truncated) == (0, "hello\n", "token=[redacted]\n", False)
    assert server.commands == [["timeout", "-s", "KILL", "10", "nslookup", "kubernetes.default"]]


async def test_what_is_not_allowed_is_never_sent(tmp_path: Path) -> None:
    server = FakeApiServer()
    async with client(server, tmp_path) as kubernetes:
        for namespace, command in (("shop", ["id"]), ("other", ["nslookup", "kubernetes.default"])):
            with pytest.raises(Permanent, match=r"add its arguments to kubernetes\.exec") as caught:
                await kubernetes.exec(namespace, "web-1", "web", command)
            assert caught.value.reason is Reason.FORBIDDEN
    assert not server.requests


COMMAND = ["nslookup", "kubernetes.default"]


@pytest.mark.parametrize("name", ["exec", "exec-fails", "exec-absent-command"])
async def test_recorded_ends_of_commands_are_read(shared: Path, tmp_path: Path, name: str) -> None:
    recorded = json.loads((shared / "kubernetes" / "recordings" / "node" / "running" / f"{name}.json").read_text())
    server = FakeApiServer(frames=[(frame["channel"], frame["text"]) for frame in recorded["frames"]])
    async with client(server, tmp_path) as kubernetes:
        ended = await kubernetes.exec("shop", "web-1", "web", COMMAND)
    match name:
        case "exec":
            assert (ended.code, ended.stdout) == (0, "hello\n")
        case "exec-fails":
            assert (ended.code, ended.error) == (4, "")
        case _:
            assert ended.code is None
            assert "executable file not found" in ended.error


async def test_long_output_is_cut(tmp_path: Path) -> None:
    server = FakeApiServer(frames=[*[(1, "x" * 10_000)] * 10, (3, '{"status":"Success"}')])
    async with client(server, tmp_path) as kubernetes:
        ended = await kubernetes.exec("shop", "web-1", "web", COMMAND)
    assert len(ended.stdout) == LARGEST_OUTPUT
    assert ended.truncated


async def test_a_connection_that_ends_early_is_said(tmp_path: Path) -> None:
    async with client(FakeApiServer(frames=[(1, "half")]), tmp_path) as kubernetes:
        ended = await kubernetes.exec("shop", "web-1", "web", COMMAND)
    assert (ended.code, ended.stdout) == (None, "half")
    assert "ended before the command did" in ended.error


async def test_a_command_that_does_not_end_is_given_up_on(tmp_path: Path) -> None:
    async with client(FakeApiServer(frames=[3600.0]), tmp_path) as kubernetes:
        with pytest.raises(Temporary) as caught:
            await kubernetes.exec("shop", "web-1", "web", COMMAND, timeout=0.3)
    assert caught.value.reason is Reason.TIMEOUT


async def test_a_command_that_was_ended_in_its_container_is_said(tmp_path: Path) -> None:
    ended = '{"status":"Failure","details":{"causes":[{"reason":"ExitCode","message":"137"}]}}'
    async with client(FakeApiServer(frames=[(1, "half"), (3, ended)]), tmp_path) as kubernetes:
        found = await kubernetes.exec("shop", "web-1", "web", COMMAND, timeout=3)
    assert (found.code, found.stdout, found.error) == (137, "half", "it was ended, since it took longer than 3 s")


async def test_a_container_that_cannot_end_commands_runs_them_all_the_same(tmp_path: Path) -> None:
    missing = '{"status":"Failure","message":"exec failed: exec: \\"timeout\\": executable file not found in $PATH"}'
    server = FakeApiServer(frames=[(3, missing)])
    async with client(server, tmp_path) as kubernetes:
        found = await kubernetes.exec("shop", "web-1", "web", COMMAND)
    assert found.code is None
    assert server.commands == [["timeout", "-s", "KILL", "10", *COMMAND], COMMAND]


async def test_commands_that_do_not_end_leave_the_logs_readable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("responder.clients.kubernetes.GRACE", 0.0)
    log = "2026-01-01T00:00:00Z hello\n"
    server = FakeApiServer({"/api/v1/namespaces/shop/pods/web-1/log": log}, frames=[3600.0])
    async with client(server, tmp_path) as kubernetes:
        for _ in range(8):
            with pytest.raises(Temporary):
                await kubernetes.exec("shop", "web-1", "web", COMMAND, timeout=0.05)
        assert await kubernetes.log("shop", "web-1", "web") == log


@pytest.mark.parametrize(("code", "reason"), [(403, Reason.FORBIDDEN), (404, Reason.NOT_FOUND)])
async def test_a_server_that_refuses_is_told(tmp_path: Path, code: int, reason: Reason) -> None:
    path = "/api/v1/namespaces/shop/pods/web-1/exec"
    server = FakeApiServer({path: status(code, "X", "pods is forbidden")})
    async with client(server, tmp_path) as kubernetes:
        with pytest.raises(Permanent) as caught:
            await kubernetes.exec("shop", "web-1", "web", COMMAND)
    assert caught.value.reason is reason


async def test_reviews_are_asked_of_the_right_path(tmp_path: Path) -> None:
    seen: list[tuple[str, Mapping[str, Any]]] = []

    def judge(kind: str, spec: Mapping[str, Any]) -> bool:
        seen.append((kind, spec))
        return kind == "LocalSubjectAccessReview"

    attributes = {"resourceAttributes": {"verb": "list", "resource": "pods", "namespace": "shop"}}
    async with client(FakeApiServer(reviewed=judge), tmp_path) as kubernetes:
        assert await kubernetes.review("SelfSubjectAccessReview", attributes) == {"allowed": False}
        someone = {"user": "x", **attributes}
        assert await kubernetes.review("SubjectAccessReview", someone) == {"allowed": False}
        assert await kubernetes.review("LocalSubjectAccessReview", someone, namespace="shop") == {"allowed": True}
    assert [kind for kind, _ in seen] == ["SelfSubjectAccessReview", "SubjectAccessReview", "LocalSubjectAccessReview"]


async def test_a_recorded_review_is_read(shared: Path, tmp_path: Path) -> None:
    for name, may in (("viewer-may-scale", False), ("admin-may-scale", True)):
        recorded = json.loads((shared / "kubernetes" / "recordings" / "access" / f"{name}.json").read_text())
        server = FakeApiServer({recorded["request"]["path"]: recorded["body"]})
        async with client(server, tmp_path) as kubernetes:
            answer = await kubernetes.review("SelfSubjectAccessReview", recorded["request"]["body"]["spec"])
        assert answer["allowed"] is may


async def test_who_may_not_ask_is_told(tmp_path: Path) -> None:
    async with client(FakeApiServer(), tmp_path) as kubernetes:
        with pytest.raises(Permanent) as caught:
            await kubernetes.review("SelfSubjectAccessReview", {"resourceAttributes": {"verb": "get"}})
    assert caught.value.reason is Reason.FORBIDDEN


async def test_a_snapshot_can_be_asked_neither(tmp_path: Path) -> None:
    snapshot = SnapshotKubernetes("", tmp_path)
    with pytest.raises(Permanent, match="cannot be asked of a snapshot"):
        await snapshot.review("SelfSubjectAccessReview", {})
    with pytest.raises(Permanent, match="cannot be run in a snapshot"):
        await snapshot.exec("shop", "web-1", "web", COMMAND)
