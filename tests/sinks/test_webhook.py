"""The webhook sink, against a receiver as strict as Standard Webhooks allows."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import given, settings
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook as Verifier

from responder import sinks
from responder.errors import ConfigError, Permanent, Reason, Temporary, Trouble
from responder.flow.message import compose
from responder.model.message import Message
from responder.model.report import Report
from responder.plugins import load
from responder.sinks import Sink
from responder.sinks._cloudevents import header_value
from responder.sinks._http import pause
from responder.sinks.webhook import Webhook, schema
from tests.makers import NOW
from tests.sinks.medium import medium
from tests.sinks.reports import announced, diagnosed

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
OTHER = "whsec_" + base64.b64encode(b"o" * 32).decode()


@dataclass
class Receiver:
    """Checks each request, and answers as told."""

    secrets: tuple[str, ...] = ()
    answer: tuple[int, dict[str, str], str] = (204, {}, "")
    hang: bool = False
    seen: list[tuple[dict[str, str], dict[str, Any]]] = field(default_factory=list)
    url: str = ""

    async def handle(self, request: web.Request) -> web.Response:
        if self.hang:
            await asyncio.sleep(30)
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        assert request.method == "POST"
        assert headers["content-type"] == "application/json"
        assert "." not in headers["webhook-id"]
        assert abs(int(headers["webhook-timestamp"]) - datetime.now(UTC).timestamp()) < 60
        for secret in self.secrets:
            Verifier(secret).verify(body, headers)
        document = json.loads(body)
        assert Report.model_validate(document).model_dump(mode="json") == document
        self.seen.append((headers, document))
        status, extra, text = self.answer
        return web.Response(status=status, headers=extra, text=text)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    it = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", it.handle)
    server = TestServer(app)
    await server.start_server()
    it.url = str(server.make_url("/hook"))
    yield it
    await server.close()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def sink(receiver: Receiver, **options: Any) -> Webhook:
    return Webhook.model_validate({"name": "hook", "url": receiver.url} | options)


async def trouble(it: Sink, http: aiohttp.ClientSession) -> Trouble:
    with pytest.raises(Trouble) as caught:
        await it.deliver(compose(announced()), "", medium(http))
    return caught.value


async def test_the_report_is_posted_as_the_api_returns_it(receiver: Receiver, http: aiohttp.ClientSession) -> None:
    await sink(receiver).deliver(compose(diagnosed()), "", medium(http))
    [(headers, document)] = receiver.seen
    assert document == diagnosed().model_dump(mode="json")
    assert document["findings"][0]["cause"] == "memory-limit-reached"
    assert "webhook-signature" not in headers


def test_what_is_posted_has_a_published_schema() -> None:
    published = schema()
    assert {"id", "status", "severity", "runbook", "alerts", "findings", "investigation"} <= set(
        published["properties"]
    )


async def test_requests_are_signed_with_every_secret(
    receiver: Receiver, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    file = tmp_path / "secret"
    file.write_text(f"{OTHER}\n")
    receiver.secrets = (SECRET, OTHER)
    it = sink(receiver, secret=SECRET, secret_file=file)
    await it.deliver(compose(diagnosed(title="größer")), "", medium(http))
    receiver.secrets = (SECRET,)
    file.write_text(f"{SECRET}\n")
    await sink(receiver, secret_file=file).deliver(compose(diagnosed()), "", medium(http))
    assert len(receiver.seen) == 2


async def test_tokens_and_headers_are_sent(receiver: Receiver, http: aiohttp.ClientSession, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("from-file\n")
    await sink(receiver, token="given", headers={"X-Scope": "a"}).deliver(compose(announced()), "", medium(http))
    await sink(receiver, token_file=file).deliver(compose(announced()), "", medium(http))
    assert [headers["authorization"] for headers, _ in receiver.seen] == ["Bearer given", "Bearer from-file"]
    assert receiver.seen[0][0]["x-scope"] == "a"


async def identity(it: Webhook, http: aiohttp.ClientSession, message: Message, receipt: str) -> str:
    return await it.deliver(message, receipt, medium(http))


async def test_a_retry_has_the_same_id_and_another_state_another(
    receiver: Receiver, http: aiohttp.ClientSession
) -> None:
    it = sink(receiver)
    first = await identity(it, http, compose(announced()), "")
    again = await identity(it, http, compose(announced()), "")
    then = await identity(it, http, compose(diagnosed()), first)
    back = await identity(it, http, compose(announced()), then)
    assert first == again
    assert len({first, then, back}) == 3
    assert [headers["webhook-id"] for headers, _ in receiver.seen] == [first, again, then, back]


@pytest.mark.parametrize(
    ("status", "kind", "reason"),
    [
        (301, Permanent, Reason.BAD_ANSWER),
        (307, Permanent, Reason.BAD_ANSWER),
        (400, Permanent, Reason.BAD_REQUEST),
        (401, Permanent, Reason.UNAUTHORIZED),
        (403, Permanent, Reason.FORBIDDEN),
        (404, Permanent, Reason.NOT_FOUND),
        (408, Temporary, Reason.TIMEOUT),
        (410, Permanent, Reason.NOT_FOUND),
        (413, Permanent, Reason.TOO_LARGE),
        (425, Temporary, Reason.OVERLOADED),
        (429, Temporary, Reason.OVERLOADED),
        (500, Temporary, Reason.SERVER_ERROR),
        (503, Temporary, Reason.SERVER_ERROR),
    ],
)
async def test_an_answer_says_whether_to_try_again(
    receiver: Receiver, http: aiohttp.ClientSession, status: int, kind: type[Trouble], reason: Reason
) -> None:
    receiver.answer = (status, {"Location": receiver.url, "Retry-After": "7"}, "because")
    found = await trouble(sink(receiver), http)
    assert type(found) is kind
    assert found.reason is reason
    assert str(status) in str(found)
    assert len(receiver.seen) == 1
    if isinstance(found, Temporary):
        assert found.after == 7


async def test_an_error_never_tells_a_secret_nor_a_long_story(receiver: Receiver, http: aiohttp.ClientSession) -> None:
    receiver.answer = (500, {}, f"s3cr3t hdr-value {SECRET} \x1b[2J" + "x" * 5000)
    it = sink(receiver, token="s3cr3t", secret=SECRET, headers={"X-Key": "hdr-value"})
    found = str(await trouble(it, http))
    assert "s3cr3t" not in found
    assert "hdr-value" not in found
    assert SECRET not in found
    assert "\x1b" not in found
    assert len(found) < 350


@pytest.mark.parametrize("url", ["http://anna:s3cr3t@127.0.0.1:9/hook/s3cr3t?key=s3cr3t", "http://s3cr3t.invalid:0x/"])
async def test_an_address_that_does_not_answer_is_named_without_its_secrets(
    http: aiohttp.ClientSession, url: str
) -> None:
    found = await trouble(Webhook.model_validate({"name": "hook", "url": url}), http)
    assert "s3cr3t" not in str(found)


async def test_a_receiver_that_hangs_is_given_up(receiver: Receiver, http: aiohttp.ClientSession) -> None:
    receiver.hang = True
    found = await trouble(sink(receiver, timeout="50ms"), http)
    assert isinstance(found, Temporary)
    assert found.reason is Reason.TIMEOUT


@pytest.mark.parametrize("content", [None, "", "not base64!\n"])
async def test_a_secret_file_that_cannot_be_used_is_trouble(
    receiver: Receiver, http: aiohttp.ClientSession, tmp_path: Path, content: str | None
) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_text(content)
    found = await trouble(sink(receiver, secret_file=file), http)
    assert found.reason is Reason.NOT_CONFIGURED
    assert "not base64!" not in str(found)
    assert receiver.seen == []


KINDS = load(sinks, Sink, "sink")  # type: ignore[type-abstract]


@pytest.mark.parametrize("options", [{"url": "ftp://x"}, {"secret": "whsec_!"}, {"secret": ""}, {"unknown": 1}])
def test_bad_options_are_refused_without_showing_secrets(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as refused:
        KINDS.build("webhook", {"name": "hook", "url": "http://x"} | options)
    assert next(iter(options)) in str(refused.value)
    assert "whsec_!" not in str(refused.value)


def test_both_sinks_are_found_by_their_folder() -> None:
    assert {"log", "webhook"} <= set(KINDS.kinds)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("", None),
        ("soon", None),
        ("nan", None),
        ("0.5", 0.5),
        ("-3", 0.0),
        ("99999", 3600.0),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(NOW - timedelta(seconds=90), usegmt=True), 0.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float | None) -> None:
    assert pause(value, NOW) == seconds


@settings(deadline=None)
@given(st.text(max_size=40))
def test_any_retry_after_is_read_or_ignored(value: str) -> None:
    assert pause(value, NOW) is None or 0 <= (pause(value, NOW) or 0) <= 3600


@dataclass
class Subscriber:
    """Takes CloudEvents as the HTTP binding describes them, in both modes."""

    url: str = ""
    events: list[dict[str, Any]] = field(default_factory=list)
    status: int = 204

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        Verifier(SECRET).verify(body, {name.lower(): value for name, value in request.headers.items()})
        if request.content_type == "application/cloudevents+json":
            assert not any(name.lower().startswith("ce-") for name in request.headers)
            event = json.loads(body)
        else:
            given = {name.lower(): value for name, value in request.headers.items()}
            assert "ce-datacontenttype" not in given
            event = {name[3:]: unquote(value) for name, value in given.items() if name.startswith("ce-")}
            event |= {"datacontenttype": request.content_type, "data": json.loads(body)}
        known = {"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "data"}
        assert set(event) == known
        assert event["specversion"] == "1.0"
        assert datetime.fromisoformat(event["time"]).tzinfo
        assert event["datacontenttype"] == "application/json"
        self.events.append(event)
        return web.Response(status=self.status)


@pytest.fixture
async def subscriber() -> AsyncIterator[Subscriber]:
    it = Subscriber()
    app = web.Application()
    app.router.add_post("/{tail:.*}", it.handle)
    server = TestServer(app)
    await server.start_server()
    it.url = str(server.make_url("/events"))
    yield it
    await server.close()


@pytest.mark.parametrize("mode", ["binary", "structured"])
async def test_the_report_can_be_a_cloud_event(subscriber: Subscriber, http: aiohttp.ClientSession, mode: str) -> None:
    given = {"name": "hook", "url": subscriber.url, "secret": SECRET, "format": "cloudevents", "mode": mode}
    it = Webhook.model_validate(given)
    strange = compose(diagnosed(title='größer "%" 🔥', id="id with ü")).model_copy(update={"key": 'ü "%'})
    number = await it.deliver(strange, "", medium(http))
    [event] = subscriber.events
    assert (event["id"], event["subject"], event["type"]) == (number, 'ü "%', "responder.incident.diagnosed")
    assert event["source"] == "http://responder.example/incidents/4f2a"
    assert Report.model_validate(event["data"]) == strange.report
    again = await it.deliver(strange, "", medium(http))
    assert again == number, "a retry is the same event"


def test_the_preview_of_an_event_shows_its_attributes() -> None:
    for mode in ("binary", "structured"):
        it = Webhook.model_validate({"name": "hook", "url": "http://x", "format": "cloudevents", "mode": mode})
        payload = it.preview(compose(diagnosed())).payload
        assert "responder.incident.diagnosed" in payload
        assert "OOMKilled" in payload


@settings(deadline=None)
@given(st.text())
def test_any_text_survives_as_the_value_of_a_header(text: str) -> None:
    value = header_value(text)
    assert all(0x21 <= ord(letter) < 0x7F and letter != '"' for letter in value)
    assert unquote(value) == text.encode("utf-8", "replace").decode()


async def test_a_receiver_that_is_gone_is_asked_no_more(receiver: Receiver, http: aiohttp.ClientSession) -> None:
    receiver.answer = (410, {}, "bye")
    it = sink(receiver)
    for _ in range(3):
        found = await trouble(it, http)
        assert isinstance(found, Permanent)
        assert found.reason is Reason.NOT_FOUND
        assert "410" in str(found)
    assert len(receiver.seen) == 1
