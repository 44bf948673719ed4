"""PagerDuty: states, limits at the edge, news of an open alert, and calls back."""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from responder import plugins, sinks
from responder.errors import ConfigError, Permanent, Reason, Temporary
from responder.flow.buttons import Addresses
from responder.flow.message import compose
from responder.model.incident import IncidentStatus, Severity
from responder.model.message import Message
from responder.signing import Signer
from responder.sinks import Call, Click, Sink
from responder.sinks._pagerduty_events import LARGEST, fitting, size, trigger
from responder.sinks._pagerduty_webhooks import signed
from responder.sinks._paging import Standing
from tests.fakes.sinks.pagerduty import KEY, SECRET, Fake
from tests.makers import NOW
from tests.sinks.medium import Keeper, medium
from tests.sinks.reports import announced, diagnosed, tracked

ADDRESSES = Addresses("https://responder.example", Signer("key"))


@pytest.fixture
async def fake() -> AsyncIterator[Fake]:
    async with Fake() as running:
        yield running
    assert running.complaints == []


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def message(revision: int = 1, **fields: Any) -> Message:
    return compose(diagnosed(revision=revision, **fields), addresses=ADDRESSES)


def resolved(revision: int = 5) -> Message:
    return message(revision, status=IncidentStatus.RESOLVED, resolved_at=NOW)


def acknowledged(revision: int = 3) -> Message:
    return message(revision, acknowledged_at=NOW, acknowledged_by="ada")


async def told(fake: Fake, http: aiohttp.ClientSession, *messages: Message, receipt: str = "", **options: Any) -> str:
    sink = fake.sink(**options)
    for one in messages:
        receipt = await sink.deliver(one, receipt, medium(http))
    return receipt


async def test_an_alert_goes_from_trigger_to_acknowledge_to_resolve(fake: Fake, http: aiohttp.ClientSession) -> None:
    await told(fake, http, message(1), acknowledged(2), resolved(3), resolved(4))
    assert fake.actions == ["trigger", "acknowledge", "resolve"]
    assert [alert.state for alert in fake.alerts] == ["resolved"]


async def test_an_incident_that_comes_back_pages_again(fake: Fake, http: aiohttp.ClientSession) -> None:
    await told(fake, http, message(1), resolved(2), message(3))
    assert [alert.state for alert in fake.alerts] == ["resolved", "triggered"]


async def test_a_late_trigger_opens_nothing_after_the_end(fake: Fake, http: aiohttp.ClientSession) -> None:
    receipt = await told(fake, http, message(1), resolved(5))
    late = [message(4, headline="late news"), acknowledged(5)]
    assert await told(fake, http, *late, receipt=receipt) == receipt
    assert fake.actions == ["trigger", "resolve"]


async def test_what_is_over_is_not_triggered_first(fake: Fake, http: aiohttp.ClientSession) -> None:
    await told(fake, http, resolved())
    assert fake.alerts == []


async def test_an_incident_that_somebody_has_already_is_acknowledged_at_once(
    fake: Fake, http: aiohttp.ClientSession
) -> None:
    keeper = Keeper()
    await fake.sink().deliver(acknowledged(), "", medium(http, keeper=keeper))
    assert fake.actions == ["trigger", "acknowledge"]
    assert [Standing.read(kept, "responder/4f2a").state for kept in keeper.receipts] == ["opening", "triggered"]


async def test_a_delivery_that_stopped_goes_on_where_it_was(fake: Fake, http: aiohttp.ClientSession) -> None:
    keeper = Keeper()
    await fake.sink().deliver(acknowledged(), "", medium(http, keeper=keeper))
    fake.actions.clear()
    await told(fake, http, acknowledged(), receipt=keeper.receipts[1])
    assert fake.actions == ["acknowledge"]


@pytest.mark.parametrize(("findings", "logged", "changes"), [("trigger", 2, 0), ("change", 1, 1), ("none", 1, 0)])
async def test_news_arrive_as_the_option_says(
    fake: Fake, http: aiohttp.ClientSession, findings: str, logged: int, changes: int
) -> None:
    first = compose(announced(), addresses=ADDRESSES)
    await told(fake, http, first, message(2), message(3), findings=findings)
    [alert] = fake.alerts
    assert (len(alert.log), len(fake.changes)) == (logged, changes)


