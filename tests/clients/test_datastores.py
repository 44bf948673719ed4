"""Which database server is meant, what is loaded for it, and that the rights we ask for are enough."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from responder.clients import Clients, Reply, Rows, Statement
from responder.clients import postgres as postgres_client
from responder.clients import redis as redis_client
from responder.clock import SystemClock
from responder.errors import Permanent, Reason, Temporary
from responder.metrics import Metrics
from responder.model.datastore import Server
from responder.probes._postgres import QUESTIONS
from responder.probes._redis import CLUSTER, COMMANDS
from responder.settings import PostgresSettings, RedisSettings, Settings
from tests.datastores import PASSWORD, Datastores
from tests.fakes.clients import FailingHttp, FailingPostgres, FailingRedis
from tests.servers import free_port

PAGE = (Path(__file__).parents[2] / "docs" / "datastores.md").read_text(encoding="utf-8")


def test_the_only_server_needs_no_name_and_one_of_several_does() -> None:
    one, two = FailingPostgres(name="a"), FailingPostgres(name="b")
    assert Clients("", FailingHttp(), databases={"a": one}).postgres() is one
    several = Clients("", FailingHttp(), databases={"a": one, "b": two})
    assert several.postgres("b") is two
    for name, said in (
        ("", r"which PostgreSQL server is meant\? \(there is a, b\)"),
        ("c", "called 'c' .there is a, b"),
    ):
        with pytest.raises(Permanent, match=said) as caught:
            several.postgres(name)
        assert caught.value.reason is Reason.NOT_CONFIGURED
    with pytest.raises(Permanent, match="no Redis server is configured for cluster 'prod': set redis"):
        Clients("prod", FailingHttp()).redis()


def test_an_address_that_the_settings_know_is_asked_with_their_credentials() -> None:
    known = FailingRedis(place="redis:6379")
    clients = Clients("", FailingHttp(), redis_servers={"": known})
    assert clients.redis_at("redis:6379") is known
    with pytest.raises(Permanent, match="no Redis server is configured"):
        clients.redis_at("other:6379")


@given(
    st.sampled_from(["PostgreSQL", "Redis"]), st.from_regex(r"\A[A-Za-z0-9_.-]{0,20}\Z"),
    st.from_regex(r"\A([a-z0-9.-]{1,20}|\[[0-9a-f:]{2,20}\]):[0-9]{1,5}\Z"), st.text(),
)  # fmt: skip
def test_a_message_names_the_server_that_it_is_about(product: str, name: str, place: str, said: str) -> None:
    server = Server(product, name, place)
    assert Server.named_in(f"{server}: {said}") == server


@pytest.mark.parametrize("kind", ["postgres", "redis"])
def test_a_name_that_would_be_ambiguous_in_a_message_is_refused(kind: str) -> None:
    url = {"postgres": "postgresql://db", "redis": "redis://db"}[kind]
    with pytest.raises(ValidationError, match="should match pattern"):
        Settings.model_validate({kind: [{"name": "a at b:1", "url": url}]})


def test_an_idle_service_does_not_carry_the_drivers() -> None:
    code = "import sys, responder.app; print(sorted({'asyncpg', 'redis'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_settings_of_the_page_are_valid() -> None:
    settings = Settings.model_validate(yaml.safe_load(re.findall(r"```yaml\n(loki:.*?)```", PAGE, re.DOTALL)[0]))
    assert settings.loki.datasource == "loki"
    assert [item.name for item in (*settings.postgres, *settings.redis)] == ["main", "sessions"]
    assert "responder@postgres" not in repr(settings)


def test_the_runbook_of_the_page_is_valid_and_passes_its_test(tmp_path: Path) -> None:
    (rules,) = re.findall(r"```yaml\n(diagnose:.*?)```", PAGE, re.DOTALL)
    steps = re.findall(r"```yaml\n((?:investigate:\n)?  - .*?)```", PAGE, re.DOTALL)
    assert len(steps) == 3
    head = (
        "apiVersion: responder/v1\nkind: Runbook\nmetadata: {name: shop, title: Shop}\nmatch: ['alertname=\"Shop\"']\n"
        "target: {namespace: '{{ labels.namespace or \"shop\" }}'}\n"
    )
    (example,) = re.findall(r"```yaml\n(apiVersion: .*?)```", PAGE, re.DOTALL)
    (tmp_path / "shop.yaml").write_text(f"{head}{''.join(steps)}{rules}---\n{example}")
    for command in (["check", str(tmp_path)], ["test", str(tmp_path), "--rules", str(tmp_path)]):
        run = subprocess.run([sys.executable, "-m", "responder", *command], capture_output=True, text=True, timeout=60)
        assert run.returncode == 0, run.stdout + run.stderr
    assert "1 of 1 passed" in run.stdout


@pytest.mark.integration
async def test_the_rights_that_the_page_names_are_enough_for_postgresql(datastores: Datastores) -> None:
    server = await datastores.postgres()
    (statements,) = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
    await server.run("DROP EXTENSION pg_stat_statements", "REVOKE pg_monitor FROM responder", "DROP USER responder")
    await server.run(statements.replace("…", PASSWORD))
    settings = PostgresSettings.model_validate({"url": server.user_url(), "password": PASSWORD})
    asked = postgres_client.connect([settings], Metrics(), SystemClock())[""]
    answers = await asked.read(QUESTIONS)
    assert {type(found) for found in answers.values()} == {Rows}
    assert {name for name, question in QUESTIONS.items() if not question.since} <= answers.keys()


@pytest.mark.integration
async def test_the_rights_that_the_page_names_are_enough_for_redis(datastores: Datastores) -> None:
    server = await datastores.redis(cluster_enabled="yes")
    (rule,) = re.findall(r"ACL SETUSER (responder .*)", PAGE)
    async with server.client() as admin:
        await admin.execute_command("ACL SETUSER", *rule.replace("PASSWORD", PASSWORD).split())
    given = {"url": f"redis://{server.address}", "username": "responder", "password": PASSWORD}
    asked = redis_client.connect([RedisSettings.model_validate(given)], Metrics(), SystemClock())[""]
    replies = await asked.ask(*COMMANDS, CLUSTER)
    assert [type(reply) for reply in replies] == [Reply] * (len(COMMANDS) + 1)


@pytest.fixture
def certificates(tmp_path: Path) -> dict[str, Path]:
    """A server's key and certificate for localhost, its authority, and another authority."""
    authority, other = trustme.CA(), trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1")
    files = {name: tmp_path / f"{name}.pem" for name in ("key", "chain", "authority", "other")}
    issued.private_key_pem.write_to_path(files["key"])
    for blob in issued.cert_chain_pems:
        blob.write_to_path(files["chain"], append=True)
    authority.cert_pem.write_to_path(files["authority"])
    other.cert_pem.write_to_path(files["other"])
    return files


