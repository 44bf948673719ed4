"""Jobs and cron jobs: what became of them (Kubernetes, concepts/workloads/controllers/job and cron-jobs)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from responder.model.cron import Schedule
from responder.model.kubernetes import Object, string, time, whole

GRACE = timedelta(minutes=2)
"""How late a start may be before it counts as missed."""


@dataclass(frozen=True)
class Job:
    """A job: how it ended, or for how long it runs."""

    item: Object

    @property
    def name(self) -> str:
        return self.item.name

    @property
    def cron(self) -> str:
        """The cron job that made it."""
        owner = self.item.controller
        return owner[1] if owner and owner[0] == "CronJob" else ""

    @property
    def failure(self) -> str:
        """Why it failed: `BackoffLimitExceeded`, `DeadlineExceeded`, `PodFailurePolicy`…; empty where it did not."""
        failed = self.item.conditions.get("Failed") or self.item.conditions.get("FailureTarget") or {}
        return str(failed.get("reason") or "Failed") if failed.get("status") == "True" else ""

    @property
    def message(self) -> str:
        """The words of the API server about its failure."""
        return str((self.item.conditions.get("Failed") or {}).get("message") or "")

    @property
    def completed(self) -> bool:
        return self.item.conditions.get("Complete", {}).get("status") == "True"

    @property
    def suspended(self) -> bool:
        return self.item.spec.get("suspend") is True

    @property
    def started(self) -> datetime | None:
        return time(self.item.status.get("startTime")) or self.item.created

    @property
    def ended(self) -> datetime | None:
        failed = self.item.conditions.get("Failed") or {}
        return time(self.item.status.get("completionTime")) or time(failed.get("lastTransitionTime"))

    @property
    def tries(self) -> int:
        """How many of its pods failed."""
        return whole(self.item.status.get("failed")) or 0

    @property
    def limit(self) -> int:
        """How many tries it has beyond the first."""
        found = whole(self.item.spec.get("backoffLimit"))
        return 6 if found is None else found

    @property
    def running(self) -> bool:
        """Whether it has neither completed nor failed nor is suspended."""
        return not (self.completed or self.failure or self.suspended)

    def age(self, now: datetime) -> timedelta:
        """How long it has been running, or ran."""
        if self.started is None:
            return timedelta()
        return (self.ended or now) - self.started


@dataclass(frozen=True)
class CronJob:
    """A cron job: when it was due, and when it ran."""

    item: Object

    @property
    def name(self) -> str:
        return self.item.name

    @property
    def suspended(self) -> bool:
        return self.item.spec.get("suspend") is True

    @property
    def written(self) -> str:
        """The schedule as it is written, with its time zone."""
        zone = self.item.spec.get("timeZone")
        return f"{string(self.item.spec.get('schedule'))}{f' {zone}' if zone else ''}"

    @cached_property
    def schedule(self) -> Schedule | None:
        """The schedule; None where it cannot be read."""
        try:
            return Schedule.parse(string(self.item.spec.get("schedule")), string(self.item.spec.get("timeZone")))
        except ValueError:
            return None

    @property
    def started(self) -> datetime | None:
        """When a job was made last."""
        return time(self.item.status.get("lastScheduleTime"))

    @property
    def succeeded(self) -> datetime | None:
        """When a job succeeded last, where the server says so (1.21)."""
        return time(self.item.status.get("lastSuccessfulTime"))

    def missed(self, now: datetime) -> int:
        """How often it was due since it ran last (or was made) and no job was made; at most 100."""
        since = max(filter(None, (self.started, self.item.created)), default=None)
        if self.suspended or self.schedule is None or since is None:
            return 0
        return self.schedule.due(since + timedelta(seconds=1), now - GRACE)
