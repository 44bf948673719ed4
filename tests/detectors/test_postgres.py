"""PostgreSQL servers: what the evidence of `postgres.health` means, and whom it names."""

from typing import Any

import pytest

from responder.detectors import Case, Detectors, databases, load, postgres
from responder.errors import Reason
from responder.flow.ranking import ranked
from responder.model.evidence import Evidence, EvidenceStatus, Gap
from responder.model.finding import Confidence
from responder.model.postgres import (
    PostgresCount,
    PostgresDatabase,
    PostgresIndex,
    PostgresLock,
    PostgresReplica,
    PostgresSession,
    PostgresSlot,
    PostgresStatement,
    PostgresTable,
    PostgresTemporary,
)
from responder.model.postgres_health import PostgresHealth
from tests.detectors import cases
from tests.detectors.test_databases import shop, workload
from tests.makers import evidence

HEALTHY: dict[str, Any] = {
    "name": "main", "place": "postgres:5432", "database": "shop", "version": "15.4", "connections": 34,
    "max_connections": 100, "reserved_connections": 3, "connections_used": 0.34,
}  # fmt: skip
IDLE = PostgresSession(
    pid=4711, user="shopkeeper", application="import", state="idle in transaction", seconds=900, state_seconds=800,
    statement="UPDATE goods SET n = ?",
)  # fmt: skip
WAITS = PostgresLock(
    pid=1, seconds=60, user="shopkeeper", lock="relation goods", statement="SELECT ?", blocker_pid=4711,
    blocker_user="shopkeeper", blocker_state="idle in transaction", blocker_statement="UPDATE goods SET n = ?",
)  # fmt: skip


def case(*seen: Evidence) -> Case:
    base = cases.case(workload("postgres", "docker.io/library/postgres:15", 5432))
    return Case(
        base.target, base.alerts, base.started_at, base.now, {**base.evidence, **{item.id: item for item in seen}}
    )


def healthy(**changes: Any) -> Case:
    return case(evidence("pg", PostgresHealth.model_validate({**HEALTHY, **changes}), probe="postgres.health"))


def silent(reason: Reason, summary: str) -> Case:
    return case(evidence("pg", probe="postgres.health", status=EvidenceStatus.ERROR, reason=reason, summary=summary))


def found(case: Case) -> list[tuple[str, str, Confidence]]:
    return [(item.cause, str(item.subject), item.confidence) for item in cases.findings(postgres.detect, case)]


def test_a_healthy_server_is_cleared_with_its_numbers() -> None:
    assert found(healthy()) == []
    assert cases.cleared(postgres.detect, healthy(name="")) == ["PostgreSQL (34 of 100 connections)"]
    assert cases.cleared(postgres.detect, healthy()) == ["PostgreSQL main (34 of 100 connections)"]