@pytest.mark.integration
@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
async def test_postgresql_is_asked_over_tls_and_its_certificate_checked(
    datastores: Datastores, certificates: dict[str, Path], mode: str
) -> None:
    key, chain = datastores.give(certificates["key"]), datastores.give(certificates["chain"])
    server = await datastores.postgres(ssl="on", ssl_key_file=str(key), ssl_cert_file=str(chain))

    async def encrypted(authority: str) -> Any:
        given = {"url": server.user_url(), "password": PASSWORD, "ssl": mode, "ca_file": certificates[authority]}
        asked = postgres_client.connect([PostgresSettings.model_validate(given)], Metrics(), SystemClock())[""]
        sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        return (await asked.read({"it": Statement(sql)}))["it"]

    assert (await encrypted("authority")).rows == [{"ssl": True}]
    with pytest.raises(Temporary, match="CERTIFICATE_VERIFY_FAILED") as caught:
        await encrypted("other")
    assert caught.value.reason is Reason.UNREACHABLE


@pytest.mark.integration
async def test_redis_is_asked_over_tls_and_its_certificate_checked(
    datastores: Datastores, certificates: dict[str, Path]
) -> None:
    files = {f"tls_{name}_file": str(datastores.give(certificates[part])) for name, part in
             (("key", "key"), ("cert", "chain"), ("ca_cert", "authority"))}  # fmt: skip
    server = await datastores.redis(tls_replication="no", tls_auth_clients="no", **files, tls_port="0")
    async with server.client() as admin:
        port = free_port()
        await admin.config_set("tls-port", str(port))

    async def asked(authority: str) -> Any:
        given = {"url": f"rediss://127.0.0.1:{port}", "ca_file": certificates[authority]}
        return await redis_client.connect([RedisSettings.model_validate(given)], Metrics(), SystemClock())[""].ask(
            "PING"
        )

    assert isinstance((await asked("authority"))[0], Reply)
    with pytest.raises(Temporary, match="CERTIFICATE_VERIFY_FAILED") as caught:
        await asked("other")
    assert caught.value.reason is Reason.UNREACHABLE
