"""Which labels quiet an incident, and how a person asks for it."""

from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from responder.errors import Permanent, Reason
from responder.flow.silence import selections
from responder.model.incident import AlertState, TrackedAlert
from responder.model.report import Report
from responder.model.silencing import MOST
from tests.servers import AlertmanagerProcess, Servers, route
from tests.service import Running, Starter, alert
from tests.sinks.reports import announced, tracked


def fires(number: int = 0, state: AlertState = AlertState.FIRING, **labels: str) -> TrackedAlert:
    return tracked(number=number, state=state).model_copy(update={"labels": labels})


def report(*alerts: TrackedAlert) -> Report:
    return announced(alerts=alerts)


def test_the_alerts_of_a_rule_are_silenced_by_what_they_have_in_common() -> None:
    found = selections(
        report(
            fires(1, alertname="Crash", namespace="shop", pod="a"),
            fires(2, alertname="Crash", namespace="shop", pod="b"),
            fires(3, alertname="Slow", namespace="shop"),
        )
    )
    assert found == [{"alertname": "Crash", "namespace": "shop"}, {"alertname": "Slow", "namespace": "shop"}]


def test_what_has_ended_needs_no_silence() -> None:
    ended = fires(1, AlertState.RESOLVED, alertname="Crash")
    assert selections(report(ended, fires(2, alertname="Slow"))) == [{"alertname": "Slow"}]
    for nothing in ((ended,), (), (fires(1),), (fires(1, team=""),)):
        with pytest.raises(Permanent) as caught:
            selections(report(*nothing))
        assert caught.value.reason is Reason.BAD_REQUEST


def test_alerts_without_a_name_are_silenced_by_all_of_their_labels() -> None:
    found = selections(report(fires(1, job="a", team=""), fires(2, job="b")))
    assert found == [{"job": "a"}, {"job": "b"}]


def test_too_many_are_no_single_decision() -> None:
    every = [fires(number, alertname=f"Alert{number}") for number in range(MOST + 1)]
    assert len(selections(report(*every[:MOST]))) == MOST
    with pytest.raises(Permanent) as caught:
        selections(report(*every))
    assert caught.value.reason is Reason.TOO_LARGE


LABELS = st.dictionaries(st.sampled_from(["alertname", "namespace", "pod"]), st.sampled_from(["", "a", "b"]))


@given(st.lists(LABELS, min_size=1, max_size=8))
def test_every_alert_that_fires_is_silenced_and_nothing_is_silenced_by_nothing(every: list[dict[str, str]]) -> None:
    alerts = [fires(number, **labels) for number, labels in enumerate(every)]
    if not any(any(labels.values()) for labels in every):
        return
    found = selections(report(*alerts))
    assert all(found)
    for labels in every:
        if any(labels.values()):
            assert any(selection.items() <= labels.items() for selection in found)


async def ask(service: Running, incident: str, **fields: Any) -> tuple[int, dict[str, Any]]:
    url = f"{service.url}/api/v1/incidents/{incident}/silence"
    async with service.session.post(url, json=fields) as answer:
        return answer.status, await answer.json()


async def silences(server: AlertmanagerProcess) -> list[dict[str, Any]]:
    async with aiohttp.ClientSession() as session, session.get(f"{server.url}/api/v2/silences") as answer:
        found: list[dict[str, Any]] = await answer.json()
        return found


@pytest.mark.integration
async def test_somebody_silences_an_incident_with_a_reason(start_service: Starter, servers: Servers) -> None:
    server = await servers.alertmanager(route("http://127.0.0.1:1/"))
    service = await start_service("crash_loop", alertmanager={"url": server.url, "warm_up": "0s"})
    fired = alert("KubeChatPodCrashLooping", pod="api-gateway-547ccb84b6-llcn9")
    await server.post({"labels": fired["labels"]})
    await service.post(fired)
    incident = await service.incident()
    status, answer = await ask(service, incident["id"], reason="known, fix is under way", duration="2h", by="ada")
    assert status == 200
    assert "ada silenced KubeChatPodCrashLooping for 2 h: known" in [line["text"] for line in answer["timeline"]][-1]
    await ask(service, incident["id"], reason="known, fix is under way", duration="1h", by="ada")
    [silence] = await silences(server)
    assert silence["createdBy"] == "ada"
    assert silence["comment"] == f"known, fix is under way (Responder incident {incident['id']})"
    lasts = datetime.fromisoformat(silence["endsAt"]) - datetime.now(UTC)
    assert 7100 < lasts.total_seconds() <= 7200, "a shorter one does not cut the longer one"
    await ask(service, incident["id"], reason="still", duration="3h", by="ada")
    [silence] = await silences(server)
    assert (datetime.fromisoformat(silence["endsAt"]) - datetime.now(UTC)).total_seconds() > 7200


@pytest.mark.integration
@pytest.mark.parametrize(
    "fields",
    [{}, {"reason": " \n"}, *({"reason": "x", "duration": bad} for bad in ("", "0s", "8d", "soon", "9" * 40 + "y"))],
)
async def test_a_silence_needs_a_reason_and_an_end(start_service: Starter, fields: dict[str, str]) -> None:
    status, answer = await ask(await start_service("crash_loop"), "any", **fields)
    assert status == 400
    assert answer["errors"]


@pytest.mark.integration
async def test_what_cannot_be_silenced_is_said(start_service: Starter) -> None:
    service = await start_service("crash_loop")
    await service.post(alert())
    incident = await service.incident()
    assert (await ask(service, "unknown", reason="x"))[0] == 404
    status, answer = await ask(service, incident["id"], reason="x")
    assert status == 409
    assert "alertmanager.url" in answer["detail"]


@pytest.mark.integration
async def test_an_alertmanager_that_is_down_is_said(start_service: Starter, servers: Servers) -> None:
    server = await servers.alertmanager(route("http://127.0.0.1:1/"))
    service = await start_service("crash_loop", alertmanager={"url": server.url, "warm_up": "0s"})
    await service.post(alert())
    incident = await service.incident()
    await server.stop()
    status, answer = await ask(service, incident["id"], reason="x")
    assert status == 502
    assert "Alertmanager" in answer["detail"]
