"""An incident whose alerts name several objects is investigated for each of them, and says of what it speaks."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from responder.flow.several import EvidenceOfTargets, all_of, by_step, together
from responder.flow.target import Aim
from responder.model.evidence import Evidence, EvidenceStatus
from responder.model.finding import Because, Cleared, Confidence, Diagnosis, Finding, Unseen
from responder.model.subject import Subject, Target
from tests.makers import NOW

API, WEB = Target(namespace="shop", workload="deployment/api"), Target(namespace="search", pod="web-0")


def seen(step: str, summary: str) -> Evidence:
    return Evidence(
        id=step,
        probe="kubernetes.logs",
        title=step.title(),
        status=EvidenceStatus.OK,
        summary=summary,
        source="",
        at=NOW,
        seconds=0.1,
    )


def finding(cause: str, name: str, confidence: Confidence, evidence: Sequence[str] = ("logs",)) -> Finding:
    return Finding(
        cause=cause,
        subject=Subject(kind="Deployment", name=name, namespace="shop"),
        confidence=confidence,
        headline=f"{cause} of {name}",
        because=(Because(text="its log says so", evidence=tuple(evidence)),),
        evidence=tuple(evidence),
    )


def both() -> EvidenceOfTargets:
    found = EvidenceOfTargets([API, WEB])
    for number, said in enumerate(("the api fails", "the web fails")):
        found.add(number, seen("logs", said))
        found.add(number, seen("nodes", "3 nodes ready"))
    return found


def test_evidence_says_of_what_it_is_and_what_is_the_same_is_kept_once() -> None:
    kept = {item.id: item.title for item in both().everything(())}
    assert kept == {
        "logs": "Logs (deployment/api in shop)",
        "logs-2": "Logs (pod/web-0 in search)",
        "nodes": "Nodes",
    }


def test_each_target_finds_its_own_evidence_again() -> None:
    everything = {item.id: item for item in both().everything(())}
    first, second = (by_step(everything, aim) for aim in both().aimed)
    assert (first["logs"].summary, second["logs"].summary) == ("the api fails", "the web fails")
    assert first["nodes"] == second["nodes"]


def test_evidence_from_before_a_crash_belongs_to_its_target() -> None:
    again = EvidenceOfTargets([API, WEB], both().everything(()))
    assert again.known(0)["logs"].summary == "the api fails"
    assert again.known(1)["logs"].summary == "the web fails"
    assert "nodes" not in again.known(1)


def test_the_best_finding_of_each_object_comes_before_the_second_best_of_any() -> None:
    one = Diagnosis(
        findings=(finding("quota", "api", Confidence.POSSIBLE), finding("rollout", "api", Confidence.POSSIBLE))
    )
    two = Diagnosis(findings=(finding("oom-killed", "web", Confidence.CERTAIN),))
    merged = together([one, two], both().aimed, [])
    assert [item.cause for item in merged.findings] == ["oom-killed", "quota", "rollout"]
    assert merged.findings[0].evidence == merged.findings[0].because[0].evidence == ("logs-2",)


def test_what_was_ruled_out_for_one_object_is_said_of_that_one() -> None:
    one = Diagnosis(cleared=(Cleared(text="nodes", evidence=("nodes",)), Cleared(text="images", evidence=("logs",))))
    two = Diagnosis(cleared=(Cleared(text="nodes", evidence=("nodes",)),), unseen=(Unseen(text="Loki"),))
    merged = together([one, two], both().aimed, [])
    assert [item.text for item in merged.cleared] == ["nodes", "images (deployment/api in shop)"]
    assert [item.text for item in merged.unseen] == ["Loki (pod/web-0 in search)"]


def test_objects_past_the_limit_are_named() -> None:
    aims = [Aim(API, ()), Aim(WEB, ()), *(Aim(Target(node=f"w{number}"), ()) for number in range(12))]
    (said,) = together([Diagnosis(), Diagnosis()], both().aimed, aims).unseen
    assert "not investigated: node/w0, node/w1," in said.text
    assert said.text.endswith("and 2 more")


def test_one_object_is_investigated_as_ever() -> None:
    found = EvidenceOfTargets([API])
    assert found.add(0, seen("logs", "x")) == seen("logs", "x")
    assert found.aimed == ()
    diagnosis = Diagnosis(findings=(finding("quota", "api", Confidence.LIKELY),))
    assert together([diagnosis], (), [Aim(API, ())]) == diagnosis


async def test_trouble_with_one_object_is_raised_when_the_others_are_done() -> None:
    done: list[str] = []

    async def well() -> None:
        done.append("well")

    async def ill() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await all_of([ill(), well()])
    assert done == ["well"]


def test_times_of_answers_do_not_make_them_differ() -> None:
    found = EvidenceOfTargets([API, WEB])
    later = {"at": NOW + timedelta(seconds=1), "seconds": 9.0}
    assert found.add(0, seen("nodes", "3")).id == found.add(1, seen("nodes", "3").model_copy(update=later)).id
