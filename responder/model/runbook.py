"""What a runbook file may say (`apiVersion: responder/v1`, `kind: Runbook`)."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, JsonValue, StringConstraints, model_validator

from responder.model.finding import Cause, Confidence
from responder.model.incident import Severity
from responder.model.record import Record

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}


def duration(value: object) -> object:
    """Read a Prometheus duration (`90s`, `1h30m`); anything else is left to the caller."""
    if not isinstance(value, str):
        return value
    rest, total = value.strip(), 0.0
    while rest:
        digits = len(rest) - len(rest.lstrip("0123456789"))
        number, rest = rest[:digits], rest[digits:]
        unit = "ms" if rest.startswith("ms") else rest[:1]
        if not number or unit not in _UNITS:
            raise ValueError(f"{value!r} is not a duration: write it as 30s, 5m, 1h30m or 1d")
        total, rest = total + int(number) * _UNITS[unit], rest[len(unit) :]
    return timedelta(seconds=total)


Duration = Annotated[timedelta, BeforeValidator(duration)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,98}[a-z0-9])?$")]
StepId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]


class _Open(Record):
    """A record whose other keys are the options of the plugin that it names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    options: Mapping[str, JsonValue] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _collect(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        known = {field.alias or name for name, field in cls.model_fields.items()}
        rest = {key: item for key, item in value.items() if key not in known}
        given = value.get("options", {})
        return {key: item for key, item in value.items() if key in known} | {"options": {**given, **rest}}


class Metadata(Record):
    """Who the runbook is."""

    name: Name
    title: str
    source: str = ""
    description: str = ""


def _variable(value: object) -> object:
    return {"value": value} if isinstance(value, str) else value


class Variable(Record):
    """What differs from team to team; the settings' `variables` set it. A text alone is its value.

    `inside` is the value where Responder runs in the one cluster that it looks at. Values may hold templates.
    """

    value: str = ""
    inside: str = ""
    about: str = ""


class Step(_Open):
    """One question: which probe, with which options (all other keys).

    `needs` are steps that come first (their evidence is `evidence.ID` in the templates); `when` is
    a CEL condition: where it is false the step is skipped. `timeout` bounds this step alone.
    """

    id: StepId
    probe: str
    title: str = ""
    needs: tuple[StepId, ...] = ()
    when: str = ""
    timeout: Duration | None = None


class RuleFinding(Record):
    """A finding that a condition concludes. Texts are templates over labels, target and evidence."""

    cause: str
    subject: str = ""
    confidence: Confidence = Confidence.POSSIBLE
    headline: str
    explanation: str = ""
    next_steps: tuple[str, ...] = ()
    evidence: tuple[StepId, ...] = ()


class Rule(Record):
    """`when` (CEL over `evidence`, `labels`, `target`) with `finding` or `cleared`; or `use`: built-in detectors.

    `use: kubernetes` runs the detectors whose family starts with that word, `use: all` every one.
    """

    when: str = ""
    finding: RuleFinding | None = None
    cleared: str = ""
    use: str = ""

    @model_validator(mode="after")
    def _one_way(self) -> "Rule":
        if bool(self.use) == bool(self.when) or (self.when and bool(self.finding) == bool(self.cleared)):
            raise ValueError("write either 'use', or 'when' with 'finding' or 'cleared'")
        return self


class ActionProposal(_Open):
    """A change that may help: which action, with which options (all other keys), and who has to agree.

    `causes` are the findings that it answers, which have to be at least likely and about the object that it changes;
    empty: whatever was found. `auto` needs some, and acts only on the best finding, if that is certain. `verify` are
    the steps that show whether it helped, of those under the runbook's `verify`; empty: all of them.
    """

    id: StepId
    action: str
    title: str = ""
    mode: Literal["suggest", "approve", "auto"] = "suggest"
    causes: tuple[str, ...] = ()
    verify: tuple[StepId, ...] = ()

    @model_validator(mode="after")
    def _not_blind(self) -> "ActionProposal":
        if self.mode == "auto" and not self.causes:
            raise ValueError("mode auto needs 'causes': the findings that it answers")
        return self


class VerifyStep(Record):
    """What shows that it is fixed: a step asked again, or something a person has to try."""

    step: StepId | Literal[""] = ""
    expect: str = ""
    within: Duration = timedelta(minutes=10)
    manual: str = ""

    @model_validator(mode="after")
    def _one_way(self) -> "VerifyStep":
        if bool(self.step) == bool(self.manual):
            raise ValueError("write either 'step' with 'expect', or 'manual'")
        return self


class MachineCheck(Record):
    """A step of the investigation that is asked to see whether a step of the procedure worked."""

    step: StepId
    expect: str


class ProcedureStep(Record):
    """One step of a procedure, done by a person.

    `command` is a template in a shell's words, shown and never run by us; `check` says how to see that it worked,
    `verify` has a probe see it. `needs` are steps that have to be done before. `danger`: think twice.
    """

    id: StepId
    title: str
    command: str = ""
    check: str = ""
    verify: MachineCheck | None = None
    needs: tuple[StepId, ...] = ()
    danger: bool = False
    note: str = ""


class Communicate(Record):
    """What the public is told: by which set of templates, of which component, in which severities."""

    templates: Name
    component: str
    severities: tuple[Severity, ...] = (Severity.P0, Severity.P1)


class Heartbeat(Record):
    """The alert is a dead man's switch: never an incident while it fires, one when it stops.

    `within` is how long after the last delivery silence is an incident.
    """

    within: Duration


class Target(Record):
    """Where to look; each a template over `labels` and `annotations`. Absent ones come from the alert."""

    cluster: str = ""
    namespace: str = ""
    workload: str = ""
    pod: str = ""
    container: str = ""
    node: str = ""


class Runbook(Record):
    """Which alerts it answers, what to ask, how to conclude, what may be done, what to advise, how to verify.

    `match`: an alert is answered if one of the matcher lists (Alertmanager's grammar) fits. Of the
    runbooks that fit, the higher `priority` wins, then the one with more matchers, then the name. The
    incidents of a `quiet` one are kept and shown on the pages, and no sink is told of them.
    """

    api_version: Literal["responder/v1"] = Field(alias="apiVersion")
    kind: Literal["Runbook"]
    metadata: Metadata
    match: tuple[str, ...] = Field(min_length=1)
    symptoms: tuple[str, ...] = ()
    priority: int = 0
    group_by: tuple[str, ...] = ("namespace",)
    severity: Severity | None = None
    target: Target = Field(default_factory=Target)
    variables: Mapping[StepId, Annotated[Variable, BeforeValidator(_variable)]] = Field(default_factory=dict)
    heartbeat: Heartbeat | None = None
    quiet: bool = False
    deadline: Duration = timedelta(seconds=30)
    investigate: tuple[Step, ...] = ()
    diagnose: tuple[Rule, ...] = ()
    causes: tuple[Cause, ...] = ()
    actions: tuple[ActionProposal, ...] = ()
    advise: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    procedure: tuple[ProcedureStep, ...] = ()
    communicate: Communicate | None = None
    verify: tuple[VerifyStep, ...] = ()

    @property
    def name(self) -> str:
        """The runbook's name."""
        return self.metadata.name

    @property
    def values(self) -> Mapping[str, str]:
        """The variables' values, as conditions read them."""
        return {name: variable.value for name, variable in self.variables.items()}

    def awaits(self, step: Step) -> bool:
        """Whether a step is never asked, since its condition wants a variable that is not set."""
        wanted = re.findall(r"""\bvars\.(\w+)\s*!=\s*(?:""|'')""", step.when)
        return "||" not in step.when and any(not self.values.get(name) for name in wanted)

    @model_validator(mode="after")
    def _consistent(self) -> "Runbook":
        ids = [step.id for step in self.investigate]
        for twice in {name for name in ids if ids.count(name) > 1}:
            raise ValueError(f"two steps have the id {twice!r}")
        for step in self.investigate:
            for need in step.needs:
                if need not in ids:
                    raise ValueError(f"step {step.id!r} needs {need!r}, which is no step")
        checked = [check.step for check in self.verify]
        for name in checked:
            if name and name not in ids:
                raise ValueError(f"verify names the step {name!r}, which is no step")
        proposed = [action.id for action in self.actions]
        for twice in {name for name in proposed if proposed.count(name) > 1}:
            raise ValueError(f"two actions have the id {twice!r}")
        for action in self.actions:
            if missing := sorted(set(action.verify) - set(checked)):
                raise ValueError(f"action {action.id!r}: verify of the runbook has no step {missing[0]!r}")
        _refuse_cycle({step.id: step.needs for step in self.investigate})
        _check_procedure(self.procedure, ids)
        return self


def _check_procedure(procedure: tuple[ProcedureStep, ...], steps: list[str]) -> None:
    """Its order is its own: a step needs none that comes after it."""
    before: set[str] = set()
    for step in procedure:
        if step.id in before:
            raise ValueError(f"two steps of the procedure have the id {step.id!r}")
        for need in step.needs:
            if need not in before:
                raise ValueError(f"the procedure's step {step.id!r} needs {need!r}, which is no step before it")
        if step.verify is not None and step.verify.step not in steps:
            raise ValueError(f"the procedure's step {step.id!r} verifies by {step.verify.step!r}, which is no step")
        before.add(step.id)


def _refuse_cycle(needs: Mapping[str, tuple[str, ...]]) -> None:
    done: set[str] = set()
    while ready := [name for name, wanted in needs.items() if name not in done and done.issuperset(wanted)]:
        done.update(ready)
    if stuck := sorted(set(needs) - done):
        raise ValueError(f"the steps {', '.join(stuck)} need each other in a circle")
