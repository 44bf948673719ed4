"""The client of Redis against the real server."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from responder.clients import Reply
from responder.clients.redis import ALLOWED, Dialer, RedisServer, connect
from responder.clock import SystemClock
from responder.errors import ConfigError, Permanent, Reason, Temporary, Trouble
from responder.metrics import Metrics
from responder.settings import RedisSettings
from tests.datastores import Datastores
from tests.servers import free_port

PASSWORD = "s3cret-of-redis"


def server_at(address: str, **settings: Any) -> RedisServer:
    given = {"name": "sessions", "url": f"redis://{address}", "cache": "0s", **settings}
    return connect([RedisSettings.model_validate(given)], Metrics(), SystemClock())[given["name"]]


def values(replies: Sequence[Reply | Trouble]) -> list[Any]:
    return [reply.value if isinstance(reply, Reply) else reply.reason for reply in replies]


@pytest.mark.integration
async def test_replies_come_with_the_time_they_took(datastores: Datastores) -> None:
    redis = await datastores.redis(maxmemory="10mb")
    replies = await server_at(redis.address).ask("PING", "INFO", "CONFIG GET maxmemory", "DBSIZE", "SLOWLOG GET 5")
    pong, info, config, size, slow = values(replies)
    assert pong in (True, "PONG")
    assert info["maxmemory"] == 10 * 1024 * 1024
    assert config == {"maxmemory": str(10 * 1024 * 1024)}
    assert (size, slow) == (0, [])
    assert all(isinstance(reply, Reply) and reply.seconds > 0 for reply in replies)


@pytest.mark.integration
async def test_a_password_is_needed_and_the_right_one(datastores: Datastores, tmp_path: Path) -> None:
    redis = await datastores.redis(PASSWORD)
    for settings, said in (({}, "NOAUTH|Authentication required"), ({"password": "wr0ng"}, "WRONGPASS|invalid")):
        with pytest.raises(Permanent, match=said) as caught:
            await server_at(redis.address, **settings).ask("PING")
        assert caught.value.reason is Reason.UNAUTHORIZED
        assert "wr0ng" not in str(caught.value)
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n")
    assert await server_at(redis.address, password_file=file).ask("PING")
    in_url = server_at(f":{PASSWORD}@{redis.address}")
    assert await in_url.ask("PING")
    assert PASSWORD not in in_url.cli("PING")


@pytest.mark.integration
async def test_a_command_that_its_user_may_not_use_is_trouble_in_its_place(datastores: Datastores) -> None:
    redis = await datastores.redis()
    async with redis.client() as admin:
        await admin.execute_command("ACL SETUSER", "watcher", "on", f">{PASSWORD}", "+ping", "+info")
    asked = server_at(redis.address, username="watcher", password=PASSWORD)
    pong, denied, info = values(await asked.ask("PING", "CONFIG GET maxmemory", "INFO server"))
    assert (pong in (True, "PONG"), denied, info["redis_mode"]) == (True, Reason.FORBIDDEN, "standalone")


@pytest.mark.integration
async def test_a_server_that_is_full_or_gone_says_so(datastores: Datastores) -> None:
    redis = await datastores.redis(maxclients="1")
    async with redis.client() as admin:
        await admin.ping()
        with pytest.raises(Temporary, match="max number of clients") as caught:
            await server_at(redis.address).ask("PING")
    assert caught.value.reason is Reason.OVERLOADED
    await redis.stop()
    with pytest.raises(Temporary, match=f"^Redis sessions at {redis.address}: ") as caught:
        await server_at(redis.address).ask("PING")
    assert caught.value.reason is Reason.UNREACHABLE


@pytest.mark.integration
async def test_no_connection_is_left_behind(datastores: Datastores) -> None:
    redis = await datastores.redis()
    asked = server_at(redis.address)
    await asyncio.gather(*(asked.ask("PING", "DBSIZE") for _ in range(5)))
    async with redis.client() as admin:
        for _ in range(50):
            connected = await admin.client_list()
            if len(connected) == 1:
                return
            await asyncio.sleep(0.05)
    pytest.fail(f"still connected: {connected}")


@pytest.mark.integration
async def test_a_server_that_a_runbook_names_is_asked_without_credentials(datastores: Datastores) -> None:
    redis = await datastores.redis()
    dialer = Dialer(Metrics(), SystemClock())
    assert await dialer.at(redis.address).ask("PING")
    assert dialer.at(redis.address) is dialer.at(redis.address)
    await dialer.close()


async def test_a_server_that_never_answers_is_given_up() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    port = free_port()
    async with await asyncio.start_server(silent, "127.0.0.1", port):
        with pytest.raises(Temporary) as caught:
            await server_at(f"127.0.0.1:{port}", timeout="300ms").ask("PING")
    assert caught.value.reason is Reason.TIMEOUT


@pytest.mark.parametrize(
    "command",
    ["FLUSHALL", "GET secret", "CONFIG GET requirepass", "CONFIG GET *", "CONFIG SET maxmemory 1", "CLIENT KILL x",
     "SLOWLOG RESET", "INFO\nFLUSHALL", "PING x", "DEBUG SLEEP 1", "LATENCY RESET", "SHUTDOWN", ""],
)  # fmt: skip
async def test_only_commands_that_read_are_sent(command: str) -> None:
    with pytest.raises(Permanent, match="only read") as caught:
        await server_at("127.0.0.1:1").ask("PING", command)
    assert caught.value.reason is Reason.FORBIDDEN


@given(st.text(max_size=40))
def test_no_other_text_is_a_command_that_reads(text: str) -> None:
    if ALLOWED.fullmatch(text):
        assert text.upper().split()[0] in {
            "PING", "INFO", "CONFIG", "CLIENT", "SLOWLOG", "LATENCY", "DBSIZE", "MEMORY", "ROLE", "CLUSTER",
        }  # fmt: skip


@pytest.mark.parametrize("address", ["", "redis:0", "redis:70000", "redis:6379/0", "user@redis:1", "a b:1", "x" * 300])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(Permanent, match="no address"):
        Dialer(Metrics(), SystemClock()).at(address)


@pytest.mark.parametrize("address", ["169.254.169.254:80", "[::ffff:169.254.169.254]:80", "100.100.100.200:80"])
async def test_an_address_that_hands_out_credentials_is_not_asked(address: str) -> None:
    with pytest.raises(Permanent, match="hands out credentials"):
        await Dialer(Metrics(), SystemClock()).at(address).ask("PING")


def test_the_command_survives_a_shell() -> None:
    asked = server_at("redis.shop:6380", username="o'brien")
    assert asked.cli("INFO memory", "PING") == (
        "redis-cli -h redis.shop -p 6380 --user 'o'\"'\"'brien' INFO memory; "
        "redis-cli -h redis.shop -p 6380 --user 'o'\"'\"'brien' PING"
    )
    assert "--tls" in connect([RedisSettings.model_validate({"url": "rediss://r"})], Metrics(), SystemClock())[""].cli(
        "PING"
    )


def test_settings_that_cannot_work_are_refused() -> None:
    with pytest.raises(ValidationError, match="must start with redis://"):
        RedisSettings.model_validate({"url": "http://redis:6379"})
    with pytest.raises(ConfigError, match="url is no URL") as caught:
        connect([RedisSettings.model_validate({"url": "redis://u:hunter2@r:port"})], Metrics(), SystemClock())
    assert "hunter2" not in str(caught.value)
    absent = RedisSettings.model_validate({"url": "rediss://r", "ca_file": "/nowhere/ca.pem"})
    with pytest.raises(ConfigError, match="there is no file /nowhere"):
        connect([absent], Metrics(), SystemClock())
    two = [RedisSettings.model_validate({"url": "redis://a"}), RedisSettings.model_validate({"url": "redis://b"})]
    with pytest.raises(ConfigError, match="a name of its own"):
        connect(two, Metrics(), SystemClock())
