"""A false alarm is one that ended by itself, with everything that was looked at in order; a doubt is none."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from responder.flow.judge import without_evidence
from responder.model.evidence import EvidenceStatus
from responder.model.finding import Confidence, Finding, Unseen
from responder.model.incident import Incident, IncidentStatus, Severity
from responder.model.report import Investigation, InvestigationStatus
from responder.model.runbook import Runbook
from responder.model.subject import Subject
from tests.clock import TurnedClock
from tests.makers import NOW, evidence
from tests.service import PATIENCE, Starter, alert

FINDING = Finding(cause="x", subject=Subject(kind="Pod", name="p"), confidence=Confidence.POSSIBLE, headline="x")
RUNBOOK = Runbook.model_validate(
    {
        "apiVersion": "responder/v1",
        "kind": "Runbook",
        "metadata": {"name": "r", "title": "r"},
        "match": ["alertname=A"],
        "investigate": [
            {"id": "pods", "probe": "kubernetes.pods"},
            {"id": "database", "probe": "postgres.health", "when": "sources.postgres"},
            {"id": "node", "probe": "kubernetes.nodes", "when": 'target.node != ""'},
        ],
    }
)
FINISHED = Investigation(status=InvestigationStatus.FINISHED)


def over(**more: Any) -> Incident:
    given: dict[str, Any] = {
        "id": "i",
        "identity": "i",
        "runbook": "r",
        "title": "t",
        "subject": Subject(kind="Pod", name="p"),
        "severity": Severity.P2,
        "status": IncidentStatus.RESOLVED,
        "opened_at": NOW,
        "started_at": NOW,
        "updated_at": NOW,
        "resolved_at": NOW,
    }
    return Incident(**(given | more))


def test_what_ended_by_itself_with_everything_in_order_is_a_false_alarm() -> None:
    assert without_evidence(over(), FINISHED, [evidence()], RUNBOOK)


def test_what_did_not_apply_and_was_not_asked_leaves_no_doubt() -> None:
    assert without_evidence(
        over(), FINISHED, [evidence("pods"), evidence("node", status=EvidenceStatus.SKIPPED)], RUNBOOK
    )


@pytest.mark.parametrize(
    ("incident", "investigation", "seen"),
    [
        (over(status=IncidentStatus.FIRING), FINISHED, [evidence()]),
        (over(acknowledged_at=NOW), FINISHED, [evidence()]),
        (over(opened_by="Ada"), FINISHED, [evidence()]),
        (over(), Investigation(), [evidence()]),
        (over(), Investigation(status=InvestigationStatus.FAILED), [evidence()]),
        (over(), FINISHED.model_copy(update={"findings": (FINDING,)}), [evidence()]),
        (over(), FINISHED, [evidence("a"), evidence("b", breached=True)]),
        (over(), FINISHED, []),
        (over(), FINISHED, [evidence(status=EvidenceStatus.ERROR)]),
        (over(), FINISHED, [evidence("pods"), evidence("memory", status=EvidenceStatus.ERROR)]),
        (over(), FINISHED.model_copy(update={"unseen": (Unseen(text="pods of shop"),)}), [evidence()]),
        (over(), FINISHED, [evidence("pods"), evidence("database", status=EvidenceStatus.SKIPPED)]),
    ],
    ids=[
        *("open", "taken", "by hand", "not looked at", "failed", "a finding", "a breach", "no evidence"),
        *("nothing seen", "a question without an answer", "a part not seen", "no database set up"),
    ],
)
def test_a_doubt_is_no_false_alarm(incident: Incident, investigation: Investigation, seen: list[Any]) -> None:
    assert not without_evidence(incident, investigation, seen, RUNBOOK)


@pytest.mark.integration
async def test_it_is_judged_once_it_can_no_longer_be_reopened(start_service: Starter, tmp_path: Path) -> None:
    clock = TurnedClock(datetime.now(UTC))
    (tmp_path / "shop.yaml").write_text(
        "apiVersion: responder/v1\nkind: Runbook\nmetadata: {name: shop, title: Shop}\nmatch: [alertname=Shop]\n"
        "investigate: [{id: pods, probe: kubernetes.pods}]\n"
    )
    service = await start_service("crash_loop", state="healthy", clock=clock, rules=[str(tmp_path / "shop.yaml")])
    told = alert("Shop", priority="P2")
    await service.post(told)
    await service.incident()
    await service.post({**told, "status": "resolved", "endsAt": clock.now().isoformat()}, status="resolved")
    incident = await service.incident(lambda found: found["status"] == "resolved")
    clock.turn(timedelta(minutes=29))
    await asyncio.sleep(0.2)
    assert (await service.get(f"incidents/{incident['id']}"))["false_alarm"] == ""
    clock.turn(timedelta(minutes=2))
    async with asyncio.timeout(PATIENCE):
        while True:
            found = await service.get(f"incidents/{incident['id']}")
            if found["false_alarm"]:
                break
            await asyncio.sleep(0.05)
    assert found["false_alarm"] == "no_evidence"
    assert await service.metric("responder_false_alarms_total", severity="P2", why="no_evidence") == 1
