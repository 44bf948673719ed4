"""The client of PostgreSQL against the real server."""

import asyncio
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from pydantic import ValidationError

from responder.clients import Rows, Statement
from responder.clients.postgres import APPLICATION, AsyncpgPostgres, connect
from responder.clock import SystemClock
from responder.errors import ConfigError, Permanent, Reason, Temporary, Trouble
from responder.metrics import Metrics
from responder.settings import PostgresSettings
from tests.datastores import PASSWORD, Datastores, PostgresProcess
from tests.servers import free_port

pytestmark = pytest.mark.integration


def client(server: PostgresProcess, **settings: Any) -> AsyncpgPostgres:
    given = {"name": "main", "url": server.user_url(), "password": PASSWORD, "cache": "0s", **settings}
    return connect([PostgresSettings.model_validate(given)], Metrics(), SystemClock())[given["name"]]


async def answer(asked: AsyncpgPostgres, sql: str, *parameters: str, limit: int = 200) -> Rows:
    found = (await asked.read({"it": Statement(sql, parameters)}, limit=limit))["it"]
    if isinstance(found, Trouble):
        raise found
    return found


async def test_rows_come_as_plain_values(datastores: Datastores) -> None:
    asked = client(await datastores.postgres())
    found = await answer(
        asked,
        "SELECT 1::int8 AS n, 1.5::numeric AS d, now() AS at, interval '90 s' AS took, ARRAY[1, 2] AS many,"
        " '10.0.0.1'::inet AS peer, 'NaN'::float8 AS nan, NULL AS nothing, '\\x00'::bytea AS raw",
    )
    (row,) = found.rows
    assert (row["n"], row["d"], row["took"], row["many"], row["nan"]) == (1, 1.5, 90.0, [1, 2], None)
    assert (row["peer"], row["nothing"], row["raw"]) == ("10.0.0.1", None, "1 bytes")
    assert "T" in row["at"]
    assert found.columns[0] == "n"


async def test_it_says_who_asks_and_leaves_no_connection_behind(datastores: Datastores) -> None:
    server = await datastores.postgres()
    found = await answer(client(server), "SELECT current_setting('application_name') AS name")
    assert found.rows[0]["name"] == APPLICATION
    admin = await asyncpg.connect(server.admin_url())
    try:
        for _ in range(50):
            left = await admin.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1", APPLICATION
            )
            if not left:
                break
            await asyncio.sleep(0.05)
        assert left == 0
    finally:
        await admin.close()


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE t (a int)",
        "INSERT INTO goods VALUES (1)",
        "SELECT nextval('numbers')",
        "SELECT 1; INSERT INTO goods VALUES (1)",
        "COMMIT",
    ],
)
async def test_nothing_can_be_written(datastores: Datastores, sql: str) -> None:
    server = await datastores.postgres()
    await server.run(
        "CREATE TABLE goods (a int)", "CREATE SEQUENCE numbers", "GRANT ALL ON goods, numbers TO responder",
        "GRANT ALL ON SCHEMA public TO responder",
    )  # fmt: skip
    asked = client(server)
    said = (await asked.read({"it": Statement(sql)}))["it"]
    assert isinstance(said, Permanent)
    assert said.reason in (Reason.FORBIDDEN, Reason.BAD_REQUEST)
    assert (await answer(asked, "SELECT count(*) AS n FROM goods")).rows[0]["n"] == 0


async def test_parameters_are_values_never_sql(datastores: Datastores) -> None:
    asked = client(await datastores.postgres())
    hostile = "x'; DROP TABLE goods; --"
    found = await answer(asked, "SELECT $1::text AS a, $2::int AS b, $3::bool AS c", hostile, "7", "true")
    assert found.rows[0] == {"a": hostile, "b": 7, "c": True}
    for parameters, said in ((("x", "seven", "true"), "is no int4"), (("x",), "has 3 parameters")):
        with pytest.raises(Permanent, match=said):
            await answer(asked, "SELECT $1::text AS a, $2::int AS b, $3::bool AS c", *parameters)


