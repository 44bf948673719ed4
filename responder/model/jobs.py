"""Jobs and cron jobs: what became of them (Kubernetes, concepts/workloads/controllers/job and cron-jobs)."""

from collections.abc import Iterable
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
        """Whether it did its work, at whichever try."""
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
    def order(self) -> float:
        """Sorts jobs by when they began."""
        return self.started.timestamp() if self.started else 0.0

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


@dataclass(frozen=True)
class Runs:
    """The jobs of a cron job that are kept, the oldest first; a job that no cron job made stands alone.

    `succeeded` is when the cron job itself says that a job succeeded last.
    """

    jobs: tuple[Job, ...]
    succeeded: datetime | None = None

    @property
    def newest(self) -> Job:
        return self.jobs[-1]

    @property
    def failed(self) -> tuple[Job, ...]:
        """The jobs that failed."""
        return tuple(job for job in self.jobs if job.failure)

    @property
    def success(self) -> Job | None:
        """The first job that completed and began after the last one that failed."""
        last = self.failed[-1].order if self.failed else 0.0
        return next((job for job in self.jobs if job.completed and job.order >= last), None)

    @property
    def good_again(self) -> bool:
        """Whether a later run succeeded than the last one that failed."""
        ended = self.failed[-1].ended if self.failed else None
        return self.success is not None or bool(ended and self.succeeded and self.succeeded > ended)

    @property
    def streak(self) -> tuple[Job, ...]:
        """The jobs that failed since one succeeded; none where a later run succeeded."""
        if self.good_again:
            return ()
        good = max((job.order for job in self.jobs if job.completed), default=0.0)
        return tuple(job for job in self.failed if job.order >= good)

    @property
    def telling(self) -> tuple[Job, ...]:
        """What tells how it stands now: the last failure, unless a later run succeeded, and the newest job."""
        return (*self.streak[-1:], *(() if self.newest.failure else (self.newest,)))


def runs(jobs: Iterable[Job], crons: Iterable[CronJob] = ()) -> list[Runs]:
    """The jobs by the cron job that made them."""
    found: dict[str, list[Job]] = {}
    for job in sorted(jobs, key=lambda job: job.order):
        found.setdefault(job.cron or f"job/{job.name}", []).append(job)
    succeeded = {cron.name: cron.succeeded for cron in crons}
    return [Runs(tuple(each), succeeded.get(name)) for name, each in found.items()]
