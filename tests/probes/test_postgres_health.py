"""`postgres.health` asks a real PostgreSQL that is broken in one way after the other."""

import asyncio
import json
import shlex
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import asyncpg
import pytest

from responder.clients import Clients
from responder.clients.postgres import connect
from responder.clock import SystemClock
from responder.errors import Permanent, Reason, Temporary
from responder.metrics import Metrics
from responder.model.evidence import Observation
from responder.model.postgres import PostgresCount
from responder.model.postgres_health import PostgresHealth
from responder.model.redaction import redact
from responder.model.subject import Target
from responder.probes import Inquiry
from responder.probes.postgres_health import PostgresHealthCheck
from responder.settings import PostgresSettings
from tests.datastores import PASSWORD, Datastores, PostgresProcess, debians_postgres, newest_postgres
from tests.makers import NOW, alert
from tests.waiting import LONG, eventually

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("postgres_programs")]


@pytest.fixture(params=[debians_postgres, newest_postgres], ids=["debian", "newest"])
def postgres_programs(request: pytest.FixtureRequest) -> Path:
    """Each PostgreSQL that is installed."""
    if found := request.param():
        return cast(Path, found)
    pytest.skip(f"{request.param.__name__} is not installed")


def asking(server: PostgresProcess, **settings: Any) -> Clients:
    given = {"name": "main", "url": server.user_url(), "password": PASSWORD, "cache": "0s", **settings}
    http: Any = None
    found = connect([PostgresSettings.model_validate(given)], Metrics(), SystemClock())
    return Clients("", http, databases=found)


def inquiry() -> Inquiry:
    return Inquiry(target=Target(namespace="shop"), alerts=(alert(),), started_at=NOW, now=NOW)


async def look(server: PostgresProcess, clients: Clients | None = None, **options: Any) -> Observation:
    return await PostgresHealthCheck.model_validate({"watch": "0s", **options}).run(
        inquiry(), clients or asking(server)
    )


def health(seen: Observation) -> PostgresHealth:
    assert isinstance(seen.data, PostgresHealth)
    return PostgresHealth.model_validate(json.loads(seen.data.model_dump_json()))


@asynccontextmanager
async def session(server: PostgresProcess, *statements: str, name: str = "checkout") -> AsyncIterator[Any]:
    """A session of the application that has said these statements."""
    connection = await asyncpg.connect(
        server.user_url(user="shopkeeper"), password=PASSWORD, server_settings={"application_name": name}
    )
    try:
        for statement in statements:
            await connection.execute(statement)
        yield connection
    finally:
        connection.terminate()


async def test_a_healthy_server_is_told_with_its_numbers(datastores: Datastores) -> None:
    server = await datastores.postgres()
    await server.run(
        "CREATE TABLE goods AS SELECT generate_series(1, 5000) AS n", "CREATE INDEX ON goods (n)", "ANALYZE"
    )
    async with session(server):
        seen = await look(server)
    found = health(seen)
    assert seen.summary.startswith(f"PostgreSQL main at 127.0.0.1:{server.port}: 1 of 100 connections, version 1")
    assert (seen.breached, seen.gaps, seen.value) == (False, (), 0.01)
    assert (found.by_application, found.by_user) == (
        (PostgresCount(name="checkout", sessions=1),),
        (PostgresCount(name="shopkeeper", sessions=1),),
    )
    assert found.by_state == {"idle": 1}
    assert (found.tables[0].name, found.indexes[0].name) == ("goods", "goods_n_idx")
    assert found.disk_bytes
    assert found.disk_bytes > found.databases[0].bytes > 0  # type: ignore[operator]
    assert (found.in_recovery, found.read_only, found.reserved_connections) == (False, False, 3)
    assert found.checkpoints_requested is not None
    assert found.database == "shop"


