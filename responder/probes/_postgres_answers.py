"""What the questions of `postgres.health` gave: rows as records, and what could not be seen."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import ValidationError

from responder.clients import Row, Rows
from responder.errors import Reason, Trouble
from responder.model.evidence import Gap
from responder.model.record import Record
from responder.model.sql import masked

R = TypeVar("R", bound=Record)

_ADVICE = {
    ("slow statements", Reason.NOT_FOUND): "pg_stat_statements is not installed: CREATE EXTENSION pg_stat_statements",
    ("slow statements", Reason.NOT_CONFIGURED): "add pg_stat_statements to shared_preload_libraries",
}
_GRANT = "GRANT pg_monitor to the user of Responder"


class Answers:
    """The answers by the names of their questions. Rows that do not fit are left out, and are gaps."""

    def __init__(self, answers: Mapping[str, Rows | Trouble]) -> None:
        self._answers = answers
        self._misfits: dict[str, list[str]] = {}

    def rows(self, name: str) -> Sequence[Row]:
        """The rows as they came; none where the question failed or was not asked."""
        answer = self._answers.get(name)
        return answer.rows if isinstance(answer, Rows) else ()

    def first(self, *names: str) -> dict[str, Any]:
        """The known columns of the answers that are one row."""
        return {column: value for name in names for row in self.rows(name)[:1] for column, value in _known(row)}

    def records(self, name: str, kind: type[R]) -> tuple[R, ...]:
        """The rows as records, their statements without values."""
        return tuple(record for row in self.rows(name) if (record := self._record(name, kind, row)) is not None)

    def _record(self, name: str, kind: type[R], row: Row) -> R | None:
        shown = {column: masked(value) if column.endswith("statement") else value for column, value in _known(row)}
        try:
            return kind.model_validate(shown)
        except ValidationError as error:
            self._misfits.setdefault(name, []).append(str(error.errors()[0]["loc"][0]))
            return None

    def gaps(self) -> Iterator[Gap]:
        """What could not be seen, and why; complete after all records were read."""
        for name, answer in self._answers.items():
            if isinstance(answer, Trouble):
                message = _ADVICE.get((name, answer.reason), str(answer))
                if answer.reason is Reason.FORBIDDEN:
                    message = f"{message}: {_GRANT}"
                yield _gap(name, answer.reason, message)
            elif answer.truncated:
                yield _gap(name, Reason.TOO_LARGE, answer.truncated)
        for name, columns in self._misfits.items():
            missing = ", ".join(f"{count} without {column}" for column, count in Counter(columns).items())
            yield _gap(name, Reason.BAD_ANSWER, f"left out of {len(self.rows(name))}: {missing}")
        if self.first("rights").get("sees_all") is False:
            yield _gap("sessions", Reason.FORBIDDEN, f"what other users' sessions do is hidden: {_GRANT}")


def _known(row: Row) -> Iterator[tuple[str, Any]]:
    """The columns that are not NULL."""
    return ((column, value) for column, value in row.items() if value is not None)


def _gap(name: str, reason: Reason, message: str) -> Gap:
    return Gap(what=f"PostgreSQL's {name}", reason=reason, message=message)
