"""Procedures: ordered steps for people, and where an incident stands in them."""

from enum import StrEnum

from pydantic import AwareDatetime

from responder.model.record import Record


class StepState(StrEnum):
    """What became of a step. A failed one is still to be done."""

    TODO = "todo"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"

    @property
    def settled(self) -> bool:
        """Whether what comes after it may begin."""
        return self in (StepState.DONE, StepState.SKIPPED)


class StepMark(Record):
    """What somebody said of a step. `seen` is what the machine's check saw, where it was asked."""

    step: str
    state: StepState
    by: str = ""
    at: AwareDatetime
    note: str = ""
    seen: str = ""


class ProcedureLine(Record):
    """A step as it is shown: its command filled in, its state, and whether it is the next one.

    `trouble` says why the command could not be filled in; it is then shown as the runbook has it.
    `waits_for` are the steps it needs that are not settled.
    """

    id: str
    title: str
    command: str = ""
    trouble: str = ""
    check: str = ""
    machine: str = ""
    danger: bool = False
    advice: str = ""
    needs: tuple[str, ...] = ()
    waits_for: tuple[str, ...] = ()
    next: bool = False
    state: StepState = StepState.TODO
    by: str = ""
    at: AwareDatetime | None = None
    note: str = ""
    seen: str = ""
