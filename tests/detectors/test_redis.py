"""Redis servers: what the evidence of `redis.health` means, and whom it names."""

from typing import Any

import pytest

from responder.detectors import Case, redis
from responder.errors import Reason
from responder.model.evidence import Evidence, EvidenceStatus
from responder.model.finding import Confidence
from responder.model.redis import RedisHealth, RedisReplica, RedisSlowCommand
from tests.detectors import cases
from tests.detectors.test_databases import workload
from tests.makers import NOW, evidence

HEALTHY: dict[str, Any] = {
    "name": "sessions", "place": "redis:6379", "role": "master", "ping_seconds": 0.002, "used_memory": 10,
    "max_memory": 100, "memory_used": 0.1, "policy": "noeviction", "clients": 5, "max_clients": 100,
    "clients_used": 0.05, "rdb_status": "ok",
}  # fmt: skip
FULL = {"used_memory": 99, "memory_used": 0.99}


def case(*seen: Evidence) -> Case:
    base = cases.case(workload("redis", "docker.io/library/redis:7", 6379))
    return Case(
        base.target, base.alerts, base.started_at, base.now, {**base.evidence, **{item.id: item for item in seen}}
    )


def healthy(**changes: Any) -> Case:
    return case(evidence("cache", RedisHealth.model_validate({**HEALTHY, **changes}), probe="redis.health"))


def found(case: Case) -> list[tuple[str, str, Confidence]]:
    return [(item.cause, str(item.subject), item.confidence) for item in cases.findings(redis.detect, case)]


def test_a_healthy_server_is_cleared_with_its_answer() -> None:
    assert found(healthy()) == []
    assert cases.cleared(redis.detect, healthy(name="")) == ["Redis (PONG in 2 ms)"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"loading": True, "loading_left_seconds": 30.0}, ("redis-loading", Confidence.CERTAIN)),
        (FULL, ("redis-out-of-memory", Confidence.LIKELY)),
        ({**FULL, "errors": {"OOM": 12}}, ("redis-out-of-memory", Confidence.LIKELY)),
        ({**FULL, "used_memory": 101, "errors": {"OOM": 12}}, ("redis-out-of-memory", Confidence.CERTAIN)),
        ({"min_replicas": 1, "good_replicas": 0}, ("redis-too-few-replicas", Confidence.CERTAIN)),
        ({**FULL, "policy": "allkeys-lru", "evicted_keys": 7}, ("redis-evicting", Confidence.LIKELY)),
        ({"clients": 90, "clients_used": 0.9}, ("redis-too-many-clients", Confidence.LIKELY)),
        ({"clients": 100, "clients_used": 1.0}, ("db-connection-exhaustion", Confidence.LIKELY)),
        ({"rdb_status": "err", "stops_writes": True}, ("redis-persistence-failing", Confidence.CERTAIN)),
        (
            {"role": "replica", "replica_read_only": True, "master": "a:1", "errors": {"READONLY": 3}},
            ("db-read-only", Confidence.LIKELY),
        ),
        ({"role": "replica", "master": "a:1", "master_link": "down"}, ("redis-replication-broken", Confidence.CERTAIN)),
        (
            {"replicas": [RedisReplica(address="b:1", state="online", lag_seconds=60)]},
            ("redis-replication-broken", Confidence.LIKELY),
        ),
        ({"cluster_state": "fail"}, ("redis-cluster-down", Confidence.CERTAIN)),
        (
            {"slow": [RedisSlowCommand(command="KEYS", arguments=1, seconds=3, at=NOW)]},
            ("redis-slow-command", Confidence.POSSIBLE),
        ),
        ({"ping_seconds": 2.0}, ("redis-slow-command", Confidence.POSSIBLE)),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_what_is_wrong_is_named_with_the_workload(changes: dict[str, Any], expected: tuple[str, Any]) -> None:
    assert found(healthy(**changes)) == [(expected[0], "deployment/redis", expected[1])]
    (finding,) = cases.findings(redis.detect, healthy(**changes))
    assert finding.evidence == ("cache",)


@pytest.mark.parametrize(
    ("reason", "words", "expected"),
    [
        (Reason.OVERLOADED, "ERR max number of clients reached", ("db-connection-exhaustion", Confidence.CERTAIN)),
        (Reason.UNAUTHORIZED, "NOAUTH Authentication required.", ("redis-credentials-refused", Confidence.CERTAIN)),
        (Reason.SERVER_ERROR, "LOADING Redis is loading the dataset in memory", ("redis-loading", Confidence.CERTAIN)),
        (Reason.SERVER_ERROR, "MISCONF Errors writing to the AOF", ("redis-persistence-failing", Confidence.CERTAIN)),
        (Reason.SERVER_ERROR, "MASTERDOWN Link with MASTER is down", ("redis-replication-broken", Confidence.CERTAIN)),
        (Reason.SERVER_ERROR, "CLUSTERDOWN Hash slot not served", ("redis-cluster-down", Confidence.CERTAIN)),
        (
            Reason.SERVER_ERROR,
            "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
            ("redis-busy-script", Confidence.CERTAIN),
        ),
        (Reason.TIMEOUT, "it accepts connections and does not answer", ("redis-unresponsive", Confidence.LIKELY)),
        (Reason.TIMEOUT, "no answer in time", ("redis-down", Confidence.POSSIBLE)),
        (
            Reason.UNREACHABLE,
            "cannot connect (connection refused)",
            ("redis-down", Confidence.LIKELY),
        ),
        (
            Reason.BREAKER_OPEN,
            "no answer within 10 s; it is asked again in 15 s",
            ("redis-down", Confidence.POSSIBLE),
        ),
    ],
)
def test_a_server_that_does_not_answer_is_named_by_its_own_words(reason: Reason, words: str, expected: Any) -> None:
    said = evidence("cache", probe="redis.health", status=EvidenceStatus.ERROR, reason=reason,
                    summary=f"Redis sessions at redis:6379: {words}")  # fmt: skip
    assert found(case(said)) == [(expected[0], "deployment/redis", expected[1])]


@pytest.mark.parametrize(("kind", "command"), [("SCRIPT", "SCRIPT KILL"), ("FUNCTION", "FUNCTION KILL")])
def test_what_keeps_redis_busy_comes_with_the_command_that_ends_it(kind: str, command: str) -> None:
    words = f"BUSY Redis is busy running a script. You can only call {kind} KILL or SHUTDOWN NOSAVE."
    said = evidence("cache", probe="redis.health", status=EvidenceStatus.ERROR, reason=Reason.SERVER_ERROR,
                    summary=f"Redis sessions at redis:6379: {words}")  # fmt: skip
    (finding,) = cases.findings(redis.detect, case(said))
    assert finding.next_steps[0] == f"redis-cli -h redis -p 6379 {command}"


def test_an_evicting_policy_without_evictions_is_no_trouble() -> None:
    assert found(healthy(**FULL, policy="allkeys-lru")) == []


def test_a_replica_that_nobody_writes_to_is_no_trouble() -> None:
    assert found(healthy(role="replica", replica_read_only=True, master="a:1", master_link="up")) == []


def test_without_evidence_nothing_is_concluded() -> None:
    assert found(case()) == []
    assert cases.cleared(redis.detect, healthy(ping_seconds=None)) == []
