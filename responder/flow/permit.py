"""Permit: what the settings allow of an action, whoever asks for it. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from responder.flow.justify import Offers
from responder.model.action import EVERYWHERE, ActionLine, ActionState, Attempt, Mode, Preview, Stop
from responder.model.runbook import ActionProposal, Runbook
from responder.settings import Actions

HOUR = timedelta(hours=1)
_RANKS: Sequence[Mode] = ("suggest", "approve", "auto")
_CEILINGS: Mapping[str, Mode] = {"none": "suggest", "approve": "approve", "auto": "auto"}


def mode_of(policy: Actions, proposal: ActionProposal) -> Mode:
    """What is left of the runbook's mode under the ceiling of the settings."""
    return min(proposal.mode, _CEILINGS[policy.allow], key=_RANKS.index)


def hindrance(policy: Actions, stop: Stop | None, proposal: ActionProposal) -> str:
    """Why nobody can approve it, as far as that can be told without looking; empty where somebody can."""
    if policy.stop:
        return "actions are stopped in the settings (actions.stop)"
    if stop is not None and stop.scope == "all":
        return f"actions are stopped{f' by {stop.by}' if stop.by else ''}"
    if policy.allow == "none":
        return "actions are not allowed: see actions.allow in the settings"
    if policy.kinds and proposal.action not in policy.kinds:
        return f"{proposal.action} is not among actions.kinds in the settings"
    return "" if proposal.mode != "suggest" else "the runbook only suggests it"


def refusal(policy: Actions, preview: Preview, begun: Sequence[Attempt], now: datetime) -> str:
    """Why the change must not be made now; `begun` are the attempts of at least the last hour and the cool-down."""
    if preview.refusal:
        return preview.refusal
    if EVERYWHERE not in policy.namespaces:
        for namespace in preview.namespaces:
            if namespace not in policy.namespaces:
                where = "objects without a namespace" if namespace == EVERYWHERE else f"the namespace {namespace}"
                return f"{where} may not be changed: see actions.namespaces in the settings"
    lately = [attempt for attempt in begun if attempt.started_at and attempt.started_at > now - HOUR]
    if len(lately) >= policy.hourly_limit:
        return f"{len(lately)} changes were made within the last hour, actions.hourly_limit is {policy.hourly_limit}"
    for attempt in begun:
        shared = set(preview.objects) & set(attempt.preview.objects if attempt.preview else ())
        left = ((attempt.started_at or now - policy.cool_down) + policy.cool_down - now).total_seconds()
        if shared and left > 0:
            return f"{min(shared).strip('/')} was changed a moment ago: it is left alone for {left:.0f} s more"
    return ""


def remembered(policy: Actions, now: datetime) -> datetime:
    """Since when attempts count for `refusal`."""
    return now - max(HOUR, policy.cool_down)


def may_approve(policy: Actions, known: str, claimed: str) -> str:
    """Why somebody may not approve, else empty. `known` is whom the door knows, `claimed` who they say they are."""
    if policy.approvers and known not in policy.approvers:
        return f"only {', '.join(policy.approvers)} may approve it: sign in as one of them"
    return "" if known or claimed else "say who you are: the approval is written down"


def lines(
    policy: Actions,
    stop: Stop | None,
    runbook: Runbook,
    offers: Offers,
    attempts: Mapping[str, Attempt],
    now: datetime,
) -> tuple[ActionLine, ...]:
    """The actions of a runbook as they stand for an incident."""
    return tuple(
        ActionLine(
            id=proposal.id,
            kind=proposal.action,
            title=title_of(proposal),
            mode=mode_of(policy, proposal),
            fits=offers.justification(proposal) is not None,
            hindrance=hindrance(policy, stop, proposal),
            attempt=_as_of(attempts.get(proposal.id), now),
        )
        for proposal in runbook.actions
    )


def title_of(proposal: ActionProposal) -> str:
    """What people call it."""
    return proposal.title or proposal.id.replace("_", " ").capitalize()


def _as_of(attempt: Attempt | None, now: datetime) -> Attempt | None:
    """A proposal that nobody approved in time has expired."""
    if attempt is not None and attempt.state.waits and attempt.expires_at <= now:
        return attempt.model_copy(update={"state": ActionState.EXPIRED})
    return attempt
