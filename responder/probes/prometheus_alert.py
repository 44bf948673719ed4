"""`prometheus.alert`: the alert's own expression, drawn around its start."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from pydantic import Field

from responder.clients import Clients
from responder.model.alert import Alert
from responder.model.evidence import Observation, Reproduction, Series
from responder.model.incident import TrackedAlert
from responder.model.runbook import Duration
from responder.probes import Inquiry, Probe
from responder.probes._charting import Drawing, Window, unit_of
from responder.probes._expression import LONGEST, Parts, parts


class PrometheusAlert(Probe):
    """The alert's own expression, drawn around its start with the bound that it is compared with.

    The expression is in the alert's generatorURL, which is never fetched; where it is not, Prometheus is asked
    for the rule of that name. Of its series those are shown that the alerts are about.
    """

    unit: str = Field(
        "", description="`seconds`, `bytes`, `ratio`, `percent`, or a word; guessed from the metric's name"
    )
    before: Duration = Field(timedelta(hours=1), description="how long before the alert began")
    after: Duration | None = Field(None, description="how long after the alert began; until now if empty")

    async def run(self, inquiry: Inquiry, clients: Clients) -> Observation:
        expression = expression_of(inquiry.alerts) or rule_of(inquiry.alerts, await clients.prometheus.rules())
        if not expression:
            return Observation(
                summary="no expression: the alert's generatorURL has none, and Prometheus has no rule of its name",
                empty=True,
            )
        taken = parts(expression)
        seen = await self._drawing(inquiry, taken).draw(clients.prometheus, inquiry)
        fact = (f"the alert has another condition: {taken.condition}",) if taken.condition else ()
        return seen.model_copy(update={"facts": (*seen.facts, *fact)})

    def reproduce(self, inquiry: Inquiry, clients: Clients) -> tuple[Reproduction, ...]:
        expression = expression_of(inquiry.alerts)
        return self._drawing(inquiry, parts(expression)).reproduce(clients.prometheus) if expression else ()

    def _drawing(self, inquiry: Inquiry, taken: Parts) -> Drawing:
        window = Window.around(inquiry, self.before, self.after)
        unit = self.unit or unit_of(taken.query)
        return Drawing(taken.query, window, unit, taken.threshold, lambda series: _about(series, inquiry.alerts))


def expression_of(alerts: Iterable[Alert]) -> str:
    """The expression in the first generatorURL that has one (`g0.expr`), or empty."""
    for alert in alerts:
        try:
            found = parse_qs(urlsplit(alert.generator_url).query).get("g0.expr", [""])[0].strip()
        except ValueError:
            continue
        if found and len(found) <= LONGEST:
            return found
    return ""


def rule_of(alerts: Sequence[Alert], rules: Sequence[Mapping[str, Any]]) -> str:
    """The expression of the rule that has the alert's name and labels, or empty."""
    for alert in alerts:
        if rule := fitting_rule(alert, rules):
            return str(rule.get("query", ""))
    return ""


def fitting_rule(alert: Alert | TrackedAlert, rules: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The rule that has the alert's name and labels, or at least its name."""
    named = [rule for rule in rules if alert.name and rule.get("name") == alert.name]
    fitting = [rule for rule in named if _agree(rule.get("labels") or {}, alert.labels)]
    return next(iter(fitting or named), None)


def _agree(rule: Mapping[str, str], alert: Mapping[str, str]) -> bool:
    return all("{{" in value or alert.get(name) == value for name, value in rule.items())


def _about(series: Series, alerts: Sequence[Alert]) -> bool:
    """Whether an alert has the labels of the series, as far as it has labels of these names."""
    labels = {name: value for name, value in series.labels.items() if name != "__name__"}
    return any(all(alert.labels.get(name, value) == value for name, value in labels.items()) for alert in alerts)
