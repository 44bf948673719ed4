"""The next level is told while nobody answers: everyone who is due, nobody twice, nobody once somebody has it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from responder.flow.escalate import Decision, begin, decide, follow, hurry, next_moment
from responder.model.escalation import EscalationPolicy
from responder.model.incident import Incident, IncidentStatus, Severity
from responder.model.ledger import Ledger
from responder.model.subject import Subject
from tests.flow.story import Story, firing, resolved
from tests.makers import NOW

MINUTE = timedelta(minutes=1)
CONTACTS = {"level_1": ["pager"], "level_2": ["phone", "mail"], "level_3": ["phone"]}


def policy(**more: Any) -> EscalationPolicy:
    """P0 tells two levels at once, P1 one after the other, P2 on the next work day, P3 on Monday."""
    return EscalationPolicy.model_validate(
        {
            "apiVersion": "responder/v1",
            "kind": "EscalationPolicy",
            "metadata": {"name": "test", "title": "Test"},
            "severities": {
                "P0": {
                    "response_time": "15m",
                    "chain": [
                        {"level": "level_1", "after": "0s"},
                        {"level": "level_2", "after": "0s"},
                        {"level": "level_3", "after": "30m"},
                    ],
                },
                "P1": {
                    "response_time": "1h",
                    "chain": [
                        {"level": "level_1", "after": "15m"},
                        {"level": "level_2", "after": "1h"},
                        {"level": "level_3", "after": "2h"},
                    ],
                },
                "P2": {"response_time": "4h", "chain": [{"level": "level_1", "at": "next_business_day 09:00"}]},
                "P3": {"response_time": "1d", "chain": [{"level": "level_1", "at": "monday 09:00"}]},
            },
            "levels": {
                "level_1": {"role": "On-call", "response_time": "15m"},
                "level_2": {"role": "Manager"},
                "level_3": {"role": "VP"},
            },
            **more,
        }
    )


def incident(severity: str = "P1", **more: Any) -> Incident:
    return Incident(
        id="i",
        identity="i",
        runbook="r",
        title="t",
        subject=Subject(kind="Pod", name="p"),
        severity=Severity(severity),
        status=IncidentStatus.FIRING,
        opened_at=NOW,
        started_at=NOW,
        updated_at=NOW,
        **more,
    )


def opened(severity: str = "P1", at: datetime = NOW) -> Decision:
    return decide(follow(policy(), None, incident(severity), at), CONTACTS, at)


def test_p0_reaches_on_call_and_management_at_once() -> None:
    decision = opened("P0")
    assert decision.incident.levels == ("level_1", "level_2")
    assert [step.sinks for step in decision.told] == [("pager",), ("phone", "mail")]
    assert decision.entries[0].text == "Notifying On-call (level_1) through pager"


def test_a_level_without_a_contact_is_said_to_be_nobody() -> None:
    decision = decide(follow(policy(), None, incident("P0"), NOW), {"level_2": ["mail"]}, NOW)
    assert [entry.text for entry in decision.entries] == [
        "Nobody is notified: no contact for level_1 (On-call)",
        "Notifying Manager (level_2) through mail",
    ]
    assert decision.incident.levels == ("level_2",)


def test_the_levels_that_nothing_reaches_are_named() -> None:
    assert policy().unserved(CONTACTS) == ""
    assert policy().unserved({"level_1": ["pager"]}) == "no contact for level_2, level_3"
    assert policy().unserved({"level_1": []}) == "nobody is notified: no contact for level_1, level_2, level_3"


def test_each_level_is_told_in_its_time_and_the_timeline_says_why() -> None:
    found = opened().incident
    assert found.levels == ()
    assert next_moment(found) == NOW + 15 * MINUTE
    decision = decide(found, CONTACTS, NOW + 15 * MINUTE)
    assert decision.incident.levels == ("level_1",)
    assert decision.entries[0].text == "Escalated to On-call (level_1) through pager: nobody acknowledged it for 15 min"
    assert next_moment(decision.incident) == NOW + 60 * MINUTE


def test_a_missed_response_time_is_said_once() -> None:
    late = decide(opened("P0").incident, CONTACTS, NOW + 15 * MINUTE)
    assert late.missed
    assert late.entries[0].text == "Nobody acknowledged it within the response time of P0"
    assert not decide(late.incident, CONTACTS, NOW + 16 * MINUTE).missed


def test_who_has_it_is_not_hurried() -> None:
    taken = opened().incident.model_copy(update={"acknowledged_at": NOW + MINUTE})
    assert next_moment(taken) is None
    assert decide(taken, CONTACTS, NOW + timedelta(days=1)) == Decision(taken)


def test_a_raise_makes_nothing_later() -> None:
    found = opened().incident
    at = NOW + 59 * MINUTE
    found = decide(found, CONTACTS, at).incident
    raised = follow(policy(), found, found.model_copy(update={"severity": Severity.P0}), at)
    due = {step.level: step.due_at for step in raised.escalation}
    assert due["level_2"] == at
    assert due["level_3"] == at + 30 * MINUTE
    assert raised.due_response == NOW + 60 * MINUTE
    assert raised.levels == ("level_1",)


def test_what_became_less_severe_waits_as_if_it_had_begun_so() -> None:
    found = decide(opened().incident, CONTACTS, NOW + 15 * MINUTE).incident
    calmer = follow(policy(), found, found.model_copy(update={"severity": Severity.P2}), NOW + 30 * MINUTE)
    assert [step.level for step in calmer.escalation] == ["level_1"]
    assert calmer.due_response == NOW + timedelta(hours=4)


def test_severity_that_comes_and_goes_does_not_put_off_who_is_due() -> None:
    found = opened("P0").incident
    for minutes in range(10, 80, 10):
        at = NOW + minutes * MINUTE
        severity = Severity.P1 if found.severity is Severity.P0 else Severity.P0
        found = follow(policy(), found, found.model_copy(update={"severity": severity}), at)
        found = decide(found, CONTACTS, at).incident
    assert found.levels == ("level_1", "level_2")
    assert found.due_response is not None
    assert found.due_response <= NOW + timedelta(hours=1)


def test_reopened_it_waits_anew_for_those_only_who_were_not_told() -> None:
    told = decide(opened().incident, CONTACTS, NOW + 15 * MINUTE).incident
    over = told.model_copy(update={"status": IncidentStatus.RESOLVED})
    at = NOW + 40 * MINUTE
    again = follow(policy(), over, told, at)
    assert [(step.level, step.due_at) for step in again.escalation if step.told_at is None] == [
        ("level_2", at + 60 * MINUTE),
        ("level_3", at + 120 * MINUTE),
    ]


def test_somebody_who_has_it_may_still_call_the_next_one() -> None:
    taken = opened().incident.model_copy(update={"acknowledged_at": NOW})
    decision = hurry(taken, CONTACTS, "Ada", NOW + MINUTE)
    assert decision.incident.levels == ("level_1",)
    assert decision.entries[0].text == "Escalated to On-call (level_1) through pager: Ada asked for it"
    for _ in range(3):
        decision = hurry(decision.incident, CONTACTS, "", NOW + MINUTE)
    assert decision.incident.levels == ("level_1", "level_2", "level_3")
    assert decision.told == ()


@pytest.mark.parametrize(
    ("severity", "since", "due"),
    [
        ("P2", "2026-03-06T10:00:00+00:00", "2026-03-09T08:00:00+00:00"),
        ("P2", "2026-03-05T23:30:00+00:00", "2026-03-09T08:00:00+00:00"),
        ("P2", "2026-03-08T10:00:00+00:00", "2026-03-09T08:00:00+00:00"),
        ("P2", "2026-04-02T10:00:00+00:00", "2026-04-07T07:00:00+00:00"),
        ("P3", "2026-03-09T07:59:00+00:00", "2026-03-09T08:00:00+00:00"),
        ("P3", "2026-03-09T08:00:00+00:00", "2026-03-16T08:00:00+00:00"),
        ("P3", "2026-03-25T08:00:00+00:00", "2026-03-30T07:00:00+00:00"),
    ],
    ids=["friday", "friday in Berlin", "sunday", "easter", "a minute before", "at the minute", "summer time"],
)
def test_calendars_know_time_zones_work_days_and_holidays(severity: str, since: str, due: str) -> None:
    berlin = policy(time_zone="Europe/Berlin", holidays=["2026-04-03", "2026-04-06"])
    start = datetime.fromisoformat(since)
    found = begin(berlin, incident(severity), start)
    assert found.escalation[0].due_at == datetime.fromisoformat(due)
    assert found.escalation[0].due_at.tzinfo == UTC


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["wait", "ack", "unack", "raise", "lower", "resolve", "reopen", "restart", "now"]),
        st.integers(0, 100),
    ),
    max_size=25,
)


class Life:
    """An incident as the stage drives it: looked at when something is due, by a job that a restart may repeat."""

    def __init__(self, severity: str) -> None:
        self.at = NOW
        self.told: list[tuple[str, datetime]] = []
        self.incident = follow(policy(), None, incident(severity), NOW)
        self.look()

    def look(self, asked: bool = False) -> None:
        decision = hurry(self.incident, CONTACTS, "Ada", self.at) if asked else decide(self.incident, CONTACTS, self.at)
        free = asked or (self.incident.open and self.incident.acknowledged_at is None)
        assert free or decision.told == ()
        self.told += [(step.level, self.at) for step in decision.told]
        self.incident = decision.incident

    def change(self, **changed: Any) -> None:
        before = self.incident
        self.incident = follow(policy(), before, before.model_copy(update=changed), self.at)
        self.look()

    def until(self, moment: datetime) -> None:
        while (due := next_moment(self.incident)) is not None and due <= moment:
            self.at = max(self.at, due)
            self.look()
        self.at = moment

    def do(self, event: str) -> None:
        match event:
            case "ack" if self.incident.acknowledged_at is None:
                self.change(acknowledged_at=self.at)
            case "unack" if self.incident.acknowledged_at is not None:
                self.incident = self.incident.model_copy(update={"acknowledged_at": None})
                if self.incident.open:
                    self.incident = begin(policy(), self.incident, self.at)
                self.look()
            case "raise" if self.incident.open:
                self.change(severity=Severity(f"P{max(0, int(self.incident.severity[1]) - 1)}"))
            case "lower" if self.incident.open:
                self.change(severity=Severity(f"P{min(3, int(self.incident.severity[1]) + 1)}"))
            case "resolve":
                self.change(status=IncidentStatus.RESOLVED)
            case "reopen" if not self.incident.open:
                self.change(status=IncidentStatus.FIRING)
            case "restart":
                self.incident = Incident.model_validate_json(self.incident.model_dump_json())
                self.look()
            case "now":
                self.look(asked=True)


@settings(max_examples=300)
@given(st.sampled_from(["P0", "P1", "P2", "P3"]), EVENTS)
def test_whatever_happens_nobody_is_told_twice_and_everyone_who_is_due_is_told(
    severity: str, events: list[tuple[str, int]]
) -> None:
    life = Life(severity)
    for event, minutes in events:
        life.do(event)
        life.until(life.at + minutes * MINUTE)
        levels = [level for level, _ in life.told]
        assert len(levels) == len(set(levels))
        assert life.incident.levels == tuple(levels)
        overdue = [step for step in life.incident.escalation if step.told_at is None and step.due_at <= life.at]
        assert not overdue or not life.incident.open or life.incident.acknowledged_at is not None
    if life.incident.open and life.incident.acknowledged_at is None:
        wanted = {step.level for step in policy().severities[life.incident.severity].chain}
        life.until(life.at + timedelta(days=8))
        assert wanted <= {level for level, _ in life.told}
        assert life.incident.response_missed


def test_who_had_it_before_it_reopened_does_not_have_it_any_more() -> None:
    story = Story()
    story.tell(1, firing())
    taken = story.incident.model_copy(update={"acknowledged_at": NOW, "acknowledged_by": "Ada"})
    story.ledger = Ledger({taken.id: taken}, story.ledger.alerts, story.ledger.hearts)
    story.tell(20, resolved(firing(), end=20))
    assert story.incident.acknowledged_by == "Ada"
    story.tell(40, firing(start=30))
    assert story.incident.open
    assert story.incident.acknowledged_at is None
