"""The set of runbooks in use, and which of them answers an alert."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from responder.model.communication import StatusTemplates
from responder.model.escalation import EscalationPolicy
from responder.model.runbook import Runbook
from responder.runbooks.matchers import Matchers, literals, parse, plain, prefix

NAME, PLAIN_NAME = "alertname", "alertname_plain"
"""The alert's name, and a label that every alert has for matching: the name without case and separators."""

NAMES = 4096
"""Names of alerts whose claims are remembered: alerts of one name come again and again."""

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
        self._by_value: dict[tuple[str, str], list[_Claim]] = {}
        self._by_prefix: dict[tuple[str, str], list[_Claim]] = {}
        self._others: list[_Claim] = []
        index = {"value": self._by_value, "prefix": self._by_prefix}
        for claim in claims:
            places = _places(claim.matchers)
            for where, key in places:
                index[where].setdefault(key, []).append(claim)
            if not places:
                self._others.append(claim)
        self._named = lru_cache(maxsize=NAMES)(self._claims_of)
        self._prefixes = sorted({(label, len(begin)) for label, begin in self._by_prefix})

    def match(self, labels: Mapping[str, str]) -> Runbook:
        """The runbook that answers an alert with these labels."""
        named = to_match(labels)
        fitting = (claim for claim in self._named(named[NAME]) if claim.matchers.matches(named))
        return next((claim.runbook for claim in fitting), LAST_RESORT)

    def _claims_of(self, name: str) -> Sequence[_Claim]:
        """The claims whose conditions on the name hold for it, the best first."""
        named = to_match({NAME: name})
        lists = [self._others, *(self._by_value.get((label, named[label]), ()) for label in (NAME, PLAIN_NAME))]
        lists += [self._by_prefix.get((label, named[label][:length]), ()) for label, length in self._prefixes]
        return sorted(
            claim
            for claims in lists
            for claim in claims
            if all(one.matches(named) for one in claim.matchers.matchers if one.name in named)
        )

    def get(self, name: str) -> Runbook:
        """The runbook of that name, or the default one where it is gone."""
        return self.runbooks.get(name, self.default)


def to_match(labels: Mapping[str, str]) -> dict[str, str]:
    """The labels of an alert as matchers of runbooks see them."""
    name = labels.get(NAME, "")
    return {**labels, NAME: name, PLAIN_NAME: plain(name)}


def _places(matchers: Matchers) -> Sequence[tuple[str, tuple[str, str]]]:
    """Where the index has a claim: under values of a name, or what they begin with; nowhere where neither is known."""
    for label in (NAME, PLAIN_NAME):
        if (values := literals(matchers, label)) is not None:
            return [("value", (label, value)) for value in dict.fromkeys(values)]
        if begin := prefix(matchers, label):
            return [("prefix", (label, begin))]
    return ()
