"""`kubernetes.jobs`: jobs and cron jobs, and what became of them."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from pydantic import Field

from responder.clients import Clients
from responder.model.evidence import Observation, Reproduction
from responder.model.jobs import CronJob, Job, Runs, runs
from responder.model.kubernetes import Object
from responder.model.numbers import seconds
from responder.model.runbook import Duration
from responder.probes import Inquiry, Permission, Probe
from responder.probes._kubernetes import (
    Gathering,
    Question,
    in_namespace,
    line_of,
    lines_of,
    newest_last,
    place,
    pods_in,
    reads,
)
from responder.templating import KubeName, Selector

_KEPT_COMPLETED = 5
_LISTED = 8


class KubernetesJobs(Probe):
    """Jobs and cron jobs with their pods and events: failed, running too long, suspended, missed; `value` counts these.

    Without options all of the namespace, or the target's job or cron job.
    """

    name: KubeName = Field("", description="what the names begin with, as `siem-export`")
    selector: Selector = Field("", description="labels of the jobs, as for kubectl")
    namespace: KubeName = ""
    max_active: Duration | None = Field(None, description="how long a job may run")

    async def run(self, inquiry: Inquiry, clients: Clients) -> Observation:
        where = place(inquiry, self.namespace)
        namespace = in_namespace(where)
        found = Gathering(clients.kubernetes, inquiry)
        await found.ask(
            Question("jobs.batch", namespace, self.selector),
            Question("cronjobs.batch", namespace, self.selector),
            Question("pods", namespace),
            Question("events", namespace),
        )
        name = self._prefix(inquiry)
        jobs = [job for job in map(Job, map(Object, found.of("Job"))) if name in ("", job.cron) or _begins(job, name)]
        crons = [cron for cron in map(CronJob, map(Object, found.of("CronJob"))) if _begins(cron, name)]
        found.objects = _belonging(found, jobs, crons)
        # only what belongs to these jobs is kept
        found.complete = [] if name or self.selector else [kind for kind in found.complete if "Job" in kind]
        troubles = list(self._troubles(jobs, crons, inquiry.now))
        events = [event for event in newest_last(found.of("Event")) if event.warning]
        return Observation(
            summary=_summary(jobs, crons, troubles),
            data=found.content(),
            empty=not jobs and not crons,
            facts=(
                *troubles[:_LISTED],
                *(_made_good(each) for each in runs(jobs, crons) if each.failed and each.good_again),
                *(_line(cron) for cron in crons[:_LISTED]),
                *lines_of(pods_in(found.objects), 4),
                *(line_of(event) for event in events[-4:]),
            ),
            value=float(len(troubles)),
            breached=bool(troubles),
            truncated="; ".join(found.truncated),
            gaps=tuple(found.gaps),
        )

    def reproduce(self, inquiry: Inquiry, clients: Clients) -> tuple[Reproduction, ...]:
        namespace = place(inquiry, self.namespace).namespace
        chosen = ["-l", self.selector] if self.selector else []
        kubectl = clients.kubernetes.kubectl
        listed = kubectl("-n", namespace, "get", "cronjobs,jobs", *chosen, "-o", "wide")
        return (
            Reproduction(command=listed),
            Reproduction(command=kubectl("-n", namespace, "describe", "jobs", *chosen)),
        )

    def permissions(self) -> tuple[Permission, ...]:
        return reads("jobs.batch", "cronjobs.batch", "pods", "events")

    def _prefix(self, inquiry: Inquiry) -> str:
        if self.name or self.selector:
            return self.name
        kind, _, name = place(inquiry, self.namespace).workload.partition("/")
        return name if kind in ("job", "cronjob") else ""

    def _troubles(self, jobs: Sequence[Job], crons: Sequence[CronJob], now: datetime) -> Iterator[str]:
        for job in (job for each in runs(jobs, crons) for job in each.telling):
            if job.failure:
                yield f"job {job.name} failed: {job.failure}, {job.tries} of {job.limit + 1} tries"
            elif job.running and self.max_active is not None and job.age(now) > self.max_active:
                wanted = seconds(self.max_active.total_seconds())
                yield f"job {job.name} runs for {seconds(job.age(now).total_seconds())}, wanted are at most {wanted}"
        for cron in crons:
            if missed := cron.missed(now):
                times = "100 or more times" if missed == 100 else f"{missed} time{'s' if missed > 1 else ''}"
                yield f"cron job {cron.name} ({cron.written}) was due {times} and did not run"


def _begins(job: Job | CronJob, name: str) -> bool:
    return job.name.startswith(name)


def _made_good(each: Runs) -> str:
    count, last = len(each.failed), each.failed[-1]
    jobs = f"job {last.name}" if count == 1 else f"{count} jobs of {last.cron}, {last.name} the last,"
    return f"{jobs} failed; a later run succeeded"


def _belonging(found: Gathering, jobs: Sequence[Job], crons: Sequence[CronJob]) -> list[dict[str, object]]:
    """The jobs with their pods and events; of those that completed long ago only the newest."""
    completed = sorted((job for job in jobs if job.completed), key=lambda job: job.order)[:-_KEPT_COMPLETED]
    dropped = {job.name for job in completed}
    names = {("Job", job.name) for job in jobs if job.name not in dropped}
    names |= {("CronJob", cron.name) for cron in crons}
    pods = [pod for pod in pods_in(found.objects) if pod.controller in names]
    names |= {("Pod", pod.name) for pod in pods}
    events = [event for event in newest_last(found.of("Event")) if (event.about[0], event.about[2]) in names]
    others = [dict(event.raw) for event in events]
    return [item for item in found.objects if (item["kind"], item["metadata"]["name"]) in names] + others


def _summary(jobs: Sequence[Job], crons: Sequence[CronJob], troubles: Sequence[str]) -> str:
    if not jobs and not crons:
        return "no jobs"
    failed, running = sum(bool(job.failure) for job in jobs), sum(job.running for job in jobs)
    parts = [f"{len(jobs)} job{'' if len(jobs) == 1 else 's'}: {failed} failed, {running} running"]
    if crons:
        suspended = sum(cron.suspended for cron in crons)
        parts.append(f"{len(crons)} cron job{'' if len(crons) == 1 else 's'}, {suspended} suspended")
    return "; ".join([*parts, *troubles[:1]])


def _line(cron: CronJob) -> str:
    last = f"last run {cron.started:%Y-%m-%d %H:%M} UTC" if cron.started else "never ran"
    success = f", last success {cron.succeeded:%Y-%m-%d %H:%M} UTC" if cron.succeeded else ""
    suspended = ", suspended" if cron.suspended else ""
    return f"cron job {cron.name} ({cron.written}): {last}{success}{suspended}"