async def test_answers_are_cut_by_rows_and_size(datastores: Datastores) -> None:
    asked = client(await datastores.postgres())
    many = await answer(asked, "SELECT generate_series(1, 1000000) AS n", limit=10)
    assert (len(many.rows), many.truncated) == (10, "only the first 10 rows")
    large = await answer(asked, "SELECT repeat('x', 100000) AS t FROM generate_series(1, 500)", limit=400)
    assert "too large" in large.truncated
    assert len(large.rows) < 400


async def test_one_statement_that_fails_does_not_spoil_the_others(datastores: Datastores) -> None:
    asked = client(await datastores.postgres(), statement_timeout="200ms")
    found = await asked.read(
        {
            "bad": Statement("SELEC 1"),
            "absent": Statement("SELECT * FROM nowhere"),
            "slow": Statement("SELECT pg_sleep(5)"),
            "denied": Statement("SELECT pg_read_file('/etc/passwd')"),
            "old": Statement("SELECT 1", until=90000),
            "new": Statement("SELECT 1", since=990000),
            "good": Statement("SELECT 1 AS one"),
        }
    )
    reasons = {name: item.reason for name, item in found.items() if isinstance(item, Trouble)}
    assert reasons == {
        "bad": Reason.BAD_REQUEST,
        "absent": Reason.NOT_FOUND,
        "slow": Reason.TIMEOUT,
        "denied": Reason.FORBIDDEN,
    }
    assert set(found) == {*reasons, "good"}


async def test_a_locked_table_is_not_waited_for(datastores: Datastores) -> None:
    server = await datastores.postgres()
    await server.run("CREATE TABLE goods (a int)", "GRANT SELECT ON goods TO responder")
    admin = await asyncpg.connect(server.admin_url("shop"))
    try:
        async with admin.transaction():
            await admin.execute("LOCK TABLE goods IN ACCESS EXCLUSIVE MODE")
            with pytest.raises(Temporary, match="lock timeout") as caught:
                await answer(client(server), "SELECT * FROM goods")
    finally:
        await admin.close()
    assert caught.value.reason is Reason.TIMEOUT


async def test_a_wrong_password_and_an_unknown_database_are_told_without_the_password(datastores: Datastores) -> None:
    server = await datastores.postgres()
    with pytest.raises(Permanent, match="password authentication failed") as caught:
        await answer(client(server, password="wr0ng"), "SELECT 1")
    assert caught.value.reason is Reason.UNAUTHORIZED
    assert "wr0ng" not in str(caught.value)
    with pytest.raises(Permanent, match="does not exist") as caught:
        await answer(client(server, url=server.user_url("nowhere")), "SELECT 1")
    assert caught.value.reason is Reason.NOT_FOUND


async def test_a_password_file_is_read_again_when_it_changes(datastores: Datastores, tmp_path: Path) -> None:
    server = await datastores.postgres()
    file = tmp_path / "password"
    file.write_text("wrong")
    asked = client(server, password=None, password_file=file)
    with pytest.raises(Permanent):
        await answer(asked, "SELECT 1")
    file.write_text(f"{PASSWORD}\n")
    assert (await answer(asked, "SELECT 1 AS one")).rows


async def test_a_server_that_is_full_or_gone_says_so(datastores: Datastores) -> None:
    server = await datastores.postgres(max_connections="5", superuser_reserved_connections="3", max_wal_senders="0")
    url = f"postgresql://shopkeeper:{PASSWORD}@127.0.0.1:{server.port}/shop"
    held = [await asyncpg.connect(url) for _ in range(2)]
    with pytest.raises(Temporary, match=r"remaining connection slots are reserved|too many clients") as caught:
        await answer(client(server), "SELECT 1")
    assert caught.value.reason is Reason.OVERLOADED
    for connection in held:
        await connection.close()
    await server.stop()
    with pytest.raises(Temporary, match=rf"^PostgreSQL main at 127.0.0.1:{server.port}: cannot connect") as caught:
        await answer(client(server), "SELECT 1")
    assert caught.value.reason is Reason.UNREACHABLE


