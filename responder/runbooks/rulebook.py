"""The set of runbooks in use, and which of them answers an alert."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from responder.model.communication import StatusTemplates
from responder.model.escalation import EscalationPolicy
from responder.model.runbook import Runbook
from responder.runbooks.matchers import Matchers, literal_names, literal_prefix, parse

LAST_RESORT = Runbook.model_validate(
    {
        "apiVersion": "responder/v1",
        "kind": "Runbook",
        "metadata": {"name": "unclaimed", "title": "No runbook claims this alert"},
        "match": ["{}"],
        "priority": -1_000_000,
    }
)
"""What answers when not even the default triage runbook is loaded."""


@dataclass(frozen=True, order=True)
class _Claim:
    """One matcher list of one runbook; the smallest that fits wins."""

    rank: tuple[int, int, str]
    matchers: Matchers = field(compare=False)
    runbook: Runbook = field(compare=False)


class Rulebook:
    """Everything that the rules say: escalation policies, texts for the public, and the runbooks.

    Runbooks by name, with an index by alert name so that many cost about what few do.
    """

    def __init__(
        self,
        runbooks: Iterable[Runbook],
        escalations: Iterable[EscalationPolicy] = (),
        templates: Iterable[StatusTemplates] = (),
    ) -> None:
        self.escalations: Mapping[str, EscalationPolicy] = {policy.name: policy for policy in escalations}
        self.templates: Mapping[str, StatusTemplates] = {known.name: known for known in templates}
        self.runbooks: Mapping[str, Runbook] = {runbook.name: runbook for runbook in runbooks}
        claims = sorted(
            _Claim((-runbook.priority, -len(matchers.matchers), runbook.name), matchers, runbook)
            for runbook in self.runbooks.values()
            for matchers in map(parse, runbook.match)
        )
        self.default = next((claim.runbook for claim in reversed(claims) if not claim.matchers.matchers), LAST_RESORT)
        self._by_name: dict[str, list[_Claim]] = {}
        self._by_prefix: dict[str, list[_Claim]] = {}
        self._others: list[_Claim] = []
        for claim in claims:
            names, prefix = literal_names(claim.matchers), literal_prefix(claim.matchers)
            if names is not None:
                for name in dict.fromkeys(names):
                    self._by_name.setdefault(name, []).append(claim)
            elif prefix:
                self._by_prefix.setdefault(prefix, []).append(claim)
            else:
                self._others.append(claim)
        self._prefix_lengths = sorted({len(prefix) for prefix in self._by_prefix})

    def match(self, labels: Mapping[str, str]) -> Runbook:
        """The runbook that answers an alert with these labels."""
        name = labels.get("alertname", "")
        lists = [self._by_name.get(name, ()), self._others]
        lists += [self._by_prefix.get(name[:length], ()) for length in self._prefix_lengths if length <= len(name)]
        best: _Claim | None = None
        for claims in lists:
            for claim in claims:
                if best is not None and not claim < best:
                    break
                if claim.matchers.matches(labels):
                    best = claim
                    break
        return best.runbook if best else LAST_RESORT

    def get(self, name: str) -> Runbook:
        """The runbook of that name, or the default one where it is gone."""
        return self.runbooks.get(name, self.default)
