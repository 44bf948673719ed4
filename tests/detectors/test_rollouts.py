"""What was rolled out just before."""

import json
from datetime import timedelta

from responder.demo.clusters import RECORDED_AT
from responder.detectors import load as load_detectors
from responder.detectors import rollouts
from responder.flow.diagnose import diagnose
from responder.model.finding import Confidence
from responder.model.runbook import Runbook
from tests.detectors.cases import case, cleared, findings, recorded

TRIAGE = Runbook.model_validate(
    {
        "apiVersion": "responder/v1",
        "kind": "Runbook",
        "metadata": {"name": "triage", "title": "Triage"},
        "match": ["{}"],
        "diagnose": [{"use": "all"}],
    }
)


def test_a_release_before_the_alert_is_named_with_what_it_changed() -> None:
    (finding,) = findings(rollouts.detect, case(recorded("crash_loop")))
    assert str(finding.subject) == "deployment/api-gateway"
    assert "before the alert began" in finding.headline
    assert "memory" in finding.headline
    assert any("rollout undo deployment/api-gateway" in step for step in finding.next_steps)


def test_a_release_of_last_week_is_cleared() -> None:
    long_after = case(recorded("crash_loop"), started_at=RECORDED_AT + timedelta(days=7))
    assert not findings(rollouts.detect, long_after)
    assert cleared(rollouts.detect, long_after)


def test_the_first_revision_is_no_change() -> None:
    objects = [item for item in recorded("crash_loop") if item["kind"] != "ReplicaSet"]
    assert not findings(rollouts.detect, case(objects))


def test_the_release_supports_the_finding_about_the_same_workload() -> None:
    best, *others = diagnose(case(recorded("crash_loop")), TRIAGE, load_detectors()).findings
    assert best.cause == "oom-killed"
    assert best.confidence is Confidence.CERTAIN
    assert any("was rolled out" in reason.text for reason in best.because)
    assert [other.cause for other in others if other.subject == best.subject]


def test_a_rollout_that_goes_on_well_is_no_finding() -> None:
    objects = json.loads(json.dumps(recorded("crash_loop")))
    for item in objects:
        if item["kind"] == "Deployment" and item["metadata"]["name"] == "api-gateway":
            item["status"]["conditions"] = [{"type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated"}]
        if item["kind"] == "Pod":
            item["status"]["containerStatuses"] = []
    under_way = case(objects)
    assert not findings(rollouts.detect, under_way)
    assert any("under way" in text for text in cleared(rollouts.detect, under_way))