def test_a_server_that_was_not_seen_whole_is_not_ruled_out() -> None:
    gap = Gap(what="PostgreSQL's locks", reason=Reason.TIMEOUT)
    seen = evidence("pg", PostgresHealth.model_validate(HEALTHY), probe="postgres.health", gaps=(gap,))
    assert cases.cleared(postgres.detect, case(seen)) == ["connections of PostgreSQL main (34 of 100)"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"connections": 85, "connections_used": 0.85}, ("postgres-connections-nearly-used", Confidence.LIKELY)),
        ({"connections": 96, "connections_used": 0.97}, ("db-connection-exhaustion", Confidence.LIKELY)),
        ({"locks": [WAITS.model_copy(update={"blocker_pid": 9})]}, ("postgres-blocked-by-lock", Confidence.CERTAIN)),
        ({"locks": [WAITS.model_copy(update={"blocker_pid": 0})]}, ("postgres-blocked-by-lock", Confidence.CERTAIN)),
        ({"transactions": [IDLE]}, ("postgres-idle-transaction", Confidence.LIKELY)),
        (
            {"transactions": [IDLE.model_copy(update={"state": "active"})]},
            ("postgres-long-transaction", Confidence.POSSIBLE),
        ),
        (
            {
                "statements": [
                    PostgresStatement(statement="SELECT ?", calls=9, mean_seconds=2, usual_seconds=0.02, rows=9)
                ]
            },
            ("postgres-slow-statement", Confidence.POSSIBLE),
        ),
        (
            {"disk_bytes": 95, "disk_size": 100, "disk_used": 0.95, "wal_bytes": 5},
            ("postgres-disk-nearly-full", Confidence.LIKELY),
        ),
        (
            {"replicas": [PostgresReplica(application="b", state="streaming", behind_seconds=90, behind_bytes=1e9)]},
            ("postgres-replication-behind", Confidence.LIKELY),
        ),
        ({"in_recovery": True, "behind_seconds": 300.0}, ("postgres-replication-behind", Confidence.LIKELY)),
        ({"slots": [PostgresSlot(name="gone", kept_bytes=2e10)]}, ("postgres-slot-keeps-wal", Confidence.LIKELY)),
        (
            {"wraparound_used": 0.7, "databases": [PostgresDatabase(name="shop", age=1_500_000_000)]},
            ("postgres-wraparound", Confidence.LIKELY),
        ),
        ({"read_only": True}, ("db-read-only", Confidence.CERTAIN)),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_what_is_past_its_bound_is_named_with_the_workload(changes: dict[str, Any], expected: tuple[str, Any]) -> None:
    assert found(healthy(**changes)) == [(expected[0], "deployment/postgres", expected[1])]
    (finding,) = cases.findings(postgres.detect, healthy(**changes))
    assert finding.evidence == ("pg",)
    assert finding.headline
    assert finding.because


@pytest.mark.parametrize(
    ("reason", "words", "expected"),
    [
        (Reason.OVERLOADED, "sorry, too many clients already", ("db-connection-exhaustion", Confidence.CERTAIN)),
        (
            Reason.UNAUTHORIZED,
            'password authentication failed for user "responder"',
            ("postgres-credentials-refused", Confidence.CERTAIN),
        ),
        (Reason.SERVER_ERROR, "the database system is starting up", ("postgres-not-accepting", Confidence.CERTAIN)),
        (
            Reason.UNREACHABLE,
            "cannot connect (connection refused)",
            ("postgres-down", Confidence.LIKELY),
        ),
        (
            Reason.TIMEOUT,
            "it accepts connections and does not answer",
            ("postgres-unresponsive", Confidence.LIKELY),
        ),
        (Reason.TIMEOUT, "no answer in time", ("postgres-down", Confidence.POSSIBLE)),
    ],
)
def test_a_server_that_does_not_answer_is_named_by_its_own_words(reason: Reason, words: str, expected: Any) -> None:
    told = silent(reason, f"PostgreSQL main at postgres.{cases.NAMESPACE}.svc:5432: {words}")
    assert found(told) == [(expected[0], "deployment/postgres", expected[1])]


def test_what_is_not_known_of_is_not_concluded() -> None:
    assert found(silent(Reason.NOT_CONFIGURED, "no PostgreSQL server is configured: set postgres")) == []
    assert found(silent(Reason.TIMEOUT, "no answer within 10 s")) == []
    assert found(case()) == []


def test_a_server_outside_of_the_cluster_is_named_as_the_settings_name_it() -> None:
    ((_, about, _),) = found(healthy(place="db.example.com:5432", read_only=True))
    assert about == "database/main"


def test_the_idle_transaction_comes_before_the_lock_that_it_holds() -> None:
    detectors: Detectors = load()
    told = healthy(transactions=[IDLE], locks=[WAITS])
    findings = ranked(cases.findings(postgres.detect, told), detectors.causes, told)
    assert [item.cause for item in findings] == ["postgres-idle-transaction", "postgres-blocked-by-lock"]
    assert (findings[0].confidence, findings[1].confidence) == (Confidence.CERTAIN, Confidence.CERTAIN)
    assert "pid 4711 (shopkeeper, import)" in findings[0].headline
    assert "ask its owner first" in findings[0].next_steps[0]


