"""Messages: what a person reads first, in a fixed order, and when there is something new to read."""

from datetime import timedelta
from typing import Any

import pytest

from responder.flow.alert_facts import NAMES
from responder.flow.buttons import BUTTON, Addresses
from responder.flow.message import TEXT, compose, span
from responder.model.action import ActionLine, ActionState, Attempt
from responder.model.evidence import EvidenceStatus
from responder.model.incident import AlertState, IncidentStatus
from responder.model.message import Link
from responder.model.report import Check, Investigated, InvestigationStatus, Report, Verification
from responder.model.subject import Subject, Target
from responder.signing import Signer
from responder.sinks._text import parts
from tests.makers import NOW, evidence
from tests.sinks.reports import announced, chart, diagnosed, finding, tracked


def resolved(**fields: Any) -> Report:
    ended = {"status": IncidentStatus.RESOLVED, "resolved_at": NOW + timedelta(minutes=8)}
    return diagnosed(**({**ended, "updated_at": NOW + timedelta(minutes=8)} | fields))


def texts(lines: Any) -> list[str]:
    return [line.text for line in lines]


def test_the_first_word_says_what_fires_where_since_when() -> None:
    message = compose(announced())
    assert message.stage == "announced"
    assert message.key == "4f2a"
    assert message.place == "kubechat-system"
    assert message.since == "firing 4 min"
    assert message.headline == "KubePodCrashLooping: looking into it"
    assert message.cause == ""
    assert message.because == message.not_it == message.not_seen == ()
    assert message.alerts == ("KubePodCrashLooping ×3",)
    assert message.report == announced()


def offered(state: ActionState = ActionState.PROPOSED, **fields: Any) -> ActionLine:
    attempt = Attempt(
        incident_id="4f2a",
        action="more",
        kind="kubernetes.scale",
        title="Scale to 5",
        mode="approve",
        state=state,
        proposed_at=NOW,
        expires_at=NOW + timedelta(hours=1),
        approved_by="" if state.waits else "Ada",
    )
    given = {"id": "more", "kind": "kubernetes.scale", "title": "Scale to 5", "mode": "approve", "attempt": attempt}
    return ActionLine.model_validate(given | fields)


def test_what_can_be_approved_is_the_next_step_with_a_button_that_expires() -> None:
    signer = Signer("k")
    message = compose(diagnosed(actions=(offered(),)), addresses=Addresses("https://responder.example", signer))
    assert texts(message.next_steps)[0] == "Scale to 5 (approve)"
    [button] = [button for button in message.buttons if button.command == "approve"]
    assert (button.label, button.action) == ("Approve: Scale to 5", "more")
    token = button.url.rpartition("/")[2]
    assert signer.read(BUTTON, token, NOW) == ("4f2a", "approve", "more", "1")
    assert signer.read(BUTTON, token, NOW + timedelta(minutes=61)) is None


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (ActionState.RUNNING, "Scale to 5 (running, approved by Ada)"),
        (ActionState.VERIFIED, "Scale to 5 (verified, approved by Ada)"),
        (ActionState.UNKNOWN, "Scale to 5 (unknown, approved by Ada)"),
    ],
)
def test_who_approved_and_what_came_of_it_is_news_without_another_button(state: ActionState, said: str) -> None:
    addresses = Addresses("https://responder.example", Signer("k"))
    before = compose(diagnosed(actions=(offered(),)), addresses=addresses)
    message = compose(diagnosed(actions=(offered(state),)), addresses=addresses)
    assert texts(message.next_steps)[0] == said
    assert "approve" not in [button.command for button in message.buttons]
    assert message.digest != before.digest


@pytest.mark.parametrize("fields", [{"hindrance": "stopped"}, {"fits": False}, {"attempt": None}])
def test_what_nobody_can_approve_is_not_offered(fields: dict[str, Any]) -> None:
    addresses = Addresses("https://responder.example", Signer("k"))
    message = compose(diagnosed(actions=(offered(**fields),)), addresses=addresses)
    assert message.next_steps == compose(diagnosed()).next_steps
    assert "approve" not in [button.command for button in message.buttons]


def test_another_attempt_is_news_since_its_button_is_another() -> None:
    first = offered()
    assert first.attempt
    second = first.model_copy(update={"attempt": first.attempt.model_copy(update={"number": 2})})
    assert compose(diagnosed(actions=(first,))).digest != compose(diagnosed(actions=(second,))).digest


