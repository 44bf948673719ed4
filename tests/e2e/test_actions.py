"""An action from the finding to the verified change, through the whole service and a cluster that is strict."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from responder.app import serving as service_of
from responder.errors import ConfigError
from responder.settings import Settings
from tests.clock import TurnedClock
from tests.fakes.apiserver import serving, status
from tests.fakes.cluster import FakeCluster, autoscaler, deployment, pod, revision
from tests.service import PATIENCE, Running, Starter, alert

pytestmark = pytest.mark.integration

SCALE = "PATCH /apis/apps/v1/namespaces/shop/deployments/web/scale"
RUNBOOK = """
apiVersion: responder/v1
kind: Runbook
metadata: {name: web-down, title: The shop is down}
match: [alertname="WebDown"]
target: {namespace: shop, workload: deployment/web}
investigate: [{id: web, probe: kubernetes.workload}]
diagnose:
  - when: evidence.web.value < 4.0
    finding: {cause: too-few, subject: deployment/web, confidence: CONFIDENCE, headline: There are too few of them.}
causes:
  - {slug: too-few, title: Too few, meaning: Too few., confirm: Count them., fix: Add some.}
verify: [{step: web, expect: value >= 5.0, within: 2m}]
actions:
  - {id: more, title: Scale the shop to 5, action: kubernetes.scale, mode: MODE, replicas: 5, causes: [too-few]}
  - {id: restart, action: kubernetes.rollout_restart, mode: suggest}
  - {id: other, action: kubernetes.rollout_restart, mode: approve, causes: [oom-killed]}
"""
ALLOWED = {"allow": "approve", "namespaces": ["shop"]}
BASIC = [{"username": "Ada", "password": "correct horse"}, {"username": "Ben", "password": "battery staple"}]


class Chat(TestServer):
    """A channel, as its incoming webhook sees it."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        app = web.Application()
        app.router.add_post("/hooks/x", self._receive)
        super().__init__(app)

    async def _receive(self, request: web.Request) -> web.Response:
        self.texts.append((await request.json())["text"])
        return web.Response(text="ok")

    async def approval(self) -> str:
        """The token of the newest button that approves something."""
        async with asyncio.timeout(PATIENCE):
            while True:
                found = [re.search(r"Approve[^)]*/say/([\w.~-]+)", text) for text in self.texts]
                if tokens := [one[1] for one in found if one]:
                    return tokens[-1]
                await asyncio.sleep(0.02)


@dataclass
class Shop:
    """A cluster with too few pods, the channel, and what starts a service over both."""

    cluster: FakeCluster
    chat: Chat
    folder: Path
    start: Starter
    clock: TurnedClock = field(default_factory=TurnedClock)

    def settings(self, mode: str = "approve", confidence: str = "certain", **settings: Any) -> dict[str, Any]:
        rules = self.folder / "rules"
        rules.mkdir(exist_ok=True)
        (rules / "web.yaml").write_text(RUNBOOK.replace("MODE", mode).replace("CONFIDENCE", confidence))
        return {
            "rules": [str(rules)],
            "kubernetes": {"kubeconfig": str(self.cluster.kubeconfig(self.folder)), "cache": "0s"},
            "external_url": "https://responder.example",
            "sinks": [{"name": "chat", "kind": "mattermost_webhook", "url": str(self.chat.make_url("/hooks/x"))}],
            "actions": ALLOWED,
            **settings,
        }

    async def service(self, mode: str = "approve", confidence: str = "certain", **settings: Any) -> Running:
        return await self.start(clock=self.clock, **self.settings(mode, confidence, **settings))

    async def incident(self, service: Running) -> dict[str, Any]:
        """The incident, investigated."""
        await service.post(alert("WebDown", namespace="shop"))
        return await service.incident()

    async def stands(self, service: Running, state: str, action: str = "more") -> dict[str, Any]:
        """The action, as soon as its latest attempt is in that state."""
        found: dict[str, Any] = {}
        try:
            async with asyncio.timeout(PATIENCE):
                while True:
                    (incident,) = await service.incidents()
                    found = await service.get(f"incidents/{incident['id']}/actions/{action}")
                    if found["attempt"] and found["attempt"]["state"] == state:
                        return found
                    await asyncio.sleep(0.02)
        except TimeoutError:
            pytest.fail(f"wanted is {state}, it is {found}")

    def scaled(self) -> None:
        """What the controllers do after the change: five pods that are ready."""
        self.cluster.add(*(pod(f"web-{number}", ready=True) for number in range(5)))


