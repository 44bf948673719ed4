"""The stages, and their order. Written once, here.

    deliveries ─ receive: fold ─→ incidents ─ respond: investigate → diagnose ─→ findings ─ publish ─→ sinks
                     └─ reconcile (lost resolves)      └─ again when alerts join             └─ verify when resolved
                     └─ escalate (until somebody has it)                     └─ communicate (to the public)
                                      findings ─ propose ─→ approve (a person, or policy) ─→ act ─→ verify

Receiving runs on its own; everything after it is a job, written in the transaction that demands it, so
that a crash at any point leaves nothing undone.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from responder.flow.act import Actor
    from responder.flow.communicate import Communicator
    from responder.flow.escalate import Escalator
    from responder.flow.housekeeping import Housekeeper
    from responder.flow.judge import Judge
    from responder.flow.onset import Onsets
    from responder.flow.publish import Outbox
    from responder.flow.receive import Receiver
    from responder.flow.respond import Responder
    from responder.flow.verify import Verifier
    from responder.queue import Handler


def stages(
    receiver: "Receiver",
    responder: "Responder",
    outbox: "Outbox",
    verifier: "Verifier",
    housekeeper: "Housekeeper",
    escalator: "Escalator",
    communicator: "Communicator",
    judge: "Judge",
    actor: "Actor",
    onsets: "Onsets",
) -> "Mapping[str, Handler]":
    """Which stage does which kind of job."""
    return {
        "reconcile": receiver.reconcile,
        "investigate": responder.respond,
        "deliver": outbox.deliver,
        "verify": verifier.verify,
        "tidy": housekeeper.tidy,
        "escalate": escalator.escalate,
        "communicate": communicator.communicate,
        "judge": judge.judge,
        "act": actor.act,
        "onset": onsets.find,
    }
