"""`loki.query`: log lines around the start of the alert, or the course of a metric query over them."""

import asyncio
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, cast

from pydantic import Field

from responder.clients import Clients, LogLine, Loki, warnings_of
from responder.errors import Reason
from responder.model.evidence import (
    ContainerLog,
    Gap,
    Logs,
    Observation,
    Reproduction,
    Series,
    Threshold,
    ThresholdText,
)
from responder.model.logs import LONGEST, group, last_error, template
from responder.model.numbers import shown
from responder.model.runbook import Duration
from responder.probes import Inquiry, Probe
from responder.probes._charting import Drawing, Window
from responder.templating import LogQL

KEPT_LINES = 200
MOST_LOGS = 50
LISTED = 6
_NAMES = {
    "namespace": ("namespace", "kubernetes_namespace_name", "k8s_namespace_name"),
    "pod": ("pod", "pod_name", "kubernetes_pod_name", "k8s_pod_name", "instance", "host", "hostname"),
    "container": ("container", "container_name", "kubernetes_container_name", "k8s_container_name", "service", "app",
                  "service_name", "job"),
}  # fmt: skip
"""What agents call the labels that say who wrote a line."""


class LokiQuery(Probe):
    """Log lines from before the alert began until now, alike ones of trouble counted; or a metric query's chart.

    `value` is the number of lines, of a metric query the latest value.
    """

    query: LogQL = Field(description="the LogQL expression, of lines or of numbers")
    since: Duration = Field(timedelta(hours=1), description="how long before the alert began")
    limit: int = Field(500, ge=1, le=5000, description="lines that are read at most")
    direction: Literal["backward", "forward"] = Field("backward", description="the newest lines first, or the oldest")
    unit: str = Field("", description="`seconds`, `bytes`, `ratio`, `percent`, or a word to put behind numbers")
    threshold: ThresholdText = Field(
        "", description="an operator, a space and a number: `> 0.5`; beyond it the value is bad"
    )

    async def run(self, inquiry: Inquiry, clients: Clients) -> Observation:
        window = Window.around(inquiry, self.since)
        source = _Source(clients.loki, self.limit, self.direction == "forward")
        answer = await source.ask(self.query, window.start, window.end, window.step)
        if answer and isinstance(answer[0], Series):
            drawing = Drawing(self.query, window, self.unit, self._bound, source="Loki")
            return await drawing.draw(source, inquiry)
        lines = sorted(cast(Sequence[LogLine], answer), key=lambda line: line.at)
        return await asyncio.to_thread(self._lines, lines, window, warnings_of(answer))

    def reproduce(self, inquiry: Inquiry, clients: Clients) -> tuple[Reproduction, ...]:
        window, loki = Window.around(inquiry, self.since), clients.loki
        command = [
            "logcli", "query", "--timezone=UTC", f"--addr={loki.url}", f"--from={window.start:%Y-%m-%dT%H:%M:%SZ}",
            f"--to={window.end:%Y-%m-%dT%H:%M:%SZ}", f"--limit={self.limit}",
            f"--step={window.step.total_seconds():g}s", *(("--forward",) if self.direction == "forward" else ()),
            self.query,
        ]  # fmt: skip
        link = loki.link(self.query, start=window.start, end=window.end)
        return (Reproduction(command=shlex.join(command)), *((Reproduction(link=link),) if link else ()))

    @property
    def _bound(self) -> Threshold | None:
        return Threshold.parse(self.threshold) if self.threshold else None

    def _lines(self, lines: Sequence[LogLine], window: Window, warnings: Sequence[str]) -> Observation:
        logs = _logs(lines)
        count, bound = float(len(lines)), self._bound
        left_out = [f"only the {'first' if self.direction == 'forward' else 'last'} {self.limit} lines were read"]
        left_out = left_out * (len(lines) >= self.limit)
        if len(logs) > MOST_LOGS:
            left_out.append(f"{len(logs) - MOST_LOGS} more logs")
        return Observation(
            summary=self._summary(lines, logs, window),
            data=Logs(logs=tuple(logs[:MOST_LOGS])),
            empty=not lines,
            facts=tuple(_facts(lines, logs)),
            value=count,
            breached=bound.holds(count) if bound else None,
            truncated="; ".join(left_out),
            gaps=tuple(Gap(what="Loki", reason=Reason.BAD_ANSWER, message=text) for text in warnings),
        )

    def _summary(self, lines: Sequence[LogLine], logs: Sequence[ContainerLog], window: Window) -> str:
        span = f"between {window.start:%H:%M} and {window.end:%H:%M} UTC"
        if not lines:
            return f"no line {span}"
        more = "at least " if len(lines) >= self.limit else ""
        text = f"{more}{shown(len(lines))} line{'s' * (len(lines) > 1)} {span}"
        text += f" from {len(logs)} containers" if len(logs) > 1 else ""
        if bound := self._bound:
            text += f", {'past' if bound.holds(len(lines)) else 'not'} {bound.operator} {shown(bound.value)}"
        last = next((log.last_error for log in logs if log.last_error), lines[-1].text)
        return f"{text}; the last: {' '.join(last.split())[:160]}"


@dataclass(frozen=True)
class _Source:
    """Asks one Loki, and answers range queries as a Prometheus does."""

    loki: Loki
    limit: int
    forward: bool

    async def ask(
        self, query: str, start: datetime, end: datetime, step: timedelta
    ) -> Sequence[LogLine] | Sequence[Series]:
        return await self.loki.query(query, start=start, end=end, step=step, limit=self.limit, forward=self.forward)

    async def range(self, expression: str, *, start: datetime, end: datetime, step: timedelta) -> Sequence[Series]:
        return cast(Sequence[Series], await self.ask(expression, start, end, step))


def _logs(lines: Sequence[LogLine]) -> list[ContainerLog]:
    """The lines by who wrote them, those with the most trouble first."""
    written: dict[tuple[str, ...], list[str]] = {}
    for line in lines:
        who = tuple(_label(line, names) for names in _NAMES.values())
        written.setdefault(who, []).append(f"{line.at:%Y-%m-%dT%H:%M:%S.%f}Z {line.text[:LONGEST]}")
    logs = [
        ContainerLog(
            namespace=namespace,
            pod=pod,
            container=container,
            lines=tuple(text.partition(" ")[2] for text in texts[-KEPT_LINES:]),
            groups=group(texts),
            last_error=last_error(texts),
            truncated=len(texts) > KEPT_LINES,
        )
        for (namespace, pod, container), texts in written.items()
    ]
    return sorted(logs, key=lambda log: (-sum(found.count for found in log.groups), -len(log.lines)))


def _label(line: LogLine, names: Sequence[str]) -> str:
    return next((line.labels[name] for name in names if line.labels.get(name)), "")


def _facts(lines: Sequence[LogLine], logs: Sequence[ContainerLog]) -> Iterator[str]:
    """The most frequent lines of trouble, where there are none of all."""
    told = [(found.count, f"{log.pod} {log.container}".strip(), found.example) for log in logs for found in log.groups]
    if not told:
        counted = Counter(template(line.text) for line in lines)
        told = [(count, "", text) for text, count in counted.items()]
    for count, who, text in sorted(told, key=lambda item: -item[0])[:LISTED]:
        yield f"{f'{who}: ' if who else ''}{' '.join(text.split())[:300]}{f' ×{count}' if count > 1 else ''}"
