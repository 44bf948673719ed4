"""What can be wrong with a runbook beyond its form: names of probes, options, templates, conditions, causes."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from responder.actions import Action
from responder.detectors import Detectors
from responder.errors import ConfigError
from responder.model.communication import StatusTemplates
from responder.model.escalation import EscalationPolicy
from responder.model.runbook import ActionProposal, Runbook, Step
from responder.model.subject import Target
from responder.plugins import Catalog, did_you_mean
from responder.probes import Probe
from responder.runbooks.conditions import Condition
from responder.runbooks.matchers import MatcherError, parse
from responder.runbooks.queries import query_problem
from responder.templating import NAMES, language_of, templated
from responder.templating import check as check_template
from responder.templating.escaping import Language

Path = Sequence[object]
Found = Iterator[tuple[Path, str]]
PUBLIC_FIELDS = ("title", "component", "place", "cause", "severity", "since", "duration", "number")
FIELDS = tuple(Target.model_fields)
_STRING = re.compile(r"""("|')(?:[^\\]|\\.)*?\1""")
RUNBOOK_NAMES = tuple(name for name in NAMES if name != "incident")


@dataclass(frozen=True)
class Checker:
    """Checks runbooks against what is there."""

    probes: Catalog[Probe]
    detectors: Detectors
    actions: Catalog[Action]
    templates: Sequence[str] = ()

    def check(self, runbook: Runbook) -> Found:
        """What is wrong, as (path of keys, message)."""
        for index, text in enumerate(runbook.match):
            try:
                parse(text)
            except MatcherError as error:
                yield ("match", index), str(error)
        for name, text in runbook.target:
            yield from _template(("target", name), text)
        for index, step in enumerate(runbook.investigate):
            yield from self._step(step, ("investigate", index), judged=not runbook.awaits(step))
        yield from self._rules(runbook)
        yield from _names(runbook)
        for index, check in enumerate(runbook.verify):
            if check.expect:
                yield from _condition(("verify", index, "expect"), check.expect)
        yield from self._procedure(runbook)
        causes = {**self.detectors.causes, **{cause.slug: cause for cause in runbook.causes}}
        for index, proposal in enumerate(runbook.actions):
            yield from self._action(proposal, causes, ("actions", index))

    def _action(self, proposal: ActionProposal, causes: Mapping[str, object], path: Path) -> Found:
        for cause in proposal.causes:
            if cause not in causes:
                yield (*path, "causes"), f"unknown cause {cause!r}{did_you_mean(cause, causes)}"
        try:
            action = self.actions.find(proposal.action)
        except ConfigError as error:
            yield (*path, "action"), str(error)
            return
        for option, value in proposal.options.items():
            yield from _templates((*path, option), value)
        for option, message in option_problems(action, proposal.options):
            yield (*path, option) if option else path, message

    def _procedure(self, runbook: Runbook) -> Found:
        for index, step in enumerate(runbook.procedure):
            yield from _template(("procedure", index, "command"), step.command, Language.SHELL)
            if step.verify is not None:
                yield from _condition(("procedure", index, "verify", "expect"), step.verify.expect)
        if runbook.communicate is not None and runbook.communicate.templates not in self.templates:
            wanted = runbook.communicate.templates
            near = did_you_mean(wanted, list(self.templates))
            yield ("communicate", "templates"), f"unknown set of templates {wanted!r}{near}"

    def _step(self, step: Step, path: Path, *, judged: bool) -> Found:
        try:
            probe = self.probes.find(step.probe)
        except ConfigError as error:
            yield (*path, "probe"), str(error)
            return
        for option, value in step.options.items():
            yield from _templates((*path, option), value)
            if isinstance(value, str) and (problem := query_problem(value, language_of(probe, option))):
                yield (*path, option), problem
        for option, message in option_problems(probe, step.options, judged=judged):
            yield (*path, option) if option else path, message
        if step.when:
            yield from _condition((*path, "when"), step.when)

    def _rules(self, runbook: Runbook) -> Found:
        steps = [step.id for step in runbook.investigate]
        causes = {**self.detectors.causes, **{cause.slug: cause for cause in runbook.causes}}
        for index, rule in enumerate(runbook.diagnose):
            path = ("diagnose", index)
            if rule.use and not any(self.detectors.family(rule.use)):
                yield (*path, "use"), f"unknown detectors {rule.use!r}{did_you_mean(rule.use, self.detectors.families)}"
            if rule.when:
                yield from _condition((*path, "when"), rule.when)
            yield from _template((*path, "cleared"), rule.cleared)
            if rule.finding is None:
                continue
            if rule.finding.cause not in causes:
                near = did_you_mean(rule.finding.cause, causes)
                near = near if near.startswith(", did") else ": add it under causes"
                yield (*path, "finding", "cause"), f"unknown cause {rule.finding.cause!r}{near}"
            for name in ("subject", "headline", "explanation"):
                yield from _template((*path, "finding", name), getattr(rule.finding, name))
            for name in rule.finding.evidence:
                if name not in steps:
                    yield (*path, "finding", "evidence"), f"{name!r} is no step{did_you_mean(name, steps)}"


