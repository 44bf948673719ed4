"""`postgres.query`: the answer of a PostgreSQL server to one statement that reads."""

import re

from pydantic import Field, field_validator

from responder.clients import Clients, Row, Statement
from responder.errors import Permanent, Reason, Trouble
from responder.model.evidence import Observation, Reproduction, Threshold, ThresholdText
from responder.model.numbers import shown
from responder.model.postgres import PostgresRows
from responder.probes import Inquiry, Probe
from responder.templating import Plain, Sql

LISTED = 8
_READS = re.compile(r"(?is)\s*(?:SELECT|WITH|VALUES|TABLE|SHOW|EXPLAIN)\b")
_ACTS = re.compile(
    r"(?i)\b(?:pg_(?:terminate|cancel)_backend|pg_reload_conf|pg_rotate_logfile|pg_promote|pg_switch_wal|pg_wal_replay_\w+"
    r"|pg_(?:create|drop|copy|advance|sync|replication_slot|replication_origin)\w*(?:slot|point|origin|advance)\w*"
    r"|pg_(?:try_)?advisory\w*lock\w*|pg_stat\w*_reset\w*|pg_logical_\w+|pg_import_\w+|pg_notify|set_config|setval|nextval"
    r"|lo_\w+|dblink\w*|pg_read_\w*file|pg_ls_dir|pg_(?:start|stop)_backup|pg_backup_\w+|pg_log_backend\w*)\s*\("
)
_QUOTED = re.compile(r"'(?:''|[^'])*'|--[^\n]*|/\*.*?\*/", re.DOTALL)


class PostgresQuery(Probe):
    """The rows of one statement that reads, in a read-only transaction that ends by itself.

    The statement is fixed text; values from alerts are `parameters` for its `$1`, `$2`… `value` is the first column
    of the first row, or `column`.
    """

    statement: Sql = Field(description="one SELECT, WITH, VALUES, TABLE, SHOW or EXPLAIN")
    parameters: tuple[Plain, ...] = Field(
        (), description="texts for `$1`, `$2`…, converted to the types they have there"
    )
    database: Plain = Field("", description="the server's name in the settings; may be empty where there is one")
    column: str = Field("", description="the column that `value` is read from; the first if empty")
    unit: str = Field("", description="`seconds`, `bytes`, `ratio`, `percent`, or a word to put behind numbers")
    threshold: ThresholdText = Field(
        "", description="an operator, a space and a number: `> 0.5`; beyond it the value is bad"
    )
    limit: int = Field(50, ge=1, le=1000, description="rows that are read at most")

    @field_validator("statement")
    @classmethod
    def _reads(cls, statement: str) -> str:
        bare = _QUOTED.sub(" ", statement)
        if not _READS.match(bare):
            raise ValueError("must be one SELECT, WITH, VALUES, TABLE, SHOW or EXPLAIN")
        if ";" in bare.rstrip().removesuffix(";"):
            raise ValueError("must be one statement")
        if found := _ACTS.search(bare):
            raise ValueError(f"{found[0].rstrip(' (')} does more than read")
        return statement.rstrip().removesuffix(";")

    async def run(self, inquiry: Inquiry, clients: Clients) -> Observation:
        server = clients.postgres(self.database)
        found = (await server.read({"it": Statement(self.statement, self.parameters)}, limit=self.limit))["it"]
        if isinstance(found, Trouble):
            raise found
        data = PostgresRows(server=server.name or server.place, columns=tuple(found.columns), rows=tuple(found.rows))
        if not found.rows:
            return Observation(summary="no rows", data=data, empty=True)
        if self.column and self.column not in found.columns:
            message = f"there is no column {self.column!r} (there is {', '.join(found.columns)})"
            raise Permanent(message, Reason.BAD_REQUEST)
        first = found.rows[0][self.column or found.columns[0]]
        value = float(first) if isinstance(first, int | float) else None
        bound = Threshold.parse(self.threshold) if self.threshold else None
        return Observation(
            summary=self._summary(first, value, len(found.rows), bound),
            data=data,
            facts=tuple(
                ", ".join(f"{name}={_brief(item)}" for name, item in row.items()) for row in found.rows[:LISTED]
            ),
            value=value,
            breached=bound.holds(value) if bound and value is not None else None,
            truncated=found.truncated,
        )

    def reproduce(self, inquiry: Inquiry, clients: Clients) -> tuple[Reproduction, ...]:
        statement = " ".join(self.statement.split())
        if self.parameters:
            given = ", ".join(_literal(text) for text in self.parameters)
            statement = f"PREPARE asked AS {statement}; EXECUTE asked({given})"
        return (Reproduction(command=clients.postgres(self.database).psql(statement)),)

    def _summary(self, first: object, value: float | None, rows: int, bound: Threshold | None) -> str:
        text = shown(value, self.unit) if value is not None else _brief(first)
        if rows > 1:
            text = f"{text} ({rows} rows)"
        if bound is None or value is None:
            return text
        past = "past" if bound.holds(value) else "not"
        return f"{text}, {past} {bound.operator} {shown(bound.value, self.unit)}"


def _line(row: Row) -> str:
    return ", ".join(f"{name}={_brief(value)}" for name, value in row.items())


def _brief(value: object) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 120 else f"{text[:119]}…"


def _literal(text: str) -> str:
    """A text as SQL has it, for a person to run; it is never sent by us."""
    quoted = text.replace("'", "''")
    return f"E'{quoted.replace(chr(92), chr(92) * 2)}'" if "\\" in text else f"'{quoted}'"
