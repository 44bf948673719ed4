"""A story of deliveries: folds one after the other, and keeps what they come to."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from responder.flow.fold import fold
from responder.flow.reconcile import Answer, reconcile
from responder.model.alert import Alert, AlertStatus, Notification
from responder.model.incident import AlertState, Incident, Severity, TrackedAlert
from responder.model.labels import fingerprint, subject_of
from responder.model.ledger import Assignment, Changes, FoldRules, Ledger
from responder.model.runbook import Heartbeat, Metadata, Runbook
from tests.makers import NOW

RULES = FoldRules(group_interval=timedelta(seconds=45), repeat_interval=timedelta(hours=1))
"""The hold is one minute."""

TRIAGE = Runbook(
    apiVersion="responder/v1",
    kind="Runbook",
    metadata=Metadata(name="triage", title="Triage"),
    match=('alertname!=""',),
)
WATCHDOG = Runbook(
    apiVersion="responder/v1",
    kind="Runbook",
    metadata=Metadata(name="watchdog", title="The pipeline"),
    match=('alertname="Watchdog"',),
    heartbeat=Heartbeat(within=timedelta(minutes=10)),
)


def assign(alert: Alert) -> Assignment:
    """One incident a namespace; severity by label."""
    runbook = WATCHDOG if alert.name == "Watchdog" else TRIAGE
    namespace = alert.labels.get("namespace", "")
    return Assignment(
        runbook=runbook,
        identity=f"{runbook.name}|{namespace}",
        group={"namespace": namespace} if namespace else {},
        subject=subject_of(alert.labels),
        severity=Severity(alert.labels.get("priority", "P2")),
    )


def firing(name: str = "PodCrashLooping", *, start: float = 0, known: bool = True, **labels: str) -> Alert:
    """A firing alert that began `start` seconds after NOW; by default about one pod of one namespace."""
    everything = {"alertname": name, "namespace": "shop", "pod": "api-0", **labels}
    return Alert(
        key=fingerprint(everything),
        fingerprint=fingerprint(everything),
        status=AlertStatus.FIRING,
        labels=everything,
        annotations={"summary": f"{name} fires"},
        starts_at=NOW + timedelta(seconds=start),
        starts_at_known=known,
    )


def resolved(alert: Alert, *, end: float | None = None) -> Alert:
    """The same episode, over; as some senders do, without annotations."""
    ends_at = None if end is None else NOW + timedelta(seconds=end)
    return alert.model_copy(update={"status": AlertStatus.RESOLVED, "ends_at": ends_at, "annotations": {}})


def in_api(alert: Alert, **status: Sequence[str]) -> Mapping[str, Any]:
    """The alert as the API has it, with times cut to milliseconds; `silencedBy=["id"]` suppresses it."""
    return {
        "fingerprint": alert.fingerprint,
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "startsAt": alert.starts_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "endsAt": (alert.starts_at + timedelta(days=1)).isoformat(),
        "updatedAt": alert.starts_at.isoformat(),
        "receivers": [{"name": "responder"}],
        "status": {
            "state": "suppressed" if any(status.values()) else "active",
            "silencedBy": [],
            "inhibitedBy": [],
            **status,
        },
    }


class Story:
    """What all deliveries so far came to."""

    def __init__(self, rules: FoldRules = RULES) -> None:
        self.rules = rules
        self.assign: Callable[[Alert], Assignment] = assign
        self.ledger = Ledger()
        self.timeline: list[str] = []
        self.investigated: list[str] = []
        self.verified: list[str] = []
        self._deliveries = 0

    def tell(self, at: float, *alerts: Alert, **fields: Any) -> Changes:
        """A delivery, some seconds after NOW. The group's status is worked out as Alertmanager does."""
        self._deliveries += 1
        moment = NOW + timedelta(seconds=at)
        status = AlertStatus.RESOLVED
        if any(alert.status is AlertStatus.FIRING for alert in alerts):
            status = AlertStatus.FIRING
        given = {"receiver": "responder", "status": status, **fields}
        return self.read(Notification(id=self._deliveries, received_at=moment, alerts=alerts, **given))

    def read(self, notification: Notification) -> Changes:
        """A delivery that was recorded."""
        return self._keep(fold(self.ledger, notification, self.assign, self.rules, notification.received_at))

    def reconcile(self, at: float, api: Sequence[Mapping[str, Any]] | None = None) -> Changes:
        """Compare with the API, or with the clock alone."""
        answers = {} if api is None else dict.fromkeys(self.ledger.incidents, Answer(api))
        return self._keep(reconcile(self.ledger, answers, self.assign, self.rules, NOW + timedelta(seconds=at)))

    @property
    def incidents(self) -> Sequence[Incident]:
        """All incidents, the oldest first."""
        return sorted(self.ledger.incidents.values(), key=lambda incident: incident.opened_at)

    @property
    def incident(self) -> Incident:
        """The only incident."""
        (only,) = self.ledger.incidents.values()
        return only

    def tracked(self, alert: Alert) -> TrackedAlert:
        """What is believed of an alert, in its latest incident."""
        found = [known for (_, key), known in self.ledger.alerts.items() if key == alert.key]
        return max(found, key=lambda known: known.first_seen)

    def state(self, alert: Alert) -> AlertState:
        """The state of an alert."""
        return self.tracked(alert).state

    def said(self, words: str) -> bool:
        """Whether the timeline tells that."""
        return any(words in text for text in self.timeline)

    def _keep(self, changes: Changes) -> Changes:
        self.ledger = Ledger(
            {**self.ledger.incidents, **{incident.id: incident for incident in changes.incidents}},
            {**self.ledger.alerts, **{(alert.incident_id, alert.key): alert for alert in changes.alerts}},
            {**self.ledger.hearts, **{heart.key: heart for heart in changes.hearts}},
        )
        self.timeline += [entry.text for _, entry in changes.timeline]
        self.investigated += changes.investigate
        self.verified += changes.verify
        return changes


def moment(seconds: float) -> datetime:
    """Some seconds after NOW."""
    return NOW + timedelta(seconds=seconds)