@pytest.fixture
async def shop(tmp_path: Path, start_service: Starter) -> AsyncIterator[Shop]:
    async with serving(FakeCluster()) as cluster, Chat() as chat:
        assert isinstance(cluster, FakeCluster)
        cluster.add(deployment(3), revision(1, "web:1"), revision(2, "web:2"), pod("web-0", ready=True), pod("web-1"))
        yield Shop(cluster, chat, tmp_path, start_service)


async def page(service: Running, path: str, wanted: int = 200, **form: str) -> str:
    """A page; with fields it is posted as its form."""
    method = "POST" if form else "GET"
    headers = {"Accept": "text/html"}
    url = f"{service.url}{path}"
    async with service.session.request(method, url, data=form or None, headers=headers) as answer:
        text = await answer.text()
        assert answer.status == wanted, text
        return text


async def eventually(holds: Callable[[], bool]) -> None:
    """Wait until it holds."""
    async with asyncio.timeout(PATIENCE):
        while True:
            if holds():
                return
            await asyncio.sleep(0.02)


def told(incident: dict[str, Any], *words: str) -> bool:
    """Whether the timeline has lines with these words, in this order."""
    lines = iter(entry["text"] for entry in incident["timeline"])
    return all(any(word in line for line in lines) for word in words)


async def test_the_link_in_a_message_shows_what_would_be_done_and_does_it_once(shop: Shop) -> None:
    service = await shop.service()
    incident = await shop.incident(service)
    assert [line["fits"] for line in incident["actions"]] == [True, True, False]
    token = await shop.chat.approval()
    shown = await page(service, f"/say/{token}")
    assert "Scale deployment/web in shop from 3 to 5 replicas" in shown
    assert "kubectl" in shown
    assert shop.cluster.changed == []
    text = re.search(r'name="seen" value="([^"]+)"', shown)
    assert text
    assert "Approved" in await page(service, f"/say/{token}", by="Ada", seen=text[1])
    line = await shop.stands(service, "done")
    assert line["attempt"]["approved_by"] == "Ada"
    assert shop.cluster.changed == [SCALE]
    await page(service, f"/say/{token}", 404)
    await page(service, f"/say/{token}", 404, by="Ben", seen=text[1])
    shop.scaled()
    shop.clock.turn(timedelta(seconds=31))
    await shop.stands(service, "verified")
    whole = await service.get(f"incidents/{incident['id']}")
    assert told(whole, "Ada approved: Scale deployment/web in shop from 3 to 5", "Done: Scale the shop", "It helped:")
    assert shop.cluster.changed == [SCALE]
    assert await service.metric("responder_actions_total", action="kubernetes.scale", outcome="verified") == 1
    assert "Scale the shop to 5 (verified, approved by Ada)" in await page(
        service, f"/sinks/chat?incident={whole['id']}"
    )


async def test_the_page_looks_first_and_approves_what_was_seen(shop: Shop) -> None:
    service = await shop.service()
    incident = await shop.incident(service)
    here = f"/incidents/{incident['id']}"
    assert "See what it would do" in await page(service, here)
    assert "the runbook only suggests it" in await page(service, here)
    post = f"/api/v1{here}/actions/more"
    shown = await page(service, f"{post}/preview", by="Ada")
    assert "Scale deployment/web in shop from 3 to 5 replicas" in shown
    assert "Approve</button>" in shown
    changed = await service.say(f"incidents/{incident['id']}/actions/more", 409, by="Ada", seen="something else")
    assert "it would do something else by now" in changed["detail"]
    await page(service, post, by="Ada", number="1", seen="Scale deployment/web in shop from 3 to 5 replicas")
    await shop.stands(service, "done")
    again = await service.say(f"incidents/{incident['id']}/actions/more", 409, by="Ben")
    assert "it is done, approved by Ada" in again["detail"]