async def test_used_connections_are_told_by_who_holds_them(datastores: Datastores) -> None:
    server = await datastores.postgres(max_connections="20")
    url = server.user_url(user="shopkeeper")
    held = [await asyncpg.connect(url, password=PASSWORD) for _ in range(11)]
    async with session(server, name="reports"):
        seen = await look(server, connections=0.5)
    for connection in held:
        await connection.close()
    assert (seen.value, seen.breached) == (0.6, True)
    assert "12 of 20 connections; 60 % of the connections are in use: unknown 11, reports 1" in seen.summary


async def test_a_server_without_a_free_connection_is_trouble_in_its_own_words(datastores: Datastores) -> None:
    server = await datastores.postgres(max_connections="5", superuser_reserved_connections="3", max_wal_senders="0")
    async with session(server), session(server):
        with pytest.raises(Temporary, match=r"connection slots are reserved|too many clients") as caught:
            await look(server)
    assert caught.value.reason is Reason.OVERLOADED


async def test_who_blocks_whom_is_named_without_the_values_of_their_statements(datastores: Datastores) -> None:
    server = await datastores.postgres()
    await server.run("CREATE TABLE goods AS SELECT 1 AS n, 'secret' AS t", "GRANT ALL ON goods TO shopkeeper")
    async with (
        session(server, "BEGIN", "UPDATE goods SET t = 'hunter2'", name="import"),
        session(server) as other,
    ):
        waiting = asyncio.create_task(other.execute("UPDATE goods SET t = 'correct horse' WHERE n = 1"))
        await eventually(lambda: server.blocked(0.2))
        seen = await look(server, lock_wait="100ms", idle_in_transaction="100ms")
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    (lock,) = health(seen).blocked
    assert (lock.user, lock.blocker_application, lock.blocker_state) == ("shopkeeper", "import", "idle in transaction")
    assert lock.statement == "UPDATE goods SET t = ? WHERE n = ?"
    assert lock.blocker_statement == "UPDATE goods SET t = ?"
    assert "hunter2" not in seen.model_dump_json()
    assert "has waited" in seen.summary
    assert [item.application for item in health(seen).idle] == ["import"]


@asynccontextmanager
async def half_a_login(server: PostgresProcess) -> AsyncIterator[None]:
    """A client that the server waits for in the middle of a login with a password."""
    words = b"user\0shopkeeper\0database\0shop\0\0"
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(struct.pack("!II", len(words) + 8, 3 << 16) + words)
    assert await reader.read(1) == b"R"
    try:
        yield
    finally:
        writer.close()


async def test_logins_that_are_not_finished_do_not_hide_the_rest(datastores: Datastores) -> None:
    server = await datastores.postgres()
    async with half_a_login(server), half_a_login(server), session(server, "BEGIN"):
        seen = await look(server, idle_in_transaction="0s")
    assert [item.user for item in health(seen).idle] == ["shopkeeper"]
    told = (health(seen).by_state, [(gap.what, gap.message) for gap in seen.gaps])
    unfinished = ("PostgreSQL's transactions", "left out of 3: 2 without state_seconds")
    if health(seen).version_number < 180000:  # they are not shown before they have logged in
        assert told == ({"idle in transaction": 1}, [])
    else:
        assert told == ({"starting": 2, "idle in transaction": 1}, [unfinished])


async def test_a_table_that_is_locked_does_not_hide_the_others(datastores: Datastores) -> None:
    server = await datastores.postgres()
    await server.run("CREATE TABLE goods (n int)", "CREATE TABLE others (n int)", "GRANT ALL ON goods TO shopkeeper")
    async with session(server, "BEGIN", "LOCK TABLE goods"):
        seen = await look(server)
    assert ([table.name for table in health(seen).tables], seen.gaps) == (["others"], ())


async def test_statements_that_are_slow_now_are_named_and_those_that_were_are_not(datastores: Datastores) -> None:
    server = await datastores.postgres()
    async with session(server) as reports:
        await reports.execute("SELECT pg_sleep(1), 'long ago'")
    assert not health(await look(server, statement="200ms", watch="100ms")).slow
    async with server.repeating("SELECT pg_sleep(0.3), 'hunter2', 'now'"):
        seen = await eventually(lambda: _slow(server))
    (slow,) = health(seen).slow
    assert (slow.statement, slow.calls > 0) == ("SELECT pg_sleep($1), $2, $3", True)
    assert slow.mean_seconds == pytest.approx(0.3, rel=0.9)
    assert seen.breached
    assert "on average now" in seen.summary