def test_the_answer_has_cause_reasons_and_what_to_do() -> None:
    message = compose(diagnosed())
    assert message.stage == "diagnosed"
    assert (
        message.cause
        == "memory limit reached: deployment/api-gateway; certain. container api-gateway reached its limit of 512Mi"
    )
    assert texts(message.because) == [
        "3 pods: last state OOMKilled, exit code 137",
        "revision 42 rolled out at 02:58",
    ]
    assert texts(message.not_it) == ["node memory (4 nodes without pressure)", "Redis (PONG in 2 ms)"]
    assert texts(message.not_seen) == ["Loki answered 401: check the token"]


def test_what_has_nothing_to_do_with_the_alert_stands_apart_from_the_cause() -> None:
    finding = diagnosed().findings[0]
    message = compose(diagnosed(findings=(), also_unhealthy=(finding,)))
    assert message.cause == ""
    assert texts(message.also_unhealthy) == [finding.headline]
    assert "Also unhealthy" in [part.title for part in parts(message)]


def test_a_follow_up_that_met_nothing_is_no_reason() -> None:
    idle = evidence("gateways", summary="no gateways in shop", status=EvidenceStatus.EMPTY, asked_because="perhaps")
    message = compose(diagnosed(findings=(), evidence=(evidence("pods", summary="2 pods"), idle)))
    assert texts(message.because) == ["2 pods"]


def test_a_false_alarm_is_said_first_and_is_news() -> None:
    message = compose(diagnosed(false_alarm="said"))
    assert message.headline.startswith("Marked as a false alarm: api-gateway is killed")
    assert message.digest != compose(diagnosed()).digest


def test_references_are_the_positions_of_the_evidence_on_the_page() -> None:
    message = compose(diagnosed())
    assert [line.references for line in message.because] == [(2,), (1, 2)]
    assert [line.references for line in message.not_it] == [(1,), ()]


def test_next_steps_are_the_findings_and_the_runbooks_advice_stands_apart() -> None:
    message = compose(diagnosed())
    assert texts(message.next_steps) == ["roll back to revision 41", "raise the limit to 1Gi"]
    assert texts(message.advice) == ["look at the previous log"]
    without = compose(diagnosed(findings=()))
    assert without.next_steps == ()
    assert texts(without.advice) == ["look at the previous log", "raise the limit to 1Gi"]


def test_without_a_cause_the_message_shows_what_was_seen_the_breached_first() -> None:
    seen = (evidence("a", summary="fine"), evidence("b", summary="past it", breached=True))
    late = evidence("c", summary="no answer", status=EvidenceStatus.TIMEOUT)
    message = compose(diagnosed(findings=(), evidence=(*seen, late)))
    assert message.stage == "diagnosed"
    assert message.cause == ""
    assert [(line.text, line.references) for line in message.because] == [("past it", (2,)), ("fine", (1,))]


def test_a_finding_without_reasons_shows_its_evidence() -> None:
    message = compose(diagnosed(findings=(finding(because=(), explanation=""),)))
    assert texts(message.because) == ["511Mi of 512Mi", "3 of 5 pods restart"]
    assert message.cause == "memory limit reached: deployment/api-gateway; certain"


def test_a_failed_investigation_is_not_waited_for() -> None:
    failed = Investigated(status=InvestigationStatus.FAILED)
    assert compose(announced(investigation=failed)).stage == "diagnosed"


def test_charts_that_the_finding_rests_on_come_first() -> None:
    pictures = compose(diagnosed()).pictures
    assert [each.chart.query for each in pictures] == ["memory", "rate(requests)"]