@pytest.mark.parametrize("statement", ["COPY goods TO STDOUT", "CREATE INDEX ON goods (n)", "vacuum goods"])
def test_that_maintenance_takes_long_is_no_news(statement: str) -> None:
    slow = PostgresStatement(statement=statement, calls=1, mean_seconds=60, rows=0)
    assert found(healthy(statements=[slow])) == []


def test_a_replica_is_trouble_only_where_somebody_writes_to_it() -> None:
    assert found(healthy(in_recovery=True)) == []
    writing = shop({"orders": "ERROR: cannot execute INSERT in a read-only transaction"})
    seen = evidence("pg", PostgresHealth.model_validate({**HEALTHY, "place": "mysql:5432", "in_recovery": True}))
    told = Case(writing.target, writing.alerts, writing.started_at, writing.now, {**writing.evidence, "pg": seen})
    ((cause, about, sure),) = found(told)
    assert (cause, about, sure) == ("db-read-only", "deployment/mysql", Confidence.LIKELY)


def test_the_logs_and_the_server_name_one_cause_of_one_object() -> None:
    words = "FATAL: sorry, too many clients already"
    told = shop({"mysql": words})
    place = f"PostgreSQL main at mysql.{cases.NAMESPACE}:5432: {words}"
    seen = evidence("pg", probe="postgres.health", status=EvidenceStatus.ERROR, reason=Reason.OVERLOADED, summary=place)
    both = Case(told.target, told.alerts, told.started_at, told.now, {**told.evidence, "pg": seen})
    named = {(item.cause, str(item.subject)) for item in cases.findings(databases.detect, both)}
    assert (
        {(cause, about) for cause, about, _ in found(both)}
        == named
        == {("db-connection-exhaustion", "deployment/mysql")}
    )


def test_callers_that_complain_of_a_server_that_is_down_suffer_from_it() -> None:
    told = shop({"orders": "ERROR connect to mysql:5432 failed: connection refused", "carts": "INFO all is well"})
    said = "PostgreSQL main at mysql:5432: cannot connect (connection refused)"
    seen = evidence("pg", probe="postgres.health", status=EvidenceStatus.ERROR, reason=Reason.UNREACHABLE, summary=said)
    (finding,) = cases.findings(
        postgres.detect, Case(told.target, told.alerts, told.started_at, told.now, {**told.evidence, "pg": seen})
    )
    assert (str(finding.subject), "deployment/orders" in map(str, finding.suffering)) == ("deployment/mysql", True)


def waits(pid: int, blocker: int, seconds: float = 60) -> PostgresLock:
    return WAITS.model_copy(update={"pid": pid, "blocker_pid": blocker, "seconds": seconds})


def test_of_a_chain_of_locks_the_session_at_its_end_is_named_with_all_that_wait_for_it() -> None:
    told = healthy(locks=[waits(3, 2, 90), waits(2, 1, 50), waits(4, 1, 40), waits(8, 7, 99), waits(5, 5)])
    (finding,) = cases.findings(postgres.detect, told)
    assert "3 sessions of" in finding.headline
    assert "a lock that pid 1 holds" in finding.headline
    assert finding.next_steps[0].startswith("SELECT pg_terminate_backend(1)")
    assert finding.because[-1].text == "2 sessions more for locks of others"


def test_a_statement_that_waits_for_a_lock_is_not_called_slow() -> None:
    slow = PostgresStatement(statement="UPDATE goods SET n = $1", calls=1, mean_seconds=60, rows=0)
    lock = WAITS.model_copy(update={"statement": "UPDATE goods SET n = ?", "blocker_pid": 9})
    assert [cause for cause, _, _ in found(healthy(statements=[slow], locks=[lock]))] == ["postgres-blocked-by-lock"]
    assert [cause for cause, _, _ in found(healthy(statements=[slow]))] == ["postgres-slow-statement"]


