"""Jobs that failed, run too long or were never started."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from responder.detectors import Case
from responder.detectors._writing import CERTAIN, LIKELY, POSSIBLE, because, found, listed, plural, quote
from responder.model.finding import Because, Cause, Cleared, Finding
from responder.model.follow_up import FollowUp, objects
from responder.model.jobs import CronJob, Job, Runs, runs
from responder.model.kubernetes import Container, Event, Object, Pod, mapping, time
from responder.model.numbers import seconds

_JOBS = "https://kubernetes.io/docs/concepts/workloads/controllers/job/"
_CRONS = "https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/"


def _cause(
    slug: str, title: str, meaning: str, confirm: str, fix: str, reference: str = _JOBS, *, generic: bool = False
) -> Cause:
    return Cause(
        slug=slug, title=title, meaning=meaning, confirm=confirm, fix=fix, reference=reference, generic=generic
    )


FAILED = _cause(
    "job-failed", "A job failed",
    "Its pods failed as often as it may try (BackoffLimitExceeded), or its failure policy ended it.",
    "kubectl describe job NAME; kubectl logs job/NAME", "Correct what its log complains of, then run it again",
    generic=True,
)  # fmt: skip
STALE = _cause(
    "stale-job-failure", "An old failure that mended itself",
    "A failed job is kept though a later run of its cron job succeeded; the alert looks at the kept object.",
    "kubectl get jobs --sort-by .status.startTime", "Keep its log, then delete the failed job; that ends the alert",
)  # fmt: skip
LATE = _cause(
    "job-deadline-exceeded", "A job took longer than it may",
    "activeDeadlineSeconds passed before it was done: its pods were ended.",
    "kubectl describe job NAME: activeDeadlineSeconds; the log of its pods",
    "Find out what it waited for; raise the deadline only if the work has grown",
)  # fmt: skip
WAITING = _cause(
    "job-pod-not-started", "A job's pod does not start",
    "The job runs, and none of its pods does: it cannot be scheduled, or its image or configuration is missing.",
    "kubectl describe pod -l job-name=NAME", "Correct what keeps the pod from starting",
)  # fmt: skip
MISSED = _cause(
    "cron-job-missed", "A cron job did not run when it was due",
    "No job was made at the scheduled time: the previous one still runs and concurrencyPolicy forbids another, the "
    "deadline for late starts has passed, too many starts were missed, or the controller was not running.",
    "kubectl describe cronjob NAME: its events; concurrencyPolicy, startingDeadlineSeconds",
    "End the job that blocks it, or correct the schedule; kubectl create job --from=cronjob/NAME runs it now", _CRONS,
)  # fmt: skip
SUSPENDED = _cause(
    "cron-job-suspended", "A cron job is suspended",
    "spec.suspend is true: no jobs are made until somebody sets it to false.",
    "kubectl get cronjob NAME", "kubectl patch cronjob NAME -p '{\"spec\":{\"suspend\":false}}'", _CRONS,
)  # fmt: skip
SCHEDULE = _cause(
    "cron-job-schedule-invalid", "A cron job's schedule cannot be read",
    "The controller does not understand the schedule or time zone, so the job never runs.",
    "kubectl describe cronjob NAME: InvalidSchedule, UnparseableSchedule or UnknownTimeZone",
    "Write five fields (minute, hour, day, month, weekday) and a zone of the tz database", _CRONS,
)  # fmt: skip
HELD = _cause(
    "job-suspended", "A job is suspended",
    "Its spec says suspend: true: no pod of it runs, and it does not end, until somebody resumes it.",
    "kubectl get job NAME -o jsonpath='{.spec.suspend}'",
    "kubectl patch job NAME -p '{\"spec\":{\"suspend\":false}}', or have its queue admit it",
)  # fmt: skip
CAUSES = (FAILED, STALE, LATE, WAITING, MISSED, SUSPENDED, SCHEDULE, HELD)

READS = ("jobs.batch", "cronjobs.batch", "pods")
_LATELY = timedelta(minutes=30)
_UNREADABLE = ("UnparseableSchedule", "InvalidSchedule", "UnknownTimeZone")
_STUCK = ("ImagePullBackOff", "ErrImagePull", "InvalidImageName", "CreateContainerConfigError", "CreateContainerError")


def follow_up(case: Case) -> Iterator[FollowUp]:
    """The cron jobs with their jobs, where an alert names one or a job of theirs."""
    kind = case.target.workload.partition("/")[0]
    named = any(alert.labels.get(label) for alert in case.alerts for label in ("cronjob", "job_name"))
    if case.target.namespace and (named or kind in ("job", "cronjob")):
        for resource in READS:
            yield objects(resource, "the alert is about a job", namespace=case.target.namespace)


def detect(case: Case) -> Iterator[Finding | Cleared]:
    scene = case.scene
    jobs = [Job(item) for item in scene.picture.all("Job", scene.namespace)]
    crons = [CronJob(item) for item in scene.picture.all("CronJob", scene.namespace)]
    history = runs(jobs, crons)
    asked = [each for each in history if _asked(case, each) or _lately(case, each.newest)]
    asked_crons = [cron for cron in crons if _named(case, cron.item) or _step_asks(case, cron.item)]
    said = [finding for each in asked for finding in _of_runs(case, each)]
    said += [finding for cron in asked_crons for finding in _of_cron(case, cron, jobs)]
    yield from said
    if (asked or asked_crons) and not said:
        seen = [job for each in asked for job in each.jobs]
        yield Cleared(text=f"jobs ({_well(seen, asked_crons)})", evidence=(seen or asked_crons)[0].item.evidence)


def _well(jobs: Sequence[Job], crons: Sequence[CronJob]) -> str:
    """What became of jobs with which nothing is wrong."""
    failed = sum(bool(job.failure) for job in jobs)
    said = [
        f"{plural(len(jobs), 'job')}, {sum(job.completed for job in jobs)} completed" if jobs else "",
        f"{failed} failed before a later run succeeded" if failed else "",
        f"{plural(len(crons), 'cron job')}, none missed" if crons else "",
    ]
    return "; ".join(filter(None, said))


def _asked(case: Case, each: Runs) -> bool:
    """Whether the case is about jobs: the target or an alert names one, or a step asks for them.

    A job that failed long ago, or a cron job that is suspended on purpose, has to do with no other alert.
    """
    return any(_named(case, job.item, job.cron) or _step_asks(case, job.item) for job in each.jobs)


def _named(case: Case, item: Object, cron: str = "") -> bool:
    """Whether the target or an alert names a job or cron job."""
    names = {case.target.workload.partition("/")[2]}
    names |= {alert.labels.get(label, "") for alert in case.alerts for label in ("job_name", "cronjob")}
    return bool({item.name, cron or item.name} & names)


def _step_asks(case: Case, item: Object) -> bool:
    return any(case.evidence[name].probe == "kubernetes.jobs" for name in item.evidence if name in case.evidence)


def _lately(case: Case, job: Job) -> bool:
    """Whether a job failed at about the time when the alert began."""
    return bool(job.failure and job.ended and job.ended > case.started_at - _LATELY)


def _of_runs(case: Case, each: Runs) -> Iterator[Finding]:
    """What is wrong with the jobs of a cron job, or with a job alone."""
    if each.good_again and any(_named(case, job.item, job.cron) for job in each.failed):
        yield _stale(case, each)
    for job in each.telling:
        yield from _of_job(case, job, len(each.streak))


def _stale(case: Case, each: Runs) -> Finding:
    last, success = each.failed[-1], each.success
    ended = success.ended if success else each.succeeded
    good = f"job/{success.name}" if success else "a later run"
    when = f" at {ended:%Y-%m-%d %H:%M} UTC" if ended else ""
    names = [job.name for job in each.failed]
    kept = f"{listed(names)} failed before that and {'is' if len(names) == 1 else 'are'} only kept"
    subject = case.scene.responsible(last.item)
    return found(
        STALE,
        subject,
        CERTAIN,
        f"{subject} works again: {good} succeeded{when}; {kept}",
        [
            *(because(f"{good} succeeded{when}", job.item) for job in (success or last,)),
            *(because(_words(job), job.item) for job in each.failed[-3:]),
            *_endings(case, _pods_of(case, last)),
        ],
        next_steps=[
            f"kubectl -n {last.item.namespace} logs job/{last.name} --all-containers --tail=100",
            f"kubectl -n {last.item.namespace} delete job {' '.join(names)}",
        ],
        since=each.failed[0].ended,
    )


def _pods_of(case: Case, job: Job) -> list[Pod]:
    return [pod for pod in case.scene.picture.pods(job.item.namespace) if pod.controller == ("Job", job.name)]


def _of_job(case: Case, job: Job, in_a_row: int) -> Iterator[Finding]:
    pods = _pods_of(case, job)
    subject = case.scene.responsible(job.item) if job.cron else job.item.subject
    again = f"; the last {in_a_row} runs failed" if in_a_row > 1 else ""
    if job.item.spec.get("suspend") is True and not job.completed:
        headline = f"job/{job.name} is suspended: it runs no pods until somebody resumes it"
        reasons = [because("suspend: true", job.item)]
        yield found(HELD, subject, CERTAIN, headline, reasons, since=_suspended_since(job))
    elif job.failure == "DeadlineExceeded":
        limit = job.item.spec.get("activeDeadlineSeconds")
        bound = f" {seconds(float(limit))}" if isinstance(limit, int | float) else ""
        headline = f"job/{job.name} was ended: it took longer than its deadline{bound}{again}"
        reasons = [because(_words(job), job.item), *_endings(case, pods)]
        yield found(LATE, subject, CERTAIN, headline, reasons, since=job.ended)
    elif job.failure:
        endings = _endings(case, pods)
        why = f": {endings[0].text}" if endings else ""
        tries = "1 try" if job.tries < 2 else f"{job.tries} tries"
        headline = f"job/{job.name} failed after {tries}{why}{again}"
        yield found(
            FAILED,
            subject,
            CERTAIN,
            headline,
            [because(_words(job), job.item), *endings],
            since=job.ended,
            next_steps=[f"kubectl -n {job.item.namespace} logs job/{job.name} --all-containers --tail=100"],
            explanation="" if endings else "Its pods are gone, so that only the job itself tells of the failure.",
        )
    elif job.running and (stuck := _stuck(pods)) and not any(pod.phase == "Running" for pod in pods):
        pod, words = stuck
        headline = f"job/{job.name} has run for {seconds(job.age(case.now).total_seconds())} without a pod: {words}"
        yield found(WAITING, subject, LIKELY, headline, [because(f"{pod.name}: {words}", pod)], since=job.started)


def _suspended_since(job: Job) -> datetime | None:
    return time(mapping(job.item.conditions.get("Suspended")).get("lastTransitionTime"))


def _words(job: Job) -> str:
    return f"job/{job.name}: {job.failure}{f' ({quote(job.message)})' if job.message else ''}"


def _endings(case: Case, pods: Sequence[Pod]) -> list[Because]:
    """How the containers of a job's pods ended, and the last error that each logged; the newest pod first."""
    said: list[Because] = []
    for pod in sorted(pods, key=lambda pod: pod.created.timestamp() if pod.created else 0.0, reverse=True)[:2]:
        if reason := str(pod.status.get("reason") or ""):
            said.append(because(f"{pod.name}: {reason} {quote(str(pod.status.get('message') or ''))}".strip(), pod))
        said += [
            because(f"{pod.name} {container.name} {ended}", pod)
            for container in pod.containers
            if (ended := _ending(container))
        ]
        for evidence, log in case.scene.logs_of(pod.name):
            if log.last_error:
                said.append(because(f"{pod.name} {log.container} logged: {quote(log.last_error)}", evidence))
    return said[:4]


