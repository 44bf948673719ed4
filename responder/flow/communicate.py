"""Communicate: what the public is told of an incident, written from templates, let out by a person or by policy.

Nothing of an alert's labels gets into an update but names that Kubernetes itself allows; titles come from the
runbook and from the catalogue of causes.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection

from responder.errors import ConfigError
from responder.flow.change import change
from responder.flow.message import span
from responder.flow.world import World
from responder.model.communication import PublicState, PublicUpdate, StatusDraft, StatusTemplates
from responder.model.finding import Cause, Confidence, Finding
from responder.model.incident import Incident, IncidentStatus, TimelineEntry, TimelineKind
from responder.model.redaction import redact
from responder.model.report import Investigation, Verification
from responder.model.runbook import Runbook
from responder.store import incidents, investigations, updates
from responder.templating import render_text
from responder.templating.escaping import Language

log = structlog.get_logger(__name__)

MOST_UPDATES = 50
"""Of one incident; one that flaps on and on has nothing new to tell."""
LONGEST = 2000


def state_of(
    incident: Incident,
    investigation: Investigation,
    verification: Verification | None,
    runbook: Runbook,
    postmortem_after: timedelta,
    now: datetime,
) -> PublicState:
    """What can be said of the incident. Pure.

    A cause is identified once a finding is at least likely; an end is one only after it was verified, where the
    runbook has a probe verify it.
    """
    if incident.status is IncidentStatus.RESOLVED:
        checked = any(step.step for step in runbook.verify)
        if checked and not (verification and verification.passed):
            return "monitoring"
        ended = incident.resolved_at or incident.updated_at
        return "postmortem" if now >= ended + postmortem_after else "resolved"
    return "identified" if _known(investigation) else "investigating"


def _known(investigation: Investigation) -> Finding | None:
    sure = (Confidence.CERTAIN, Confidence.LIKELY)
    return next((finding for finding in investigation.findings if finding.confidence in sure), None)


def context(
    incident: Incident, investigation: Investigation, runbook: Runbook, causes: Mapping[str, Cause], now: datetime
) -> dict[str, Any]:
    """What the texts for the public may name. Pure."""
    finding = _known(investigation)
    cause = {**{known.slug: known for known in runbook.causes}, **causes}.get(finding.cause) if finding else None
    component = runbook.communicate.component if runbook.communicate else runbook.metadata.title
    return {
        "title": _plain(runbook.metadata.title),
        "component": _plain(component),
        "place": investigation.target.namespace,
        "cause": _plain(cause.title) if cause else "",
        "severity": incident.severity.value,
        "since": _stamp(incident.began_at),
        "duration": span(incident.began_at, incident.resolved_at or now),
        "number": incident.id,
    }


def compose(
    templates: StatusTemplates, state: PublicState, values: Mapping[str, Any], at: datetime
) -> PublicUpdate | None:
    """The update of a state; None where the set has no text for it. Raises ConfigError. Pure."""
    text = templates.updates.get(state)
    if text is None:
        return None
    title, body = (
        redact(render_text(template, Language.PLAIN, {"incident": values}).strip())[:LONGEST]
        for template in (text.title, text.body)
    )
    return PublicUpdate(state=state, title=" ".join(title.split()), body=body, at=at)


def _stamp(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _plain(text: str) -> str:
    """On one line, without what a medium could read as markup."""
    return " ".join("".join(sign if sign.isprintable() and sign not in "<>`*_|[]" else " " for sign in text).split())


class Communicator:
    """Writes updates as incidents go on, and lets them out."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def communicate(self, incident_id: str) -> datetime | None:
        """Write what can be said now; returns when there may be more to say."""
        return await self._world.database.write(lambda connection: self._communicate(connection, incident_id))

    async def publish(self, incident_id: str, number: int, by: str) -> bool:
        """Let an update out; false where there is no such, or a newer one has taken its place."""

        def let_out(connection: Connection) -> bool:
            drafts = updates.of_incident(connection, incident_id)
            incident = incidents.get(connection, incident_id)
            if incident is None or not drafts or drafts[-1].number != number:
                return False
            if drafts[-1].approved_at is None:
                self._approve(connection, incident, drafts[-1], by or "somebody")
            return True

        return await self._world.database.write(let_out)

    def _communicate(self, connection: Connection, incident_id: str) -> datetime | None:
        incident = incidents.get(connection, incident_id)
        if incident is None:
            return None
        runbook = self._world.runbook(incident.runbook)
        templates = self._templates(runbook)
        drafts = updates.of_incident(connection, incident_id)
        if templates is None or not self._concerns(runbook, incident, drafts):
            return None
        now = self._world.clock.now()
        investigation = investigations.latest(connection, incident_id) or Investigation()
        verification = investigations.verification_of(connection, incident_id)
        state = state_of(incident, investigation, verification, runbook, templates.postmortem_after, now)
        if not drafts or drafts[-1].update.state != state:
            values = context(incident, investigation, runbook, self._world.detectors.causes, now)
            self._write(connection, incident, templates, state, values, drafts)
        if state in ("resolved", "monitoring") and incident.resolved_at is not None:
            review = incident.resolved_at + templates.postmortem_after
            return review if now < review else None
        return None

    def _templates(self, runbook: Runbook) -> StatusTemplates | None:
        if runbook.communicate is None:
            return None
        return self._world.rules.current.templates.get(runbook.communicate.templates)

    def _concerns(self, runbook: Runbook, incident: Incident, drafts: Sequence[StatusDraft]) -> bool:
        """Whether the public is told: of a severity that is meant, or since it was told of the beginning."""
        meant = runbook.communicate is not None and incident.severity in runbook.communicate.severities
        return len(drafts) < MOST_UPDATES and (bool(drafts) or (meant and incident.open))

    def _write(
        self,
        connection: Connection,
        incident: Incident,
        templates: StatusTemplates,
        state: PublicState,
        values: Mapping[str, Any],
        drafts: Sequence[StatusDraft],
    ) -> None:
        now = self._world.clock.now()
        try:
            update = compose(templates, state, values, now)
        except ConfigError as error:
            log.error("communicate.template_failed", templates=templates.name, state=state, error=str(error))
            text = f"The update {state!r} for the public could not be written: {error}"
            incidents.tell(connection, incident.id, TimelineEntry(at=now, kind=TimelineKind.TROUBLE, text=text))
            return
        if update is None:
            return
        draft = StatusDraft(number=len(drafts) + 1, update=update)
        if self._world.settings.communication.publish and state != "postmortem":
            self._approve(connection, incident, draft, "policy")
            return
        updates.save(connection, incident.id, draft)
        self._change(connection, incident, f"Drafted for the public: {update.title}")

    def _approve(self, connection: Connection, incident: Incident, draft: StatusDraft, by: str) -> None:
        now = self._world.clock.now()
        updates.save(connection, incident.id, draft.model_copy(update={"approved_at": now, "approved_by": by}))
        self._change(connection, incident, f"Told the public, by {by}: {draft.update.title}")
        self._world.metrics.public_updates.labels(draft.update.state).inc()

    def _change(self, connection: Connection, incident: Incident, text: str) -> None:
        entry = TimelineEntry(at=self._world.clock.now(), kind=TimelineKind.MESSAGE, text=text)
        change(self._world, connection, incident, entry)
