"""`prometheus.query`: the value of an expression now."""

import math
import shlex
from collections.abc import Sequence

from pydantic import Field

from responder.clients import Clients, warnings_of
from responder.errors import Reason
from responder.model.evidence import Gap, Observation, Reproduction, Sample, Samples, Series, Threshold, ThresholdText
from responder.model.numbers import shown
from responder.probes import Inquiry, Probe
from responder.probes._charting import name_of, unit_of
from responder.templating import PromQL

LISTED = 8
KEPT = 500


class PrometheusQuery(Probe):
    """The value of an expression now; with several series the one furthest past the threshold, else the largest."""

    query: PromQL = Field(description="the expression")
    unit: str = Field("", description="`seconds`, `bytes`, `ratio`, `percent`, or a word to put behind numbers")
    threshold: ThresholdText = Field(
        "", description="an operator, a space and a number: `> 0.5`; beyond it the value is bad"
    )

    async def run(self, inquiry: Inquiry, clients: Clients) -> Observation:
        # whole seconds, so that the same question a moment later is the same request
        at = inquiry.now.replace(microsecond=0)
        answer = await clients.prometheus.query(self.query, at=at)
        gaps = tuple(Gap(what="Prometheus", reason=Reason.BAD_ANSWER, message=text) for text in warnings_of(answer))
        threshold = Threshold.parse(self.threshold) if self.threshold else None
        ordered = _ordered([sample for sample in answer if not math.isnan(sample.value)], threshold)
        finite = [sample for sample in ordered if math.isfinite(sample.value)]
        data = Samples(query=self.query, at=at, samples=tuple(finite[:KEPT]))
        if not ordered:
            nothing = "no data: nothing to divide by (NaN)" if answer else "no data: no series has a value now"
            return Observation(summary=nothing, data=data, empty=True, gaps=gaps)
        value = ordered[0].value
        return Observation(
            summary=self._summary(ordered, threshold),
            brief=_brief(shown(value, self._unit), ordered[0]),
            data=data,
            facts=tuple(self._facts(ordered)) if len(ordered) > 1 else (),
            value=value if math.isfinite(value) else None,
            breached=threshold.holds(value) if threshold else None,
            truncated=f"{len(finite) - KEPT} more series" if len(finite) > KEPT else "",
            gaps=gaps,
        )

    def reproduce(self, inquiry: Inquiry, clients: Clients) -> tuple[Reproduction, ...]:
        prometheus = clients.prometheus
        command = ["promtool", "query", "instant", f"--time={int(inquiry.now.timestamp())}", prometheus.url, self.query]
        return (
            Reproduction(command=shlex.join(command)),
            Reproduction(link=prometheus.link(self.query, at=inquiry.now)),
        )

    @property
    def _unit(self) -> str:
        return self.unit or unit_of(self.query)

    def _summary(self, ordered: Sequence[Sample], threshold: Threshold | None) -> str:
        first = ordered[0]
        text = shown(first.value, self._unit)
        if len(ordered) > 1:
            text = f"{text} ({_name(first)}, {len(ordered)} series)"
        if threshold is None:
            return text
        bound = f"{threshold.operator} {shown(threshold.value, self._unit)}"
        return f"{text}, past {bound}" if threshold.holds(first.value) else f"{text}, not {bound}"

    def _facts(self, ordered: Sequence[Sample]) -> list[str]:
        return [f"{_name(sample)}: {shown(sample.value, self._unit)}" for sample in ordered[:LISTED]]


def _brief(value: str, sample: Sample) -> str:
    return f"{value} ({_name(sample)})" if sample.labels.keys() - {"__name__"} else value


def _ordered(samples: list[Sample], threshold: Threshold | None) -> list[Sample]:
    low = threshold is not None and threshold.operator.startswith("<")
    return sorted(samples, key=lambda sample: sample.value, reverse=not low)


def _name(sample: Sample) -> str:
    return name_of(Series(labels=sample.labels, points=()))
