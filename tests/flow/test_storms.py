"""Many incidents as one message."""

from datetime import timedelta

from responder.flow.storms import compose
from responder.model.finding import Confidence, Finding
from responder.model.incident import IncidentStatus, Severity
from responder.model.report import Investigated, InvestigationStatus, ReportSummary
from responder.model.subject import Subject
from responder.store.deliveries import Storm
from tests.makers import NOW

STORM = Storm("storm-1", "chat", NOW, NOW + timedelta(seconds=10))
NODE = Finding(
    cause="node-not-ready",
    subject=Subject(kind="Node", name="worker-2"),
    confidence=Confidence.CERTAIN,
    headline="node worker-2 is not ready",
    next_steps=("look at its kubelet",),
)


def report(number: int, *findings: Finding, status: IncidentStatus = IncidentStatus.FIRING) -> ReportSummary:
    done = InvestigationStatus.FINISHED if findings else InvestigationStatus.RUNNING
    return ReportSummary(
        id=f"{number:04}",
        url=f"https://responder.example/incidents/{number:04}",
        status=status,
        severity=Severity.P0 if number == 7 else Severity.P2,
        runbook="triage",
        title=f"Down on service {number}",
        headline=findings[0].headline if findings else f"Down on service {number}: looking into it",
        subject=Subject(kind="Service", name=str(number), namespace=f"ns-{number % 3}"),
        opened_at=NOW,
        started_at=NOW - timedelta(minutes=1),
        updated_at=NOW,
        resolved_at=NOW if status is IncidentStatus.RESOLVED else None,
        revision=1,
        findings=findings,
        investigation=Investigated(status=done),
    )


def test_the_cause_that_most_share_is_the_verdict() -> None:
    message = compose(STORM, [report(number, *([NODE] if number else [])) for number in range(40)], "https://r.example")
    assert message.headline == "40 more incidents within 10 s; most share one cause: node worker-2 is not ready"
    assert message.cause == "node not ready: node/worker-2; certain"
    assert [line.text for line in message.because] == ["39 of 40: node not ready: node/worker-2"]
    assert [line.text for line in message.next_steps] == ["look at its kubelet"]
    assert message.severity is Severity.P0
    assert message.members[0].severity is Severity.P0, "the worst comes first"
    assert (len(message.members), message.more_members) == (15, 25)
    assert message.place == "3 places, most in ns-0"
    assert message.report is None


def test_without_a_common_cause_it_says_so() -> None:
    others = [NODE.model_copy(update={"subject": Subject(kind="Node", name=f"worker-{n}")}) for n in range(8)]
    message = compose(STORM, [report(number, others[number]) for number in range(8)], "https://r.example")
    assert message.headline == "8 more incidents within 10 s, without a common cause"
    assert message.cause == ""
    assert message.because[-1].text == "3 other causes"


def test_it_is_over_when_all_are() -> None:
    half = [report(0, NODE), report(1, NODE, status=IncidentStatus.RESOLVED)]
    assert compose(STORM, half, "x").status is IncidentStatus.FIRING
    assert "1 of them resolved" in compose(STORM, half, "x").headline
    over = [report(number, NODE, status=IncidentStatus.RESOLVED) for number in range(2)]
    message = compose(STORM, over, "x")
    assert (message.stage, message.status, message.next_steps) == ("resolved", IncidentStatus.RESOLVED, ())
    assert message.resolved_at == NOW


def test_the_digest_changes_with_what_is_shown_and_not_with_the_order() -> None:
    reports = [report(number, NODE) for number in range(5)]
    assert compose(STORM, reports, "x").digest == compose(STORM, reports[::-1], "x").digest
    assert compose(STORM, reports, "x").digest != compose(STORM, [*reports, report(9)], "x").digest
