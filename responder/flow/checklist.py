"""Checklist: a runbook's procedure as it stands for an incident. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from responder.errors import ConfigError
from responder.model.incident import AlertState, TrackedAlert
from responder.model.labels import meant
from responder.model.procedure import ProcedureLine, StepMark
from responder.model.runbook import ProcedureStep, Runbook
from responder.model.subject import Target
from responder.templating import render_text
from responder.templating.escaping import Language


def lines(
    runbook: Runbook, target: Target, tracked: Sequence[TrackedAlert], marks: Mapping[str, StepMark]
) -> tuple[ProcedureLine, ...]:
    """The procedure of an incident as it stands."""
    context = context_of(target, tracked)
    made: list[ProcedureLine] = []
    found_next = False
    for step in runbook.procedure:
        mark = marks.get(step.id)
        waits_for = unsettled(step, marks)
        settled = mark is not None and mark.state.settled
        is_next = not found_next and not settled and not waits_for
        found_next = found_next or is_next
        command, trouble = _filled(step.command, context)
        made.append(
            ProcedureLine(
                id=step.id,
                title=step.title,
                command=command,
                trouble=trouble,
                check=step.check,
                machine=f"{step.verify.step}: {step.verify.expect}" if step.verify else "",
                danger=step.danger,
                advice=step.note,
                needs=step.needs,
                waits_for=waits_for,
                next=is_next,
                **(mark.model_dump(exclude={"step"}) if mark else {}),
            )
        )
    return tuple(made)


def unsettled(step: ProcedureStep, marks: Mapping[str, StepMark]) -> tuple[str, ...]:
    """The steps that it needs and that are neither done nor skipped."""
    return tuple(need for need in step.needs if need not in marks or not marks[need].state.settled)


def context_of(target: Target, tracked: Sequence[TrackedAlert]) -> dict[str, Any]:
    """What templates may name of an incident: the labels of its first alert that is not over, and its target."""
    first = next(
        (alert for alert in tracked if alert.state is not AlertState.RESOLVED), tracked[0] if tracked else None
    )
    return {
        "labels": meant(first.labels) if first else {},
        "annotations": dict(first.annotations) if first else {},
        "target": target.model_dump(),
    }


def _filled(command: str, context: Mapping[str, Any]) -> tuple[str, str]:
    try:
        return render_text(command, Language.SHELL, context).rstrip("\n"), ""
    except ConfigError as error:
        return command.rstrip("\n"), str(error)
