"""Jobs: why they failed, and which did not run."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from responder.detectors import Case, jobs
from responder.errors import Reason
from responder.model.evidence import ContainerLog, EvidenceStatus, KubernetesObjects, Logs
from responder.model.finding import Confidence
from responder.model.subject import Target
from tests.detectors import cases
from tests.makers import NOW, alert, evidence


def ago(**span: float) -> str:
    return (NOW - timedelta(**span)).isoformat()


def job(
    name: str = "export-1", *, cron: str = "export", failed: str = "", hours: float = 1, **status: Any
) -> dict[str, Any]:
    conditions = [{"type": "Failed", "status": "True", "reason": failed, "message": "no luck",
                   "lastTransitionTime": ago(hours=hours / 2)}] if failed else []  # fmt: skip
    owners = [{"kind": "CronJob", "name": cron, "controller": True}] if cron else []
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": "shop", "ownerReferences": owners},
        "spec": {"backoffLimit": 3, "activeDeadlineSeconds": 600},
        "status": {"startTime": ago(hours=hours), "conditions": conditions, **status},
    }


def completed(name: str, hours: float) -> dict[str, Any]:
    return job(name, hours=hours) | {
        "status": {"startTime": ago(hours=hours), "conditions": [{"type": "Complete", "status": "True"}]}
    }


def cron(schedule: str = "0 * * * *", *, last: float = 0.5, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "export", "namespace": "shop", "creationTimestamp": ago(days=9)},
        "spec": {"schedule": schedule, **spec},
        "status": {"lastScheduleTime": ago(hours=last)},
    }


def pod(owner: str = "export-1", **container: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{owner}-x",
            "namespace": "shop",
            "ownerReferences": [{"kind": "Job", "name": owner, "controller": True}],
        },
        "spec": {"containers": [{"name": "export"}]},
        "status": {"phase": "Failed", "containerStatuses": [{"name": "export", **container}]},
    }


def event(kind: str, name: str, reason: str, message: str) -> dict[str, Any]:
    about = {"kind": kind, "name": name, "namespace": "shop"}
    return {"apiVersion": "v1", "kind": "Event", "metadata": {"name": reason, "namespace": "shop"},
            "involvedObject": about, "reason": reason, "message": message, "type": "Warning"}  # fmt: skip


def case(*objects: dict[str, Any], probe: str = "kubernetes.jobs", target: str = "", log: str = "") -> Case:
    seen = {"jobs": evidence("jobs", KubernetesObjects(objects=objects), probe=probe)}
    if log:
        told = ContainerLog(namespace="shop", pod="export-1-x", container="export", lines=(log,), last_error=log)
        seen["logs"] = evidence("logs", Logs(logs=(told,)))
    return Case(Target(namespace="shop", workload=target), (alert(),), NOW, NOW, seen)


def told(case: Case) -> list[tuple[str, str, Confidence]]:
    return [(item.cause, str(item.subject), item.confidence) for item in cases.findings(jobs.detect, case)]


ENDED = {"state": {"terminated": {"exitCode": 3, "reason": "Error"}}}


def test_a_failed_job_says_how_its_containers_ended_and_what_they_logged() -> None:
    seen = case(cron(), job(failed="BackoffLimitExceeded", tries=4), pod(**ENDED), log="ERROR disk full")
    (finding,) = cases.findings(jobs.detect, seen)
    assert (finding.cause, finding.confidence, str(finding.subject)) == (
        "job-failed",
        Confidence.CERTAIN,
        "cronjob/export",
    )
    assert "export-1-x export ended with exit code 3 (Error)" in finding.headline
    assert [reason.text for reason in finding.because] == [
        "job/export-1: BackoffLimitExceeded (no luck)",
        "export-1-x export ended with exit code 3 (Error)",
        "export-1-x export logged: ERROR disk full",
    ]


def test_a_job_whose_pods_are_gone_says_so() -> None:
    (finding,) = cases.findings(jobs.detect, case(job(failed="BackoffLimitExceeded")))
    assert "Its pods are gone" in finding.explanation


def test_a_deadline_is_another_cause() -> None:
    seen = case(job(failed="DeadlineExceeded", cron=""))
    assert told(seen) == [("job-deadline-exceeded", "job/export-1", Confidence.CERTAIN)]


def test_a_failure_that_was_made_good_since_is_not_told() -> None:
    seen = case(cron(), job("export-1", failed="BackoffLimitExceeded", hours=2), completed("export-2", 1))
    assert told(seen) == []
    assert cases.cleared(jobs.detect, seen) == [
        "jobs (2 jobs, 1 completed; 1 failed before a later run succeeded; 1 cron job, none missed)"
    ]


def test_an_alert_about_a_failed_job_says_which_run_succeeded_since_and_why_it_failed() -> None:
    failed = [job(f"export-{hours}", failed="BackoffLimitExceeded", hours=hours) for hours in (4, 3, 2)]
    seen = case(cron(), *reversed(failed), completed("export-1", 1), pod("export-2", **ENDED))
    (finding,) = cases.findings(jobs.detect, replace(seen, alerts=(alert(job_name="export-4"),)))
    assert (finding.cause, str(finding.subject)) == ("stale-job-failure", "cronjob/export")
    assert finding.headline.startswith("cronjob/export works again: job/export-1 succeeded")
    assert "export-4, export-3 and export-2 failed before that" in finding.headline
    assert "export-2-x export ended with exit code 3 (Error)" in [reason.text for reason in finding.because]


def test_the_cron_job_itself_may_say_that_a_later_run_succeeded() -> None:
    good = cron() | {"status": {"lastScheduleTime": ago(minutes=10), "lastSuccessfulTime": ago(minutes=5)}}
    seen = case(good, job("export-2", failed="BackoffLimitExceeded", hours=2), target="cronjob/export")
    assert told(seen) == [("stale-job-failure", "cronjob/export", Confidence.CERTAIN)]


def test_runs_that_fail_one_after_the_other_are_one_finding() -> None:
    failed = [job(f"export-{hours}", failed="BackoffLimitExceeded", hours=hours) for hours in (3, 2, 1)]
    (finding,) = cases.findings(jobs.detect, case(cron(), completed("export-4", 4), *failed))
    assert finding.cause == "job-failed"
    assert finding.headline == "job/export-1 failed after 1 try; the last 3 runs failed"


def test_a_failed_run_is_told_of_while_the_next_one_is_under_way() -> None:
    seen = case(cron(), job("export-2", failed="BackoffLimitExceeded", hours=2), job("export-1", hours=0.1))
    assert told(seen) == [("job-failed", "cronjob/export", Confidence.CERTAIN)]


def test_a_job_without_a_pod_that_starts() -> None:
    waiting = pod(state={"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}})
    waiting["status"]["phase"] = "Pending"
    assert told(case(cron(), job(), waiting)) == [("job-pod-not-started", "cronjob/export", Confidence.LIKELY)]


def test_a_missed_start_names_the_job_that_blocks_it() -> None:
    seen = case(cron(last=5, concurrencyPolicy="Forbid"), job(hours=5))
    (finding,) = cases.findings(jobs.detect, seen)
    assert finding.cause == "cron-job-missed"
    assert "was due 4 times and did not run" in finding.headline
    assert "job/export-1 has been running for 5 h" in finding.headline


def test_a_start_that_is_a_little_late_is_not_missed() -> None:
    seen = case(cron(f"{NOW.minute - 1 if NOW.minute else 59} * * * *", last=1.0))
    assert told(seen) == []


def test_a_schedule_that_cannot_be_read_is_the_controllers_word() -> None:
    seen = case(cron("every day"), event("CronJob", "export", "UnparseableSchedule", "unparseable schedule"))
    assert told(seen) == [("cron-job-schedule-invalid", "cronjob/export", Confidence.CERTAIN)]


def test_a_suspended_job_is_told_of_surely_only_where_it_is_meant() -> None:
    suspended = cron(suspend=True)
    assert told(case(suspended)) == [("cron-job-suspended", "cronjob/export", Confidence.POSSIBLE)]
    named = case(suspended, probe="kubernetes.namespace", target="cronjob/export")
    assert told(named) == [("cron-job-suspended", "cronjob/export", Confidence.LIKELY)]


def test_old_failures_and_suspended_jobs_have_nothing_to_do_with_another_alert() -> None:
    old = job(failed="BackoffLimitExceeded", hours=48)
    assert list(jobs.detect(case(old, cron(suspend=True), probe="kubernetes.namespace"))) == []


def test_a_failure_at_the_time_of_the_alert_is_told() -> None:
    seen = case(job(failed="BackoffLimitExceeded", hours=0.2), probe="kubernetes.namespace")
    assert [cause for cause, _, _ in told(seen)] == ["job-failed"]


def test_nothing_seen_concludes_nothing() -> None:
    denied = evidence("jobs", status=EvidenceStatus.DENIED, reason=Reason.FORBIDDEN, summary="no")
    assert list(jobs.detect(Case(Target(), (), NOW, NOW, {"jobs": denied}))) == []
    assert list(jobs.detect(case())) == []


def test_a_suspended_job_says_so_and_since_when() -> None:
    condition = {"type": "Suspended", "status": "True", "reason": "JobSuspended", "lastTransitionTime": ago(hours=2)}
    held = job("import", cron="") | {"spec": {"suspend": True}, "status": {"conditions": [condition]}}
    seen = replace(cases.case([held], namespace="shop"), target=aimed_at("job/import"))
    (finding,) = cases.findings(jobs.detect, seen)
    assert (finding.cause, str(finding.subject)) == ("job-suspended", "job/import")
    assert finding.confidence is Confidence.CERTAIN
    assert finding.since == NOW - timedelta(hours=2)


def test_cron_jobs_are_asked_for_when_the_alert_is_about_one_and_only_then() -> None:
    seen = replace(cases.case([]), target=aimed_at("cronjob/nightly"))
    assert "cronjobs.batch" in [question.options["resource"] for question in jobs.follow_up(seen)]
    assert not list(jobs.follow_up(cases.case([])))


def aimed_at(workload: str) -> Target:
    return Target(namespace="shop", workload=workload)