async def test_by_default_everything_is_only_suggested(shop: Shop) -> None:
    service = await shop.service(actions={})
    incident = await shop.incident(service)
    assert {line["mode"] for line in incident["actions"]} == {"suggest"}
    for path in ("actions/more", "actions/more/preview"):
        said = await service.say(f"incidents/{incident['id']}/{path}", 403, by="Ada")
        assert "actions.allow" in said["detail"]
    assert "Approve" not in "".join(shop.chat.texts)
    assert shop.cluster.tried == shop.cluster.changed == []


@pytest.mark.parametrize(
    ("policy", "why"),
    [
        ({"namespaces": ["other"]}, "namespace shop may not be changed"),
        ({"hourly_limit": 0}, "actions.hourly_limit is 0"),
    ],
)
async def test_beyond_policy_nothing_is_done_whoever_asks(shop: Shop, policy: dict[str, Any], why: str) -> None:
    service = await shop.service(actions={**ALLOWED, **policy})
    incident = await shop.incident(service)
    said = await service.say(f"incidents/{incident['id']}/actions/more", 409, by="Ada")
    assert why in said["detail"]
    whole = await service.get(f"incidents/{incident['id']}")
    assert told(whole, "Ada asked for “Scale the shop to 5”, it is refused")
    assert shop.cluster.changed == []


async def test_an_approval_needs_a_name_and_a_known_one_where_approvers_are_named(shop: Shop) -> None:
    service = await shop.service(actions={**ALLOWED, "approvers": ["Ada"]}, auth={"basic": BASIC})
    token = "Basic QmVuOmJhdHRlcnkgc3RhcGxl"
    service.session.headers["Authorization"] = token
    incident = await shop.incident(service)
    path = f"incidents/{incident['id']}/actions/more"
    assert "only Ada may approve" in (await service.say(path, 403, by="Ada"))["detail"]
    link = await shop.chat.approval()
    assert "only Ada may approve" in await page(service, f"/say/{link}", 403, by="Ada", seen="")
    service.session.headers["Authorization"] = "Basic QWRhOmNvcnJlY3QgaG9yc2U="
    assert (await service.say(path))["attempt"]["approved_by"] == "Ada"
    await shop.stands(service, "done")


async def test_an_approver_whom_nobody_can_prove_to_be_is_a_mistake_in_the_settings(shop: Shop) -> None:
    with pytest.raises((ConfigError, ValueError), match=r"'Ada' is no user of auth.basic"):
        await shop.service(actions={**ALLOWED, "approvers": ["Ada"]})


async def test_where_anybody_reads_the_pages_only_who_is_known_approves(shop: Shop) -> None:
    service = await shop.service(auth={"basic": BASIC, "protect_pages": False})
    service.session.headers["Authorization"] = "Basic QWRhOmNvcnJlY3QgaG9yc2U="
    incident = await shop.incident(service)
    del service.session.headers["Authorization"]
    assert (await service.get(f"incidents/{incident['id']}"))["actions"]
    for path in ("actions/more", "actions/more/preview"):
        await service.say(f"incidents/{incident['id']}/{path}", 401, by="Ada")
    await service.say("actions/stop", 401, by="Eve")


async def test_nobody_approves_without_a_name(shop: Shop) -> None:
    service = await shop.service()
    incident = await shop.incident(service)
    said = await service.say(f"incidents/{incident['id']}/actions/more", 403)
    assert "say who you are" in said["detail"]


async def test_a_proposal_expires_and_with_it_the_link(shop: Shop) -> None:
    service = await shop.service()
    incident = await shop.incident(service)
    token = await shop.chat.approval()
    shop.clock.turn(timedelta(minutes=61))
    await page(service, f"/say/{token}", 404)
    said = await service.say(f"incidents/{incident['id']}/actions/more", 409, by="Ada")
    assert "it is expired" in said["detail"]
    renewed = await service.say(f"incidents/{incident['id']}/actions/more/preview")
    assert renewed["attempt"]["number"] == 2
    await service.say(f"incidents/{incident['id']}/actions/more", by="Ada", number=2)
    await shop.stands(service, "done")


