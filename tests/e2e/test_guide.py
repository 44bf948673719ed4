"""KubeChat's runbooks, as they ship, against real servers that break: each finding names cause and object."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import trustme
from aiohttp import web
from aiohttp.test_utils import TestServer

from responder.errors import ConfigError
from tests import nameserver
from tests.datastores import PASSWORD, Datastores, PostgresProcess, RedisProcess
from tests.fakes.loki import FakeLoki
from tests.nameserver import NameServer
from tests.servers import free_port
from tests.service import Running, Starter, alert
from tests.waiting import eventually

pytestmark = pytest.mark.e2e
HEALTHY = {"recording": "database_issues", "state": "healthy"}
DATABASE_ALERT = "KubeChatDatabaseConnectionsHigh"
Findings = dict[tuple[str, str], dict[str, Any]]


@asynccontextmanager
async def endpoint(certificate: trustme.LeafCert | None = None) -> AsyncIterator[int]:
    """A server with a service under each path: `/broken` fails, `/slow` takes its time, others are well."""

    async def answer(request: web.Request) -> web.Response:
        if request.path.startswith("/broken"):
            return web.Response(status=503, text="no healthy upstream")
        if request.path.startswith("/slow"):
            await asyncio.sleep(0.7)
        return web.Response(text="<!doctype html>ok", content_type="text/html")

    application = web.Application()
    application.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def asked(service: Running, name: str, **labels: str) -> dict[str, Any]:
    """The incident that an alert makes, investigated."""
    await service.post(alert(name, **labels))
    return await service.incident()


def findings(incident: dict[str, Any]) -> Findings:
    """What was found, by cause and the name of the object."""
    return {(item["cause"], item["subject"]["name"]): item for item in incident["findings"]}


def evidence(incident: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {item["id"]: item for item in incident["evidence"]}


def postgres_settings(server: PostgresProcess, **variables: str) -> dict[str, Any]:
    given = {"database": "main", "database_name": "shop", **variables}
    connection = {"name": "main", "url": server.user_url(), "password": PASSWORD, "cache": "0s"}
    return {"postgres": [connection], "variables": given}


def redis_settings(server: RedisProcess, **variables: str) -> dict[str, Any]:
    given = {"redis_address": server.address, **variables}
    return {"redis": [{"name": "sessions", "url": f"redis://{server.address}", "cache": "0s"}], "variables": given}


async def test_postgresql_with_a_lock_a_slow_statement_and_a_full_disk(
    start_service: Starter, datastores: Datastores
) -> None:
    postgres = await datastores.postgres()
    await postgres.run(
        "CREATE TABLE audit_events AS SELECT 1 AS id, now() AS created_at",
        "CREATE INDEX audit_events_id ON audit_events (id)",
        "GRANT ALL ON audit_events TO shopkeeper, responder",
    )
    service = await start_service(**HEALTHY, **postgres_settings(postgres, database_disk="1MiB"))
    async with AsyncExitStack() as stack:
        holder, other = [
            await asyncpg.connect(postgres.user_url(user="shopkeeper"), password=PASSWORD) for _ in range(2)
        ]
        stack.callback(holder.terminate)
        stack.callback(other.terminate)
        await stack.enter_async_context(postgres.repeating("SELECT pg_sleep(1.02)"))
        await asyncio.sleep(0.5)  # so that one of the two ends whenever a second is looked at
        await stack.enter_async_context(postgres.repeating("SELECT pg_sleep(1.02)"))
        await holder.execute("BEGIN; UPDATE audit_events SET id = 2")
        waiting = asyncio.create_task(other.execute("UPDATE audit_events SET id = 3"))
        await eventually(lambda: postgres.blocked(5.5))
        incident = await asked(service, DATABASE_ALERT)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    named = findings(incident)
    assert incident["runbook"] == "kubechat-database-issues"
    for cause in ("postgres-blocked-by-lock", "postgres-slow-statement", "postgres-disk-nearly-full"):
        assert (cause, "main") in named
    assert "audit_events" in str(named["postgres-blocked-by-lock", "main"])
    assert "pg_sleep" in named["postgres-slow-statement", "main"]["headline"]
    seen = evidence(incident)
    assert seen["own_connections"]["data"]["rows"]
    assert any(row["name"] == "public.audit_events" for row in seen["table_sizes"]["data"]["rows"])
    assert any(row["indexrelname"] == "audit_events_id" for row in seen["unused_indexes"]["data"]["rows"])
    assert all(seen[name]["reproduce"] for name in ("health", "own_connections", "table_sizes", "unused_indexes"))


async def test_postgresql_without_a_connection_left(start_service: Starter, datastores: Datastores) -> None:
    postgres = await datastores.postgres(max_connections="8", max_wal_senders="0", superuser_reserved_connections="2")
    service = await start_service(**HEALTHY, **postgres_settings(postgres))
    async with AsyncExitStack() as stack:
        for _ in range(6):
            connection = await asyncpg.connect(postgres.user_url(user="shopkeeper"), password=PASSWORD)
            stack.callback(connection.terminate)
        incident = await asked(service, DATABASE_ALERT)
    first = incident["findings"][0]
    assert (first["cause"], first["subject"]["name"]) == ("db-connection-exhaustion", "main")
    assert first["confidence"] == "certain"


async def test_an_audit_service_whose_database_is_down(start_service: Starter, datastores: Datastores) -> None:
    postgres = await datastores.postgres()
    await postgres.stop()
    given = postgres_settings(postgres, postgres_address=f"127.0.0.1:{postgres.port}")
    service = await start_service(**HEALTHY, **given)
    incident = await asked(service, "KubeChatAuditIngestionLow")
    assert incident["runbook"] == "kubechat-audit-ingestion-failures"
    named = findings(incident)
    assert named["postgres-down", "main"]["confidence"] == "likely"
    assert ("endpoint-refuses-connections", f"127.0.0.1:{postgres.port}") in named


async def test_websockets_whose_session_store_is_down(start_service: Starter, datastores: Datastores) -> None:
    redis = await datastores.redis()
    await redis.stop()
    service = await start_service(**HEALTHY, **redis_settings(redis))
    incident = await asked(service, "KubeChatWebSocketFailures")
    assert incident["runbook"] == "kubechat-websocket-failures"
    named = findings(incident)
    assert ("redis-down", "sessions") in named
    assert ("endpoint-refuses-connections", redis.address) in named


async def test_websockets_whose_session_store_has_no_memory(start_service: Starter, datastores: Datastores) -> None:
    redis = await datastores.redis(maxmemory="1mb", maxmemory_policy="noeviction")
    async with endpoint() as port:
        given = redis_settings(redis, chat_url=f"ws://127.0.0.1:{port}/chat/test-session")
        service = await start_service(**HEALTHY, **given)
        incident = await asked(service, "KubeChatWebSocketFailures")
    named = findings(incident)
    assert ("redis-out-of-memory", "sessions") in named
    assert ("endpoint-websocket-not-upgraded", f"127.0.0.1:{port}") in named
    assert evidence(incident)["sockets"]["status"] == "skipped"


async def test_a_slow_gateway_and_an_ai_provider_that_fails(start_service: Starter) -> None:
    async with endpoint() as port:
        here = f"http://127.0.0.1:{port}"
        service = await start_service(**HEALTHY, variables={"gateway_url": f"{here}/slow", "ai_url": f"{here}/broken"})
        incident = await asked(service, "KubeChatHighResponseTime")
    assert incident["runbook"] == "kubechat-high-response-time"
    named = findings(incident)
    assert "wanted are 500 ms" in named["endpoint-slow", f"127.0.0.1:{port}"]["headline"]
    assert "answers 503" in named["endpoint-server-error", f"127.0.0.1:{port}"]["headline"]


async def test_a_page_that_answers_with_an_error_behind_a_healthy_application(start_service: Starter) -> None:
    async with endpoint() as port:
        here = f"http://127.0.0.1:{port}"
        service = await start_service(**HEALTHY, variables={"public_url": f"{here}/broken", "web_url": here})
        incident = await asked(service, "KubeChatWebAppDown", instance="https://kubechat.company.com")
    assert incident["runbook"] == "kubechat-web-app-down"
    named = findings(incident)
    assert ("endpoint-server-error", f"127.0.0.1:{port}") in named
    assert ("kubechat-ingress-in-the-way", "kubechat-ingress") in named


async def test_a_page_whose_certificate_has_expired(
    start_service: Starter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, now = trustme.CA(), datetime.now(UTC)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    certificate = authority.issue_cert(
        "localhost", not_before=now - timedelta(days=90), not_after=now - timedelta(days=2)
    )
    async with endpoint(certificate) as port:
        service = await start_service(**HEALTHY, variables={"public_url": f"https://localhost:{port}/"})
        incident = await asked(service, "KubeChatCertificateExpiring")
    finding = findings(incident)["endpoint-certificate-expired", f"localhost:{port}"]
    assert finding["confidence"] == "certain"
    assert "expired 2 days ago" in finding["headline"]


async def test_a_name_that_does_not_exist_and_a_port_on_which_nobody_listens(start_service: Starter) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    async with nameserver.serving(NameServer({"github.com": {"A": ["192.0.2.1"]}})) as server:
        variables = {
            "name_server": server.address,
            "ai_host": "api.openai.invalid",
            "other_host": "github.com",
            "postgres_address": nobody,
        }
        service = await start_service(**HEALTHY, variables=variables)
        incident = await asked(service, "KubeChatTargetDown", job="api-gateway")
    assert incident["runbook"] == "kubechat-network-connectivity"
    named = findings(incident)
    assert named["endpoint-name-does-not-resolve", "api.openai.invalid"]["confidence"] == "certain"
    assert ("endpoint-refuses-connections", nobody) in named
    assert not any(cause == "kubechat-external-names" for cause, _ in named)
    assert "github.com resolves" in str(incident["cleared"])


async def test_the_guides_queries_are_asked_of_loki(start_service: Starter) -> None:
    now = datetime.now(UTC).timestamp()

    def written(service: str, *lines: str) -> tuple[dict[str, str], list[Any]]:
        labels = {"namespace": "kubechat-system", "service": service, "pod": f"{service}-1", "container": service}
        return labels, [(now - 60 - place, line) for place, line in enumerate(reversed(lines))]

    streams = [
        written("api-gateway", *(f"ERROR authentication failed user={place}" for place in range(25))),
        written("audit-service", "ERROR dial tcp 10.0.0.5:5432: connection refused"),
        written("nlp-service", "command translated duration=1900ms", "command translated duration=2100ms"),
    ]
    async with TestServer(FakeLoki(streams).application()) as loki:
        service = await start_service(**HEALTHY, loki={"url": str(loki.make_url("/"))})
        incident = await asked(service, "KubeChatLogErrors")
    seen = evidence(incident)
    assert {name: seen[name]["value"] for name in ("errors", "logins", "database", "commands")} == {
        "errors": 26, "logins": 25, "database": 1, "commands": 2,
    }  # fmt: skip
    assert (seen["durations"]["status"], seen["durations"]["breached"]) == ("ok", True)
    named = findings(incident)
    assert ("kubechat-failed-logins", "api-gateway") in named
    assert ("kubechat-slow-by-its-log", "kubechat-system") in named


async def test_a_variable_that_no_runbook_has_is_refused_at_the_start(start_service: Starter) -> None:
    with pytest.raises(ConfigError, match=r"'gatway_url', did you mean 'gateway_url'"):
        await start_service(**HEALTHY, variables={"gatway_url": "http://127.0.0.1"})
