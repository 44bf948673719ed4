"""`prometheus.query`: the value of an expression now."""

from pydantic import field_validator

from responder.clients import Clients
from responder.model.evidence import Observation, Reproduction, Sample, Samples, Threshold
from responder.model.numbers import shown
from responder.probes import Inquiry, Probe
from responder.runbooks.templating import PromQL

LISTED = 8


class PrometheusQuery(Probe):
    """The value of an expression now; with several series the one furthest past the threshold, else the largest."""

    query: PromQL
    unit: str = ""
    threshold: str = ""

    @field_validator("threshold")
    @classmethod
    def _threshold(cls, text: str) -> str:
        if text:
            Threshold.parse(text)
        return text

    async def run(self, inquiry: Inquiry, clients: Clients) -> Observation:
        samples = [s for s in await clients.prometheus.query(self.query, at=inquiry.now) if s.value == s.value]
        data = Samples(query=self.query, at=inquiry.now, samples=tuple(samples[:500]))
        if not samples:
            return Observation(summary="no data: no series has a value now", data=data, empty=True)
        threshold = Threshold.parse(self.threshold) if self.threshold else None
        low = threshold is not None and threshold.operator.startswith("<")
        ordered = sorted(samples, key=lambda sample: sample.value, reverse=not low)
        value = ordered[0].value
        return Observation(
            summary=self._summary(ordered, threshold),
            data=data,
            facts=tuple(f"{_name(sample)}: {shown(sample.value, self.unit)}" for sample in ordered[:LISTED])
            if len(ordered) > 1
            else (),
            value=value,
            breached=threshold.holds(value) if threshold else None,
            truncated=f"{len(samples) - 500} more series" if len(samples) > 500 else "",
        )

    def reproduce(self, inquiry: Inquiry, clients: Clients) -> tuple[Reproduction, ...]:
        return (Reproduction(link=clients.prometheus.link(self.query, at=inquiry.now)),)

    def _summary(self, ordered: list[Sample], threshold: Threshold | None) -> str:
        first = ordered[0]
        text = shown(first.value, self.unit)
        if len(ordered) > 1:
            text = f"{text} ({_name(first)}, {len(ordered)} series)"
        if threshold is None:
            return text
        bound = f"{threshold.operator} {shown(threshold.value, self.unit)}"
        return f"{text}, past {bound}" if threshold.holds(first.value) else f"{text}, not {bound}"


def _name(sample: Sample) -> str:
    labels = {name: value for name, value in sample.labels.items() if name != "__name__"}
    preferred = [labels[name] for name in ("pod", "deployment", "node", "instance", "state") if name in labels]
    return preferred[0] if preferred else ", ".join(f"{name}={value}" for name, value in labels.items()) or "value"
