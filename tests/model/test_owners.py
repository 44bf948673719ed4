"""The name of a pod or a job tells who made it."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from responder.model.labels import owner_of, subject_of
from responder.model.owners import cron_job_of, owner_of_pod

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
LETTERS = "bcdfghjklmnpqrstvwxz2456789"
NAMES = st.from_regex(r"[a-z]([-a-z]{0,20}[aeiou])?", fullmatch=True)
FIVE = st.text(LETTERS, min_size=5, max_size=5)
HASH = st.text(LETTERS, min_size=8, max_size=10)


@pytest.mark.parametrize(
    ("pod", "owner"),
    [
        pytest.param("api-7d9f8b6c5d-bcdfg", "deployment/api", id="deployment"),
        pytest.param("payment-processing-worker-747ccfb9db-pd6wz", "deployment/payment-processing-worker", id="dashes"),
        pytest.param("db-0", "statefulset/db", id="stateful set"),
        pytest.param("agent-x7b2c", "agent", id="daemon set, replica set or job"),
        pytest.param("backup-28391820-bcdfg", "cronjob/backup", id="cron job"),
        pytest.param("backup-1606780800-bcdfg", "cronjob/backup", id="cron job before Kubernetes 1.21"),
        pytest.param("import-3-bcdfg", "import", id="indexed job"),
        pytest.param("standalone", "standalone", id="bare pod"),
        pytest.param("my-redis", "my-redis", id="a word is no suffix"),
        pytest.param("", "", id="no pod"),
    ],
)
def test_the_name_of_a_pod_tells_its_owner(pod: str, owner: str) -> None:
    assert owner_of_pod(pod) == owner


@pytest.mark.parametrize(
    ("job", "cron_job"),
    [
        pytest.param("report-28999800", "report", id="minutes since 1970"),
        pytest.param("report-1606780800", "report", id="seconds since 1970, before Kubernetes 1.21"),
        pytest.param("nightly-report-29940000", "nightly-report", id="dashes"),
        pytest.param("migrate-20261130", "", id="a date"),
        pytest.param("migrate-2026113001", "", id="a date with a counter"),
        pytest.param("migrate-42", "", id="a number"),
        pytest.param("report-manual-x7b2c", "", id="started by hand"),
        pytest.param("28999800", "", id="no name"),
    ],
)
def test_the_name_of_a_job_tells_its_cron_job(job: str, cron_job: str) -> None:
    assert cron_job_of(job) == cron_job


def test_an_alert_of_a_cron_jobs_run_is_about_the_cron_job() -> None:
    subject = subject_of({"job": "kube-state-metrics", "namespace": "shop", "job_name": "report-28999800"})
    assert (subject.kind, subject.name) == ("CronJob", "report")


@unhurried
@given(NAMES, NAMES, HASH, HASH, FIVE, FIVE)
def test_pods_of_two_deployments_have_two_owners(
    one: str, other: str, hash1: str, hash2: str, end1: str, end2: str
) -> None:
    owners = {owner_of({"pod": f"{one}-{hash1}-{end1}"}), owner_of({"pod": f"{other}-{hash2}-{end2}"})}
    assert len(owners) == len({one, other})


@unhurried
@given(NAMES, HASH, FIVE)
def test_a_pod_has_the_owner_that_a_label_names(name: str, template: str, end: str) -> None:
    pod = f"{name}-{template}-{end}"
    assert owner_of({"pod": pod}) == owner_of({"pod": pod, "deployment": name}) == f"deployment/{name}"
