"""The database: what is written is on disk, together with what else waited, or the caller hears of it."""

import asyncio
import os
import resource
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, inspect, text

from responder.errors import ConfigError, Temporary
from responder.store import notifications
from responder.store.database import Database, announce
from responder.store.migrate import MIGRATIONS
from responder.store.notifications import Delivery
from responder.store.tables import SCHEMA, metadata
from tests.makers import NOW


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/responder.db")
    await database.open()
    yield database
    await database.close()


def delivery(body: bytes = b"{}") -> Delivery:
    return Delivery(NOW, body, 1, "127.0.0.1")


def store_one(connection: Connection) -> list[int]:
    return notifications.insert(connection, [delivery()])


async def test_writers_that_wait_share_commits_and_each_gets_its_own_answer(database: Database) -> None:
    answers = await asyncio.gather(*(database.write(store_one) for _ in range(100)))
    assert sorted(number for answer in answers for number in answer) == list(range(1, 101))
    assert await database.read(notifications.backlog) == 100


async def test_work_that_fails_is_undone_without_harming_what_shares_its_commit(database: Database) -> None:
    def fail(connection: Connection) -> None:
        store_one(connection)
        raise LookupError("no")

    results = await asyncio.gather(
        database.write(store_one), database.write(fail), database.write(store_one), return_exceptions=True
    )
    assert isinstance(results[1], LookupError)
    assert await database.read(notifications.backlog) == 2


async def test_work_that_fails_alone_is_undone(database: Database) -> None:
    def fail(connection: Connection) -> None:
        store_one(connection)
        raise LookupError("no")

    with pytest.raises(LookupError):
        await database.write(fail)
    assert await database.read(notifications.backlog) == 0


async def test_every_commit_reaches_the_disk_before_it_is_answered(database: Database) -> None:
    def pragmas(connection: Connection) -> tuple[object, object]:
        mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
        return mode, connection.exec_driver_sql("PRAGMA synchronous").scalar()

    assert await database.write(pragmas) == ("wal", 2)


async def test_listeners_hear_of_a_change_only_after_its_commit(database: Database) -> None:
    heard: list[tuple[str, int]] = []
    counts: list[int] = []

    def listener(payload: str) -> None:
        heard.append((payload, len(counts)))

    def work(connection: Connection) -> None:
        announce(connection, "incidents", "a")
        announce(connection, "incidents", "a")
        counts.append(len(heard))

    stop = database.listen("incidents", listener)
    await database.write(work)
    assert counts == [0]
    assert heard == [("a", 1)]
    stop()
    await database.write(work)
    assert len(heard) == 1


async def test_a_failed_write_announces_nothing(database: Database) -> None:
    heard: list[str] = []

    def fail(connection: Connection) -> None:
        announce(connection, "incidents", "a")
        raise LookupError

    database.listen("incidents", heard.append)
    with pytest.raises(LookupError):
        await database.write(fail)
    assert heard == []


async def test_a_full_disk_is_temporary_and_the_next_write_succeeds_when_there_is_room(database: Database) -> None:
    def fill(connection: Connection) -> None:
        notifications.insert(connection, [delivery(os.urandom(1_000_000))])

    await database.write(store_one)
    await database.write(lambda connection: connection.exec_driver_sql("PRAGMA max_page_count = 1"))
    with pytest.raises(Temporary, match="full"):
        await database.write(fill)
    await database.write(lambda connection: connection.exec_driver_sql("PRAGMA max_page_count = 1000000"))
    await database.write(fill)
    assert await database.read(notifications.backlog) == 2


async def test_a_file_size_limit_is_temporary_too(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/small.db")
    await database.open()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, hard))
    try:
        with pytest.raises(Temporary):
            await database.write(lambda c: notifications.insert(c, [delivery(os.urandom(5_000_000))]))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    await database.write(store_one)
    await database.close()


async def test_a_second_process_on_the_same_file_is_refused_with_the_reason(database: Database, tmp_path: Path) -> None:
    second = Database(f"sqlite:///{tmp_path}/responder.db")
    with pytest.raises(ConfigError, match="another responder holds"):
        await second.open()
    await second.close()


async def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    database = Database(f"sqlite:///{tmp_path}/file/responder.db")
    with pytest.raises((ConfigError, OSError), match="file"):
        await database.open()
    await database.close()


def test_other_databases_are_refused_without_showing_the_password() -> None:
    with pytest.raises(ConfigError) as refusal:
        Database("mysql://user:secret@db/x")
    assert "secret" not in str(refusal.value)


async def test_the_migrations_make_exactly_the_tables_of_the_code(database: Database, tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/responder.db")
    made = inspect(engine)
    assert set(made.get_table_names()) == set(metadata.tables) | {"alembic_version"}
    for name, table in metadata.tables.items():
        assert {column["name"] for column in made.get_columns(name)} == {column.name for column in table.columns}
        assert {index["name"] for index in made.get_indexes(name)} == {index.name for index in table.indexes}
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == SCHEMA
    engine.dispose()


def test_the_newest_migration_is_the_one_that_the_start_looks_for() -> None:
    assert ScriptDirectory(str(MIGRATIONS)).get_current_head() == SCHEMA


async def test_what_was_written_is_there_after_opening_again(tmp_path: Path) -> None:
    for expected in (0, 1):
        database = Database(f"sqlite:///{tmp_path}/responder.db")
        await database.open()
        assert await database.read(notifications.backlog) == expected
        await database.write(store_one)
        await database.close()


async def test_a_database_of_the_first_schema_is_brought_up_to_date_with_what_it_holds(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/old.db"
    engine = create_engine(url)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(text("INSERT INTO feedback VALUES ('i1', 1, 'Ada', '2026-01-01 00:00:00.000000')"))
    engine.dispose()
    database = Database(url)
    await database.open()
    try:
        assert await database.read(lambda found: found.scalar(text("SELECT by FROM feedback"))) == "Ada"
        tables = await database.read(lambda found: set(inspect(found).get_table_names()))
        assert set(metadata.tables) <= tables
    finally:
        await database.close()