async def test_alerts_that_join_are_no_news(fake: Fake, http: aiohttp.ClientSession) -> None:
    await told(fake, http, message(1), message(2, alerts=announced().alerts[:1]))
    assert fake.actions == ["trigger"]


async def test_the_event_holds_the_finding(fake: Fake, http: aiohttp.ClientSession) -> None:
    await told(fake, http, message())
    [event] = fake.alerts[0].log
    payload = event["payload"]
    assert payload["severity"] == "error"
    assert payload["source"] == "kubechat-system"
    assert payload["component"] == "deployment/api-gateway"
    assert list(payload["custom_details"])[:3] == ["State", "Cause", "Because"]
    assert payload["custom_details"]["Next"].startswith("1. roll back to revision 41\n2. raise")
    assert event["links"][0] == {"href": "http://responder.example/incidents/4f2a", "text": "Incident"}
    assert [image["src"].startswith("https://responder.example/pictures/") for image in event["images"]] == [True, True]


@pytest.mark.parametrize(
    ("severity", "expected"),
    [(Severity.P0, "critical"), (Severity.P1, "error"), (Severity.P2, "warning"), (Severity.P3, "info")],
)
async def test_severities_have_their_names(
    fake: Fake, http: aiohttp.ClientSession, severity: Severity, expected: str
) -> None:
    await told(fake, http, message(severity=severity))
    assert fake.alerts[0].log[0]["payload"]["severity"] == expected


@pytest.mark.parametrize(
    ("severity", "label", "expected"),
    [
        (Severity.P1, "critical", "critical"),
        (Severity.P2, "Critical", "critical"),
        (Severity.P0, "warning", "critical"),
        (Severity.P2, "page", "warning"),
    ],
)
async def test_an_alert_that_calls_itself_critical_is_critical(
    fake: Fake, http: aiohttp.ClientSession, severity: Severity, label: str, expected: str
) -> None:
    alert = tracked().model_copy(update={"labels": {"alertname": "A", "severity": label}})
    await told(fake, http, message(severity=severity, alerts=(alert,)))
    assert fake.alerts[0].log[0]["payload"]["severity"] == expected


async def test_pictures_without_https_are_left_out(fake: Fake, http: aiohttp.ClientSession) -> None:
    plain = compose(diagnosed(), addresses=Addresses("http://responder.example", Signer("key")))
    await told(fake, http, plain)
    assert "images" not in fake.alerts[0].log[0]


@pytest.mark.parametrize("length", [1023, 1024, 1025])
def test_a_summary_is_cut_at_its_limit(length: int) -> None:
    event = trigger(message().model_copy(update={"headline": "ü" * length}), "key", "info")
    summary = event["payload"]["summary"]
    assert len(summary) == min(length, 1024)
    assert summary.endswith("…") == (length > 1024)


@pytest.mark.parametrize("letters", [LARGEST - 5000, LARGEST + 5000])
def test_an_event_is_never_larger_than_a_request_may_be(letters: int) -> None:
    event = trigger(message(), "key", "info")
    event["payload"]["custom_details"]["Labels"] = "x" * letters
    fitted = fitting(event)
    assert size({"routing_key": KEY, **fitted}) <= LARGEST
    assert ("Labels" in fitted["payload"]["custom_details"]) == (letters < LARGEST)
    assert "Cause" in fitted["payload"]["custom_details"]


async def test_a_wrong_key_is_unauthorized_and_not_shown(fake: Fake, http: aiohttp.ClientSession) -> None:
    fake.mode = "unauthorized"
    with pytest.raises(Permanent) as caught:
        await told(fake, http, message())
    assert caught.value.reason is Reason.UNAUTHORIZED
    assert "check routing_key" in str(caught.value)
    assert KEY not in str(caught.value)


async def test_without_retry_after_the_pause_is_half_a_minute(fake: Fake, http: aiohttp.ClientSession) -> None:
    fake.mode = "too many requests"
    fake.too_many_requests = lambda: aiohttp.web.Response(status=429)  # type: ignore[method-assign]
    with pytest.raises(Temporary) as caught:
        await told(fake, http, message())
    assert caught.value.after == 30.0


