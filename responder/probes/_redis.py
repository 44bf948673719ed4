"""What the replies of a Redis server say of it (redis.io/docs/latest/commands/info)."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from responder.clients import Redis, Reply
from responder.errors import Trouble
from responder.model.redis import RedisHealth, RedisLimits, RedisReplica, RedisSlowCommand

MOST_CLIENTS = "maxclients"
STOP_WRITES = "stop-writes-on-bgsave-error"
MIN_REPLICAS = "min-replicas-to-write"
SLOW_LOG = "SLOWLOG GET 20"
COMMANDS = (
    "PING", "INFO", f"CONFIG GET {MOST_CLIENTS}", f"CONFIG GET {STOP_WRITES}", f"CONFIG GET {MIN_REPLICAS}", SLOW_LOG,
    "DBSIZE",
)  # fmt: skip
CLUSTER = "CLUSTER INFO"
RECENT = timedelta(hours=1)
ERRORS = ("OOM", "MISCONF", "READONLY", "LOADING", "NOAUTH", "WRONGPASS", "NOPERM", "MASTERDOWN", "CLUSTERDOWN",
          "NOREPLICAS", "BUSY")  # fmt: skip
"""Redis' own names of what it refuses, as `INFO errorstats` counts them."""

_NAME = re.compile(r"[A-Z][A-Z0-9._]*")

Info = Mapping[str, Any]
Replies = Mapping[str, Reply | Trouble]


def health(server: Redis, replies: Replies, limits: RedisLimits, now: datetime) -> RedisHealth:
    """What the replies say; those that are trouble leave their fields empty."""
    ping, size, info = replies["PING"], replies["DBSIZE"], info_of(replies)
    stops = _setting(replies, STOP_WRITES)
    return RedisHealth(
        name=server.name,
        place=server.place,
        ping_seconds=round(ping.seconds, 6) if isinstance(ping, Reply) else None,
        ping_error=str(ping) if isinstance(ping, Trouble) else "",
        **_state(info),
        **_replication(info),
        min_replicas=int(least) if (least := _setting(replies, MIN_REPLICAS)).isdigit() else 0,
        good_replicas=_whole(info, "min_slaves_good_slaves") if "min_slaves_good_slaves" in info else None,
        **_memory(info),
        **_connections(info, _setting(replies, MOST_CLIENTS)),
        **_persistence(info),
        stops_writes=stops == "yes" if stops else None,
        keys=size.value if isinstance(size, Reply) else None,
        cluster_state=_cluster_state(replies.get(CLUSTER)),
        slow=tuple(_slow(replies[SLOW_LOG], now - RECENT)),
        errors={name: count for name in ERRORS if (count := _errors(info, name))},
        limits=limits,
    )


def info_of(replies: Replies) -> Info:
    """The reply to INFO; empty where there is none."""
    return _info(replies.get("INFO"))


def _info(reply: Reply | Trouble | None) -> Info:
    return reply.value if isinstance(reply, Reply) and isinstance(reply.value, Mapping) else {}


def _setting(replies: Replies, name: str) -> str:
    return str(_info(replies.get(f"CONFIG GET {name}")).get(name) or "")


def _state(info: Info) -> dict[str, Any]:
    hits, misses = _whole(info, "keyspace_hits"), _whole(info, "keyspace_misses")
    return {
        "version": str(info.get("valkey_version") or info.get("redis_version") or ""),
        "mode": str(info.get("redis_mode") or ""),
        "uptime_seconds": float(_whole(info, "uptime_in_seconds")),
        "loading": _whole(info, "loading") == 1,
        "loading_left_seconds": _number(info.get("loading_eta_seconds")),
        "hits": hits,
        "misses": misses,
        "hit_ratio": round(hits / (hits + misses), 4) if hits + misses else None,
    }


def _replication(info: Info) -> dict[str, Any]:
    if info.get("role") == "slave":
        return {
            "role": "replica",
            "master": f"{info.get('master_host')}:{info.get('master_port')}",
            "master_link": str(info.get("master_link_status") or ""),
            "master_down_seconds": _number(info.get("master_link_down_since_seconds")),
            "replica_read_only": _whole(info, "slave_read_only") == 1,
        }
    followers = [info.get(f"slave{number}") for number in range(_whole(info, "connected_slaves"))]
    return {
        "role": str(info.get("role") or ""),
        "replicas": tuple(
            RedisReplica(
                address=f"{item.get('ip')}:{item.get('port')}",
                state=str(item.get("state") or ""),
                lag_seconds=_number(item.get("lag")),
                behind_bytes=_whole(info, "master_repl_offset") - _whole(item, "offset"),
            )
            for item in followers
            if isinstance(item, Mapping)
        ),
    }


def _memory(info: Info) -> dict[str, Any]:
    used, most = _whole(info, "used_memory"), _whole(info, "maxmemory")
    return {
        "used_memory": used if info else None,
        "max_memory": most if info else None,
        "memory_used": round(used / most, 4) if most else None,
        "policy": str(info.get("maxmemory_policy") or ""),
        "fragmentation": _number(info.get("mem_fragmentation_ratio")),
        "evicted_keys": _whole(info, "evicted_keys"),
        "expired_keys": _whole(info, "expired_keys"),
    }


def _connections(info: Info, configured: str) -> dict[str, Any]:
    connected = _whole(info, "connected_clients")
    most = _whole(info, "maxclients") or (int(configured) if configured.isdigit() else 0)
    return {
        "clients": connected if info else None,
        "max_clients": most or None,
        "clients_used": round(connected / most, 4) if most else None,
        "blocked_clients": _whole(info, "blocked_clients"),
        "rejected_connections": _whole(info, "rejected_connections"),
    }


def _persistence(info: Info) -> dict[str, Any]:
    saved, on = _whole(info, "rdb_last_save_time"), _whole(info, "aof_enabled") == 1
    return {
        "rdb_status": str(info.get("rdb_last_bgsave_status") or ""),
        "rdb_saved_at": datetime.fromtimestamp(saved, UTC) if saved else None,
        "rdb_changes": _whole(info, "rdb_changes_since_last_save"),
        "aof_enabled": on,
        "aof_status": str(info.get("aof_last_write_status") or "") if on else "",
    }


def _cluster_state(reply: Reply | Trouble | None) -> str:
    return str(_info(reply).get("cluster_state") or "")


def _errors(info: Info, name: str) -> int:
    found = info.get(f"errorstat_{name}")
    return _whole(found, "count") if isinstance(found, Mapping) else 0


def _whole(info: Info, name: str) -> int:
    value = info.get(name)
    return int(value) if isinstance(value, int | float) else 0


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _slow(reply: Reply | Trouble, since: datetime) -> Iterator[RedisSlowCommand]:
    """The recent entries of the slow log (number, time, microseconds, words…), the slowest first."""
    entries: Sequence[Any] = reply.value if isinstance(reply, Reply) and isinstance(reply.value, list) else ()
    for _, began, took, words, *_ in sorted(entries, key=lambda entry: -int(entry[2])):
        at = datetime.fromtimestamp(int(began), UTC)
        name = str(words[0]).upper() if words else ""
        if at >= since:
            yield RedisSlowCommand(
                command=name[:40] if _NAME.fullmatch(name) else "unknown",
                arguments=max(0, len(words) - 1),
                seconds=int(took) / 1e6,
                at=at,
            )
