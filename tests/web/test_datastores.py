"""What is known of database servers, as the incident page shows it."""

from responder.model.postgres import PostgresLock, PostgresRows, PostgresTable
from responder.model.postgres_health import PostgresHealth
from responder.model.redis import RedisHealth, RedisSlowCommand
from responder.web.blocks import Cell, Table
from responder.web.shapes import blocks
from tests.makers import NOW, evidence


def test_a_postgresql_server_is_shown_at_a_glance_with_who_blocks_whom() -> None:
    health = PostgresHealth(
        place="postgres:5432", version="15.4", connections=34, max_connections=100, reserved_connections=3,
        by_state={"idle": 30}, disk_bytes=2**30, disk_size=2**31,
        locks=(PostgresLock(pid=4711, seconds=90, lock="relation goods", blocker_pid=9, statement="UPDATE goods"),),
        tables=(PostgresTable(schema_name="public", name="goods", bytes=2**20, dead_ratio=0.25, vacuumed_at=NOW),),
    )  # fmt: skip
    glance, locks, tables = [block for block in blocks(evidence("pg", health)) if isinstance(block, Table)]
    told = {row[0].text: row[1].text for row in glance.rows}
    assert (told["Connections"], told["Stored"]) == ("34 of 100, 3 reserved", "1 GiB of 2 GiB")
    assert [column.title for column in locks.columns][:2] == ["Pid", "Seconds"]
    assert [cell.text for cell in locks.rows[0]][:2] == ["4711", "90 s"]
    assert (tables.title, tables.folded) == ("Largest tables", True)
    assert {Cell("1 MiB"), Cell("25 %"), Cell(at=NOW)} <= set(tables.rows[0])


def test_the_rows_of_a_statement_are_a_table() -> None:
    answer = PostgresRows(columns=("a", "b"), rows=({"a": 1, "b": None}, {"a": "<x>", "b": True}))
    (table,) = blocks(evidence("q", answer))
    assert isinstance(table, Table)
    assert [[cell.text for cell in row] for row in table.rows] == [["1", ""], ["<x>", "yes"]]


def test_a_redis_server_is_shown_at_a_glance_with_its_slow_commands() -> None:
    health = RedisHealth(
        place="redis:6379", role="replica", master="a:1", master_link="down", ping_seconds=0.002, errors={"OOM": 7},
        slow=(RedisSlowCommand(command="KEYS", arguments=1, seconds=2, at=NOW),),
    )  # fmt: skip
    glance, slow = [block for block in blocks(evidence("r", health)) if isinstance(block, Table)]
    told = {row[0].text: row[1].text for row in glance.rows}
    assert (told["Role"], told["Refused so far"], told["PONG"]) == ("replica of a:1, link down", "7 OOM", "2 ms")
    assert [cell.text for cell in slow.rows[0]][:3] == ["KEYS", "1", "2 s"]
