"""Prometheus as it answers, as it misbehaves, and for real."""

import asyncio
import json
import math
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from responder.clients import warnings_of
from responder.clients.prometheus import HttpPrometheus, connect
from responder.clock import SystemClock
from responder.errors import Permanent, Reason, Temporary, Trouble
from responder.metrics import Metrics
from responder.settings import PrometheusSettings
from tests.servers import Servers, free_port, program

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
NOW = datetime(2026, 3, 4, 3, 0, tzinfo=UTC)
WINDOW = {"start": NOW - timedelta(hours=1), "end": NOW, "step": timedelta(seconds=15)}


@asynccontextmanager
async def client(answer: Answer, path: str = "/", **settings: Any) -> AsyncIterator[HttpPrometheus]:
    """The client of a server that answers everything so."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(application) as server, aiohttp.ClientSession() as session:
        given = {"timeout": "2s", "cache": "0s", **settings}
        url = str(server.make_url(path))
        found = connect("", PrometheusSettings(url=url, **given), session, Metrics(), SystemClock())
        assert found is not None
        yield found
        await found.close()


def saying(body: Any, status: int = 200, **headers: str) -> Answer:
    text = body if isinstance(body, str) else json.dumps(body)

    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=status, text=text, headers=headers)

    return answer


def data(kind: str, result: Any, **more: Any) -> dict[str, Any]:
    return {"status": "success", "data": {"resultType": kind, "result": result}, **more}


VECTOR = data("vector", [{"metric": {"pod": "a"}, "value": [1, "2.5"]}])


async def trouble_of(answer: Answer, **settings: Any) -> Trouble:
    async with client(answer, **settings) as prometheus:
        with pytest.raises(Trouble) as caught:
            await prometheus.query("up")
    return caught.value


async def test_without_a_url_there_is_no_client() -> None:
    async with aiohttp.ClientSession() as session:
        assert connect("", PrometheusSettings(), session, Metrics(), SystemClock()) is None


async def test_a_query_is_posted_as_a_form_with_its_time_and_credentials() -> None:
    seen: list[Any] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append((request.method, request.path, dict(await request.post()), dict(request.headers)))
        return web.json_response(VECTOR)

    async with client(answer, "/prom/", token=SecretStr("t"), headers={"X-Scope-OrgID": SecretStr("o")}) as prometheus:
        (sample,) = await prometheus.query('up{a="&b=c"}', at=NOW)
    assert (sample.labels, sample.value) == ({"pod": "a"}, 2.5)
    ((method, path, form, headers),) = seen
    assert (method, path) == ("POST", "/prom/api/v1/query")
    assert form == {"query": 'up{a="&b=c"}', "time": f"{NOW.timestamp():.3f}"}
    assert (headers["Authorization"], headers["X-Scope-OrgID"]) == ("Bearer t", "o")


async def test_a_token_is_read_again_when_its_file_changes(tmp_path: Path) -> None:
    seen: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.headers["Authorization"])
        return web.json_response(VECTOR)

    file = tmp_path / "token"
    file.write_text("first\n")
    async with client(answer, token_file=file) as prometheus:
        await prometheus.query("up")
        file.write_text("second\n")
        await prometheus.query("up")
    assert seen == ["Bearer first", "Bearer second"]


async def test_a_scalar_is_one_sample() -> None:
    async with client(saying(data("scalar", [1, "7"]))) as prometheus:
        assert [sample.value for sample in await prometheus.query("scalar(x)")] == [7]


async def test_what_is_no_number_is_told_from_nothing() -> None:
    result = [{"metric": {}, "value": [1, text]} for text in ("NaN", "+Inf", "-Inf")]
    async with client(saying(data("vector", result))) as prometheus:
        values = [sample.value for sample in await prometheus.query("x")]
    assert math.isnan(values[0])
    assert values[1:] == [math.inf, -math.inf]


async def test_points_that_are_no_numbers_are_left_out_of_a_series() -> None:
    values = [[1, "NaN"], [2, "3"], [3, "+Inf"], [4, "5"]]
    async with client(saying(data("matrix", [{"metric": {}, "values": values}]))) as prometheus:
        (series,) = await prometheus.range("x", **WINDOW)
    assert series.points == ((2, 3), (4, 5))


@pytest.mark.parametrize("key", ["histogram", "histograms"])
async def test_histograms_are_refused_with_what_to_ask_instead(key: str) -> None:
    kind = "vector" if key == "histogram" else "matrix"
    async with client(saying(data(kind, [{"metric": {}, key: [1, {"count": "1"}]}]))) as prometheus:
        with pytest.raises(Permanent, match="histogram_quantile"):
            await (prometheus.query("x") if kind == "vector" else prometheus.range("x", **WINDOW))


async def test_warnings_stay_with_the_answer() -> None:
    body = {**VECTOR, "warnings": ["store b did not answer"]}
    async with client(saying(body)) as prometheus:
        assert warnings_of(await prometheus.query("x")) == ("store b did not answer",)
    assert warnings_of([1]) == ()


@pytest.mark.parametrize(
    ("status", "kind", "reason"),
    [
        (301, Permanent, Reason.NOT_FOUND),
        (400, Permanent, Reason.BAD_REQUEST),
        (401, Permanent, Reason.UNAUTHORIZED),
        (403, Permanent, Reason.FORBIDDEN),
        (404, Permanent, Reason.NOT_FOUND),
        (422, Permanent, Reason.BAD_REQUEST),
        (429, Temporary, Reason.OVERLOADED),
        (500, Temporary, Reason.SERVER_ERROR),
        (503, Temporary, Reason.SERVER_ERROR),
    ],
)
async def test_a_status_becomes_trouble_of_its_kind(status: int, kind: type[Trouble], reason: Reason) -> None:
    trouble = await trouble_of(saying("<html>", status, Location="http://other/"))
    assert (type(trouble), trouble.reason) == (kind, reason)
    assert str(status) in str(trouble)


async def test_a_wrong_path_is_named_as_such() -> None:
    assert "right path" in str(await trouble_of(saying("404 page not found", 404)))


async def test_the_pause_that_is_asked_for_is_kept() -> None:
    trouble = await trouble_of(saying("slow down", 429, **{"Retry-After": "7"}))
    assert isinstance(trouble, Temporary)
    assert trouble.after == 7


async def test_an_error_is_told_in_prometheus_own_words_cut_and_without_secrets() -> None:
    error = {"status": "error", "errorType": "bad_data", "error": "parse error: password=hunter2 " + "x" * 10_000}
    message = str(await trouble_of(saying(error, 400)))
    assert "parse error" in message
    assert "hunter2" not in message
    assert len(message) < 500


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<html>login</html>",
        "[]",
        "null",
        '{"status":"success"}',
        '{"status":"success","data":[]}',
        json.dumps(data("vector", [{}])),
        json.dumps(data("vector", [{"metric": {}, "value": ["x"]}, {"metric": {}, "value": [1, "2"]}])),
        json.dumps(data("vector", None)),
        json.dumps(data("vector", [{"metric": {"a": {}}, "value": [1, "x"]}])),
        "[" * 100_000,
    ],
)
async def test_an_answer_that_is_not_prometheus_own_is_trouble_not_a_crash(body: str) -> None:
    trouble = await trouble_of(saying(body))
    assert trouble.reason in (Reason.BAD_ANSWER, Reason.BAD_REQUEST)


async def test_a_range_where_a_vector_is_wanted_is_refused() -> None:
    trouble = await trouble_of(saying(data("matrix", [])))
    assert "matrix" in str(trouble)


async def test_an_answer_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("responder.clients.prometheus.LARGEST_ANSWER", 1_000_000)

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(40):
            await response.write(b"x" * 65536)
        return response

    assert (await trouble_of(answer)).reason is Reason.TOO_LARGE


async def test_a_large_answer_is_read_whole() -> None:
    result = [{"metric": {"pod": f"p{i}"}, "value": [1, "1"]} for i in range(20_000)]
    async with client(saying(data("vector", result))) as prometheus:
        assert len(await prometheus.query("x")) == 20_000


async def test_a_server_that_hangs_is_given_up_on() -> None:
    released = asyncio.Event()

    async def answer(request: web.Request) -> web.Response:
        await released.wait()
        return web.Response()

    trouble = await trouble_of(answer, timeout="200ms")
    released.set()
    assert (type(trouble), trouble.reason) == (Temporary, Reason.TIMEOUT)


async def test_a_server_that_hangs_up_is_unreachable() -> None:
    async def answer(request: web.Request) -> web.Response:
        assert request.transport
        request.transport.abort()
        return web.Response()

    assert (await trouble_of(answer)).reason is Reason.UNREACHABLE


async def test_nobody_listening_is_said_with_the_address() -> None:
    port = free_port()
    async with aiohttp.ClientSession() as session:
        settings = PrometheusSettings(url=f"http://u:hunter2@127.0.0.1:{port}")
        prometheus = connect("", settings, session, Metrics(), SystemClock())
        assert prometheus
        with pytest.raises(Temporary) as caught:
            await prometheus.query("up")
    assert str(port) in str(caught.value)
    assert "hunter2" not in str(caught.value) + prometheus.url + prometheus.link("up")


async def test_the_same_question_at_the_same_time_is_one_request() -> None:
    asked = 0

    async def answer(request: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0.05)
        return web.json_response(VECTOR)

    async with client(answer, cache="5s") as prometheus:
        await asyncio.gather(*(prometheus.query("up", at=NOW) for _ in range(50)))
        await prometheus.query("up", at=NOW)
        assert asked == 1
        await prometheus.query("up", at=NOW + timedelta(seconds=60))
    assert asked == 2


async def test_only_alerting_rules_are_listed() -> None:
    rules = [{"type": "alerting", "name": "A", "query": "x > 1"}, {"type": "recording", "name": "r", "query": "x"}]
    body = {"status": "success", "data": {"groups": [{"name": "g", "rules": rules}]}}
    async with client(saying(body)) as prometheus:
        assert [rule["name"] for rule in await prometheus.rules()] == ["A"]


async def test_a_link_shows_the_graph_at_the_public_address() -> None:
    async with client(saying(VECTOR), external_url="https://prom.example/p") as prometheus:
        link = urlsplit(prometheus.link('up{a="b c"} > 1&x', at=NOW, hours=2))
    assert (link.netloc, link.path) == ("prom.example", "/p/graph")
    query = parse_qs(link.query)
    assert query["g0.expr"] == ['up{a="b c"} > 1&x']
    assert query["g0.end_input"] == ["2026-03-04 03:00:00"]
    assert query["g0.range_input"] == ["120m"]


@pytest.fixture
async def real(servers: Servers, tmp_path: Path) -> AsyncIterator[HttpPrometheus]:
    """A real Prometheus that holds an hour of two series, one of which ends half way."""
    path, promtool = program("prometheus", package="prometheus"), program("promtool", package="prometheus")
    now = int(datetime.now(UTC).timestamp())
    lines = ["# TYPE load gauge"]
    for series, start, end in (("a", -3600, 0), ("b", -3600, -1800)):
        lines += [f'load{{pod="{series}"}} {at % 7} {now + at}' for at in range(start, end, 15)]
    (tmp_path / "load.txt").write_text("\n".join([*lines, "# EOF", ""]))
    command = [promtool, "tsdb", "create-blocks-from", "openmetrics", f"{tmp_path}/load.txt", f"{tmp_path}/data"]
    made = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    rule = {"alert": "Loaded", "expr": "load > 3", "labels": {"severity": "warning"}}
    (tmp_path / "rules.yml").write_text(json.dumps({"groups": [{"name": "g", "rules": [rule]}]}))
    (tmp_path / "config.yml").write_text(json.dumps({"rule_files": [f"{tmp_path}/rules.yml"]}))
    url = f"http://127.0.0.1:{free_port()}"
    options = [f"--config.file={tmp_path}/config.yml", f"--storage.tsdb.path={tmp_path}/data", "--web.route-prefix=/p/"]
    options += [f"--web.listen-address={url.removeprefix('http://')}", f"--web.external-url={url}/p/"]
    await servers.run("prometheus", [path, *options], url, "/p/-/ready")
    async with aiohttp.ClientSession() as session:
        found = connect("", PrometheusSettings(url=f"{url}/p"), session, Metrics(), SystemClock())
        assert found
        yield found
        await found.close()


@pytest.mark.integration
async def test_a_real_prometheus_answers_queries_ranges_and_rules(real: HttpPrometheus) -> None:
    now = datetime.now(UTC)
    ended, current = [await real.query("load", at=now - timedelta(minutes=minutes)) for minutes in (40, 2)]
    assert {sample.labels["pod"] for sample in ended} == {"a", "b"}
    assert {sample.labels["pod"] for sample in current} == {"a"}
    series = await real.range("load", start=now - timedelta(hours=1), end=now, step=timedelta(seconds=30))
    assert {item.labels["pod"]: len(item.points) > 100 for item in series} == {"a": True, "b": False}
    assert [sample.value for sample in await real.query("scalar(vector(4))")] == [4]
    assert [sample.value for sample in await real.query("vector(1) / 0")] == [math.inf]
    assert not await real.query("nothing_of_that_name")
    assert [(rule["name"], rule["query"]) for rule in await real.rules()] == [("Loaded", "load > 3")]


@pytest.mark.integration
async def test_a_real_prometheus_says_what_is_wrong_with_a_query(real: HttpPrometheus) -> None:
    with pytest.raises(Permanent, match="parse error"):
        await real.query("sum(")
    with pytest.raises(Permanent, match="many-to-many"):
        await real.query("load + on() load", at=datetime.now(UTC) - timedelta(minutes=40))
    with pytest.raises(Permanent, match="wanted is a vector"):
        await real.query("load[5m]")
    now = datetime.now(UTC)
    with pytest.raises(Permanent, match="exceeded maximum resolution"):
        await real.range("load", start=now - timedelta(days=1), end=now, step=timedelta(seconds=1))
