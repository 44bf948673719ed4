"""`redis.health` asks a real Redis that is broken in one way after the other."""

import asyncio
import json
import shlex
import signal
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from typing import Any

import pytest
import redis.exceptions

from responder.clients import Clients
from responder.clients.redis import Dialer, connect
from responder.clock import SystemClock
from responder.errors import Permanent, Reason, Temporary
from responder.metrics import Metrics
from responder.model.evidence import Observation
from responder.model.redis import RedisHealth
from responder.model.subject import Target
from responder.probes import Inquiry
from responder.probes.redis_health import RedisHealthCheck
from responder.settings import RedisSettings
from tests.datastores import Datastores, RedisProcess
from tests.makers import NOW, alert
from tests.waiting import eventually

pytestmark = pytest.mark.integration
PASSWORD = "s3cret-of-redis"
FUNCTION = "#!lua name=l\nredis.register_function('endless', function() while true do end end)"


def asking(server: RedisProcess, **settings: Any) -> Clients:
    given = {"name": "sessions", "url": f"redis://{server.address}", "cache": "0s", **settings}
    found = connect([RedisSettings.model_validate(given)], Metrics(), SystemClock())
    http: Any = None
    return Clients("", http, redis_servers=found, redis_dialer=Dialer(Metrics(), SystemClock()))


def inquiry() -> Inquiry:
    return Inquiry(target=Target(namespace="shop"), alerts=(alert(),), started_at=NOW, now=NOW)


async def look(server: RedisProcess, clients: Clients | None = None, **options: Any) -> Observation:
    return await RedisHealthCheck.model_validate(options).run(inquiry(), clients or asking(server))


def health(seen: Observation) -> RedisHealth:
    assert isinstance(seen.data, RedisHealth)
    return RedisHealth.model_validate(json.loads(seen.data.model_dump_json()))


async def test_a_healthy_server_is_told_with_its_numbers(datastores: Datastores) -> None:
    server = await datastores.redis(maxmemory="20mb", maxclients="50")
    async with server.client() as client:
        await client.set("a", "1")
        await client.get("a")
        await client.get("b")
        seen = await look(server, ping="5s")
    found = health(seen)
    assert seen.summary.startswith(f"Redis sessions at {server.address}: PONG in ")
    assert (seen.breached, seen.gaps, seen.value) == (False, (), found.ping_seconds)
    assert (found.role, found.policy, found.max_memory, found.max_clients) == ("master", "noeviction", 20 * 2**20, 50)
    assert (found.keys, found.hit_ratio, found.clients, found.rdb_status) == (1, 0.5, 2, "ok")


async def test_a_server_without_memory_for_writes_says_how_often_it_refused(datastores: Datastores) -> None:
    server = await datastores.redis(maxmemory="2mb", maxmemory_policy="noeviction")
    async with server.client() as client:
        for number in range(10_000):
            try:
                await client.set(f"key-{number}", "x" * 10_000)
            except redis.exceptions.OutOfMemoryError:
                break
    seen = await look(server, ping="5s")
    assert (health(seen).full, health(seen).errors["OOM"], seen.breached) == (True, 1, True)
    assert "nothing may be evicted, 1 commands refused" in seen.summary


async def test_a_server_that_throws_keys_away_says_how_many(datastores: Datastores) -> None:
    server = await datastores.redis(maxmemory="2mb", maxmemory_policy="allkeys-lru")
    async with server.client() as client:
        for number in range(300):
            await client.set(f"key-{number}", "x" * 10_000)
    seen = await look(server, ping="5s", memory=0.5)
    assert health(seen).evicting
    assert "keys evicted (allkeys-lru)" in seen.summary


async def test_many_clients_are_told_and_too_many_are_trouble(datastores: Datastores) -> None:
    server = await datastores.redis(maxclients="5")
    async with AsyncExitStack() as stack:
        for _ in range(4):
            await (await stack.enter_async_context(server.client())).ping()
        seen = await look(server, ping="5s")
        assert (health(seen).clients_used, health(seen).crowded) == (1.0, True)
        assert "5 of 5 clients" in seen.summary
        await (await stack.enter_async_context(server.client())).ping()
        with pytest.raises(Temporary, match="max number of clients") as caught:
            await look(server)
    assert caught.value.reason is Reason.OVERLOADED