def _ending(container: Container) -> str:
    ended = container.terminated
    if ended and ended.get("exitCode") not in (0, None):
        message = quote(str(ended.get("message") or ""))
        said = f": {message}" if message else ""
        return f"ended with exit code {ended['exitCode']} ({ended.get('reason', 'Error')}){said}"
    return ""


def _stuck(pods: Sequence[Pod]) -> tuple[Pod, str] | None:
    """A pod that does not start, and the words for why."""
    for pod in pods:
        scheduled = pod.conditions.get("PodScheduled", {})
        if pod.phase == "Pending" and scheduled.get("reason") == "Unschedulable":
            return pod, f"Unschedulable, {quote(str(scheduled.get('message') or ''))}"
        for container in pod.containers:
            if (reason := str(container.waiting.get("reason") or "")) in _STUCK:
                return pod, f"{reason}, {quote(str(container.waiting.get('message') or ''))}"
    return None


def _of_cron(case: Case, cron: CronJob, jobs: Sequence[Job]) -> Iterator[Finding]:
    item, subject = cron.item, cron.item.subject
    events = case.scene.picture.events(item)
    words = [because(f"{event.reason}: {quote(event.message)}", event) for event in events if event.warning][-3:]
    if unread := [event for event in events if event.reason in _UNREADABLE]:
        headline = f"cronjob/{cron.name} never runs: {quote(unread[-1].message)}"
        yield found(SCHEDULE, subject, CERTAIN, headline, [because(f"schedule: {cron.written}", item), *words])
    elif cron.suspended:
        last = f"; it last ran at {cron.started:%Y-%m-%d %H:%M} UTC" if cron.started else ""
        headline = f"cronjob/{cron.name} is suspended{last}"
        named = case.target.workload == f"cronjob/{cron.name}"
        yield found(SUSPENDED, subject, LIKELY if named else POSSIBLE, headline, [because("suspend: true", item)])
    elif missed := cron.missed(case.now):
        yield _missed(case, cron, missed, jobs, words, events)


def _missed(
    case: Case, cron: CronJob, missed: int, jobs: Sequence[Job], words: Sequence[Because], events: Sequence[Event]
) -> Finding:
    blocking = [job for job in jobs if job.cron == cron.name and job.running]
    forbids = cron.item.spec.get("concurrencyPolicy") == "Forbid"
    many = "100 times or more" if missed == 100 else plural(missed, "time")
    why = ""
    if forbids and blocking:
        age = seconds(blocking[0].age(case.now).total_seconds())
        why = f": job/{blocking[0].name} has been running for {age} and concurrencyPolicy forbids another"
    elif events and words:
        why = f": {words[-1].text}"
    last = f"last run {cron.started:%Y-%m-%d %H:%M} UTC" if cron.started else "never ran"
    return found(
        MISSED,
        cron.item.subject,
        LIKELY,
        f"cronjob/{cron.name} was due {many} and did not run{why}",
        [
            because(f"schedule {cron.written}, {last}", cron.item),
            *(because(f"job/{job.name} still runs", job.item) for job in blocking[:2]),
            *words,
        ],
        since=cron.schedule.before(case.now) if cron.schedule and missed == 1 else None,
        next_steps=[f"kubectl -n {cron.item.namespace} describe cronjob {cron.name}"],
    )
