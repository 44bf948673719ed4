"""Remedies: one module per kind of action. This is their contract.

An action is a guarded change that a runbook proposes. `preview` only reads, and has the server try the change without
making it; `apply` makes exactly the changes of a preview that was made a moment ago. Who has to agree, how often,
where, and what is written down is not its business: see `responder/flow/act.py`. The kind of `kubernetes_scale.py` is
`kubernetes.scale`. Options that hold text from alerts are annotated as those of probes are.
"""

import sys
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence

from responder import plugins
from responder.clients import Clients
from responder.model.action import Preview
from responder.model.subject import Subject, Target, same
from responder.plugins import Catalog, Plugin
from responder.probes import Inquiry, Permission

__all__ = ["Action", "Gate", "Inquiry", "Permission", "Preview", "load", "open_gate"]

Gate = Callable[[Preview], Awaitable[str]]
"""Why policy forbids what was planned, else empty."""


async def open_gate(_planned: Preview) -> str:
    """Nothing is forbidden."""
    return ""


class Action(Plugin):
    """A change that may help."""

    @classmethod
    def object_among(cls, about: Sequence[Subject], options: Mapping[str, str], target: Target) -> Subject | None:
        """Which of the objects that a finding is about would be changed; None where it would be something else.

        `options` are the texts among the options as far as they are known, `target` is the incident's.
        """
        return next((one for one in about if same(one, target.subject)), None)

    @abstractmethod
    async def preview(self, inquiry: Inquiry, clients: Clients, gate: Gate = open_gate) -> Preview:
        """What it would change now, or why it will not. Raises Temporary where that cannot be told now.

        A server is asked to try it only where the gate is open.
        """

    @abstractmethod
    async def apply(self, preview: Preview, clients: Clients, by: str) -> str:
        """Make the changes in the name of `by`; returns what was done.

        Raises Permanent where a server said no, Temporary where nobody knows whether it was done.
        """

    def permissions(self) -> tuple[Permission, ...]:
        """The Kubernetes rights that these options need."""
        return ()


def load() -> Catalog[Action]:
    """Every kind of action there is."""
    return plugins.load(sys.modules[__name__], Action, "action", dotted=True)