async def test_the_key_can_be_in_a_file(fake: Fake, http: aiohttp.ClientSession, tmp_path: Path) -> None:
    file = tmp_path / "key"
    sink = fake.sink(routing_key=None, routing_key_file=file)
    with pytest.raises(Permanent, match="cannot be read"):
        await sink.deliver(message(), "", medium(http))
    file.write_text(f"{KEY}\n")
    await sink.deliver(message(), "", medium(http))
    assert len(fake.alerts) == 1


async def test_a_sink_without_a_key_says_which_option_is_missing(fake: Fake, http: aiohttp.ClientSession) -> None:
    with pytest.raises(Permanent, match="routing_key") as caught:
        await told(fake, http, message(), routing_key=None)
    assert caught.value.reason is Reason.NOT_CONFIGURED


@pytest.mark.parametrize("options", [{"routing_key": "short"}, {"url": "ftp://x"}, {"findings": "never"}])
def test_bad_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        plugins.load(sinks, Sink, "sink").build("pagerduty", {"name": "pager"} | options)
    assert next(iter(options)) in str(caught.value)


def call(event: dict[str, Any], *, secret: str = SECRET, before: str = "", after: str = "") -> Call:
    body = json.dumps({"event": event}).encode()
    signature = "v1=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return Call({"x-pagerduty-signature": before + signature + after}, body, NOW)


def event(kind: str = "incident.acknowledged", key: str = "responder/4f2a", **fields: Any) -> dict[str, Any]:
    data = {"id": "PT4KHLK", "type": "incident", "status": "acknowledged", "incident_key": key}
    agent = {"id": "P1", "type": "user_reference", "summary": "Ada Lovelace"}
    return {"id": "1", "event_type": kind, "resource_type": "incident", "agent": agent, "data": data, **fields}


async def test_who_acknowledges_there_acknowledges_here(fake: Fake) -> None:
    heard = await fake.sink(webhook_secret=SECRET).hear(call(event()))
    assert heard.clicks == (Click(key="4f2a", command="acknowledge", by="Ada Lovelace"),)


@pytest.mark.parametrize("around", [("v1=00,", ""), ("", ",v1=ff"), ("v2=x, ", "")])
async def test_any_of_several_signatures_is_enough(fake: Fake, around: tuple[str, str]) -> None:
    heard = await fake.sink(webhook_secret=SECRET).hear(call(event(), before=around[0], after=around[1]))
    assert len(heard.clicks) == 1


async def test_secrets_can_be_rotated(fake: Fake, tmp_path: Path) -> None:
    file = tmp_path / "secrets"
    file.write_text(f"old\n{SECRET}\n")
    sink = fake.sink(webhook_secret_file=file)
    for secret in ("old", SECRET):
        assert (await sink.hear(call(event(), secret=secret))).clicks


@pytest.mark.parametrize("wrong", ["", "v1=", "v0=aa", "v1=ä", "nonsense"])
async def test_calls_that_are_not_signed_are_refused(fake: Fake, wrong: str) -> None:
    unsigned = Call({"X-PagerDuty-Signature": wrong}, call(event()).body, NOW)
    with pytest.raises(Permanent) as caught:
        await fake.sink(webhook_secret=SECRET).hear(unsigned)
    assert caught.value.reason is Reason.UNAUTHORIZED
    assert SECRET not in str(caught.value)


async def test_what_a_signed_call_says_of_others_is_nothing_to_us(fake: Fake) -> None:
    sink = fake.sink(webhook_secret=SECRET)
    for other in (event(key="somebody-elses"), event("incident.resolved"), event("pagey.ping"), event(data=None)):
        assert (await sink.hear(call(other))).clicks == ()


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"event": 1}', b'{"event": {"data": {}}}'])
async def test_a_signed_call_that_is_no_event_is_a_bad_request(fake: Fake, body: bytes) -> None:
    signature = "v1=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    with pytest.raises(Permanent) as caught:
        await fake.sink(webhook_secret=SECRET).hear(Call({"X-PagerDuty-Signature": signature}, body, NOW))
    assert caught.value.reason is Reason.BAD_REQUEST


@settings(deadline=None)
@given(st.text())
def test_no_header_is_too_strange(header: str) -> None:
    assert not signed(b"body", header, ["secret"])


@settings(deadline=None)
@given(st.text())
def test_any_receipt_is_read_or_ignored(receipt: str) -> None:
    assert Standing.read(receipt, "key").key == "key"
