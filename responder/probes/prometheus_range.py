"""`prometheus.range`: the course of an expression around the start of the alert."""

from datetime import timedelta

from pydantic import field_validator

from responder.clients import Clients
from responder.model.evidence import Observation, Reproduction, Threshold
from responder.model.runbook import Duration
from responder.probes import Inquiry, Probe
from responder.probes._charting import draw
from responder.runbooks.templating import PromQL


class PrometheusRange(Probe):
    """The course of an expression around the start of the alert, with a chart."""

    query: PromQL
    unit: str = ""
    threshold: str = ""
    before: Duration = timedelta(hours=1)

    @field_validator("threshold")
    @classmethod
    def _threshold(cls, text: str) -> str:
        if text:
            Threshold.parse(text)
        return text

    async def run(self, inquiry: Inquiry, clients: Clients) -> Observation:
        threshold = Threshold.parse(self.threshold) if self.threshold else None
        return await draw(
            clients.prometheus, inquiry, self.query, before=self.before, unit=self.unit, threshold=threshold
        )

    def reproduce(self, inquiry: Inquiry, clients: Clients) -> tuple[Reproduction, ...]:
        hours = (self.before + (inquiry.now - inquiry.started_at)).total_seconds() / 3600
        return (Reproduction(link=clients.prometheus.link(self.query, at=inquiry.now, hours=hours)),)
