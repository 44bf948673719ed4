"""Scrape targets: what Prometheus' errors mean."""

import pytest

from responder.detectors import Case, targets
from responder.errors import Reason
from responder.model.evidence import EvidenceStatus
from responder.model.finding import Confidence
from responder.model.scraping import ScrapeTarget, ScrapeTargets
from responder.model.subject import Target
from tests.detectors import cases
from tests.makers import NOW, alert, evidence


def case(*failing: ScrapeTarget, up: int = 2) -> Case:
    down: dict[str, int] = {}
    for item in failing:
        down[item.job] = down.get(item.job, 0) + 1
    answer = ScrapeTargets(up={"web": up} if up else {}, down=down, failing=failing)
    return Case(Target(), (alert(),), NOW, NOW, {"targets": evidence("targets", answer)})


def failing(error: str, job: str = "web", instance: str = "10.0.0.1:80", **labels: str) -> ScrapeTarget:
    return ScrapeTarget(job=job, instance=instance, error=error, url=f"http://{instance}/metrics", labels=labels)


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        ('Get "http://10.0.0.1/metrics": dial tcp 10.0.0.1:80: connect: connection refused', targets.REFUSED),
        ('Get "http://10.0.0.1/metrics": context deadline exceeded', targets.SLOW),
        ('Get "http://a/metrics": dial tcp 10.0.0.1:80: i/o timeout', targets.SLOW),
        ('Get "http://a/metrics": dial tcp: lookup a on 10.96.0.10:53: no such host', targets.NAME),
        ('Get "https://a/": x509: certificate signed by unknown authority', targets.CERTIFICATE),
        ("server returned HTTP status 401 Unauthorized", targets.DENIED),
        ("server returned HTTP status 404 Not Found", targets.PATH),
        ("server returned HTTP status 503 Service Unavailable", targets.STATUS),
        ("server returned HTTP status 302 Found", targets.FORMAT),
        ('"INVALID" is not a valid start token', targets.FORMAT),
        ('expected equal, got "x" ("EQUAL")', targets.FORMAT),
        ('received unsupported Content-Type "text/html" and no fallback_scrape_protocol', targets.FORMAT),
        ("sample limit exceeded", targets.LIMIT),
        ("body size limit exceeded", targets.LIMIT),
        ("something new", targets.DOWN),
        ("", targets.DOWN),
    ],
)
def test_an_error_means_one_cause(error: str, cause: targets.Cause) -> None:
    (finding,) = cases.findings(targets.detect, case(failing(error)))
    assert finding.cause == cause.slug
    assert finding.confidence is (Confidence.LIKELY if cause is targets.DOWN else Confidence.CERTAIN)
    assert "1 of 3 targets down" in finding.because[0].text


def test_targets_of_one_job_and_reason_are_one_finding() -> None:
    both = [failing("connection refused", instance=f"10.0.0.{n}:80", service="web", namespace="shop") for n in (1, 2)]
    (finding,) = cases.findings(targets.detect, case(*both))
    assert (str(finding.subject), finding.subject.namespace) == ("service/web", "shop")
    assert "2 targets of job web" in finding.headline


@pytest.mark.parametrize(
    ("labels", "subject"),
    [({"pod": "web-1"}, "pod/web-1"), ({"node": "n1"}, "node/n1"), ({}, "endpoint/10.0.0.1:80")],
)
def test_the_subject_is_what_the_labels_name(labels: dict[str, str], subject: str) -> None:
    (finding,) = cases.findings(targets.detect, case(failing("x", **labels)))
    assert str(finding.subject) == subject


def test_all_up_is_cleared_and_nothing_seen_is_not() -> None:
    assert cases.cleared(targets.detect, case()) == ["scrape targets (2 up, none down)"]
    assert list(targets.detect(case(up=0))) == []
    denied = evidence("targets", status=EvidenceStatus.DENIED, reason=Reason.FORBIDDEN, summary="no")
    assert list(targets.detect(Case(Target(), (), NOW, NOW, {"targets": denied}))) == []
