"""Databases that break while Responder watches: the real servers, through the whole service."""

import asyncio
import re
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import yaml
from aiohttp.test_utils import TestServer

from tests.datastores import PASSWORD, Datastores, PostgresProcess, RedisProcess
from tests.fakes.loki import FakeLoki
from tests.service import Running, Starter, alert
from tests.waiting import LONG, eventually

pytestmark = pytest.mark.e2e
REDIS_PASSWORD = "s3cret-of-redis"
QUICK = {"lock_wait": "100ms", "idle_in_transaction": "10m", "statement": "200ms"}


def rules(folder: Path, **options: Any) -> list[str]:
    """A runbook that looks at both databases and at the logs of who calls them."""
    runbook = {
        "apiVersion": "responder/v1",
        "kind": "Runbook",
        "metadata": {"name": "shop-datastores", "title": "The shop's databases"},
        "match": ['alertname="ShopDatastores"'],
        "severity": "P1",
        "investigate": [
            {"id": "pg", "probe": "postgres.health", "database": "main", **QUICK, **options},
            {"id": "cache", "probe": "redis.health", "server": "sessions", "ping": "5s", "slow": "5s"},
            {"id": "logs", "probe": "loki.query", "query": '{namespace="{{ labels.namespace }}"} |= "ERROR"'},
            {
                "id": "orders", "probe": "postgres.query", "unit": "databases", "parameters": ["{{ labels.database }}"],
                "statement": "SELECT count(*) FROM pg_database WHERE datname = $1",
            },
        ],
        "diagnose": [
            {"use": "all"},
            {"when": "evidence.pg.data.connections > 1000", "cleared": "never"},
        ],
    }  # fmt: skip
    (folder / "rules").mkdir()
    (folder / "rules" / "shop.yaml").write_text(yaml.safe_dump(runbook))
    return [str(folder / "rules")]


def settings(postgres: PostgresProcess, redis: RedisProcess, **more: Any) -> dict[str, Any]:
    return {
        "postgres": [{"name": "main", "url": postgres.user_url(), "password": PASSWORD, "cache": "0s"}],
        "redis": [{"name": "sessions", "url": f"redis://{redis.address}", "password": REDIS_PASSWORD, "cache": "0s"}],
        **more,
    }


async def answered(service: Running) -> dict[str, Any]:
    await service.post(alert("ShopDatastores", namespace="shop", database="shop"))
    return await service.incident()


async def sources(service: Running) -> dict[str, str]:
    """What each server says, once all have been asked."""
    headers = {"Accept": "application/json"}
    async with asyncio.timeout(LONG):
        while True:
            async with service.session.get(f"{service.url}/-/ready", headers=headers) as answer:
                told = (await answer.json())["sources"]
            asked = [item for item in told if item["what"].startswith(("PostgreSQL", "Redis", "Loki"))]
            if asked and all(item["fine"] is not None for item in asked):
                return {item["what"]: item["detail"] for item in asked if item["fine"]}
            await asyncio.sleep(0.05)


def causes(incident: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(item["cause"], item["subject"]["name"]) for item in incident["findings"]]


async def test_databases_that_are_well_are_cleared_with_their_numbers(
    start_service: Starter, datastores: Datastores, tmp_path: Path
) -> None:
    postgres, redis = await datastores.postgres(), await datastores.redis(REDIS_PASSWORD)
    labels = {"namespace": "shop", "pod": "orders-1", "container": "orders"}
    async with TestServer(FakeLoki([(labels, [])]).application()) as loki:
        more = {"rules": rules(tmp_path), "loki": {"url": str(loki.make_url("/"))}}
        service = await start_service(**settings(postgres, redis, **more))
        incident = await answered(service)
        told = await sources(service)
    assert causes(incident) == []
    said = " ".join(item["text"] for item in incident["cleared"])
    assert re.search(r"PostgreSQL main \(\d of 100 connections\)", said)
    assert "Redis sessions (PONG in" in said
    evidence = {item["id"]: item for item in incident["evidence"]}
    assert (evidence["orders"]["value"], evidence["logs"]["status"]) == (1, "empty")
    assert all(item["reproduce"] for item in incident["evidence"])
    assert not any(secret in str(incident) for secret in (PASSWORD, REDIS_PASSWORD))
    assert told["PostgreSQL main"].startswith("15")
    assert told["Redis sessions"].startswith(tuple("678"))
    assert told["Loki"] == "3.4.2"