async def test_a_replica_and_its_master_are_told_and_a_cut_link_too(datastores: Datastores) -> None:
    master = await datastores.redis()
    replica = await datastores.redis(replicaof=f"127.0.0.1 {master.port}")
    await eventually(lambda: _follows(replica, master))
    seen = health(await look(replica))
    assert (seen.role, seen.master, seen.replica_read_only) == ("replica", f"127.0.0.1:{master.port}", True)
    (follower,) = health(await look(master)).replicas
    assert follower.address == replica.address
    async with replica.client() as client:
        with pytest.raises(redis.exceptions.ReadOnlyError):
            await client.set("a", "1")
    assert health(await look(replica)).errors == {"READONLY": 1}
    await master.stop()
    found = await eventually(lambda: _cut_off(replica))
    assert "a replica whose link" in found.summary


async def _follows(replica: RedisProcess, master: RedisProcess) -> bool:
    return health(await look(replica)).master_link == "up" and bool(health(await look(master)).replicas)


async def _cut_off(replica: RedisProcess) -> Observation | None:
    seen = await look(replica, ping="5s")
    return seen if health(seen).cut_off else None


async def test_a_server_that_cannot_save_says_so(datastores: Datastores) -> None:
    server = await datastores.redis(save="1 1")
    async with server.client() as client:
        await client.set("a", "1")
        (datastores.folder / server.log.parent.name).chmod(0o500)
        if await _saves(client):
            pytest.skip("this user may write everywhere")
    seen = await look(server, ping="5s")
    assert (health(seen).unsaved, health(seen).stops_writes) == (True, True)
    assert "cannot save its data" in seen.summary
    assert "MISCONF" in health(seen).ping_error
    await server.stop(signal.SIGKILL)  # it does not go before it has saved


async def _saves(client: Any) -> bool:
    """Whether saving in the background works."""
    await client.bgsave()
    ended = await eventually(lambda: _ended(client))
    return bool(ended["rdb_last_bgsave_status"] == "ok")


async def _ended(client: Any) -> dict[str, Any] | None:
    info: dict[str, Any] = await client.info("persistence")
    return None if info["rdb_bgsave_in_progress"] else info


@pytest.mark.parametrize(
    ("prepare", "begin", "end"),
    [
        ("PING", ("EVAL", "while true do end", "0"), "SCRIPT KILL"),
        (f"FUNCTION LOAD {FUNCTION}", ("FCALL", "endless", "0"), "FUNCTION KILL"),
    ],
    ids=["script", "function"],
)
async def test_a_server_that_is_busy_with_a_script_says_how_to_end_it(
    datastores: Datastores, prepare: str, begin: tuple[str, ...], end: str
) -> None:
    server = await datastores.redis(busy_reply_threshold="50")
    async with server.client() as client, server.client() as other:
        await client.execute_command(*prepare.split(maxsplit=2))
        running = asyncio.create_task(client.execute_command(*begin))
        await eventually(_is_busy(other))
        with pytest.raises(Temporary, match=rf"BUSY Redis is busy .*{end}") as caught:
            await look(server)
        await other.execute_command(end)
        await asyncio.gather(running, return_exceptions=True)
    assert caught.value.reason is Reason.SERVER_ERROR


def _is_busy(client: Any) -> Callable[[], Awaitable[bool]]:
    async def busy() -> bool:
        with suppress(redis.exceptions.ResponseError):
            return not await client.ping()
        return True

    return busy


async def test_a_server_that_loads_its_data_says_so(datastores: Datastores) -> None:
    server = await datastores.redis(key_load_delay="10000", loading_process_events_interval_bytes="1024")
    async with server.client() as client:
        await client.mset({f"key-{number}": "x" * 100 for number in range(2000)})
        await client.save()
    await server.restart(signal.SIGKILL)
    seen = await look(server)
    assert (health(seen).loading, health(seen).ping_error.split(": ")[-1][:7]) == (True, "LOADING")
    assert "it is loading its data" in seen.summary
    await server.stop(signal.SIGKILL)


