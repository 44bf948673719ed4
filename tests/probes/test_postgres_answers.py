"""What PostgreSQL may leave empty: any column of any answer."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from responder.clients import Clients, Rows, Statement
from responder.errors import Permanent, Reason, Trouble
from responder.model.evidence import Observation
from responder.model.postgres_health import PostgresHealth
from responder.model.subject import Target
from responder.probes import Inquiry
from responder.probes._postgres import questions
from responder.probes.postgres_health import PostgresHealthCheck
from tests.makers import NOW, alert

WHO = {"database": "shop", "user": "shopkeeper", "application": "checkout"}
SESSION = {"pid": 1, **WHO, "client": "10.0.0.1", "state": "active", "seconds": 900.0, "state_seconds": 900.0,
           "statement_seconds": 60.0,
           "waiting_for": "", "statement": "SELECT 'secret'"}  # fmt: skip
ANSWERS: Mapping[str, Mapping[str, Any]] = {
    "server": {
        "version": "18.6", "version_number": 180006, "database": "shop", "in_recovery": False, "read_only": False,
        "started_at": NOW.isoformat(), "uptime_seconds": 9.0, "max_connections": 100, "reserved_connections": 3,
        "connections": 97,
    },
    "rights": {"sees_all": True},
    "sessions": {**WHO, "state": "active", "count": 97},
    "transactions": SESSION,
    "locks": {
        "pid": 1, **WHO, "seconds": 60.0, "statement": "SELECT 1", "lock": "relation goods", "blocker_pid": 2,
        "blocker_user": "x", "blocker_application": "y", "blocker_state": "active", "blocker_seconds": 70.0,
        "blocker_statement": "LOCK goods",
    },
    "slow statements": {
        "statement": "SELECT 1", "database": "shop", "calls": 1, "mean_seconds": 9.0, "usual_seconds": 0.1, "rows": 1,
        "temp_bytes": 0,
    },
    "tables": {
        "schema_name": "public", "name": "goods", "bytes": 9, "live_rows": 1, "dead_rows": 1, "dead_ratio": 0.5,
        "vacuumed_at": NOW.isoformat(), "analyzed_at": NOW.isoformat(),
    },
    "indexes": {"schema_name": "public", "table": "goods", "name": "i", "scans": 0, "bytes": 9, "unique": False},
    "temporary files": {"pid": 1, **WHO, "files": 1, "bytes": 2**31, "statement": "SELECT 1"},
    "replicas": {
        "application": "b", "client": "", "state": "streaming", "sync": "async", "behind_bytes": 1.0,
        "behind_seconds": 90.0,
    },
    "replication slots": {"name": "s", "type": "physical", "active": False, "kept_bytes": 2e10, "wal_status": "lost"},
    "standby": {"receiving": True, "behind_seconds": 1.0},
    "databases": {
        "name": "shop", "bytes": 9, "age": 1, "deadlocks": 0, "temp_files": 0, "temp_bytes": 0, "commits": 1,
        "rollbacks": 0, "conflicts": 0, "hit_ratio": 0.5, "counted_since": NOW.isoformat(), "counted_seconds": 1e6,
    },
    "tablespaces": {"tablespaces_bytes": 9},
    "WAL": {"wal_bytes": 9},
    "checkpoints": {"checkpoints_timed": 1, "checkpoints_requested": 1},
    "checkpoints since version 17": {"checkpoints_timed": 1, "checkpoints_requested": 1},
}  # fmt: skip


class Answering:
    """A PostgreSQL that gives these answers."""

    name, place = "main", "db:5432"

    def __init__(self, answers: Mapping[str, Rows | Trouble]) -> None:
        self._answers = answers

    async def read(self, statements: Mapping[str, Statement], *, limit: int = 200) -> Mapping[str, Rows | Trouble]:
        return self._answers

    def psql(self, *statements: str) -> str:
        return "psql"

    async def close(self) -> None:
        pass


async def look(answers: Mapping[str, Rows | Trouble]) -> Observation:
    http: Any = None
    clients = Clients("", http, databases={"main": Answering(answers)})
    inquiry = Inquiry(target=Target(namespace="shop"), alerts=(alert(),), started_at=NOW, now=NOW)
    return await PostgresHealthCheck(disk_size=100).run(inquiry, clients)


def rows(*given: Mapping[str, Any]) -> Rows:
    return Rows(tuple(given[0]) if given else (), given)


def test_every_question_has_its_answer_here() -> None:
    assert set(ANSWERS) == set(questions(1))


COLUMNS = [(name, column) for name, row in ANSWERS.items() for column in row]


@given(st.sets(st.sampled_from(COLUMNS)))
def test_any_column_of_any_answer_may_be_empty(empty: set[tuple[str, str]]) -> None:
    answers: dict[str, Rows | Trouble] = {
        name: rows({column: None if (name, column) in empty else value for column, value in row.items()}, row)
        for name, row in ANSWERS.items()
    }
    seen = asyncio.run(look(answers))
    assert isinstance(seen.data, PostgresHealth)
    assert SESSION["pid"] in [item.pid for item in seen.data.transactions]
    assert "secret" not in seen.model_dump_json()


@pytest.mark.parametrize("name", sorted(set(ANSWERS) - {"server"}))
async def test_a_question_that_fails_or_gives_nothing_leaves_the_others(name: str) -> None:
    for answer in (rows(), Permanent("no rights", Reason.FORBIDDEN)):
        seen = await look({**{key: rows(row) for key, row in ANSWERS.items()}, name: answer})
        assert seen.value == 0.97
        assert [gap.what for gap in seen.gaps] == [f"PostgreSQL's {name}"] * isinstance(answer, Trouble)


async def test_what_was_left_out_is_counted_and_named() -> None:
    answers = {key: rows(row) for key, row in ANSWERS.items()}
    answers["tables"] = rows(*[{**ANSWERS["tables"], "bytes": None}] * 2, ANSWERS["tables"])
    answers["sessions"] = Rows((), (ANSWERS["sessions"],), "only the first 200 rows")
    told = {gap.what: gap.message for gap in (await look(answers)).gaps}
    assert told == {
        "PostgreSQL's tables": "left out of 3: 2 without bytes", "PostgreSQL's sessions": "only the first 200 rows",
    }  # fmt: skip
