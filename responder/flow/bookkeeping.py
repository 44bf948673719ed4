"""The working copy of a ledger: alerts move, and what that does to their incidents follows at the end. Pure."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from responder.flow.verdict import listing, severity_of, status_of, verdict
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
from responder.model.owners import owner_of_pod
from responder.model.subject import Subject

KINDS_AT_MOST = 100
"""How many kinds of alerts and things an incident remembers to be about; past that, one more is no news."""


class Bookkeeping:
    """Takes down what happens at one moment; `changes` says what it comes to."""

    def __init__(self, ledger: Ledger, rules: FoldRules, now: datetime) -> None:
        self.rules = rules
        self.now = now
        self.reconcile = False
        self._before = ledger
        self._incidents = dict(ledger.incidents)
        self._alerts = dict(ledger.alerts)
        self._hearts = dict(ledger.hearts)
        self._members: dict[str, dict[str, None]] = defaultdict(dict)
        for incident_id, key in ledger.alerts:
            self._members[incident_id][key] = None
        self._holder: dict[str, str] = {}
        self._latest: dict[str, str] = {}
        for incident in sorted(ledger.incidents.values(), key=lambda known: (known.opened_at, known.id)):
            self._latest[incident.identity] = incident.id
            self._holder.update(dict.fromkeys(self._members[incident.id], incident.id))
        self._changed_alerts: dict[tuple[str, str], None] = {}
        self._changed_hearts: dict[str, None] = {}
        self._touched: dict[str, _Touched] = {}
        self._kinds: dict[str, set[str]] = {}
        self._due: dict[Due, None] = {}

    @property
    def hearts(self) -> Sequence[Heart]:
        """All dead man's switches that still mean something."""
        return tuple(heart for heart in self._hearts.values() if not heart.retired)

    @property
    def alerts(self) -> Sequence[TrackedAlert]:
        """All alerts, each as its latest incident has it."""
        return tuple(self._alerts[holder, key] for key, holder in self._holder.items())

    def tracked(self, key: str) -> TrackedAlert | None:
        """What is known of an alert, in its latest incident."""
        holder = self._holder.get(key)
        return None if holder is None else self._alerts[holder, key]

    def heart(self, key: str) -> Heart | None:
        """A dead man's switch that still means something."""
        heart = self._hearts.get(key)
        return None if heart is None or heart.retired else heart

    def incident(self, incident_id: str) -> Incident:
        """An incident as it was, or was just opened."""
        return self._incidents[incident_id]

    def goes_on(self, incident: Incident) -> bool:
        """Whether what fires now still belongs to the incident: it is open, or can be reopened."""
        if self._latest.get(incident.identity) != incident.id:
            return False
        return incident.resolved_at is None or self.now - incident.resolved_at <= self.rules.reopen_window

    def join(self, alert: Alert, assignment: Assignment, state: AlertState) -> TrackedAlert:
        """A new episode of an alert: in the incident of its identity that goes on, else in a new one."""
        latest = self._latest.get(assignment.identity)
        if latest is None or not self.goes_on(self._incidents[latest]):
            latest = self._open(alert, assignment)
        previous = self.tracked(alert.key)
        if previous is not None and previous.incident_id != latest and previous.state is AlertState.HELD:
            self.put(previous, state=AlertState.RESOLVED, hold_until=None)
        before = self._alerts.get((latest, alert.key))
        tracked = TrackedAlert(
            incident_id=latest,
            key=alert.key,
            fingerprint=alert.fingerprint,
            state=state,
            labels=alert.labels,
            annotations=alert.annotations,
            generator_url=alert.generator_url,
            starts_at=alert.starts_at,
            starts_at_known=alert.starts_at_known,
            ends_at=(alert.ends_at or self.now) if state is AlertState.RESOLVED else None,
            first_seen=before.first_seen if before else self.now,
            last_seen=self.now,
            episodes=before.episodes + 1 if before else 1,
            receivers=before.receivers if before else (),
            by_hand=bool(alert.runbook),
            severity=assignment.severity,
        )
        touched = self._touch(latest)
        if state is AlertState.FIRING:
            touched.began.append(alert.starts_at)
            touched.news |= before is None and self._is_news(latest, alert.name, assignment.subject)
        if alert.runbook:
            return self._replace(tracked, f"{alert.opened_by} started this procedure")
        return self._replace(tracked, "Fires" if state is AlertState.FIRING else "Resolved, was never told as firing")

    def put(self, alert: TrackedAlert, said: str = "", **changed: Any) -> TrackedAlert:
        """Change an alert; `said` is what the timeline tells of it."""
        changed = {name: value for name, value in changed.items() if getattr(alert, name) != value}
        if not said and not changed:
            return alert
        return self._replace(alert.model_copy(update=changed), said, quiet=changed.keys() <= _QUIET)

    def flap(self, incident_id: str) -> None:
        """An episode ended and another began without a word of it."""
        self._touch(incident_id).flapped = True

    def set_truncated(self, incident_id: str, count: int) -> None:
        """How many alerts of the incident the sender left out."""
        if self._incidents[incident_id].alerts_truncated != count:
            self._incidents[incident_id] = self._incidents[incident_id].model_copy(update={"alerts_truncated": count})
            said = f"Alerts left out by the sender: {count}" if count else "Alerts that were left out are known now"
            self._touch(incident_id).said[said].update(())

    def put_heart(self, heart: Heart) -> None:
        """The new state of a dead man's switch."""
        self._hearts[heart.key] = heart
        self._changed_hearts[heart.key] = None
        if not heart.stopped:
            self.wake("overdue", heart.due_at)

    def wake(self, what: Literal["settle", "overdue"], at: datetime) -> None:
        """Look again then."""
        self._due[Due(what, at)] = None

    def changes(self) -> Changes:
        """Everything that changed."""
        for incident_id, touched in self._touched.items():
            self._settle(incident_id, touched)
        concerned = self._touched.items()
        return Changes(
            incidents=tuple(self._incidents[incident_id] for incident_id in self._touched),
            alerts=tuple(self._alerts[place] for place in self._changed_alerts),
            hearts=tuple(self._hearts[key] for key in self._changed_hearts),
            timeline=tuple((name, entry) for name, known in concerned for entry in known.entries(self.now)),
            investigate=tuple(name for name, known in concerned if known.news and self._incidents[name].open),
            verify=tuple(name for name, known in concerned if known.ended),
            reconcile=self.reconcile,
            due=tuple(self._due),
        )

    def _touch(self, incident_id: str) -> "_Touched":
        return self._touched.setdefault(incident_id, _Touched())

    def _replace(self, alert: TrackedAlert, said: str, *, quiet: bool = False) -> TrackedAlert:
        place = (alert.incident_id, alert.key)
        self._alerts[place] = alert
        self._members[alert.incident_id][alert.key] = None
        self._holder[alert.key] = alert.incident_id
        self._changed_alerts[place] = None
        if said or not quiet:
            touched = self._touch(alert.incident_id)
            if said and alert.by_hand:
                touched.said[said].update(())
            elif said:
                touched.said[said][alert.name or alert.key] += 1
        return alert

    def _open(self, alert: Alert, assignment: Assignment) -> str:
        name = alert.name or assignment.runbook.metadata.title
        incident_id = self._free_id(assignment.identity, alert)
        self._incidents[incident_id] = Incident(
            id=incident_id,
            identity=assignment.identity,
            runbook=assignment.runbook.name,
            title=f"{name} on {assignment.subject}" if assignment.subject.name else name,
            group=assignment.group,
            subject=assignment.subject,
            severity=assignment.severity,
            status=IncidentStatus.FIRING,
            opened_at=self.now,
            started_at=min(alert.starts_at, self.now),
            updated_at=self.now,
            revision=0,
            opened_by=alert.opened_by,
        )
        self._latest[assignment.identity] = incident_id
        return incident_id

    def _free_id(self, identity: str, alert: Alert) -> str:
        """The same for everybody who opens an incident for this episode; another where that one is over."""
        told = f"{identity}\n{alert.key}\n{alert.starts_at.astimezone(UTC).isoformat()}"
        incident_id = alert.key if alert.runbook else _digest(told)
        return _digest(f"{told}\n{self.now.isoformat()}") if incident_id in self._incidents else incident_id

    def _is_news(self, incident_id: str, name: str, subject: Subject) -> bool:
        """Whether the incident has no alert of this name yet, or none about this thing."""
        known = self._kinds.setdefault(incident_id, set(self._incidents[incident_id].about))
        new = {f"alert {name}", f"about {_family(subject)}"} - known
        if not new or len(known) >= KINDS_AT_MOST:
            return False
        known |= new
        return incident_id in self._before.incidents

    def _settle(self, incident_id: str, touched: "_Touched") -> None:
        """Bring an incident in line with its alerts."""
        before = self._before.incidents.get(incident_id)
        incident = self._incidents[incident_id]
        members = [self._alerts[incident_id, key] for key in self._members[incident_id]]
        status = status_of(alert.state for alert in members)
        was_open, is_open = before is not None and before.open, status is not IncidentStatus.RESOLVED
        reopened = is_open and before is not None and not before.open
        update: dict[str, object] = {
            "status": status,
            "severity": severity_of(members, incident.severity),
            "started_at": min([incident.started_at, *touched.began]),
            "updated_at": self.now,
            "resolved_at": None,
            "flaps": incident.flaps + (1 if reopened or touched.flapped else 0),
            "revision": incident.revision + 1,
            "about": tuple(sorted(self._kinds.get(incident_id, incident.about))),
        }
        if reopened:
            update |= {"acknowledged_at": None, "acknowledged_by": ""}
        if not is_open:
            ends = max((alert.ends_at for alert in members if alert.ends_at), default=self.now)
            update["resolved_at"] = max(incident.started_at, min(ends, self.now))
        self._incidents[incident_id] = incident.model_copy(update=update)
        touched.ended = was_open and not is_open
        touched.news |= is_open and not was_open
        touched.verdict = verdict(before, self._incidents[incident_id])


_QUIET = {"last_seen", "receivers", "labels", "annotations", "generator_url"}


class _Touched:
    """What happened to one incident."""

    def __init__(self) -> None:
        self.began: list[datetime] = []
        self.flapped = False
        self.news = False
        self.ended = False
        self.verdict = ""
        self.said: dict[str, Counter[str]] = defaultdict(Counter)

    def entries(self, now: datetime) -> Iterable[TimelineEntry]:
        """The lines of the timeline: what the alerts did, and what it came to."""
        for said, names in self.said.items():
            text = f"{said}: {listing(names)}" if names else said
            yield TimelineEntry(at=now, kind=TimelineKind.ALERT, text=text)
        if self.verdict:
            yield TimelineEntry(at=now, kind=TimelineKind.INCIDENT, text=self.verdict)


def _family(subject: Subject) -> str:
    """The subject; of pods what they are replicas of: another replica is nothing new."""
    name = owner_of_pod(subject.name) if subject.kind == "Pod" else subject.name
    return f"{subject.kind} {subject.namespace}/{name}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