async def test_an_emergency_stop_holds_over_a_restart_and_is_on_every_page(shop: Shop) -> None:
    async with AsyncExitStack() as stack:
        first = await _own(stack, shop)
        incident = await shop.incident(first)
        await first.say("actions/stop", by="Ada", why="it smells")
        said = await first.say(f"incidents/{incident['id']}/actions/more", 403, by="Ben")
        assert "actions are stopped by Ada" in said["detail"]
    service = await _own(stack, shop)
    async with stack:
        for path in ("/", "/runbooks", "/sinks", f"/incidents/{incident['id']}"):
            assert "it smells" in await page(service, path)
        assert (await service.get("actions/stop"))["by"] == "Ada"
        assert await service.say("actions/resume", by="Ada") is None
        assert "it smells" not in await page(service, "/")
        (over,) = await service.get("actions/stops")
        assert (over["by"], over["why"], over["resumed_by"]) == ("Ada", "it smells", "Ada")
        await service.say(f"incidents/{incident['id']}/actions/more", by="Ben")
        await shop.stands(service, "done")


async def test_a_stop_after_the_approval_is_heeded(shop: Shop) -> None:
    service = await shop.service()
    incident = await shop.incident(service)
    path = "/apis/apps/v1/namespaces/shop/deployments/web/scale"
    shop.cluster.refused[path] = status(503, "ServiceUnavailable", "busy")
    said = await service.say(f"incidents/{incident['id']}/actions/more", 502, by="Ada")
    assert "busy" in said["detail"]
    del shop.cluster.refused[path]
    shop.cluster.thawed.clear()
    try:
        approving = asyncio.create_task(service.say(f"incidents/{incident['id']}/actions/more", 409, by="Ada"))
        await asyncio.sleep(0.2)
        await service.say("actions/stop", by="Ben")
    finally:
        shop.cluster.thawed.set()
    assert "stopped by Ben" in (await approving)["detail"]
    assert shop.cluster.changed == []


async def test_what_a_crash_interrupts_is_told_as_unknown_and_never_repeated(shop: Shop) -> None:
    shop.cluster.hangs.add("/apis/apps/v1/namespaces/shop/deployments/web/scale")
    async with AsyncExitStack() as stack:
        service = await _own(stack, shop, drain="100ms")
        incident = await shop.incident(service)
        await service.say(f"incidents/{incident['id']}/actions/more", by="Ada")
        await shop.stands(service, "running")
        await eventually(lambda: bool(shop.cluster.changed))
    async with AsyncExitStack() as stack:
        service = await _own(stack, shop)
        line = await shop.stands(service, "unknown")
        assert "does not repeat it" in line["attempt"]["outcome"]
        whole = await service.get(f"incidents/{incident['id']}")
        assert told(whole, "Ada approved", "Nobody knows whether it was done")
        again = await service.say(f"incidents/{incident['id']}/actions/more/preview")
        assert "has 5 replicas already" in again["attempt"]["preview"]["refusal"]
    assert shop.cluster.changed == [SCALE]


async def test_what_changed_between_approval_and_change_is_not_done(shop: Shop) -> None:
    service = await shop.service()
    incident = await shop.incident(service)
    shop.cluster.after_tries = lambda: shop.cluster.add(deployment(4))
    await service.say(f"incidents/{incident['id']}/actions/more", by="Ada")
    line = await shop.stands(service, "refused")
    assert (
        "something else than what was approved: Scale deployment/web in shop from 4 to 5" in line["attempt"]["outcome"]
    )
    assert shop.cluster.changed == []


async def test_an_autoscaler_that_came_since_is_respected(shop: Shop) -> None:
    service = await shop.service()
    incident = await shop.incident(service)
    shop.cluster.add(autoscaler())
    said = await service.say(f"incidents/{incident['id']}/actions/more", 409, by="Ada")
    assert "the autoscaler web decides" in said["detail"]


