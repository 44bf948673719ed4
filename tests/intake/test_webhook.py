"""The webhook over HTTP, with a real database: what is answered 200 is on disk."""

import asyncio
import gzip
import hashlib
import hmac
import json
import zlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client import generate_latest
from sqlalchemy import Connection

from responder.errors import Reason, Temporary
from responder.intake import journal as journal_module
from responder.intake import webhook
from responder.intake.authentication import Authenticator
from responder.intake.journal import Journal
from responder.metrics import Metrics
from responder.settings import Auth, Intake
from responder.store import notifications
from responder.store.database import Database
from tests.intake.bodies import wire, wire_alert

T = TypeVar("T")


async def until(condition: Callable[[], bool]) -> None:
    """Wait until it holds."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - nothing announces it
            await asyncio.sleep(0.001)


LIMIT = 300_000


class MoodyDatabase(Database):
    """The real one, whose writes can be held up or made to fail."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.trouble: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.held = 0

    async def write(self, work: Callable[[Connection], T]) -> T:
        self.held += 1
        await self.gate.wait()
        self.held -= 1
        if self.trouble:
            raise self.trouble
        return await super().write(work)


@dataclass
class Intaking:
    """A running webhook with what is behind it."""

    client: TestClient[web.Request, web.Application]
    database: MoodyDatabase
    metrics: Metrics
    journal: Journal
    wakes: list[int] = field(default_factory=list)

    async def post(self, body: bytes, **headers: str) -> ClientResponse:
        return await self.client.post(webhook.PATH, data=BytesIO(body), headers=headers, allow_redirects=False)

    async def stored(self) -> list[notifications.Stored]:
        return await self.database.read(lambda c: notifications.to_fold(c, limit=1000, alerts=10**9))

    async def rejected(self) -> list[dict[str, Any]]:
        return list((await (await self.client.get(webhook.REJECTED)).json())["rejected"])

    def metric(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(name, labels) or 0


Start = Callable[..., Any]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    running: list[Intaking] = []

    async def _start(*, auth: Auth | None = None, **limits: Any) -> Intaking:
        database = MoodyDatabase(f"sqlite:///{tmp_path}/responder.db")
        await database.open()
        metrics, wakes = Metrics(), list[int]()
        settings = Intake.model_validate({"max_bytes": LIMIT} | limits)
        journal = Journal(
            database,
            metrics,
            stored=lambda: wakes.append(1),
            max_pending=settings.max_pending,
            keep_rejected=settings.keep_rejected,
        )
        app = web.Application()
        app.add_routes(webhook.routes(journal, Authenticator(auth or Auth()), settings, metrics))
        client = TestClient(TestServer(app))
        await client.start_server()
        running.append(Intaking(client, database, metrics, journal, wakes))
        return running[-1]

    yield _start
    for intake in running:
        intake.database.gate.set()
        await intake.client.close()
        await intake.journal.drain()
        await intake.database.close()


async def test_an_accepted_delivery_is_stored_before_it_is_answered(start: Start) -> None:
    intake = await start()
    body = wire(wire_alert(), wire_alert(status="resolved", endsAt="2026-03-04T02:59:00Z", fingerprint="b"))
    answer = await intake.post(body)
    assert answer.status == 200
    assert await answer.json() == {"notification": 1, "alerts": 2}
    [stored] = await intake.stored()
    assert stored.body == body
    assert intake.wakes == [1]
    assert intake.metric("responder_notifications_total", outcome="accepted") == 1
    assert intake.metric("responder_alerts_total", status="firing") == 1
    assert intake.metric("responder_alerts_total", status="resolved") == 1
    assert intake.metric("responder_intake_seconds_count") == 1


async def test_the_content_type_does_not_matter(start: Start) -> None:
    intake = await start()
    assert (await intake.post(wire(), **{"Content-Type": "text/plain"})).status == 200


async def test_grafana_may_put(start: Start) -> None:
    intake = await start()
    assert (await intake.client.put(webhook.PATH, data=wire())).status == 200


async def test_deliveries_that_wait_share_a_commit(start: Start) -> None:
    intake = await start()
    intake.database.gate.clear()
    first = asyncio.create_task(intake.post(wire()))
    await until(lambda: intake.database.held == 1)
    others = [asyncio.create_task(intake.post(wire(groupKey=str(number)))) for number in range(19)]
    await until(lambda: len(intake.journal._waiting) == 19)
    intake.database.gate.set()
    numbers = [(await (await post).json())["notification"] for post in (first, *others)]
    assert sorted(numbers) == list(range(1, 21))
    assert len(await intake.stored()) == 20
    assert intake.metric("responder_intake_commit_deliveries_sum") == 20
    assert intake.metric("responder_intake_commit_deliveries_count") == len(intake.wakes) == 2


async def test_what_nobody_can_use_is_answered_400_with_the_bad_fields_and_kept_once(start: Start) -> None:
    intake = await start()
    body = wire({"status": "hostile <b>", "endsAt": "hostile"}, status="hostile")
    for _ in range(3):
        answer = await intake.post(body)
        assert answer.status == 400
        assert answer.content_type == "application/problem+json"
        text = await answer.text()
        assert "hostile" not in text
        problem = json.loads(text)
        assert problem["title"] == "Bad Request"
        assert "#/alerts/0/status" in [error["pointer"] for error in problem["errors"]]
    [kept] = await intake.rejected()
    assert kept["reason"] == "unusable"
    assert "hostile <b>" in kept["body"]
    assert intake.metric("responder_notifications_total", outcome="rejected") == 3
    assert await intake.stored() == []


async def test_refused_bodies_are_kept_within_bounds(start: Start) -> None:
    intake = await start(keep_rejected=2)
    for number in range(4):
        await intake.post(b'{"number": %d, "text": "%s"}' % (number, b"x" * 100_000))
    kept = await intake.rejected()
    assert [item["body"][:12] for item in kept] == ['{"number": 3', '{"number": 2']
    assert all(len(item["body"]) == journal_module.KEPT_BYTES for item in kept)


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_that_is_too_large_is_read_away_and_answered_413(start: Start, chunked: bool) -> None:
    intake = await start()
    body = wire(wire_alert(annotations={"text": "x" * (LIMIT + 100_000)}))

    async def pieces() -> AsyncIterator[bytes]:
        for begin in range(0, len(body), 65_536):
            yield body[begin : begin + 65_536]

    answer = await intake.client.post(webhook.PATH, data=pieces() if chunked else body)
    assert answer.status == 413
    assert answer.content_type == "application/problem+json"
    assert (await intake.post(wire())).status == 200
    assert [item["reason"] for item in await intake.rejected()] == ["too large"]


async def test_a_body_near_the_limit_is_taken_although_the_server_has_a_smaller_one(start: Start) -> None:
    intake = await start(max_bytes=8_000_000)
    alerts = [wire_alert(fingerprint=f"{number:016x}") for number in range(10_000)]
    answer = await intake.post(wire(*alerts))
    assert await answer.json() == {"notification": 1, "alerts": 10_000}


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_compressed_body_is_taken(start: Start, encoding: str) -> None:
    intake = await start()
    body = gzip.compress(wire()) if encoding == "gzip" else zlib.compress(wire())
    answer = await intake.post(body, **{"Content-Encoding": encoding})
    assert answer.status == 200
    assert (await intake.stored())[0].body == wire()


async def test_a_bomb_is_not_unpacked(start: Start) -> None:
    intake = await start()
    bomb = gzip.compress(b"0" * 100_000_000)
    answer = await intake.post(bomb, **{"Content-Encoding": "gzip"})
    assert answer.status == 413


async def test_a_body_in_a_wrong_encoding_is_answered_400(start: Start) -> None:
    intake = await start()
    assert (await intake.post(wire(), **{"Content-Encoding": "gzip"})).status == 400


async def test_a_body_that_breaks_off_is_not_stored(start: Start) -> None:
    intake = await start()
    _, writer = await asyncio.open_connection("127.0.0.1", intake.client.port)
    writer.write(b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{" % webhook.PATH.encode())
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert (await intake.post(wire())).status == 200
    assert len(await intake.stored()) == 1


async def test_a_store_that_is_full_is_answered_503(start: Start) -> None:
    intake = await start()
    for trouble in (Temporary("disk is full", Reason.OVERLOADED), RuntimeError("secret detail")):
        intake.database.trouble = trouble
        answer = await intake.post(wire())
        assert answer.status == 503
        assert "detail" in await answer.json()
        assert "secret" not in await answer.text()
    intake.database.trouble = None
    assert (await intake.post(wire())).status == 200
    assert len(await intake.stored()) == 1


async def test_a_refused_body_is_answered_400_although_the_store_is_full(start: Start) -> None:
    intake = await start()
    intake.database.trouble = Temporary("disk is full", Reason.OVERLOADED)
    assert (await intake.post(b"{}")).status == 400
    intake.database.trouble = None
    assert (await intake.post(b"{}")).status == 400
    assert len(await intake.rejected()) == 1


async def test_a_store_that_hangs_is_answered_503(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "COMMIT_TIMEOUT", 0.05)
    intake = await start()
    intake.database.gate.clear()
    assert (await intake.post(wire())).status == 503


async def test_more_than_may_wait_is_answered_503(start: Start) -> None:
    intake = await start(max_pending=1)
    intake.database.gate.clear()
    first = asyncio.create_task(intake.post(wire()))
    await until(lambda: intake.database.held == 1)
    second = asyncio.create_task(intake.post(wire()))
    await until(lambda: len(intake.journal._waiting) == 1)
    assert (await intake.post(wire())).status == 503
    intake.database.gate.set()
    assert (await first).status == (await second).status == 200
    assert intake.metric("responder_notifications_total", outcome="overloaded") == 1


async def test_more_bodies_than_memory_is_for_are_answered_503(start: Start) -> None:
    intake = await start()
    intake.database.gate.clear()
    large = wire(wire_alert(annotations={str(number): "x" * 10_000 for number in range(28)}))
    posts = [asyncio.create_task(intake.post(large)) for _ in range(8)]
    await asyncio.sleep(0.3)
    intake.database.gate.set()
    answers = sorted([(await post).status for post in posts])
    assert answers[0] == 200
    assert answers[-1] == 503
    assert (await intake.post(large)).status == 200


async def test_without_credentials_nothing_is_taken(start: Start) -> None:
    intake = await start(auth=Auth.model_validate({"tokens": ["secret"]}))
    answer = await intake.post(wire())
    assert answer.status == 401
    assert "Bearer" in answer.headers["WWW-Authenticate"]
    assert (await intake.client.get(webhook.REJECTED)).status == 401
    assert (await intake.post(wire(), Authorization="Bearer secret")).status == 200
    assert len(await intake.stored()) == 1
    assert intake.metric("responder_notifications_total", outcome="unauthorized") == 1


async def test_a_signed_body_is_taken_and_a_tampered_one_is_not(start: Start) -> None:
    intake = await start(auth=Auth.model_validate({"hmac_secret": "key"}))
    header = {"X-Grafana-Alerting-Signature": hmac.new(b"key", wire(), hashlib.sha256).hexdigest()}
    assert (await intake.post(wire(), **header)).status == 200
    assert (await intake.post(wire(receiver="other"), **header)).status == 401
    assert (await intake.post(b"{}", **header)).status == 401
    assert await intake.database.read(notifications.rejected) == []


async def test_another_method_is_told_what_the_address_is_for(start: Start) -> None:
    intake = await start()
    answer = await intake.client.get(webhook.PATH)
    assert answer.status == 405
    assert "POST" in answer.headers["Allow"]
    assert "Alertmanager" in await answer.text()


async def test_metrics_have_outcomes_as_labels_only(start: Start) -> None:
    intake = await start()
    await intake.post(wire(receiver="zaphod"))
    await intake.post(b"zaphod")
    assert b"zaphod" not in generate_latest(intake.metrics.registry)
