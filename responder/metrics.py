"""Every exported metric, declared once, on a registry of the application's own."""

from collections.abc import Iterable
from itertools import product

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
SEVERITIES = ("P0", "P1", "P2", "P3")
_LONG = (1, 5, 15, 30, 60, 120, 300, 900, 1800, 3600, 14400, 86400)


class Metrics:
    """The metrics; label values come from closed sets or from the loaded rules."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        r = self.registry
        self.notifications = Counter(
            "responder_notifications", "Webhook deliveries by outcome.", ["outcome"], registry=r
        )
        self.alerts = Counter("responder_alerts", "Alerts in accepted deliveries.", ["status"], registry=r)
        self.intake_seconds = Histogram(
            "responder_intake_seconds", "From request to answer.", buckets=_SECONDS, registry=r
        )
        self.commit_deliveries = Histogram(
            "responder_intake_commit_deliveries",
            "Deliveries that shared one commit.",
            buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
            registry=r,
        )
        self.fold_seconds = Histogram(
            "responder_fold_seconds", "Folding one batch of deliveries.", buckets=_SECONDS, registry=r
        )
        self.fold_backlog = Gauge("responder_fold_backlog", "Deliveries stored and not folded yet.", registry=r)
        self.incidents = Gauge(
            "responder_incidents", "Incidents that are not resolved.", ["runbook", "severity", "status"], registry=r
        )
        self.actions = Counter("responder_actions", "Actions by outcome.", ["action", "outcome"], registry=r)
        self.incidents_opened = Counter(
            "responder_incidents_opened", "Incidents opened or reopened.", ["runbook", "severity"], registry=r
        )
        self.incidents_resolved = Counter(
            "responder_incidents_resolved", "Incidents resolved.", ["runbook", "severity"], registry=r
        )
        self.unmatched = Counter(
            "responder_alerts_unmatched", "New alerts that only the default runbook claimed.", registry=r
        )
        self.step_seconds = Histogram(
            "responder_step_seconds", "Probes, by outcome.", ["probe", "status"], buckets=_SECONDS, registry=r
        )
        self.detector_seconds = Histogram(
            "responder_detector_seconds",
            "Detectors, and rules of runbooks.",
            ["detector"],
            buckets=_SECONDS,
            registry=r,
        )
        self.detector_failures = Counter(
            "responder_detector_failures",
            "Failures of detectors, of probes (by kind), of rules (`runbook`) and of whole investigations.",
            ["detector"],
            registry=r,
        )
        self.findings = Counter("responder_findings", "Best findings.", ["cause", "confidence"], registry=r)
        self.client_requests = Counter(
            "responder_client_requests", "Requests to the outside.", ["client", "outcome"], registry=r
        )
        self.client_shared = Counter(
            "responder_client_shared",
            "Questions answered without a request of their own.",
            ["client", "how"],
            registry=r,
        )
        self.client_seconds = Histogram(
            "responder_client_seconds", "Requests to the outside.", ["client"], buckets=_SECONDS, registry=r
        )
        self.outbox_depth = Gauge("responder_outbox_depth", "Messages that wait for delivery.", ["sink"], registry=r)
        self.deliveries = Counter("responder_sink_deliveries", "Deliveries to sinks.", ["sink", "outcome"], registry=r)
        self.calls = Counter("responder_sink_calls", "Calls of media about buttons.", ["outcome"], registry=r)
        self.delivery_seconds = Histogram(
            "responder_sink_seconds", "Deliveries to sinks.", ["sink"], buckets=_SECONDS, registry=r
        )
        self.jobs_pending = Gauge("responder_queue_jobs", "Jobs that wait or run.", ["kind"], registry=r)
        self.jobs_oldest = Gauge(
            "responder_queue_oldest_seconds", "How long the oldest due job has been due.", registry=r
        )
        self.jobs = Counter("responder_queue_finished", "Jobs, by outcome.", ["kind", "outcome"], registry=r)
        self.escalations = Counter(
            "responder_escalations", "Levels of escalation that were reached.", ["severity", "level"], registry=r
        )
        self.responses_missed = Counter(
            "responder_responses_missed",
            "Incidents that nobody acknowledged within the response time.",
            ["severity"],
            registry=r,
        )
        self.rules_loaded = Gauge("responder_rules_loaded", "1 if the newest rules are in use, else 0.", registry=r)
        self.runbooks = Gauge("responder_runbooks", "Runbooks in use.", registry=r)
        self.detection_seconds = Histogram(
            "responder_time_to_detection_seconds",
            "From when the trouble began to the webhook.",
            ["severity"],
            buckets=_LONG,
            registry=r,
        )
        self.first_word_seconds = Histogram(
            "responder_time_to_first_word_seconds",
            "From the webhook to the first delivery.",
            buckets=_SECONDS,
            registry=r,
        )
        self.finding_seconds = Histogram(
            "responder_time_to_finding_seconds", "From the webhook to the finding.", buckets=_SECONDS, registry=r
        )
        self.acknowledgement_seconds = Histogram(
            "responder_time_to_acknowledgement_seconds",
            "From opening to somebody's answer.",
            ["severity"],
            buckets=_LONG,
            registry=r,
        )
        self.resolution_seconds = Histogram(
            "responder_time_to_resolution_seconds",
            "From when the trouble began to resolved.",
            ["severity"],
            buckets=_LONG,
            registry=r,
        )
        self.procedure_steps = Counter(
            "responder_procedure_steps", "Steps of procedures that somebody marked.", ["state"], registry=r
        )
        self.public_updates = Counter(
            "responder_public_updates", "Updates of the public status that were let out.", ["state"], registry=r
        )
        self.false_alarms = Counter(
            "responder_false_alarms",
            "Incidents that were none: somebody said so, or they ended by themselves without evidence.",
            ["severity", "why"],
            registry=r,
        )
        self.feedback = Counter("responder_feedback", "What people said of findings.", ["verdict"], registry=r)
        for timed in (self.detection_seconds, self.acknowledgement_seconds, self.resolution_seconds):
            for severity in SEVERITIES:
                timed.labels(severity)
        begin(self.responses_missed, SEVERITIES)
        begin(self.false_alarms, SEVERITIES, ("said", "no_evidence"))
        begin(self.feedback, ("useful", "not_useful"))


def begin(counter: Counter, *values: Iterable[str]) -> None:
    """Begin the series of a counter, for each combination of its labels' values, where these are known beforehand.

    A series that begins with its first event hides that event from `rate()` and `increase()`.
    """
    for labels in product(*values):
        counter.labels(*labels)
