"""The content of an evidence as blocks, by its shape; what has another shape, or is odd, is shown as it is. Pure."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from markupsafe import Markup
from pydantic import ValidationError

from responder.charts import Mark, name_of, svg
from responder.model.evidence import Chart, ContainerLog, Evidence, HttpAnswer, KubernetesObjects, Logs, Samples
from responder.model.numbers import seconds, shown
from responder.model.postgres import PostgresRows
from responder.model.postgres_health import PostgresHealth
from responder.model.redis import RedisHealth
from responder.web import datastores
from responder.web.blocks import Block, Cell, Column, Log, Picture, Table, TableMaker, Text
from responder.web.objects import tables

MOST_LINES = 100
MOST_TEXT = 16_000
SHOWN_SERIES = 6


def blocks(evidence: Evidence, started_at: datetime | None = None, changes: Sequence[Mark] = ()) -> Sequence[Block]:
    """The blocks; none where there is no content."""
    if not evidence.data:
        return ()
    try:
        return tuple(_typed(evidence, started_at, changes))
    except (ValidationError, TypeError, ValueError, AttributeError, ArithmeticError):
        # objects of a snapshot or of a plugin may be of any form; the page must not depend on it
        return (_raw(evidence.data),)


def _typed(evidence: Evidence, started_at: datetime | None, changes: Sequence[Mark]) -> Iterator[Block]:
    if (objects := evidence.read(KubernetesObjects)) is not None:
        yield from tables(objects)
    elif (logs := evidence.read(Logs)) is not None:
        yield from map(_log, logs.logs)
    elif (samples := evidence.read(Samples)) is not None:
        yield from _samples(samples)
    elif (chart := evidence.read(Chart)) is not None:
        yield Picture(Markup(svg(chart, started_at=started_at, changes=changes, style=False)), chart.query)  # noqa: S704 - escapes
        if len(chart.series) > SHOWN_SERIES:
            yield _series(chart)
    elif (answer := evidence.read(HttpAnswer)) is not None:
        yield from _http(answer)
    elif (database := evidence.read(PostgresHealth)) is not None:
        yield from datastores.postgres(database)
    elif (answered := evidence.read(PostgresRows)) is not None:
        yield from datastores.rows(answered)
    elif (cache := evidence.read(RedisHealth)) is not None:
        yield from datastores.redis(cache)
    else:
        yield _raw(evidence.data)


def _log(log: ContainerLog) -> Log:
    which = " before its last restart" if log.previous else ""
    left_out = max(0, len(log.lines) - MOST_LINES)
    note = "the log is longer: only its end was read" if log.truncated else ""
    groups = None
    if log.groups:
        made = TableMaker(
            "Error lines, grouped",
            (Column("Times", "number"), Column("Line", "code"), Column("First"), Column("Last")),
        )
        for group in log.groups:
            cells = (Cell(f"×{group.count}"), Cell(group.example), Cell(at=group.first), Cell(at=group.last))
            made.rows.append(cells)
        groups = made.table()
    return Log(
        f"{' / '.join(filter(None, (log.pod, log.container)))}{which}",
        log.lines[-MOST_LINES:],
        log.last_error,
        groups,
        left_out,
        note,
    )


def _samples(samples: Samples) -> Iterator[Block]:
    names = list(dict.fromkeys(name for item in samples.samples for name in item.labels if name != "__name__"))[:8]
    made = TableMaker("", (*(Column(name, "code") for name in names), Column("Value", "number")))
    for item in sorted(samples.samples, key=lambda item: -item.value if item.value == item.value else 0):
        made.rows.append((*(Cell(item.labels.get(name, "")) for name in names), Cell(shown(item.value))))
    if made.rows:
        yield made.table()
    yield Text("Query", samples.query)


def _series(chart: Chart) -> Table:
    made = TableMaker("All series", (Column("Series", "code"), Column("Last", "number"), Column("Highest", "number")))
    for item in chart.series:
        values = [value for _, value in item.points]
        if values:
            made.rows.append(
                (Cell(name_of(item)), Cell(shown(values[-1], chart.unit)), Cell(shown(max(values), chart.unit)))
            )
    return made.table()


def _http(answer: HttpAnswer) -> Iterator[Block]:
    bad = answer.status >= 400
    facts = (
        (Cell("Status"), Cell(str(answer.status), "bad" if bad else "")),
        (Cell("Time"), Cell(seconds(answer.seconds))),
    )
    headers = tuple((Cell(name), Cell(value)) for name, value in answer.headers.items())
    yield Table("", (Column("GET"), Column(answer.url, "code")), (*facts, *headers))
    if answer.body:
        yield Text("Body", answer.body[:MOST_TEXT], max(0, len(answer.body) - MOST_TEXT))


def _raw(data: Mapping[str, object]) -> Text:
    text = json.dumps(data, indent=2, ensure_ascii=False, default=str)
    return Text("Content", text[:MOST_TEXT], max(0, len(text) - MOST_TEXT))
