"""Justify: which finding an action answers, and so which object it changes. Pure.

A finding of the right cause about another object justifies nothing, and neither does one that is only possible.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from responder.actions import Action
from responder.errors import ConfigError
from responder.model.finding import Confidence, Finding
from responder.model.runbook import ActionProposal
from responder.model.subject import Subject, Target
from responder.plugins import Catalog
from responder.templating import render


@dataclass(frozen=True)
class Justification:
    """Why an action may be made. Without a finding it answers whatever is found, and changes the incident's object."""

    finding: Finding | None = None
    changes: Subject | None = None

    def target(self, incident: Target) -> Target:
        """Where the action is made."""
        return incident.at(self.changes) if self.changes else incident


@dataclass(frozen=True)
class Offers:
    """What the findings of an incident justify; `context` is what templates in options may name."""

    kinds: Catalog[Action]
    findings: Sequence[Finding]
    target: Target
    context: Mapping[str, object]

    def justification(self, proposal: ActionProposal) -> Justification | None:
        """The best finding that the action answers; None where there is none."""
        if not proposal.causes:
            return Justification()
        try:
            kind = self.kinds.find(proposal.action)
        except ConfigError:
            return None
        options = self._texts(kind, proposal)
        for finding in _answered(proposal, self.findings):
            if changes := kind.object_among(_about(finding), options, self.target):
                return Justification(finding, changes)
        return None

    def is_certain(self, proposal: ActionProposal) -> bool:
        """Whether it may be made without a person: the best finding is certain, and justifies it."""
        best, found = next(iter(self.findings), None), self.justification(proposal)
        if best is None or found is None or best.confidence is not Confidence.CERTAIN:
            return False
        return found.finding == best

    def why_not(self, proposal: ActionProposal) -> str:
        """Why nothing justifies it; empty where something does."""
        if self.justification(proposal) is not None:
            return ""
        if answered := _answered(proposal, self.findings):
            return f"the finding is about {answered[0].subject}, which it does not change"
        if possible := [finding for finding in self.findings if finding.cause in proposal.causes]:
            return f"that {possible[0].subject} has this cause is only possible"
        return f"it is for other findings: {', '.join(proposal.causes)}"

    def _texts(self, kind: type[Action], proposal: ActionProposal) -> Mapping[str, str]:
        """The texts among the options; without those whose templates name what only a preview knows."""
        texts: dict[str, str] = {}
        for name, value in proposal.options.items():
            try:
                if isinstance(value, str):
                    texts |= render(kind, {name: value}, self.context)
            except ConfigError:
                continue
        return texts


def _answered(proposal: ActionProposal, findings: Sequence[Finding]) -> Sequence[Finding]:
    sure = [finding for finding in findings if finding.confidence is not Confidence.POSSIBLE]
    return [finding for finding in sure if finding.cause in proposal.causes]


def _about(finding: Finding) -> Sequence[Subject]:
    objects = [finding.subject, *([finding.owner] if finding.owner else ())]
    return [
        one if one.container or not finding.container else one.model_copy(update={"container": finding.container})
        for one in objects
    ]
