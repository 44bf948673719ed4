"""The demo's check objects to every wrong answer."""

from datetime import UTC, datetime
from typing import Any

from responder.demo.faults import FAULTS
from responder.model.finding import Confidence, Finding, Unseen
from responder.model.incident import IncidentStatus, Severity
from responder.model.report import Investigated, InvestigationStatus, Report
from responder.model.subject import Subject, Target
from tests.makers import evidence

FAULT = FAULTS["crash_loop"]


def finding(**fields: Any) -> Finding:
    kind, name = FAULT.subject
    given: dict[str, Any] = {
        "cause": FAULT.cause,
        "subject": Subject(kind=kind, name=name),
        "confidence": Confidence.CERTAIN,
        "headline": "it is killed",
        "evidence": ("pods",),
    }
    return Finding(**(given | fields))


def report(*findings: Finding, **fields: Any) -> Report:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    given: dict[str, Any] = {
        "id": "1",
        "url": "http://127.0.0.1/incidents/1",
        "status": IncidentStatus.FIRING,
        "severity": Severity.P1,
        "runbook": FAULT.runbook,
        "title": "crash loop",
        "headline": "it is killed",
        "subject": Subject(kind="Pod", name="a"),
        "target": Target(),
        "opened_at": at,
        "started_at": at,
        "updated_at": at,
        "revision": 1,
        "investigation": Investigated(status=InvestigationStatus.FINISHED),
        "evidence": (evidence("pods"),),
        "findings": findings,
    }
    return Report(**(given | fields))


def test_the_right_answer_meets_no_objection() -> None:
    assert not list(FAULT.objections(report(finding())))


def test_a_wrong_answer_is_told_from_the_right_one() -> None:
    wrong = [
        report(),
        report(finding(cause="bad-image")),
        report(finding(subject=Subject(kind="Node", name="node-1"))),
        report(finding(evidence=())),
        report(finding(), evidence=(evidence("pods", status="timeout"),)),
        report(finding(), unseen=(Unseen(text="Prometheus answered 500"),)),
    ]
    assert all(len(list(FAULT.objections(each))) == 1 for each in wrong)


def test_only_the_best_finding_counts() -> None:
    assert list(FAULT.objections(report(finding(cause="bad-image"), finding())))
