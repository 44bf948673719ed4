"""Onset: when the trouble began. An alert fires only after its rule has held for a while (`for`); that counts too."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import structlog
import yaml
from pydantic import TypeAdapter
from sqlalchemy import Connection

from responder.clients import Prometheus
from responder.errors import Trouble
from responder.flow.change import change
from responder.flow.world import World
from responder.model.evidence import Sample
from responder.model.incident import AlertState, Incident, TrackedAlert
from responder.model.runbook import Duration
from responder.probes.prometheus_alert import fitting_rule
from responder.runbooks.loading import shipped
from responder.store import incidents
from responder.templating import render_text
from responder.templating.escaping import Language

log = structlog.get_logger(__name__)

KIND = "onset"
T = TypeVar("T")
NAMES = 20
"""Names of alerts that Prometheus is asked about, for one incident."""
_DURATION = TypeAdapter(Duration)
PENDING_SINCE = 'ALERTS_FOR_STATE{alertname="{{ labels.alertname }}"}'
"""Prometheus' own record of when the expression of an alert began to hold (a Unix time)."""


class Onsets:
    """Finds out when the trouble of incidents began, and with it how long it took to detect it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._shipped: Mapping[str, timedelta] | None = None

    async def find(self, incident_id: str) -> None:
        """Keep the earliest moment that the incident's alerts lead to; a second run changes nothing."""
        incident, alerts = await self._world.database.read(lambda connection: _read(connection, incident_id))
        if incident is None or incident.opened_by or not alerts:
            return
        moments = await self._moments(self._world.settings.cluster_labels.cluster(incident.group), alerts)
        found = min([incident.began_at, *moments])
        if incident.onset_at is not None and found >= incident.began_at:
            return
        first = await self._world.database.write(lambda connection: self._keep(connection, incident_id, found))
        if first:
            waited = (incident.opened_at - found).total_seconds()
            self._world.metrics.detection_seconds.labels(incident.severity.value).observe(max(0.0, waited))

    async def _moments(self, cluster: str, alerts: Sequence[TrackedAlert]) -> Sequence[datetime]:
        """When each alert's expression began to hold: as Prometheus recorded it, else the rule's `for` before."""
        prometheus = self._world.clients(cluster).prometheus_client
        pending: Mapping[str, Sequence[Sample]] = {}
        rules: Sequence[Mapping[str, Any]] = ()
        if prometheus is not None:
            pending = await _or_nothing(_pending(prometheus, alerts), pending)
            if not all(_recorded(alert, pending) for alert in alerts):
                rules = await _or_nothing(prometheus.rules(), rules)
        ours = await self._shipped_waits()
        return [_recorded(alert, pending) or alert.starts_at - _wait(alert, rules, ours) for alert in alerts]

    def _keep(self, connection: Connection, incident_id: str, found: datetime) -> bool:
        """Whether nothing was known of it before."""
        incident = incidents.get(connection, incident_id)
        if incident is None:
            return False
        change(self._world, connection, incident.model_copy(update={"onset_at": min(found, incident.began_at)}))
        return incident.onset_at is None

    async def _shipped_waits(self) -> Mapping[str, timedelta]:
        if self._shipped is None:
            self._shipped = await asyncio.to_thread(_shipped_waits)
        return self._shipped


def _read(connection: Connection, incident_id: str) -> tuple[Incident | None, Sequence[TrackedAlert]]:
    alerts = [alert for alert in incidents.alerts_of(connection, incident_id) if alert.starts_at_known]
    firing = [alert for alert in alerts if alert.state is AlertState.FIRING]
    return incidents.get(connection, incident_id), firing or alerts


async def _or_nothing(question: Awaitable[T], nothing: T) -> T:
    """The answer; what Prometheus cannot say is known less well, and no reason to try again."""
    try:
        return await question
    except Trouble as trouble:
        log.info("onset.unknown", trouble=str(trouble))
        return nothing


async def _pending(prometheus: Prometheus, alerts: Sequence[TrackedAlert]) -> Mapping[str, Sequence[Sample]]:
    """By the alert's name what Prometheus recorded, at the moment when the last of that name fired."""
    latest: dict[str, datetime] = {}
    for alert in alerts:
        latest[alert.name] = max(alert.starts_at, latest.get(alert.name, alert.starts_at))
    names = [name for name in latest if name][:NAMES]
    queries = [render_text(PENDING_SINCE, Language.PROMQL, {"labels": {"alertname": name}}) for name in names]
    answers = await asyncio.gather(
        *(prometheus.query(query, at=latest[name]) for name, query in zip(names, queries, strict=True))
    )
    return dict(zip(names, answers, strict=True))


def _recorded(alert: TrackedAlert, pending: Mapping[str, Sequence[Sample]]) -> datetime | None:
    """The earliest record that is about this alert. Labels that relabelling took away or added are not compared."""
    moments = [
        datetime.fromtimestamp(sample.value, UTC)
        for sample in pending.get(alert.name, ())
        if 0 < sample.value <= alert.starts_at.timestamp() and _about(sample, alert)
    ]
    return min(moments, default=None)


def _about(sample: Sample, alert: TrackedAlert) -> bool:
    labels = {name: value for name, value in sample.labels.items() if name != "__name__"}
    return all(alert.labels.get(name, value) == value for name, value in labels.items())


def _wait(alert: TrackedAlert, rules: Sequence[Mapping[str, Any]], ours: Mapping[str, timedelta]) -> timedelta:
    """The `for` of the alert's rule: as Prometheus has it, else as in the rules that ship."""
    rule = fitting_rule(alert, rules)
    duration = rule.get("duration") if rule else None
    if isinstance(duration, int | float):
        return timedelta(seconds=max(0.0, duration))
    return ours.get(alert.name, timedelta(0))


def _shipped_waits() -> Mapping[str, timedelta]:
    rules = [
        rule
        for file in sorted((shipped() / "alerts").glob("*.yaml"))
        for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]
        for rule in group["rules"]
    ]
    return {rule["alert"]: _DURATION.validate_python(rule.get("for", "0s")) for rule in rules if "alert" in rule}