async def test_a_no_of_the_server_is_the_outcome(shop: Shop) -> None:
    service = await shop.service()
    incident = await shop.incident(service)
    words = "exceeded quota"
    shop.cluster.refused_for_real["/apis/apps/v1/namespaces/shop/deployments/web/scale"] = status(
        403, "Forbidden", words
    )
    await service.say(f"incidents/{incident['id']}/actions/more", by="Ada")
    line = await shop.stands(service, "failed")
    assert "exceeded quota" in line["attempt"]["outcome"]
    assert await service.metric("responder_actions_total", action="kubernetes.scale", outcome="failed") == 1


async def test_what_did_not_help_is_said(shop: Shop) -> None:
    service = await shop.service()
    incident = await shop.incident(service)
    await service.say(f"incidents/{incident['id']}/actions/more", by="Ada")
    await shop.stands(service, "done")
    for _ in range(8):
        shop.clock.turn(timedelta(seconds=31))
        await asyncio.sleep(0.1)
    whole = await service.get(f"incidents/{incident['id']}")
    assert told(whole, "did not help: web: value >= 5")
    assert (await shop.stands(service, "done"))["attempt"]["checked"].startswith("it did not help")


async def test_a_second_look_does_not_keep_anybody_from_learning_whether_it_helped(shop: Shop) -> None:
    service = await shop.service()
    incident = await shop.incident(service)
    await service.say(f"incidents/{incident['id']}/actions/more", by="Ada")
    await shop.stands(service, "done")
    looked = await service.say(f"incidents/{incident['id']}/actions/more/preview")
    assert looked["attempt"]["number"] == 2
    shop.scaled()
    await service.post(alert("WebDown", namespace="shop", pod="another"))
    shop.clock.turn(timedelta(seconds=31))
    async with asyncio.timeout(PATIENCE):
        while True:
            whole = await service.get(f"incidents/{incident['id']}")
            if told(whole, "Done: Scale the shop", "It helped:"):
                break
            await asyncio.sleep(0.05)
    assert shop.cluster.changed == [SCALE]


async def test_what_policy_forbids_is_not_even_tried(shop: Shop) -> None:
    service = await shop.service(actions={**ALLOWED, "namespaces": ["other"]})
    incident = await shop.incident(service)
    looked = await service.say(f"incidents/{incident['id']}/actions/more/preview")
    assert "the namespace shop may not be changed" in looked["attempt"]["preview"]["refusal"]
    assert shop.cluster.tried == []


async def test_an_object_that_was_made_anew_since_the_approval_is_not_changed(shop: Shop) -> None:
    service = await shop.service()
    incident = await shop.incident(service)
    shop.cluster.after_tries = lambda: shop.cluster.get("Deployment", "web")["metadata"].update(uid="another")
    await service.say(f"incidents/{incident['id']}/actions/more", by="Ada")
    await shop.stands(service, "refused")
    assert shop.cluster.changed == []


async def test_the_same_object_is_left_alone_for_a_while(shop: Shop) -> None:
    service = await shop.service()
    incident = await shop.incident(service)
    await service.say(f"incidents/{incident['id']}/actions/more", by="Ada")
    await shop.stands(service, "done")
    shop.cluster.add(deployment(3))
    await service.say(f"incidents/{incident['id']}/actions/more/preview")
    said = await service.say(f"incidents/{incident['id']}/actions/more", 409, by="Ada")
    assert "shop/deployment/web was changed a moment ago" in said["detail"]
    shop.clock.turn(timedelta(minutes=16))
    await service.say(f"incidents/{incident['id']}/actions/more", by="Ada")
    await eventually(lambda: shop.cluster.changed == [SCALE, SCALE])


async def test_a_certain_finding_is_answered_without_a_person_once(shop: Shop) -> None:
    service = await shop.service(mode="auto", actions={**ALLOWED, "allow": "auto"})
    incident = await shop.incident(service)
    line = await shop.stands(service, "done")
    assert line["attempt"]["approved_by"] == "policy"
    whole = await service.get(f"incidents/{incident['id']}")
    assert told(whole, "Policy approved: Scale deployment/web in shop from 3 to 5 replicas", "Done")
    shop.cluster.add(deployment(3))
    shop.clock.turn(timedelta(hours=2))
    await service.post(alert("WebDown", namespace="shop", pod="another"))
    await asyncio.sleep(0.5)
    assert shop.cluster.changed == [SCALE]


