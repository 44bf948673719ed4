"""Series: what the stages count begins at zero, before its first event, where the values of the labels are known."""

from typing import get_args

from responder.errors import Reason
from responder.flow.world import World
from responder.metrics import SEVERITIES, begin
from responder.model.action import ActionState
from responder.model.communication import PublicState
from responder.model.procedure import StepState

DELIVERED, RETRIED, REFUSED = "delivered", "retried", "refused"
APPROVED, DECLINED = "approved", "declined"
TAKEN = "taken"


def begin_series(world: World) -> None:
    """Begin the series that the settings, the rules and the stages themselves determine."""
    metrics, book = world.metrics, world.rules.current
    levels = {level for policy in book.escalations.values() for level in policy.levels}
    begin(metrics.deliveries, world.sinks, (DELIVERED, RETRIED, REFUSED))
    begin(metrics.actions, world.actions.kinds, {*map(str, ActionState), APPROVED, DECLINED})
    begin(metrics.escalations, SEVERITIES, levels)
    begin(metrics.procedure_steps, map(str, StepState))
    begin(metrics.public_updates, get_args(PublicState))
    begin(metrics.calls, (TAKEN, *map(str, Reason)))
