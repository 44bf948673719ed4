"""`postgres.query`: one statement that reads, and values that are never SQL."""

import shlex
from typing import Any

import pytest

from responder import plugins, probes
from responder.clients import Clients
from responder.errors import ConfigError, Permanent, Reason, Temporary
from responder.model.evidence import Observation
from responder.model.postgres import PostgresRows
from responder.probes import Probe
from responder.probes.postgres_query import PostgresQuery
from responder.templating import TemplateProblem, render
from tests.datastores import PASSWORD, Datastores, PostgresProcess
from tests.probes.test_postgres_health import asking, inquiry

CATALOG = plugins.load(probes, Probe, "probe", dotted=True)


async def ask(server: PostgresProcess, statement: str, **options: Any) -> Observation:
    probe = PostgresQuery.model_validate({"statement": statement, **options})
    return await probe.run(inquiry(), asking(server))


@pytest.mark.integration
async def test_the_first_column_or_a_named_one_is_the_value(datastores: Datastores) -> None:
    server = await datastores.postgres()
    seen = await ask(
        server, "SELECT 7 AS n, 2.5 AS m UNION SELECT 1, 0 ORDER BY 1 DESC", threshold="> 5", unit="orders"
    )
    assert (seen.value, seen.breached, seen.summary) == (7, True, "7 orders (2 rows), past > 5 orders")
    assert seen.facts == ("n=7, m=2.5", "n=1, m=0.0")
    assert (await ask(server, "SELECT 7 AS n, 2.5 AS m;", column="m")).value == 2.5
    with pytest.raises(Permanent, match=r"no column 'x' \(there is n\)"):
        await ask(server, "SELECT 7 AS n", column="x")
    shown = await ask(server, "SHOW server_version")
    assert (shown.value, shown.summary[:2]) == (None, "15")


@pytest.mark.integration
async def test_no_rows_is_an_answer(datastores: Datastores) -> None:
    seen = await ask(await datastores.postgres(), "SELECT 1 AS n WHERE false", threshold="> 5")
    assert (seen.empty, seen.value, seen.breached, seen.summary) == (True, None, None, "no rows")


@pytest.mark.integration
async def test_a_label_is_a_parameter_never_sql(datastores: Datastores) -> None:
    server = await datastores.postgres()
    raw = {"statement": "SELECT count(*) FROM pg_database WHERE datname = $1", "parameters": ["{{ labels.database }}"]}
    hostile = {"labels": {"database": "shop' OR 'a'='a"}}
    options = render(PostgresQuery, raw, hostile)
    assert (await ask(server, options["statement"], parameters=options["parameters"])).value == 0
    options = render(PostgresQuery, raw, {"labels": {"database": "shop"}})
    assert (await ask(server, options["statement"], parameters=options["parameters"])).value == 1
    with pytest.raises(TemplateProblem, match="cannot stand in SQL"):
        render(PostgresQuery, {"statement": "SELECT '{{ labels.database }}'"}, hostile)


@pytest.mark.integration
async def test_a_statement_that_takes_too_long_is_cut_off(datastores: Datastores) -> None:
    server = await datastores.postgres()
    probe = PostgresQuery(statement="SELECT pg_sleep(9)")
    with pytest.raises(Temporary, match="statement timeout") as caught:
        await probe.run(inquiry(), asking(server, statement_timeout="200ms"))
    assert caught.value.reason is Reason.TIMEOUT


@pytest.mark.integration
async def test_many_rows_are_cut_and_it_says_so(datastores: Datastores) -> None:
    seen = await ask(await datastores.postgres(), "SELECT generate_series(1, 100) AS n", limit=3)
    assert isinstance(seen.data, PostgresRows)
    assert (len(seen.data.rows), seen.truncated) == (3, "only the first 3 rows")


@pytest.mark.integration
async def test_the_command_has_the_parameters_quoted(datastores: Datastores) -> None:
    clients = asking(await datastores.postgres())
    probe = PostgresQuery(statement="SELECT 1 WHERE 'a' = $1", parameters=("it's \\",))
    (found,) = probe.reproduce(inquiry(), clients)
    assert shlex.split(found.command)[-1] == "PREPARE asked AS SELECT 1 WHERE 'a' = $1; EXECUTE asked(E'it''s \\\\')"
    assert PASSWORD not in found.command


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM goods", "SELECT 1; SELECT 2", "SELECT pg_terminate_backend(1)", "select PG_RELOAD_CONF ()", "",
     "SELECT pg_drop_replication_slot('a')", "SELECT set_config('a', 'b', false)", "DO $$ BEGIN END $$"],
)  # fmt: skip
def test_what_does_more_than_read_is_refused_before_it_is_asked(statement: str) -> None:
    with pytest.raises(ConfigError, match="statement: "):
        CATALOG.build("postgres.query", {"statement": statement})


def test_words_in_strings_are_no_deeds() -> None:
    PostgresQuery(statement="SELECT 'pg_terminate_backend(1); DROP' AS t")


async def test_without_a_server_it_says_what_to_set() -> None:
    http: Any = None
    with pytest.raises(Permanent, match="set postgres"):
        await PostgresQuery(statement="SELECT 1").run(inquiry(), Clients("", http))
