"""`loki.query` and its client, against a Loki that is strict about its API."""

import json
import shlex
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import ValidationError

from responder.clients import Clients
from responder.clients.loki import HttpLoki, connect
from responder.clock import SystemClock
from responder.detectors import Case, databases
from responder.errors import Permanent, Reason, Temporary, Trouble
from responder.metrics import Metrics
from responder.model.evidence import Chart, Logs, Observation
from responder.model.subject import Target
from responder.probes import Inquiry
from responder.probes.loki_query import LokiQuery
from responder.settings import LokiSettings
from responder.templating import render
from tests.detectors import cases
from tests.detectors.test_databases import workload
from tests.fakes.loki import FakeLoki
from tests.makers import NOW, alert, evidence

STARTED = NOW - timedelta(minutes=5)
GUIDE = {
    '{namespace="kubechat-system"} |= "ERROR"': 7,
    '{service="api-gateway"} |= "authentication failed"': 4,
    '{service="audit-service"} |= "connection refused"': 3,
    '{service="nlp-service"} |= "command translated"': 20,
}
FIFTH = (
    '{namespace="kubechat-system"} |= "duration" | regexp "duration=(?P<duration>[0-9]+)ms" | unwrap duration '
    "| quantile_over_time(0.95, 5m)"
)
FIFTH_MEANT = (
    'quantile_over_time(0.95, {namespace="kubechat-system"} |= "duration" '
    '| regexp "duration=(?P<duration>[0-9]+)ms" | unwrap duration [5m]) by (service)'
)


def stream(service: str, *lines: str, namespace: str = "kubechat-system") -> tuple[dict[str, str], list[Any]]:
    labels = {"namespace": namespace, "service": service, "pod": f"{service}-1", "container": service}
    return labels, [(NOW.timestamp() - 10 * place - 1, line) for place, line in enumerate(reversed(lines))]


def streams() -> list[Any]:
    refused = "ERROR audit: dial tcp 10.0.0.5:5432: connect: connection refused"
    return [
        stream("api-gateway", *(f"ERROR user {number}: authentication failed" for number in range(4))),
        stream("audit-service", *[refused] * 3),
        stream("nlp-service", *(f"INFO command translated duration={number * 100}ms" for number in range(1, 21))),
    ]


@asynccontextmanager
async def served(loki: FakeLoki | web.Application, **settings: Any) -> AsyncIterator[HttpLoki]:
    application = loki if isinstance(loki, web.Application) else loki.application()
    async with TestServer(application) as server, aiohttp.ClientSession() as session:
        given = {"url": str(server.make_url("/")), "cache": "0s", **settings}
        found = connect("", LokiSettings.model_validate(given), session, Metrics(), SystemClock())
        assert found is not None
        yield found
        await found.close()


def inquiry() -> Inquiry:
    return Inquiry(target=Target(namespace="kubechat-system"), alerts=(alert(),), started_at=STARTED, now=NOW)


async def ask(query: str, loki: FakeLoki | None = None, **options: Any) -> Observation:
    http: Any = None
    async with served(loki or FakeLoki(streams())) as client:
        probe = LokiQuery.model_validate({"query": query, **options})
        return await probe.run(inquiry(), Clients("", http, loki_client=client))


async def refused(loki: FakeLoki | web.Application, query: str = '{app="x"}', **settings: Any) -> Trouble:
    http: Any = None
    async with served(loki, **settings) as client:
        with pytest.raises(Trouble) as caught:
            await LokiQuery(query=query).run(inquiry(), Clients("", http, loki_client=client))
    return caught.value


@pytest.mark.parametrize("query", GUIDE)
async def test_the_log_queries_of_the_guide_find_their_lines(query: str) -> None:
    seen = await ask(query)
    assert (seen.value, seen.empty) == (GUIDE[query], False)
    assert seen.summary.startswith(f"{GUIDE[query]} lines between 01:55 and 03:00 UTC")


async def test_the_metric_query_of_the_guide_does_not_parse_and_what_it_means_gives_a_chart() -> None:
    trouble = await refused(FakeLoki(streams()), FIFTH)
    assert (type(trouble), trouble.reason) == (Permanent, Reason.BAD_REQUEST)
    assert "parse error at line 1" in str(trouble)
    seen = await ask(FIFTH_MEANT, unit="ms", threshold="> 500")
    assert isinstance(seen.data, Chart)
    assert [series.labels for series in seen.data.series] == [{"service": "nlp-service"}]
    assert (seen.value, seen.breached) == (pytest.approx(1905, rel=0.01), True)
    assert "past > 500 ms" in seen.summary


async def test_lines_alike_are_counted_by_who_wrote_them() -> None:
    seen = await ask('{namespace="kubechat-system"} |= "ERROR"')
    assert isinstance(seen.data, Logs)
    first, second = seen.data.logs
    assert {(log.pod, log.groups[0].count) for log in (first, second)} == {("api-gateway-1", 4), ("audit-service-1", 3)}
    assert any("connection refused ×3" in fact for fact in seen.facts)
    assert first.groups[0].first
    assert first.groups[0].first < NOW