def _names(runbook: Runbook) -> Found:
    """Steps and fields that conditions and texts name, and that there are not."""
    steps = [step.id for step in runbook.investigate]
    for index, step in enumerate(runbook.investigate):
        yield from _unknown(("investigate", index, "when"), step.when, steps, step.needs)
    for index, check in enumerate(runbook.verify):
        yield from _unknown(("verify", index, "expect"), check.expect, steps)
    for index, rule in enumerate(runbook.diagnose):
        yield from _unknown(("diagnose", index, "when"), rule.when, steps)
        yield from _unknown(("diagnose", index, "cleared"), rule.cleared, steps)
        if rule.finding is not None:
            for name in ("subject", "headline", "explanation"):
                path = ("diagnose", index, "finding", name)
                yield from _unknown(path, getattr(rule.finding, name), steps)


def _unknown(path: Path, text: str, steps: Sequence[str], needed: Sequence[str] | None = None) -> Found:
    """Of a condition or a text with templates."""
    bare = _STRING.sub('""', text)
    for name in dict.fromkeys(re.findall(r"(?<![\w.])evidence\.(\w+)", bare)):
        if name not in steps:
            yield path, f"evidence.{name}: there is no such step{did_you_mean(name, steps)}"
        elif needed is not None and name not in needed:
            yield path, f"evidence.{name}: add {name} to the step's needs, else it may not be there yet"
    for name in dict.fromkeys(re.findall(r"(?<![\w.])target\.(\w+)", bare)):
        if name not in FIELDS:
            yield path, f"target.{name}: there is no such field{did_you_mean(name, FIELDS)}"


def option_problems(
    model: type[BaseModel], options: Mapping[str, Any], *, judged: bool = True
) -> Iterator[tuple[str, str]]:
    """What is wrong with the options of a plugin, as (option, message); values with templates are not judged.

    What options come to together is judged where no number is among those.
    """
    given = {name: value for name, value in options.items() if judged and not _has_template(value)}
    numbers = [name for name in set(options) - set(given) if language_of(model, name) is None]
    try:
        model.model_validate(given)
    except ValidationError as error:
        for item in error.errors(include_url=False, include_context=False, include_input=False):
            option = str(item["loc"][0]) if item["loc"] else ""
            if (item["type"] == "missing" and option in options) or (not option and numbers):
                continue
            if item["type"] == "extra_forbidden":
                known = list(model.model_fields)
                yield option, f"unknown option {option!r}{did_you_mean(option, known)}"
            else:
                yield option, item["msg"]
    for option in set(options) - set(given) - set(model.model_fields):
        yield option, f"unknown option {option!r}{did_you_mean(option, list(model.model_fields))}"


def _has_template(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_has_template, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_has_template, value))
    return templated(value)


def _templates(path: Path, value: Any) -> Found:
    if isinstance(value, str):
        yield from _template(path, value)
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from _templates((*path, name), item)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _templates((*path, index), item)


def check_escalation(policy: EscalationPolicy) -> Found:
    """What is wrong with a policy: its chains name levels that it does not have."""
    for severity, urgency in policy.severities.items():
        for index, step in enumerate(urgency.chain):
            if step.level not in policy.levels:
                near = did_you_mean(step.level, list(policy.levels))
                yield ("severities", severity.value, "chain", index, "level"), f"unknown level {step.level!r}{near}"


def check_templates(templates: StatusTemplates) -> Found:
    """What is wrong with texts for the public: they know of the incident what is safe to tell."""
    for state, text in templates.updates.items():
        for name in ("title", "body"):
            path = ("updates", state, name)
            yield from _template(path, getattr(text, name), known=("incident",))
            yield from _not_public(path, getattr(text, name))
    yield from _template(("review",), templates.review, known=("incident",))


def _not_public(path: Path, text: str) -> Found:
    try:
        named = check_template(text)
    except ConfigError:
        return
    for name, entry in named:
        if name == "incident" and entry and entry not in PUBLIC_FIELDS:
            yield path, f"incident.{entry} is for the review only{did_you_mean(entry, list(PUBLIC_FIELDS))}"


def _template(
    path: Path, text: str, language: Language = Language.PLAIN, known: Sequence[str] = RUNBOOK_NAMES
) -> Found:
    try:
        for name, _ in check_template(text, language):
            if name not in known:
                yield path, f"{name!r} is not known here{did_you_mean(name, list(known))}"
    except ConfigError as error:
        yield path, str(error)


def _condition(path: Path, source: str) -> Found:
    try:
        Condition(source)
    except ConfigError as error:
        yield path, str(error)