async def test_a_server_that_never_answers_is_given_up(unused_port: int) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    settings = {"host": "127.0.0.1", "port": unused_port, "user": "responder", "timeout": "300ms"}
    asked = connect([PostgresSettings.model_validate(settings)], Metrics(), SystemClock())[""]
    async with await asyncio.start_server(silent, "127.0.0.1", unused_port):
        with pytest.raises(Temporary) as caught:
            await answer(asked, "SELECT 1")
    assert caught.value.reason is Reason.TIMEOUT


async def test_many_questions_take_two_connections_at_most(datastores: Datastores) -> None:
    server = await datastores.postgres()
    asked = client(server)
    sql = "SELECT count(*) AS n, pg_sleep(0.1) FROM pg_stat_activity WHERE application_name = $1 AND $2 <> ''"
    found = await asyncio.gather(*(answer(asked, sql, APPLICATION, str(number)) for number in range(8)))
    assert max(item.rows[0]["n"] for item in found) <= 2


async def test_tls_that_is_wanted_and_not_there_is_trouble(datastores: Datastores) -> None:
    server = await datastores.postgres()
    with pytest.raises(Temporary, match="SSL") as caught:
        await answer(client(server, ssl="require"), "SELECT 1")
    assert caught.value.reason in (Reason.UNREACHABLE, Reason.BAD_ANSWER)


async def test_the_command_has_no_password_and_survives_a_shell(datastores: Datastores) -> None:
    server = await datastores.postgres()
    url = f"postgresql://responder:{PASSWORD}@127.0.0.1:{server.port}/shop"
    asked = client(server, url=url, password=None)
    assert (await answer(asked, "SELECT 1 AS one")).rows
    command = asked.psql("SELECT 'a b'")
    assert PASSWORD not in command + repr(asked._login)
    process = await asyncio.create_subprocess_shell(
        command, stdout=asyncio.subprocess.PIPE, env={"PGPASSWORD": PASSWORD, "PATH": "/usr/bin:/bin"}
    )
    assert b"a b" in (await process.communicate())[0]


@pytest.fixture
def unused_port() -> int:
    """A port that nobody listens on."""
    return free_port()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "set url or host"),
        ({"url": "mysql://root:hunter2@db"}, "must start with postgresql://"),
        ({"host": "db", "concurrency": 3}, "less than or equal to 2"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said) as caught:
        PostgresSettings.model_validate(settings)
    assert "hunter2" not in str(caught.value.errors(include_input=False))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ([{"host": "a"}, {"host": "b"}], "needs a name of its own"),
        ([{"url": "postgresql://db/shop?sslmod=require"}], "unknown parameter 'sslmod'"),
        ([{"url": "postgresql://db/shop?sslmode=maybe"}], "sslmode 'maybe' is unknown"),
        ([{"url": "postgresql://u:hunter2@db:port/shop"}], "url is no URL"),
        ([{"host": "db", "ca_file": "/nowhere/ca.pem"}], "there is no file /nowhere/ca.pem"),
    ],
)
def test_servers_that_cannot_be_told_apart_or_reached_are_refused(settings: list[dict[str, str]], said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        connect([PostgresSettings.model_validate(item) for item in settings], Metrics(), SystemClock())
    assert "hunter2" not in str(caught.value)


def test_a_socket_is_shown_as_psql_wants_it() -> None:
    settings = {"host": "/run/postgresql", "user": "responder", "database": "shop"}
    asked = connect([PostgresSettings.model_validate(settings)], Metrics(), SystemClock())[""]
    assert asked.psql("SELECT 1") == (
        "psql -X 'host=/run/postgresql port=5432 user=responder dbname=shop' -c 'SELECT 1'"
    )
