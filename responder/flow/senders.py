"""Senders: what the Alertmanagers say of the alerts of open incidents, each asked about its own clusters."""

import asyncio
from collections.abc import Mapping

import structlog

from responder.clients import Alertmanager
from responder.errors import Trouble
from responder.flow.reconcile import Answer
from responder.flow.world import World
from responder.model.ledger import Ledger

log = structlog.get_logger(__name__)


async def answers(world: World, ledger: Ledger) -> Mapping[str, Answer]:
    """By incident what its Alertmanager says, each of them asked once; those that do not answer are left out."""
    labels = world.settings.cluster_labels
    concerned: dict[Alertmanager, list[str]] = {}
    for incident in ledger.incidents.values():
        if (sender := world.alertmanager(labels.cluster(incident.group))) is not None:
            concerned.setdefault(sender, []).append(incident.id)
    said = await asyncio.gather(*map(_answer, concerned))
    return {
        incident_id: answer
        for answer, ids in zip(said, concerned.values(), strict=True)
        for incident_id in ids
        if answer is not None
    }


async def _answer(sender: Alertmanager) -> Answer | None:
    try:
        return Answer(await sender.alerts())
    except Trouble as trouble:
        log.warning("receive.alertmanager_unreachable", url=sender.url, error=str(trouble))
        return None