async def test_the_detectors_read_its_lines_as_logs_of_the_cluster() -> None:
    line = "FATAL: sorry, too many clients already"
    labels = {"namespace": cases.NAMESPACE, "pod": "postgres-0", "container": "server"}
    seen = await ask(f'{{namespace="{cases.NAMESPACE}"}}', FakeLoki([(labels, [(NOW.timestamp() - 60, line)])]))
    base = cases.case(workload("postgres", "docker.io/library/postgres:15", 5432))
    told = {**base.evidence, "logs": evidence("logs", seen.data)}
    (finding,) = cases.findings(databases.detect, Case(base.target, base.alerts, base.started_at, base.now, told))
    assert (finding.cause, str(finding.subject)) == ("db-connection-exhaustion", "deployment/postgres")


async def test_lines_without_trouble_are_counted_too() -> None:
    seen = await ask('{service="nlp-service"} |= "command translated"')
    assert seen.facts == ("INFO command translated duration=<n>ms ×20",)


async def test_no_line_is_an_answer_with_the_value_zero() -> None:
    seen = await ask('{service="nlp-service"} |= "panic"', threshold="> 0")
    assert (seen.value, seen.breached, seen.empty) == (0, False, True)
    assert seen.summary.startswith("no line between")


async def test_a_cut_answer_says_so_and_has_the_newest_lines() -> None:
    seen = await ask('{service="nlp-service"}', limit=5, threshold="> 3")
    assert (seen.value, seen.breached, seen.truncated) == (5, True, "only the last 5 lines were read")
    assert isinstance(seen.data, Logs)
    assert seen.data.logs[0].lines[-1].endswith("duration=2000ms")
    first = await ask('{service="nlp-service"}', limit=5, direction="forward")
    assert isinstance(first.data, Logs)
    assert first.data.logs[0].lines[0].endswith("duration=100ms")


async def test_a_label_cannot_leave_its_string() -> None:
    hostile = 'x"} or {namespace=~".+'
    context = {"labels": {"service": hostile}}
    options = render(LokiQuery, {"query": '{service="{{ labels.service }}"} |= "ERROR"'}, context)
    loki = FakeLoki([stream(hostile, "ERROR mine"), stream("api-gateway", "ERROR of another")])
    seen = await ask(options["query"], loki)
    assert seen.value == 1


async def test_the_tenant_and_the_token_are_sent() -> None:
    loki = FakeLoki(streams(), tenant="team-a", token="t0ken")
    given = {"headers": {"X-Scope-OrgID": "team-a"}, "token": "t0ken"}
    http: Any = None
    async with served(loki, **given) as client:
        assert await client.ready() == "3.4.2"
        assert (
            await LokiQuery(query='{service="nlp-service"}').run(inquiry(), Clients("", http, loki_client=client))
        ).value
    trouble = await refused(FakeLoki(tenant="team-a"))
    assert (trouble.reason, "no org id" in str(trouble)) == (Reason.UNAUTHORIZED, True)
    trouble = await refused(FakeLoki(token="t0ken"), token="wr0ng")
    assert (trouble.reason, "wr0ng" in str(trouble)) == (Reason.UNAUTHORIZED, False)


async def test_a_busy_loki_is_worth_another_try() -> None:
    trouble = await refused(FakeLoki(busy=9))
    assert (type(trouble), trouble.reason) == (Temporary, Reason.OVERLOADED)


@pytest.mark.parametrize(
    ("status", "body", "reason", "said"),
    [
        (404, "404 page not found", Reason.NOT_FOUND, "right path"),
        (302, "", Reason.NOT_FOUND, "a redirect"),
        (200, "<html>", Reason.BAD_ANSWER, "as Loki does"),
        (200, '{"data": {"resultType": "streams", "result": [{}]}}', Reason.BAD_ANSWER, "as Loki does"),
        (200, '{"data": {"resultType": "vector", "result": []}}', Reason.BAD_REQUEST, "gives a vector"),
        (500, '{"error": "context deadline"}', Reason.SERVER_ERROR, "500: context deadline"),
    ],
)
async def test_what_is_no_answer_of_loki_is_told(status: int, body: str, reason: Reason, said: str) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=status, text=body)

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    trouble = await refused(application)
    assert trouble.reason is reason
    assert said in str(trouble)


async def test_the_same_second_is_the_same_question() -> None:
    loki = FakeLoki(streams())
    await ask('{service="nlp-service"}', loki)
    (asked,) = loki.asked
    assert asked["end"] == f"{int(NOW.timestamp())}000000000"
    assert (asked["direction"], asked["limit"]) == ("backward", "500")


async def test_the_command_survives_a_shell_and_the_link_is_grafanas() -> None:
    query = '{app="$(rm -rf /)"} |= `it\'s`'
    http: Any = None
    async with served(FakeLoki(), external_url="https://grafana.example", datasource="logs") as client:
        command, link = LokiQuery(query=query).reproduce(inquiry(), Clients("", http, loki_client=client))
        words = shlex.split(command.command)
        assert (words[:2], words[-1]) == (["logcli", "query"], query)
        assert "--from=2026-03-04T01:55:00Z" in words
        address = urlsplit(link.link)
        pane = json.loads(parse_qs(address.query)["left"][0])
        assert (address.netloc, address.path) == ("grafana.example", "/explore")
        assert (pane["datasource"], pane["queries"][0]["expr"]) == ("logs", query)
    async with served(FakeLoki()) as client:
        assert len(LokiQuery(query=query).reproduce(inquiry(), Clients("", http, loki_client=client))) == 1


def test_a_threshold_that_is_none_is_refused_at_once() -> None:
    with pytest.raises(ValidationError, match="not a threshold"):
        LokiQuery(query="{}", threshold="high")