def test_who_waits_for_a_lock_is_no_long_transaction() -> None:
    waiting = PostgresSession(pid=1, state="active", seconds=900, state_seconds=900, statement_seconds=900,
                              waiting_for="Lock relation", statement="SELECT ?")  # fmt: skip
    assert found(healthy(transactions=[waiting])) == []


def test_a_statement_that_has_been_running_for_long_is_named() -> None:
    running = PostgresSession(pid=7, state="active", seconds=40, state_seconds=40, statement_seconds=40,
                              statement="SELECT ? FROM goods")  # fmt: skip
    (finding,) = cases.findings(postgres.detect, healthy(transactions=[running]))
    assert (finding.cause, "has been busy for 40 s with" in finding.headline) == ("postgres-slow-statement", True)


FULL: dict[str, Any] = {"disk_bytes": 95 * 2**30, "disk_size": 100 * 2**30, "disk_used": 0.95, "wal_bytes": 5}
DEAD = PostgresTable(
    schema_name="public", name="goods", bytes=2**29, live_rows=20_000, dead_rows=80_000, dead_ratio=0.8
)
SPILLS = PostgresTemporary(pid=7, user="reports", files=3, bytes=6 * 2**30, statement="SELECT ? ORDER BY n")
UNUSED = PostgresIndex(schema_name="public", table="goods", name="old", scans=0, bytes=6 * 2**30)
SHOP = PostgresDatabase(name="shop", counted_seconds=30 * 86400)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"tables": [DEAD]}, []),
        ({"tables": [DEAD.model_copy(update={"bytes": 2**31})]}, ["postgres-bloat"]),
        (
            {
                "tables": [DEAD],
                "statements": [PostgresStatement(statement="SELECT * FROM goods", calls=1, mean_seconds=4, rows=0)],
            },
            ["postgres-bloat", "postgres-slow-statement"],
        ),
        (
            {"tables": [DEAD.model_copy(update={"bytes": 6 * 2**30})], **FULL},
            ["postgres-bloat", "postgres-disk-nearly-full"],
        ),
        ({"temporary": [SPILLS]}, ["postgres-temporary-files"]),
        ({"temporary": [SPILLS.model_copy(update={"bytes": 2**20})]}, []),
        ({"indexes": [UNUSED], "databases": [SHOP]}, ["postgres-unused-indexes"]),
        ({"indexes": [UNUSED], "databases": [SHOP.model_copy(update={"counted_seconds": 3600})]}, []),
        ({"indexes": [UNUSED.model_copy(update={"unique": True})], "databases": [SHOP]}, []),
        ({"indexes": [UNUSED.model_copy(update={"bytes": 2**20})], "databases": [SHOP]}, []),
    ],
)
def test_what_is_wasted_is_a_finding_where_it_matters(changes: dict[str, Any], expected: list[str]) -> None:
    assert sorted(cause for cause, _, _ in found(healthy(**changes))) == expected


@pytest.mark.parametrize(
    ("used", "most", "reserved", "full"), [(1, 5, 3, True), (1, 6, 3, False), (45, 50, 3, False), (46, 50, 3, True)]
)
def test_connections_that_are_reserved_are_not_free(used: int, most: int, reserved: int, full: bool) -> None:
    told = healthy(connections=used, max_connections=most, reserved_connections=reserved, connections_used=used / most)
    assert ("db-connection-exhaustion" in [cause for cause, _, _ in found(told)]) == full


def test_who_holds_the_connections_is_said() -> None:
    told = healthy(
        connections=90, connections_used=0.9, by_application=[PostgresCount(name="checkout", sessions=80)],
        by_state={"idle": 85},
    )  # fmt: skip
    (finding,) = cases.findings(postgres.detect, told)
    assert [item.text for item in finding.because][1:] == ["checkout has 80", "by state: 85 idle"]