@pytest.mark.parametrize(
    ("fields", "since"),
    [
        ({"status": IncidentStatus.UNKNOWN}, "stale, began 4 min ago"),
        ({"flaps": 2}, "firing 4 min, flapped 2×"),
        ({"acknowledged_at": NOW, "acknowledged_by": "anna"}, "firing 4 min, acknowledged by anna"),
        ({"acknowledged_at": NOW}, "firing 4 min, acknowledged by somebody"),
        ({"updated_at": NOW + timedelta(hours=2)}, "firing 2 h 4 min"),
        ({"started_at": NOW + timedelta(hours=1)}, "firing 0 s"),
    ],
)
def test_since_says_how_it_stands(fields: dict[str, Any], since: str) -> None:
    assert compose(announced(**fields)).since == since


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59, "59 s"), (60, "1 min"), (3600, "1 h"), (7500, "2 h 5 min"), (86400, "1 d"), (273_600, "3 d 4 h")],
)
def test_spans_have_their_two_largest_units(seconds: int, text: str) -> None:
    assert span(NOW, NOW + timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"target": Target(cluster="prod", namespace="shop")}, "prod/shop"),
        ({"target": Target(cluster="prod"), "subject": Subject(kind="Node", name="n1")}, "prod"),
        ({"target": Target()}, "kubechat-system"),
        ({"target": Target(), "subject": Subject(kind="Node", name="n1")}, "node/n1"),
    ],
)
def test_the_place_is_as_exact_as_it_is_known(fields: dict[str, Any], place: str) -> None:
    assert compose(announced(**fields)).place == place


def test_a_resolved_incident_says_how_long_it_took_and_asks_for_nothing() -> None:
    message = compose(resolved())
    assert message.stage == "resolved"
    assert message.since == "resolved after 12 min"
    assert message.next_steps == ()


def test_a_resolved_incident_that_is_not_fixed_says_so_and_what_to_do() -> None:
    checks = (
        Check(text="success rate at least 0.95", passed=False, seen="0.4", evidence=("memory",)),
        Check(text="all pods ready", passed=True),
        Check(text="wscat connects"),
    )
    message = compose(resolved(verification=Verification(at=NOW, checks=checks)))
    assert texts(message.because)[:3] == [
        "not as it should be: success rate at least 0.95 (0.4)",
        "verified: all pods ready",
        "not verified: wscat connects",
    ]
    assert message.because[0].references == (4,)
    assert message.next_steps


def test_alerts_are_folded_by_name_with_those_that_are_over() -> None:
    over = AlertState.RESOLVED
    alerts = (
        tracked("A"),
        tracked("B", number=1),
        tracked("B", number=2, state=over),
        tracked("C", state=over),
        tracked(""),
    )
    shown = compose(announced(alerts=alerts, alerts_truncated=7)).alerts
    assert shown == (
        "B ×2 (1 resolved)",
        "A",
        "C (resolved)",
        "alert without a name",
        "7 more that the sender left out",
    )


def test_many_names_are_counted() -> None:
    alerts = tuple(tracked(f"Alert{number:02}") for number in range(NAMES + 3))
    assert compose(announced(alerts=alerts)).alerts[-1] == "3 other names"


def test_texts_are_on_one_line_and_bounded() -> None:
    message = compose(announced(headline="a\nb\t c" + "x" * 1000))
    assert message.headline.startswith("a b c")
    assert len(message.headline) == TEXT


LATER = NOW + timedelta(minutes=9)


@pytest.mark.parametrize(
    "fields",
    [
        {"updated_at": LATER},
        {"revision": 9},
        {"investigation": Investigated(status=InvestigationStatus.FINISHED, finished_at=LATER, number=2)},
        {"evidence": (*diagnosed().evidence[:3], evidence("memory", chart("memory", 5), summary="x", at=LATER))},
        {"alerts": tuple(tracked(number=number + 5) for number in range(3))},
    ],
)
def test_what_moves_by_itself_is_not_news(fields: dict[str, Any]) -> None:
    assert compose(diagnosed(**fields)).digest == compose(diagnosed()).digest


@pytest.mark.parametrize(
    "fields",
    [
        {"status": IncidentStatus.UNKNOWN},
        {"severity": "P0"},
        {"flaps": 1},
        {"acknowledged_at": NOW, "acknowledged_by": "anna"},
        {"findings": (finding(confidence="likely"),)},
        {"findings": (finding(headline="something else"),), "headline": "something else"},
        {"cleared": ()},
        {"unseen": ()},
        {"advice": ()},
        {"alerts": (tracked(),)},
        {"alerts": (tracked(state=AlertState.RESOLVED), *(tracked(number=number) for number in (1, 2)))},
    ],
)
def test_what_a_reader_would_see_is_news(fields: dict[str, Any]) -> None:
    assert compose(diagnosed(**fields)).digest != compose(diagnosed()).digest


def test_a_link_is_shown_and_counts() -> None:
    message = compose(announced(url="http://responder.example"))
    assert message.links == (Link(title="Incident", url="http://responder.example"),)
    assert message.digest != compose(announced()).digest