async def _slow(server: PostgresProcess) -> Observation | None:
    seen = await look(server, statement="200ms", watch="1s")
    return seen if health(seen).slow else None


async def test_long_transactions_and_statements_that_run_for_long_are_named(datastores: Datastores) -> None:
    server = await datastores.postgres()
    async with server.repeating("SELECT pg_sleep(60)"):
        seen = await eventually(lambda: _running(server))
    found = health(seen)
    assert [(item.state, item.statement) for item in found.long_transactions] == [("active", "SELECT pg_sleep(?)")]
    assert [item.statement for item in found.running] == ["SELECT pg_sleep(?)"]
    assert seen.breached


async def _running(server: PostgresProcess) -> Observation | None:
    seen = await look(server, transaction="200ms", running="200ms")
    return seen if health(seen).running and health(seen).long_transactions else None


async def test_who_waits_for_a_lock_is_no_slow_statement_and_no_long_transaction(datastores: Datastores) -> None:
    server = await datastores.postgres()
    await server.run("CREATE TABLE goods AS SELECT 1 AS n", "GRANT ALL ON goods TO shopkeeper")
    async with (
        session(server, "BEGIN", "UPDATE goods SET n = 2", name="import") as importing,
        server.repeating("UPDATE goods SET n = 3"),
        server.repeating("UPDATE goods SET n = 4"),
    ):
        seen = health(await eventually(lambda: _queue(server)))
        assert (seen.running, seen.long_transactions, seen.slow) == ([], [], [])
        assert {item.application for item in seen.idle} == {"import"}
        assert seen.longest_queue[0].blocker_application == "import"
        await importing.execute("COMMIT")


async def _queue(server: PostgresProcess) -> Observation | None:
    limits = {"lock_wait": "0s", "transaction": "0s", "running": "0s", "idle_in_transaction": "0s", "statement": "1ms"}
    seen = await look(server, **limits)
    return seen if len(health(seen).longest_queue) == 2 else None


async def test_dead_rows_and_unused_indexes_are_told_where_they_matter(datastores: Datastores) -> None:
    server = await datastores.postgres()
    await server.run(
        "CREATE TABLE goods AS SELECT n, n % 7 AS m FROM generate_series(1, 50000) AS n",
        "CREATE INDEX unused ON goods (m)", "DELETE FROM goods WHERE n > 20000", "SELECT pg_stat_force_next_flush()",
    )  # fmt: skip
    assert not health(await look(server)).bloated
    seen = await eventually(lambda: _waste(server))
    assert [(item.name, item.dead_ratio) for item in health(seen).bloated] == [("goods", 0.6)]
    assert [item.name for item in health(seen).unused] == ["unused"]
    assert not health(await look(server, waste="1KiB")).unused


async def _waste(server: PostgresProcess) -> Observation | None:
    seen = await look(server, waste="1KiB", unused="0s")
    return seen if health(seen).bloated and health(seen).unused else None


async def test_temporary_files_are_told_with_who_writes_them(datastores: Datastores) -> None:
    server = await datastores.postgres(work_mem="64kB")
    async with server.repeating("SELECT count(*) FROM (SELECT n FROM generate_series(1, 20000000) n ORDER BY -n) AS s"):
        seen = health(await eventually(lambda: _spilling(server)))
    assert (seen.spilling[0].user, seen.spilling[0].statement[:12]) == ("shopkeeper", "SELECT count")


async def _spilling(server: PostgresProcess) -> Observation | None:
    seen = await look(server, waste="1KiB")
    return seen if health(seen).spilling else None