async def test_a_replica_that_serves_no_old_data_says_masterdown(datastores: Datastores) -> None:
    server = await datastores.redis(replicaof="127.0.0.1 1", replica_serve_stale_data="no")
    seen = await look(server)
    assert (health(seen).cut_off, "MASTERDOWN" in health(seen).ping_error) == (True, True)


async def test_a_server_with_too_few_replicas_says_that_it_takes_no_writes(datastores: Datastores) -> None:
    server = await datastores.redis(min_replicas_to_write="1")
    seen = await look(server, ping="5s")
    assert (health(seen).lonely, "0 of 1 replicas follow it" in seen.summary) == (True, True)


async def test_a_server_that_stays_silent_is_not_called_down(datastores: Datastores) -> None:
    server = await datastores.redis()
    server.send(signal.SIGSTOP)
    with pytest.raises(Temporary, match="accepts connections and does not answer") as caught:
        await look(server, asking(server, timeout="2s"))
    server.send(signal.SIGCONT)
    assert caught.value.reason is Reason.TIMEOUT


async def test_slow_commands_are_named_without_their_arguments(datastores: Datastores) -> None:
    server = await datastores.redis(slowlog_log_slower_than="0")
    async with server.client() as client:
        await client.eval("local i = 0; while i < 6e6 do i = i + 1 end", 0, "hunter2")
    seen = await look(server, slow="1ms", ping="5s")
    slowest = health(seen).sluggish[0]
    assert (slowest.command, slowest.arguments) == ("EVAL", 3)
    assert "hunter2" not in seen.model_dump_json()


async def test_a_wrong_password_and_a_stopped_server_are_trouble(datastores: Datastores) -> None:
    server = await datastores.redis(PASSWORD)
    with pytest.raises(Permanent) as denied:
        await look(server, asking(server, password="wr0ng"))
    assert denied.value.reason is Reason.UNAUTHORIZED
    assert health(await look(server, asking(server, password=PASSWORD))).role == "master"
    await server.stop()
    with pytest.raises(Temporary) as gone:
        await look(server, asking(server, password=PASSWORD))
    assert gone.value.reason is Reason.UNREACHABLE


async def test_an_address_is_asked_with_the_credentials_of_the_settings_or_without(datastores: Datastores) -> None:
    locked, other = await datastores.redis(PASSWORD), await datastores.redis()
    clients = asking(locked, password=PASSWORD)
    assert health(await look(locked, clients, address=locked.address)).name == "sessions"
    assert health(await look(other, clients, address=other.address)).name == ""
    with pytest.raises(Permanent, match="is no address"):
        await look(other, clients, address="x/../y:1")


async def test_what_a_user_may_not_ask_is_a_gap(datastores: Datastores) -> None:
    server = await datastores.redis()
    async with server.client() as client:
        await client.execute_command("ACL SETUSER", "watcher", "on", f">{PASSWORD}", "+ping", "+info", "+dbsize")
    seen = await look(server, asking(server, username="watcher", password=PASSWORD))
    assert {gap.what.removeprefix("Redis' ").split()[0] for gap in seen.gaps} == {"CONFIG", "SLOWLOG"}
    assert all(gap.reason is Reason.FORBIDDEN for gap in seen.gaps)
    assert health(seen).max_clients


async def test_a_cluster_without_its_slots_says_so(datastores: Datastores) -> None:
    server = await datastores.redis(cluster_enabled="yes")
    seen = await look(server, ping="5s")
    assert (health(seen).mode, health(seen).cluster_state) == ("cluster", "fail")
    assert "state fail" in seen.summary


async def test_the_command_shows_the_same_to_a_person(datastores: Datastores) -> None:
    server = await datastores.redis()
    (found,) = RedisHealthCheck().reproduce(inquiry(), asking(server))
    process = await asyncio.create_subprocess_shell(found.command, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    assert output.startswith(b"PONG")
    assert shlex.split(found.command)[:2] == ["redis-cli", "-h"]
