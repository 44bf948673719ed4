"""`prometheus.range`: the course of an expression around the start of the alert."""

from datetime import timedelta

from pydantic import Field

from responder.clients import Clients
from responder.model.evidence import Observation, Reproduction, Threshold, ThresholdText
from responder.model.runbook import Duration
from responder.probes import Inquiry, Probe
from responder.probes._charting import Drawing, Window, unit_of
from responder.templating import PromQL


class PrometheusRange(Probe):
    """The course of an expression around the start of the alert, with a chart. `value` is the latest."""

    query: PromQL = Field(description="the expression")
    unit: str = Field("", description="`seconds`, `bytes`, `ratio`, `percent`, or a word to put behind numbers")
    threshold: ThresholdText = Field(
        "", description="an operator, a space and a number: `> 0.5`; beyond it the value is bad"
    )
    before: Duration = Field(timedelta(hours=1), description="how long before the alert began")
    after: Duration | None = Field(None, description="how long after the alert began; until now if empty")

    async def run(self, inquiry: Inquiry, clients: Clients) -> Observation:
        return await self._drawing(inquiry).draw(clients.prometheus, inquiry)

    def reproduce(self, inquiry: Inquiry, clients: Clients) -> tuple[Reproduction, ...]:
        return self._drawing(inquiry).reproduce(clients.prometheus)

    def _drawing(self, inquiry: Inquiry) -> Drawing:
        window = Window.around(inquiry, self.before, self.after)
        threshold = Threshold.parse(self.threshold) if self.threshold else None
        return Drawing(self.query, window, self.unit or unit_of(self.query), threshold)
