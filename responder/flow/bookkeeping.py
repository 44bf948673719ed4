"""A working copy of the ledger: how the state of one alert moves, and what that does to its incident. Pure."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime

from responder.model.alert import Alert
from responder.model.incident import (
    AlertState,
    Incident,
    IncidentStatus,
    TimelineEntry,
    TimelineKind,
    TrackedAlert,
)
from responder.model.ledger import Assignment, Changes, Due, FoldRules, Heart, Ledger

NAMED_AT_MOST = 5


class Bookkeeping:
    """Collects what changes; `changes` says it all."""

    def __init__(self, ledger: Ledger, rules: FoldRules, now: datetime) -> None:
        self.rules = rules
        self.now = now
        self._incidents = dict(ledger.incidents)
        self._alerts = dict(ledger.alerts)
        self._hearts = dict(ledger.hearts)
        self._known = ledger
        self._changed_alerts: dict[tuple[str, str], None] = {}
        self._changed_hearts: dict[str, None] = {}
        self._touched: dict[str, None] = {}
        self._members: dict[str, dict[str, TrackedAlert]] = defaultdict(dict)
        self._latest: dict[str, TrackedAlert] = {}
        for (incident_id, key), alert in ledger.alerts.items():
            self._members[incident_id][key] = alert
            if key not in self._latest or self._latest[key].last_seen <= alert.last_seen:
                self._latest[key] = alert
        self._by_identity: dict[str, Incident] = {}
        for incident in sorted(ledger.incidents.values(), key=lambda item: (item.opened_at, item.id)):
            self._by_identity[incident.identity] = incident
        self._said: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
        self._timeline: list[tuple[str, TimelineEntry]] = []
        self._investigate: dict[str, None] = {}
        self._due: dict[Due, None] = {}
        self.reconcile = False

    def tracked(self, key: str) -> TrackedAlert | None:
        """What is known of an alert, in its latest incident."""
        return self._latest.get(key)

    def heart(self, key: str) -> Heart | None:
        """A dead man's switch."""
        return self._hearts.get(key)

    @property
    def hearts(self) -> Iterable[Heart]:
        """All of them."""
        return tuple(self._hearts.values())

    @property
    def alerts(self) -> Iterable[TrackedAlert]:
        """All tracked alerts."""
        return tuple(self._alerts.values())

    def incident(self, incident_id: str) -> Incident:
        """An incident as it is so far."""
        return self._incidents[incident_id]

    def latest_of(self, identity: str) -> Incident | None:
        """The newest incident of an identity."""
        found = self._by_identity.get(identity)
        return self._incidents[found.id] if found else None

    def join(self, alert: Alert, assignment: Assignment, state: AlertState) -> TrackedAlert:
        """A new episode of an alert: in the open incident of its identity, in one to reopen, or in a new one."""
        incident = self._home(alert, assignment, state)
        before = self._members[incident.id].get(alert.key)
        tracked = TrackedAlert(
            incident_id=incident.id,
            key=alert.key,
            fingerprint=alert.fingerprint,
            state=state,
            labels=alert.labels,
            annotations=alert.annotations,
            generator_url=alert.generator_url,
            starts_at=alert.starts_at,
            starts_at_known=alert.starts_at_known,
            ends_at=alert.ends_at,
            first_seen=before.first_seen if before else self.now,
            last_seen=self.now,
            episodes=before.episodes + 1 if before else 1,
            receivers=before.receivers if before else (),
        )
        if state is AlertState.FIRING:
            self._bring(incident, tracked, assignment, again=before is not None)
        self.put(tracked, "fires" if state is AlertState.FIRING else "is told as resolved, it was never told as firing")
        return tracked

    def put(self, alert: TrackedAlert, said: str = "") -> None:
        """The new state of an alert; `said` is what the timeline tells, nothing if it is not worth showing."""
        place = (alert.incident_id, alert.key)
        self._alerts[place] = alert
        self._members[alert.incident_id][alert.key] = alert
        self._latest[alert.key] = alert
        self._changed_alerts[place] = None
        if said:
            self._touched[alert.incident_id] = None
            self._said[alert.incident_id][said][alert.name or alert.key] += 1

    def flap(self, incident_id: str) -> None:
        """An episode ended and another began."""
        incident = self._incidents[incident_id]
        self._incidents[incident_id] = incident.model_copy(update={"flaps": incident.flaps + 1})
        self._touched[incident_id] = None

    def reopen(self, alert: TrackedAlert, said: str) -> None:
        """An alert that was resolved or held fires after all: its own incident goes on."""
        incident = self._incidents[alert.incident_id]
        if not incident.open:
            self._reopened(incident)
        self.put(alert, said)

    def set_truncated(self, incident_id: str, count: int) -> None:
        """How many alerts the sender left out."""
        incident = self._incidents[incident_id]
        if incident.alerts_truncated != count:
            self._incidents[incident_id] = incident.model_copy(update={"alerts_truncated": count})
            self._touched[incident_id] = None

    def put_heart(self, heart: Heart) -> None:
        """The new state of a dead man's switch."""
        self._hearts[heart.key] = heart
        self._changed_hearts[heart.key] = None
        if not heart.stopped:
            self.wake("overdue", heart.due_at)

    def wake(self, what: str, at: datetime) -> None:
        """Look again then."""
        self._due[Due("settle" if what == "settle" else "overdue", at)] = None

    def changes(self) -> Changes:
        """Everything that changed."""
        verify = [incident_id for incident_id in self._touched if self._settle(incident_id)]
        for incident_id, said in self._said.items():
            for text, names in said.items():
                self._tell(incident_id, TimelineKind.ALERT, f"{_listing(names)} {text}")
        return Changes(
            incidents=tuple(self._incidents[incident_id] for incident_id in self._touched),
            alerts=tuple(self._alerts[place] for place in self._changed_alerts),
            hearts=tuple(self._hearts[key] for key in self._changed_hearts),
            timeline=tuple(sorted(self._timeline, key=lambda item: _ORDER[item[1].kind])),
            investigate=tuple(name for name in self._investigate if self._incidents[name].open),
            verify=tuple(verify),
            reconcile=self.reconcile,
            due=tuple(self._due),
        )

    def _home(self, alert: Alert, assignment: Assignment, state: AlertState) -> Incident:
        incident = self.latest_of(assignment.identity)
        firing = state is AlertState.FIRING
        if incident is not None and incident.open:
            return incident
        if incident is not None and incident.resolved_at is not None:
            recent = self.now - incident.resolved_at <= self.rules.reopen_window
            if recent and firing:
                return self._reopened(incident)
            if recent:
                return incident
        return self._opened(alert, assignment, state)

    def _opened(self, alert: Alert, assignment: Assignment, state: AlertState) -> Incident:
        began = min(alert.starts_at, self.now)
        name = alert.name or assignment.runbook.metadata.title
        incident = Incident(
            id=incident_id(assignment.identity, alert),
            identity=assignment.identity,
            runbook=assignment.runbook.name,
            title=f"{name} on {assignment.subject}" if assignment.subject.name else name,
            group=assignment.group,
            subject=assignment.subject,
            severity=assignment.severity,
            status=IncidentStatus.FIRING if state is AlertState.FIRING else IncidentStatus.RESOLVED,
            opened_at=self.now,
            started_at=began,
            updated_at=self.now,
            resolved_at=None if state is AlertState.FIRING else alert.ends_at or self.now,
            revision=0,
        )
        self._incidents[incident.id] = incident
        self._by_identity[incident.identity] = incident
        self._touched[incident.id] = None
        if state is AlertState.FIRING:
            self._investigate[incident.id] = None
            self._tell(
                incident.id, TimelineKind.INCIDENT, f"Opened as {incident.severity} with runbook {incident.runbook}"
            )
        return incident

    def _reopened(self, incident: Incident) -> Incident:
        again = {"status": IncidentStatus.FIRING, "resolved_at": None, "flaps": incident.flaps + 1}
        reopened = incident.model_copy(update=again)
        self._incidents[incident.id] = reopened
        self._touched[incident.id] = None
        self._investigate[incident.id] = None
        self._tell(incident.id, TimelineKind.INCIDENT, "Reopened: it fires again")
        return reopened

    def _bring(self, incident: Incident, alert: TrackedAlert, assignment: Assignment, *, again: bool) -> None:
        """What a firing alert that is new to an incident does to it."""
        incident = self._incidents[incident.id]
        update: dict[str, object] = {}
        if assignment.severity < incident.severity:
            update["severity"] = assignment.severity
        if alert.starts_at < incident.started_at:
            update["started_at"] = alert.starts_at
        if update:
            self._incidents[incident.id] = incident.model_copy(update=update)
        names = {member.name for member in self._members[incident.id].values() if member.state is AlertState.FIRING}
        if not again and alert.name not in names:
            self._investigate[incident.id] = None

    def _settle(self, incident_id: str) -> bool:
        """Bring the incident in line with its alerts; whether it became resolved just now."""
        incident = self._incidents[incident_id]
        states = {alert.state for alert in self._members[incident_id].values()}
        before = self._known.incidents.get(incident_id)
        if AlertState.FIRING in states:
            status = IncidentStatus.FIRING
        elif AlertState.UNKNOWN in states:
            status = IncidentStatus.UNKNOWN
        else:
            status = IncidentStatus.RESOLVED
        resolved_at = incident.resolved_at
        if status is IncidentStatus.RESOLVED:
            ends = [alert.ends_at for alert in self._members[incident_id].values() if alert.ends_at]
            resolved_at = min(max(ends, default=self.now), self.now)
        update = {
            "status": status,
            "resolved_at": resolved_at if status is IncidentStatus.RESOLVED else None,
            "updated_at": self.now,
            "revision": (before.revision if before else 0) + 1,
        }
        self._incidents[incident_id] = incident.model_copy(update=update)
        was_open = before is not None and before.open
        if status is IncidentStatus.RESOLVED and was_open:
            self._tell(incident_id, TimelineKind.INCIDENT, "Resolved: no alert of it fires any more")
            return True
        return False

    def _tell(self, incident_id: str, kind: TimelineKind, text: str) -> None:
        self._timeline.append((incident_id, TimelineEntry(at=self.now, kind=kind, text=text)))


_ORDER = {TimelineKind.ALERT: 0, TimelineKind.INCIDENT: 1}


def incident_id(identity: str, alert: Alert) -> str:
    """The same for everybody who opens an incident for this episode of this alert."""
    told = f"{identity}|{alert.key}|{alert.starts_at.isoformat()}"
    return hashlib.sha256(told.encode()).hexdigest()[:12]


def _listing(names: Mapping[str, int]) -> str:
    shown = [f"{name} ×{count}" if count > 1 else name for name, count in list(names.items())[:NAMED_AT_MOST]]
    more = len(names) - NAMED_AT_MOST
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")
