"""What people do to incidents over the API, and what is refused."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from responder.flow.openings import BY_HAND, Opening
from responder.store import notifications
from responder.store.database import Database
from responder.store.notifications import Delivery
from responder.web import api, hands, schema
from tests.clock import TurnedClock
from tests.makers import NOW
from tests.servers import Servers
from tests.service import PATIENCE, Running, Starter, alert

pytestmark = pytest.mark.integration

RECOVERY = "kubechat-disaster-recovery"
EVIL = "x'; rm -rf / #`$(reboot)`"


async def opened(service: Running, runbook: str = RECOVERY, /, **labels: str) -> dict[str, Any]:
    answer: dict[str, Any] = await service.say("incidents", 201, runbook=runbook, labels=labels, by="Ada")
    return answer


def steps(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {step["id"]: step for step in report["procedure"]}


async def test_a_procedure_starts_without_an_alert_and_ends_by_hand(start_service: Starter) -> None:
    service = await start_service("crash_loop")
    report = await opened(service, namespace="kubechat-system")
    assert (report["status"], report["severity"], report["opened_by"]) == ("firing", "P0", "Ada")
    assert report["title"] == "Complete failure of KubeChat on namespace/kubechat-system"
    whole = await service.incident()
    assert whole["findings"][0]["cause"] == "oom-killed"
    assert whole["timeline"][0]["text"] == "Ada started this procedure"
    over = await service.say(f"incidents/{report['id']}/resolve", by="Ben")
    assert over["status"] == "resolved"
    assert any(entry["text"] == "Ben ended it" for entry in over["timeline"])
    another = await opened(service, namespace="kubechat-system")
    assert another["id"] != report["id"]
    assert {step["state"] for step in another["procedure"]} == {"todo"}


async def test_what_was_stored_before_a_kill_is_opened_after_it(start_service: Starter) -> None:
    url = f"sqlite:///{start_service.folder}/killed.db"
    database = Database(url)
    await database.open()
    opening = Opening(key="0123456789ab", runbook=RECOVERY, labels={}, by="Ada", starts_at=NOW)
    delivery = Delivery(NOW, opening.model_dump_json().encode(), 1, BY_HAND)
    await database.write(lambda connection: notifications.insert(connection, [delivery]))
    await database.close()
    service = await start_service(database=url)
    assert (await service.incident())["opened_by"] == "Ada"


async def test_neither_the_clock_nor_alertmanagers_list_ends_what_a_person_opened(start_service: Starter) -> None:
    clock = TurnedClock()
    service = await start_service(clock=clock)
    report = await opened(service)
    for _ in range(10):
        clock.turn(timedelta(hours=1))
        await asyncio.sleep(0.05)
    assert (await service.get(f"incidents/{report['id']}"))["status"] == "firing"


async def test_a_webhook_cannot_end_what_a_person_opened(start_service: Starter) -> None:
    service = await start_service()
    report = await opened(service)
    for status in ("firing", "resolved"):
        forged = {**alert("Forged"), "fingerprint": report["id"], "status": status, "endsAt": "2099-01-01T00:00:00Z"}
        await service.post(forged, status=status)
    await service.post(alert("Other", namespace="other"))
    await service.incident(lambda found: found["id"] != report["id"])
    assert (await service.get(f"incidents/{report['id']}"))["status"] == "firing"


async def test_what_alerts_opened_is_ended_by_alerts_only(start_service: Starter) -> None:
    service = await start_service()
    await service.post(alert())
    incident = await service.incident()
    said = await service.say(f"incidents/{incident['id']}/resolve", 409)
    assert "Silence them" in said["detail"]


async def test_the_first_open_step_is_the_next_one_and_steps_wait_for_what_they_need(start_service: Starter) -> None:
    service = await start_service()
    report = await opened(service)
    path = f"incidents/{report['id']}/procedure"
    assert [step["id"] for step in report["procedure"] if step["next"]] == ["cluster_health"]
    refused = await service.say(f"{path}/restore", 409, state="done", by="Ada")
    assert refused["errors"] == [{"detail": "choose_backup: is not done"}]
    report = await service.say(f"{path}/cluster_health", state="done", by="Ada", note="token=hunter2hunter2 all Ready")
    assert steps(report)["cluster_health"]["by"] == "Ada"
    assert "hunter2" not in str(report)
    assert [step["id"] for step in report["procedure"] if step["next"]] == ["choose_backup"]
    report = await service.say(f"{path}/choose_backup", state="failed", by="Ada")
    assert steps(report)["choose_backup"]["next"]
    report = await service.say(f"{path}/restore", state="done", by="Ben", force=True)
    assert any("Ben did 'Restore from the backup' before choose_backup" in e["text"] for e in report["timeline"])
    report = await service.say(f"{path}/choose_backup", state="skipped")
    report = await service.say(f"{path}/restore", state="todo")
    assert steps(report)["restore"]["state"] == "todo"
    assert await service.metric("responder_procedure_steps_total", state="skipped") == 1


async def test_a_probe_sees_whether_a_step_worked(start_service: Starter) -> None:
    service = await start_service("crash_loop")
    report = await opened(service, namespace="kubechat-system")
    await service.incident()
    path = f"incidents/{report['id']}/procedure"
    report = await service.say(f"{path}/cluster_health/verify", by="Ada")
    assert steps(report)["cluster_health"]["state"] == "done"
    assert "ready" in steps(report)["cluster_health"]["seen"]
    report = await service.say(f"{path}/system_health/verify", by="Ada", force=True)
    assert steps(report)["system_health"]["state"] == "failed"
    await service.say(f"{path}/validation/verify", 404)


async def test_a_check_that_cannot_be_made_says_why_and_leaves_the_step_as_it_is(start_service: Starter) -> None:
    service = await start_service()
    report = await opened(service)
    said = await service.say(f"incidents/{report['id']}/procedure/cluster_health/verify", 502)
    assert "no Kubernetes API is configured" in said["detail"]
    assert steps(await service.get(f"incidents/{report['id']}"))["cluster_health"]["state"] == "todo"


async def test_a_hostile_label_never_gets_into_a_command(start_service: Starter, tmp_path: Path) -> None:
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "shop.yaml").write_text(
        "apiVersion: responder/v1\nkind: Runbook\nmetadata: {name: shop, title: Shop}\nmatch: [alertname=Shop]\n"
        "procedure:\n  - {id: restart, title: Restart, command: 'restart {{ labels.service }} --force'}\n"
    )
    service = await start_service(rules=[str(folder)])
    for value, shown in ((EVIL, "restart {{ labels.service }} --force"), ("cart", "restart cart --force")):
        report = await opened(service, "shop", service=value)
        (step,) = report["procedure"]
        assert step["command"] == shown
        assert bool(step["trouble"]) == (value == EVIL)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"runbook": "kubechat-disaster-recovry"}, "did you mean 'kubechat-disaster-recovery'"),
        ({"runbook": RECOVERY, "labels": {"a b": "c"}}, "labels: 'a b' cannot be the name of one"),
        ({"runbook": RECOVERY, "labels": {"alertname": "Watchdog"}}, "'alertname' cannot be"),
        ({"runbook": RECOVERY, "labels": {"a": 1}}, "the value of 'a' is no text"),
        ({"runbook": RECOVERY, "labels": {"a": "b\nc"}}, "the value of 'a' is no text of one line"),
        ({"runbook": RECOVERY, "labels": ["a"]}, "labels: wanted is an object"),
        ({"runbook": RECOVERY, "labels": "namespace"}, "'namespace' is not NAME=VALUE"),
        ({}, "runbook: there is no ''"),
    ],
)
async def test_an_opening_that_makes_no_sense_is_refused_and_says_why(
    start_service: Starter, body: dict[str, Any], said: str
) -> None:
    service = await start_service()
    problem = await service.say("incidents", 400, **body)
    assert any(said in error["detail"] for error in problem["errors"]), problem


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("unacknowledge", 404),
        ("escalate", 404),
        ("resolve", 404),
        ("false-alarm", 404),
        ("procedure/x/verify", 404),
        ("updates/1/publish", 404),
        ("updates/x/publish", 404),
    ],
)
async def test_an_incident_that_is_not_there_is_not_found(start_service: Starter, path: str, status: int) -> None:
    service = await start_service()
    await service.say(f"incidents/nosuch/{path}", status)


async def test_a_step_cannot_become_what_there_is_no_word_for(start_service: Starter) -> None:
    service = await start_service()
    report = await opened(service)
    said = await service.say(f"incidents/{report['id']}/procedure/cluster_health", 400, state="don")
    assert said["errors"] == [{"detail": "state: unknown 'don', did you mean 'done'?"}]
    await service.say(f"incidents/{report['id']}/procedure/nosuch", 404, state="done")


async def test_when_every_level_is_told_there_is_nobody_to_escalate_to(start_service: Starter) -> None:
    service = await start_service()
    report = await opened(service)
    for _ in range(2):
        report = await service.say(f"incidents/{report['id']}/escalate", by="Ada")
    assert all(step["told_at"] for step in report["escalation"])
    assert report["levels"] == []
    assert "Nobody is notified: no contact for level_3 (The team's lead)" in [e["text"] for e in report["timeline"]]
    assert await service.metric("responder_escalations_total") == 0
    async with service.session.get(f"{service.url}/-/ready") as answer:
        assert "nobody is notified: no contact for level_1, level_2, level_3" in await answer.text()
    await service.say(f"incidents/{report['id']}/escalate", 409)


async def test_a_false_alarm_is_counted_once(start_service: Starter) -> None:
    service = await start_service()
    await service.post(alert(priority="P2"))
    incident = await service.incident()
    for _ in range(2):
        report = await service.say(f"incidents/{incident['id']}/false-alarm", by="Ada")
    assert report["false_alarm"] == "said"
    assert await service.metric("responder_false_alarms_total", severity="P2", why="said") == 1


async def test_a_false_alarm_reaches_the_sinks_and_ends_the_escalation(
    start_service: Starter, servers: Servers
) -> None:
    hook = await servers.webhook()
    service = await start_service(sinks=[{"name": "hook", "kind": "webhook", "url": hook.url}])
    await service.post(alert())
    incident = await service.incident()
    await service.say(f"incidents/{incident['id']}/false-alarm", by="Ada")
    async with asyncio.timeout(PATIENCE):
        while hook.bodies[-1:] == [] or hook.bodies[-1]["false_alarm"] != "said":
            await hook.until(len(hook.bodies) + 1)
    assert hook.bodies[-1]["acknowledged_by"] == "Ada"


async def test_the_review_is_filled_in_and_holds_no_markup_of_strangers(start_service: Starter) -> None:
    service = await start_service()
    evil = "<script>alert(1)</script> [here](https://evil.example) `x`"
    await service.post({**alert(evil), "annotations": {"summary": evil}})
    incident = await service.incident()
    async with service.session.get(f"{service.url}/api/v1/incidents/{incident['id']}/review.md") as answer:
        assert answer.status == 200
        assert answer.content_type == "text/markdown"
        text = await answer.text()
    assert incident["id"] in text
    assert "## Root cause" in text
    assert "<script" not in text.replace("\\<", "")
    assert "](" not in text


def test_every_route_is_described() -> None:
    described = schema.openapi()["paths"]
    for route in [*api.routes(), *hands.routes()]:
        assert route.method.lower() in described[route.path], route
    operations = [found["operationId"] for path in described.values() for found in path.values()]
    assert len(operations) == len(set(operations))