async def test_what_policy_refuses_again_and_again_is_told_once(shop: Shop) -> None:
    service = await shop.service(mode="auto", actions={**ALLOWED, "allow": "auto", "namespaces": ["other"]})
    incident = await shop.incident(service)
    for number in range(3):
        await service.post(alert("WebDown", namespace="shop", pod=f"web-{number}", kind=f"Kind{number}"))
        await asyncio.sleep(0.3)
    line = await shop.stands(service, "previewed")
    assert "may not be changed" in line["attempt"]["preview"]["refusal"]
    whole = await service.get(f"incidents/{incident['id']}")
    assert len([entry for entry in whole["timeline"] if entry["text"].startswith("policy asked for")]) == 1
    assert shop.cluster.changed == []


@pytest.mark.parametrize(
    ("mode", "confidence", "allow"),
    [("auto", "likely", "auto"), ("auto", "certain", "approve"), ("approve", "certain", "auto")],
)
async def test_without_a_person_nothing_is_done_that_is_not_certain_or_not_allowed(
    shop: Shop, mode: str, confidence: str, allow: str
) -> None:
    service = await shop.service(mode, confidence, actions={**ALLOWED, "allow": allow})
    await shop.incident(service)
    assert await shop.stands(service, "proposed")
    await asyncio.sleep(0.3)
    assert await shop.stands(service, "proposed")
    assert shop.cluster.changed == []


async def test_what_goes_wrong_without_a_person_stops_itself(shop: Shop) -> None:
    path = "/apis/apps/v1/namespaces/shop/deployments/web/scale"
    shop.cluster.refused_for_real[path] = status(403, "Forbidden", "exceeded quota")
    service = await shop.service(mode="auto", actions={**ALLOWED, "allow": "auto"})
    await shop.incident(service)
    await shop.stands(service, "failed")
    whole = await service.incident(lambda found: found["revision"] > 1)
    assert told(whole, "Failed", "Nothing more is done without a person")
    stop = await service.get("actions/stop")
    assert stop["scope"] == "auto"
    assert "exceeded quota" in stop["why"]
    assert "Nothing is done without a person" in await page(service, "/")


async def test_what_answers_another_finding_cannot_be_approved_nor_anything_once_it_is_over(shop: Shop) -> None:
    service = await shop.service()
    incident = await shop.incident(service)
    said = await service.say(f"incidents/{incident['id']}/actions/other", 409, by="Ada")
    assert "it is for other findings: oom-killed" in said["detail"]
    over = {**alert("WebDown", namespace="shop"), "status": "resolved", "endsAt": shop.clock.now().isoformat()}
    over["startsAt"] = incident["started_at"]
    await service.post(over, status="resolved")
    await service.incident(lambda found: found["status"] == "resolved")
    said = await service.say(f"incidents/{incident['id']}/actions/more", 409, by="Ada")
    assert "the incident is over" in said["detail"]
    assert shop.cluster.changed == []


async def test_what_there_is_not_is_not_found(shop: Shop) -> None:
    service = await shop.service()
    incident = await shop.incident(service)
    for path in (f"incidents/{incident['id']}/actions/none", "incidents/none/actions/more"):
        await service.say(path, 404, by="Ada")
        await service.say(f"{path}/preview", 404)
    await service.say(f"incidents/{incident['id']}/actions/more", 400, by="Ada", number="x")


async def test_a_page_of_another_site_cannot_approve(shop: Shop) -> None:
    service = await shop.service()
    incident = await shop.incident(service)
    service.session.headers["Origin"] = "https://evil.example"
    for path in (f"incidents/{incident['id']}/actions/more", "actions/stop", "actions/resume"):
        await service.say(path, 403, by="Ada")
    assert shop.cluster.changed == []


async def _own(stack: AsyncExitStack, shop: Shop, **settings: Any) -> Running:
    """A service that ends before the test does."""
    given = {"listen": "127.0.0.1:0", "database": f"sqlite:///{shop.folder}/own.db", **shop.settings(**settings)}
    host, port = await stack.enter_async_context(service_of(Settings(**given), shop.clock))
    session = await stack.enter_async_context(aiohttp.ClientSession())
    return Running(f"http://{host}:{port}", session)