async def test_dead_rows_and_a_nearly_full_disk_are_told(datastores: Datastores) -> None:
    server = await datastores.postgres()
    await server.run(
        "CREATE TABLE goods AS SELECT generate_series(1, 1000) AS n", "DELETE FROM goods WHERE n > 400",
        "SELECT pg_stat_force_next_flush()",
    )  # fmt: skip
    roomy = health(await eventually(lambda: _counted(server)))
    assert roomy.disk_used is not None
    assert (roomy.full, roomy.disk_used < 0.05) == (False, True)
    assert roomy.tables[0].dead_ratio == pytest.approx(0.6)
    assert roomy.disk_bytes
    seen = await look(server, disk_size=int(roomy.disk_bytes * 1.1))
    assert (health(seen).full, seen.breached) == (True, True)
    assert "of the disk" in seen.summary


async def _counted(server: PostgresProcess) -> Observation | None:
    seen = await look(server, disk_size="100Gi")
    return seen if health(seen).tables and health(seen).tables[0].dead_rows else None


async def test_a_replica_its_primary_and_their_slot_are_told(datastores: Datastores) -> None:
    primary = await datastores.postgres()
    standby = await datastores.standby(primary)
    seen = await look(standby)
    assert "a replica" in seen.summary
    async with asyncio.timeout(LONG):
        while not health(seen).receiving:
            seen = await look(standby)
    assert (health(seen).in_recovery, health(seen).receiving) == (True, True)
    followed = health(await look(primary))
    assert [(item.state, item.sync) for item in followed.replicas] == [("streaming", "async")]
    assert [(slot.name, slot.active) for slot in followed.slots] == [("standby", True)]
    await standby.stop()
    await primary.run("CREATE TABLE goods AS SELECT generate_series(1, 50000) AS n")
    seen = await look(primary, slot_size="1MiB")
    assert [(slot.name, slot.active) for slot in health(seen).hoarding] == [("standby", False)]
    assert "slot standby keeps" in seen.summary


async def test_a_server_that_is_set_read_only_says_so(datastores: Datastores) -> None:
    server = await datastores.postgres(default_transaction_read_only="on")
    seen = await look(server)
    assert (health(seen).read_only, "read-only by default" in seen.summary) == (True, True)


async def test_what_rights_and_extensions_do_not_allow_is_named_and_the_rest_told(datastores: Datastores) -> None:
    server = await datastores.postgres()
    await server.run("DROP EXTENSION pg_stat_statements")
    async with session(server):
        seen = await look(server, asking(server, url=server.user_url(user="plain")))
    told = {gap.what.removeprefix("PostgreSQL's "): gap for gap in seen.gaps}
    assert set(told) == {"slow statements", "temporary files", "tablespaces", "WAL", "sessions"}
    assert "CREATE EXTENSION" in told["slow statements"].message
    assert all("pg_monitor" in told[name].message for name in ("tablespaces", "WAL", "sessions"))
    assert health(seen).connections == 1
    assert health(seen).disk_bytes is None


async def test_a_refused_password_is_trouble(datastores: Datastores) -> None:
    server = await datastores.postgres()
    with pytest.raises(Permanent, match="password authentication failed") as caught:
        await look(server, asking(server, password="wr0ng"))
    assert caught.value.reason is Reason.UNAUTHORIZED


async def test_the_command_shows_the_same_to_a_person(datastores: Datastores) -> None:
    server = await datastores.postgres()
    (found,) = PostgresHealthCheck().reproduce(inquiry(), asking(server))
    assert redact(found.command) == found.command
    assert PASSWORD not in found.command
    process = await asyncio.create_subprocess_exec(
        *shlex.split(found.command), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={"PGPASSWORD": PASSWORD, "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    output, errors = await process.communicate()
    assert (process.returncode, errors) == (0, b"")
    assert b"max_connections" in output


async def test_a_server_that_is_not_configured_is_named(datastores: Datastores) -> None:
    server = await datastores.postgres()
    with pytest.raises(Permanent, match=r"no PostgreSQL server is called 'other' \(there is main\)") as caught:
        await look(server, database="other")
    assert caught.value.reason is Reason.NOT_CONFIGURED