async def test_each_way_to_break_postgresql_is_named(
    start_service: Starter, datastores: Datastores, tmp_path: Path
) -> None:
    postgres = await datastores.postgres(max_connections="8", max_wal_senders="0", superuser_reserved_connections="2")
    redis = await datastores.redis(REDIS_PASSWORD)
    await postgres.run("CREATE TABLE goods AS SELECT 1 AS n", "GRANT ALL ON goods TO shopkeeper")
    service = await start_service(**settings(postgres, redis, rules=rules(tmp_path, disk_size="1MiB")))
    async with AsyncExitStack() as stack:

        async def session() -> Any:
            connection = await asyncpg.connect(postgres.user_url(user="shopkeeper"), password=PASSWORD)
            stack.callback(connection.terminate)
            return connection

        holder, other = await session(), await session()
        await stack.enter_async_context(postgres.repeating("SELECT pg_sleep(0.3)"))
        await holder.execute("BEGIN; UPDATE goods SET n = 2")
        waiting = asyncio.create_task(other.execute("UPDATE goods SET n = 3"))
        await eventually(postgres.blocked)
        named = {cause for cause, _ in causes(await answered(service))}
        assert {"postgres-blocked-by-lock", "postgres-slow-statement", "postgres-disk-nearly-full"} <= named
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        for _ in range(3):
            await session()
        again = await start_another(start_service, postgres, redis, tmp_path)
        (first, *_) = causes(await answered(again))
        assert first == ("db-connection-exhaustion", "main")


async def start_another(
    start_service: Starter, postgres: PostgresProcess, redis: RedisProcess, folder: Path
) -> Running:
    """A service with a store of its own."""
    database = f"sqlite:///{folder}/another.db"
    return await start_service(**settings(postgres, redis, rules=[str(folder / "rules")], database=database))


async def test_servers_that_are_gone_or_refuse_us_are_named(
    start_service: Starter, datastores: Datastores, tmp_path: Path
) -> None:
    postgres, redis = await datastores.postgres(), await datastores.redis(REDIS_PASSWORD)
    wrong = settings(postgres, redis, rules=rules(tmp_path))
    wrong["postgres"][0]["password"] = wrong["redis"][0]["password"] = "wr0ng"
    incident = await answered(await start_service(**wrong))
    assert set(causes(incident)) == {
        ("postgres-credentials-refused", "main"),
        ("redis-credentials-refused", "sessions"),
    }
    assert "wr0ng" not in str(incident)
    await postgres.stop()
    await redis.stop()
    incident = await answered(await start_another(start_service, postgres, redis, tmp_path))
    assert set(causes(incident)) == {("postgres-down", "main"), ("redis-down", "sessions")}
    assert all(item["confidence"] == "likely" for item in incident["findings"])


async def test_a_redis_without_memory_is_named(start_service: Starter, datastores: Datastores, tmp_path: Path) -> None:
    postgres = await datastores.postgres()
    redis = await datastores.redis(REDIS_PASSWORD, maxmemory="1mb", maxmemory_policy="noeviction")
    service = await start_service(**settings(postgres, redis, rules=rules(tmp_path)))
    incident = await answered(service)
    assert causes(incident) == [("redis-out-of-memory", "sessions")]


async def test_a_loki_that_refuses_us_is_told_of_and_no_cause_is_made_up(
    start_service: Starter, datastores: Datastores, tmp_path: Path
) -> None:
    postgres, redis = await datastores.postgres(), await datastores.redis(REDIS_PASSWORD)
    async with TestServer(FakeLoki(tenant="shop").application()) as loki:
        more = {"rules": rules(tmp_path), "loki": {"url": str(loki.make_url("/"))}}
        incident = await answered(await start_service(**settings(postgres, redis, **more)))
    assert any("no org id" in item["text"] for item in incident["unseen"])
    assert causes(incident) == []
