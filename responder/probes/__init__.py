"""Questions: one module per kind of probe. This is their contract.

A probe does I/O through clients only, changes nothing, and returns an `Observation` or raises
`Temporary`/`Permanent`. The runner (`flow/investigate.py`) owns timeout, metrics, logs, and makes the
evidence. The kind of `http_get.py` is `http.get`. Options that hold text from alerts are annotated with
the language they end up in, so that template values in them are escaped: see `responder.templating`.
"""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from responder.clients import Clients
from responder.model.alert import Alert
from responder.model.evidence import Evidence, Observation, Reproduction
from responder.model.subject import Target
from responder.plugins import Plugin


@dataclass(frozen=True)
class Inquiry:
    """What is asked about: the incident's target and alerts, when they began, and what is known already.

    `seconds` is how long the runner waits: a probe of several questions tells what it has before that. `only_target`:
    an action must change nothing but the target, which is what a finding is about.
    """

    target: Target
    alerts: tuple[Alert, ...]
    started_at: datetime
    now: datetime
    evidence: Mapping[str, Evidence] = field(default_factory=dict)
    seconds: float = 10.0
    only_target: bool = False


@dataclass(frozen=True)
class Permission:
    """A right that a probe needs, in the words of Kubernetes' RBAC."""

    group: str
    resource: str
    verbs: tuple[str, ...] = ("get", "list")


class Probe(Plugin):
    """A read-only question."""

    @abstractmethod
    async def run(self, inquiry: Inquiry, clients: Clients) -> Observation:
        """Ask; raises Temporary or Permanent where there is no answer."""

    def reproduce(self, inquiry: Inquiry, clients: Clients) -> tuple[Reproduction, ...]:
        """Commands or links that show the same; known before asking. May raise Permanent."""
        return ()

    def permissions(self) -> tuple[Permission, ...]:
        """The Kubernetes rights that these options need."""
        return ()
