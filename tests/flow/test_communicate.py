"""What the public is told: no sooner than it is so, and nothing that strangers wrote."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from responder import detectors, plugins, probes
from responder.documents import Problems
from responder.flow.communicate import compose, context, state_of
from responder.flow.review import review
from responder.flow.target import aims
from responder.model.clusters import ONE_LABEL
from responder.model.communication import PublicState, StatusTemplates
from responder.model.finding import Confidence, Finding
from responder.model.incident import AlertState, Incident, IncidentStatus, Severity, TimelineEntry, TimelineKind
from responder.model.incident import TrackedAlert as Tracked
from responder.model.report import Check, Investigation, InvestigationStatus, Verification, full
from responder.model.runbook import Runbook
from responder.model.subject import Subject
from responder.probes import Probe
from responder.runbooks.loading import load, shipped
from tests.makers import NOW

EVIL = "<script>alert(1)</script>{{ 7 * 7 }}[x](javascript:1) `$(reboot)` password=hunter2hunter2"
DAY = timedelta(days=1)
CATALOG = plugins.load(probes, Probe, "probe", dotted=True)  # type: ignore[type-abstract]
DETECTORS = detectors.load()
BOOK = load([shipped()], CATALOG, DETECTORS)


def runbook(**more: Any) -> Runbook:
    given: dict[str, Any] = {
        "apiVersion": "responder/v1",
        "kind": "Runbook",
        "metadata": {"name": "shop", "title": "The shop is down"},
        "match": ["alertname=Shop"],
        "communicate": {"templates": "kubechat", "component": "The shop"},
        "investigate": [{"id": "pods", "probe": "kubernetes.pods"}],
        "verify": [{"step": "pods", "expect": "value == 0.0"}],
    }
    return Runbook.model_validate(given | more)


def incident(**more: Any) -> Incident:
    given: dict[str, Any] = {
        "id": "i1",
        "identity": EVIL,
        "runbook": "shop",
        "title": EVIL,
        "subject": Subject(kind="Pod", name=EVIL, namespace=EVIL),
        "severity": Severity.P0,
        "status": IncidentStatus.FIRING,
        "opened_at": NOW,
        "started_at": NOW - timedelta(minutes=5),
        "updated_at": NOW,
    }
    return Incident(**(given | more))


def over(**more: Any) -> Incident:
    return incident(status=IncidentStatus.RESOLVED, resolved_at=NOW + timedelta(minutes=40), **more)


def investigation(confidence: str = "", cause: str = "oom-killed") -> Investigation:
    found = Finding(
        cause=cause,
        subject=Subject(kind="Pod", name=EVIL),
        confidence=Confidence(confidence or "possible"),
        headline=EVIL,
    )
    return Investigation(status=InvestigationStatus.FINISHED, findings=(found,) if confidence else ())


def verified(passed: bool) -> Verification:
    return Verification(at=NOW, checks=(Check(text="pods", passed=passed),))


@pytest.mark.parametrize(
    ("given", "found", "verification", "later", "state"),
    [
        (incident(), investigation(), None, timedelta(), "investigating"),
        (incident(), investigation("possible"), None, timedelta(), "investigating"),
        (incident(), investigation("likely"), None, timedelta(), "identified"),
        (incident(), investigation("certain"), None, timedelta(), "identified"),
        (over(), investigation("certain"), None, timedelta(), "monitoring"),
        (over(), investigation("certain"), verified(False), timedelta(), "monitoring"),
        (over(), investigation(), verified(True), timedelta(), "resolved"),
        (over(), investigation(), verified(True), DAY + timedelta(minutes=39), "resolved"),
        (over(), investigation(), verified(True), DAY + timedelta(minutes=40), "postmortem"),
        (over(), investigation(), verified(False), DAY * 3, "monitoring"),
    ],
)
def test_nothing_is_said_before_it_is_so(
    given: Incident,
    found: Investigation,
    verification: Verification | None,
    later: timedelta,
    state: PublicState,
) -> None:
    assert state_of(given, found, verification, runbook(), DAY, NOW + later) == state


def test_where_no_probe_can_verify_the_end_it_is_said_when_the_alerts_end() -> None:
    assert state_of(over(), investigation(), None, runbook(verify=[{"manual": "try it"}]), DAY, NOW) == "resolved"


@pytest.mark.parametrize("name", ["default", "kubechat"])
@pytest.mark.parametrize("state", ["investigating", "identified", "monitoring", "resolved", "postmortem"])
def test_the_shipped_texts_name_the_component_and_nothing_that_strangers_wrote(name: str, state: PublicState) -> None:
    values = context(over(), investigation("certain"), runbook(), DETECTORS.causes, NOW)
    update = compose(BOOK.templates[name], state, values, NOW)
    assert update is not None
    assert "The shop" in update.title
    for text in (update.title, update.body):
        for word in ("script", "reboot", "hunter2", "javascript", "7 * 7", "49", "{{"):
            assert word not in text


def test_a_cause_is_told_by_its_title_in_the_catalogue() -> None:
    values = context(incident(), investigation("likely"), runbook(), DETECTORS.causes, NOW)
    update = compose(BOOK.templates["kubechat"], "identified", values, NOW)
    assert update is not None
    assert DETECTORS.causes["oom-killed"].title in update.body


def test_a_state_that_has_no_text_is_passed_over() -> None:
    given = {"investigating": {"title": "x", "body": "y"}}
    assert compose(templates(given), "resolved", {}, NOW) is None


def templates(updates: dict[str, Any], review: str = "") -> StatusTemplates:
    return StatusTemplates.model_validate(
        {
            "apiVersion": "responder/v1",
            "kind": "StatusTemplates",
            "metadata": {"name": "t", "title": "t"},
            "updates": updates,
            "review": review,
        }
    )


def test_a_hostile_target_is_no_place() -> None:
    tracked = Tracked(
        incident_id="i1",
        key="k",
        fingerprint="k",
        state=AlertState.FIRING,
        labels={"namespace": EVIL, "pod": EVIL},
        starts_at=NOW,
        first_seen=NOW,
        last_seen=NOW,
    )
    (aim,) = aims(runbook(), [tracked], ONE_LABEL)
    values = context(incident(), Investigation(target=aim.target), runbook(), {}, NOW)
    assert values["place"] == ""


def test_the_review_of_a_hostile_incident_is_text() -> None:
    entries = [
        TimelineEntry(at=NOW, kind=TimelineKind.ALERT, text=f"{EVIL}\n# heading {number}") for number in range(200)
    ]
    report = full(over(), investigation("likely"), [], url="", runbook=runbook(), timeline=entries)
    text = review(BOOK.templates["kubechat"], report, "The shop", "Out of memory", NOW)
    assert "120 lines left out" in text
    assert "\n# heading" not in text
    assert "](" not in text
    assert "\\<script\\>" in text
    assert "Out of memory" in text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{{ incident.componnt }}", "did you mean 'component'"),
        ("{{ labels.team }}", "'labels' is not known here"),
        ("{{ incident.timeline }}", "incident.timeline is for the review only"),
        ("{{ incident.title", "is wrong"),
    ],
)
def test_a_text_that_names_what_is_not_for_the_public_is_refused_with_file_and_line(
    tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / "t.yaml").write_text(
        "apiVersion: responder/v1\nkind: StatusTemplates\nmetadata: {name: t, title: t}\nupdates:\n"
        f"  resolved:\n    title: ok\n    body: '{text}'\n"
    )
    with pytest.raises(Problems) as error:
        load([tmp_path], CATALOG, DETECTORS)
    (problem,) = error.value.problems
    assert (problem.line, problem.place) == (7, "updates.resolved.body")
    assert said in problem.message


@pytest.mark.parametrize(
    ("change", "place", "said"),
    [
        ("{templates: kubechatt, component: x}", "communicate.templates", "did you mean 'kubechat'"),
        ("{templates: default, component: x, severities: [P9]}", "communicate.severities[0]", "P0"),
    ],
)
def test_a_runbook_that_names_no_set_of_templates_is_refused(
    tmp_path: Path, change: str, place: str, said: str
) -> None:
    (tmp_path / "r.yaml").write_text(
        "apiVersion: responder/v1\nkind: Runbook\nmetadata: {name: r, title: r}\nmatch: [alertname=R]\n"
        f"communicate: {change}\n"
    )
    with pytest.raises(Problems) as error:
        load([tmp_path], CATALOG, DETECTORS)
    (problem,) = error.value.problems
    assert problem.place == place
    assert said in problem.message


@pytest.mark.parametrize(
    ("policy", "place", "said"),
    [
        (
            "severities: {P0: {response_time: 15m, chain: [{level: level_2, after: 1m}]}}",
            "chain[0].level",
            "did you mean",
        ),
        ("severities: {P0: {response_time: 15m, chain: [{level: level_1}]}}", "chain[0]", "'after' or 'at'"),
        ("severities: {P0: {response_time: 15m, chain: [{level: level_1, at: someday}]}}", "at", "pattern"),
        ("severities: {P0: {response_time: soon}}", "response_time", "is not a duration"),
        ("severities: {}\ntime_zone: Mars/Olympus", "time_zone", "is no time zone"),
        ("severities: {}\nwork_dys: [monday]", "work_dys", "unknown key 'work_dys'"),
    ],
)
def test_a_policy_that_cannot_be_followed_is_refused_with_its_place(
    tmp_path: Path, policy: str, place: str, said: str
) -> None:
    (tmp_path / "p.yaml").write_text(
        "apiVersion: responder/v1\nkind: EscalationPolicy\nmetadata: {name: p, title: p}\n"
        f"levels: {{level_1: {{role: On-call}}}}\n{policy}\n"
    )
    with pytest.raises(Problems) as error:
        load([tmp_path], CATALOG, DETECTORS)
    assert any(place in problem.place and said in problem.message for problem in error.value.problems), str(error.value)


@pytest.mark.parametrize(
    ("procedure", "said"),
    [
        ("[{id: a, title: a, needs: [b]}, {id: b, title: b}]", "needs 'b', which is no step before it"),
        ("[{id: a, title: a}, {id: a, title: a}]", "two steps of the procedure have the id 'a'"),
        ("[{id: a, title: a, verify: {step: x, expect: 'true'}}]", "verifies by 'x', which is no step"),
        ("[{id: a, title: a, command: '{{ label.x }}'}]", "did you mean 'labels'"),
        ("[{id: a, title: a, command: '{{ incident.title }}'}]", "'incident' is not known here"),
    ],
)
def test_a_procedure_that_cannot_be_followed_is_refused(tmp_path: Path, procedure: str, said: str) -> None:
    (tmp_path / "r.yaml").write_text(
        "apiVersion: responder/v1\nkind: Runbook\nmetadata: {name: r, title: r}\nmatch: [alertname=R]\n"
        f"procedure: {procedure}\n"
    )
    with pytest.raises(Problems) as error:
        load([tmp_path], CATALOG, DETECTORS)
    assert said in str(error.value)


def test_the_review_says_when_it_began_when_the_alert_fired_and_how_long_it_lasted() -> None:
    began = NOW - timedelta(hours=2, minutes=5)
    ended = over().model_copy(
        update={"onset_at": began, "started_at": began + timedelta(minutes=5), "resolved_at": NOW}
    )
    template = BOOK.templates["default"]
    text = review(template, full(ended, Investigation(), [], url="", runbook=runbook()), "The shop", "", NOW)
    assert "| Began | 2026-03-04 00:55:00 UTC (the alert fired 2026-03-04 01:00:00 UTC) |" in text
    assert "| Lasted | 2 h 5 min |" in text
    still = ended.model_copy(update={"status": IncidentStatus.FIRING, "resolved_at": None})
    later = NOW + timedelta(hours=1)
    text = review(template, full(still, Investigation(), [], url="", runbook=runbook()), "The shop", "", later)
    assert "| Lasted | 3 h 5 min so far |" in text
