"""`prometheus.alert`: the alert's own expression, drawn around its start."""

import re
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

from responder.clients import Clients
from responder.model.evidence import Observation, Reproduction, Threshold
from responder.model.runbook import Duration
from responder.probes import Inquiry, Probe
from responder.probes._charting import draw

_COMPARISON = re.compile(
    r"^(?P<left>.+\S)\s*(?P<operator>>=|<=|==|!=|>|<)\s*(?P<number>[-+]?[0-9.]+(?:e[-+]?[0-9]+)?)\s*$", re.S
)
_JOINED = re.compile(r"\b(?:and|or|unless|bool)\b")


class PrometheusAlert(Probe):
    """The alert's own expression, taken from its generatorURL (which is never fetched), drawn around its start."""

    unit: str = ""
    before: Duration = timedelta(hours=1)

    async def run(self, inquiry: Inquiry, clients: Clients) -> Observation:
        expression = expression_of(inquiry)
        if not expression:
            return Observation(summary="the alert does not say by which expression it fires", empty=True)
        query, threshold = split(expression)
        return await draw(clients.prometheus, inquiry, query, before=self.before, unit=self.unit, threshold=threshold)

    def reproduce(self, inquiry: Inquiry, clients: Clients) -> tuple[Reproduction, ...]:
        expression = expression_of(inquiry)
        if not expression:
            return ()
        return (Reproduction(link=clients.prometheus.link(split(expression)[0], at=inquiry.now)),)


def expression_of(inquiry: Inquiry) -> str:
    """The expression in the first alert's generatorURL (`g0.expr`), or empty."""
    for alert in inquiry.alerts:
        try:
            found = parse_qs(urlsplit(alert.generator_url).query).get("g0.expr", [""])[0]
        except ValueError:
            continue
        if found.strip():
            return found.strip()
    return ""


def split(expression: str) -> tuple[str, Threshold | None]:
    """The expression without its comparison with a number, and that number; a chart shows the one against the other."""
    found = _COMPARISON.match(expression)
    if found is None or _JOINED.search(expression) or not _balanced(found["left"]):
        return expression, None
    return found["left"], Threshold(operator=found["operator"], value=float(found["number"]))


def _balanced(text: str) -> bool:
    """Whether every bracket outside of strings is closed again."""
    depth = 0
    for part in re.findall(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|`[^`]*`|[()\[\]{}]', text):
        depth += {"(": 1, "[": 1, "{": 1}.get(part, 0) - {")": 1, "]": 1, "}": 1}.get(part, 0)
        if depth < 0:
            return False
    return depth == 0
