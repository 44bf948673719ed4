"""A Prometheus that answers what a test gives it, and remembers what it was asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from responder.model.evidence import Sample, Series


@dataclass
class FakePrometheus:
    """`samples`, `series`, `alerting` and `scraped` are the answers; `asked` are the questions."""

    samples: Sequence[Sample] = ()
    series: Sequence[Series] = ()
    alerting: Sequence[Mapping[str, Any]] = ()
    scraped: Sequence[Mapping[str, Any]] = ()
    name: str = ""
    url: str = "http://prometheus:9090"
    asked: list[Any] = field(default_factory=list)

    async def query(self, expression: str, *, at: datetime | None = None) -> Sequence[Sample]:
        self.asked.append((expression, at))
        return self.samples

    async def range(self, expression: str, *, start: datetime, end: datetime, step: timedelta) -> Sequence[Series]:
        self.asked.append((expression, start, end, step))
        return [
            Series(
                labels=item.labels,
                points=tuple(p for p in item.points if start.timestamp() <= p[0] <= end.timestamp()),
            )
            for item in self.series
        ]

    async def rules(self) -> Sequence[Mapping[str, Any]]:
        self.asked.append("rules")
        return self.alerting

    async def targets(self) -> Sequence[Mapping[str, Any]]:
        self.asked.append("targets")
        return self.scraped

    def link(self, expression: str, *, at: datetime | None = None, hours: float = 1) -> str:
        return f"{self.url}/graph?{expression}"

    async def close(self) -> None:
        """Nothing to close."""
