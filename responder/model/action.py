"""An action of an incident: what it would change, who agreed, and what came of it."""

from enum import StrEnum
from typing import Any, Literal

from pydantic import AwareDatetime, Field

from responder.model.record import Record

Mode = Literal["suggest", "approve", "auto"]
"""Shown only, done once a person agreed, or done by itself."""
EVERYWHERE = "*"


class ActionState(StrEnum):
    """Where an attempt stands.

    `unknown`: Responder ended, or lost the answer, while the change was made: somebody has to look.
    """

    PROPOSED = "proposed"
    PREVIEWED = "previewed"
    APPROVED = "approved"
    RUNNING = "running"
    DONE = "done"
    VERIFIED = "verified"
    FAILED = "failed"
    REFUSED = "refused"
    EXPIRED = "expired"
    UNKNOWN = "unknown"

    @property
    def waits(self) -> bool:
        """Whether somebody may still approve it."""
        return self in (ActionState.PROPOSED, ActionState.PREVIEWED)

    @property
    def under_way(self) -> bool:
        """Whether it is agreed on, and has no outcome yet."""
        return self in (ActionState.APPROVED, ActionState.RUNNING)

    @property
    def over(self) -> bool:
        """Whether nothing comes of it any more."""
        return not (self.waits or self.under_way)


class Change(Record):
    """One request that changes something; `body` may hold what must not be kept."""

    verb: Literal["patch", "create", "evict", "silence"]
    resource: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""
    body: Any = None


class Preview(Record):
    """What an action would do now, in one sentence; `refusal` says why it will not.

    `objects` are what it changes (`cluster/namespace/kind/name`, which the cool-down goes by), `uids` tell them from
    others of the same name, `namespaces` are where they are, `*` for what has none. `warnings` are worth knowing and
    forbid nothing. The changes themselves are never kept: they are made anew right before they are sent, and what they
    come to has to be what was approved.
    """

    text: str
    objects: tuple[str, ...] = ()
    uids: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    undo: str = ""
    warnings: tuple[str, ...] = ()
    refusal: str = ""
    changes: tuple[Change, ...] = Field(default=(), exclude=True, repr=False)

    def same(self, other: "Preview") -> bool:
        """Whether both come to the same."""
        return all(getattr(self, name) == getattr(other, name) for name in ("text", "objects", "uids", "commands"))


class Attempt(Record):
    """One attempt at an action of an incident, numbered from 1; the latest one counts.

    `expires_at` ends the proposal and the approval. `checked` says what the verification saw, once it was made.
    """

    incident_id: str
    action: str
    number: int = 1
    kind: str
    title: str
    mode: Mode
    state: ActionState = ActionState.PROPOSED
    proposed_at: AwareDatetime
    expires_at: AwareDatetime
    preview: Preview | None = None
    previewed_at: AwareDatetime | None = None
    approved_by: str = ""
    approved_at: AwareDatetime | None = None
    started_at: AwareDatetime | None = None
    finished_at: AwareDatetime | None = None
    outcome: str = ""
    checked: str = ""
    checked_at: AwareDatetime | None = None


class ActionLine(Record):
    """An action as it stands for an incident: what the page, the API and messages show.

    `mode` is what policy leaves of the runbook's; `hindrance` says why nobody can approve it now, if so.
    `fits`: the findings call for it, as far as the runbook says for which causes it is.
    """

    id: str
    kind: str
    title: str
    mode: Mode
    fits: bool = True
    hindrance: str = ""
    attempt: Attempt | None = None

    @property
    def state(self) -> ActionState | None:
        """Where the latest attempt stands; None where there was none."""
        return self.attempt.state if self.attempt else None


class Stop(Record):
    """Nothing is changed any more; with the scope `auto` only what nobody approves. Over once it is resumed."""

    scope: Literal["all", "auto"] = "all"
    by: str = ""
    at: AwareDatetime
    why: str = ""
    resumed_by: str = ""
    resumed_at: AwareDatetime | None = None
