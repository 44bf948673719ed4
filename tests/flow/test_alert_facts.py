"""What the alerts say: the author's words, which thing is meant, how many there are, and where they point to."""

from typing import Any

from responder.flow.alert_facts import counted, label_lines, wording
from responder.flow.message import compose
from responder.model.incident import AlertState, TrackedAlert
from responder.model.links import alert_links, web_address
from responder.model.report import Coverage, about, without_cause
from responder.web.views import page
from tests.flow.test_escalate import incident
from tests.makers import NOW
from tests.sinks.reports import announced, tracked


def alert(number: int = 0, annotations: dict[str, str] | None = None, **labels: str) -> TrackedAlert:
    given: dict[str, Any] = {
        "labels": {"alertname": "QueueDepth", "severity": "critical", "namespace": "shop", **labels}
    }
    return tracked("QueueDepth", number=number).model_copy(update=given | {"annotations": annotations or {}})


PODS = [alert(number, pod=f"orders-eu-{number}") for number in range(150)]


def test_the_authors_words_stand_once_and_of_many_the_first() -> None:
    alerts = [
        alert(number, {"summary": "A queue is deep", "description": f"orders-eu-{number} has 12000 messages"})
        for number in range(150)
    ]
    assert wording(alerts) == [
        "A queue is deep",
        *(f"orders-eu-{number} has 12000 messages" for number in range(3)),
        "… and 147 more",
    ]


def test_a_text_that_another_one_contains_is_not_said_twice() -> None:
    assert wording([alert(0, {"summary": "only 3 % left", "description": "/data: only 3 % left"})]) == [
        "/data: only 3 % left"
    ]


def test_what_is_over_is_not_said_while_something_fires() -> None:
    over = alert(0, {"summary": "old"}).model_copy(update={"state": AlertState.RESOLVED})
    assert wording([over, alert(1, {"summary": "new"})]) == ["new"]
    assert wording([over]) == ["old"]


def test_the_labels_in_which_the_alerts_differ_come_before_those_that_they_share() -> None:
    assert label_lines([alert(0, queue="orders", job="mq"), alert(1, queue="invoices", job="mq")]) == [
        "queue: invoices, orders",
        "job: mq",
    ]
    assert label_lines(PODS) == ["pod: orders-eu-0, orders-eu-1, orders-eu-10, orders-eu-100 and 146 more"]
    assert counted(PODS) == ["QueueDepth ×150"]


def test_of_one_alert_all_labels_say_which_thing_is_meant() -> None:
    assert label_lines([alert(0, device="/dev/sda1", mountpoint="/data")]) == ["device: /dev/sda1 · mountpoint: /data"]


def test_150_pods_are_not_said_to_be_one() -> None:
    one = incident().model_copy(
        update={
            "title": "QueueDepth on pod/orders-eu-0",
            "subject": incident().subject.model_copy(update={"name": "orders-eu-0"}),
        }
    )
    title, subject = about(one, PODS)
    assert title == "QueueDepth on 150 pods"
    assert subject.name != "orders-eu-0"
    assert about(one, PODS[:1]) == (one.title, one.subject)


def test_one_thing_that_the_alerts_spell_alike_stays_the_subject() -> None:
    one = incident().model_copy(
        update={"subject": incident().subject.model_copy(update={"kind": "Deployment", "name": "api"})}
    )
    alerts = [alert(0, deployment="api", container="api"), alert(1, deployment="api", container="sidecar")]
    assert about(one, alerts) == (one.title, one.subject)


def test_links_of_all_alerts_are_shown_each_once_and_can_be_told_apart() -> None:
    second = alert(
        1, {"runbook_url": "https://wiki.example/second", "dashboard_url": "https://graf.example/d/x?h=h7|h8"}
    )
    alerts = [
        alert(0, {"runbook": "https://wiki.example/disk", "dashboard": "https://wiki.example/disk"}),
        second.model_copy(update={"labels": {**second.labels, "alertname": "Filling"}}),
        alert(2, {"runbook": "https://wiki.example/disk"}),
    ]
    assert alert_links(alerts) == [
        ("Runbook: QueueDepth", "https://wiki.example/disk"),
        ("Runbook: Filling", "https://wiki.example/second"),
        ("Dashboard", "https://graf.example/d/x?h=h7%7Ch8"),
    ]


def test_an_address_with_a_blank_or_a_pipe_is_encoded_and_what_is_none_is_left_out() -> None:
    assert web_address("https://graf.example/d/x?var-host=h7|h8 h9") == "https://graf.example/d/x?var-host=h7%7Ch8%20h9"
    assert web_address(' https://x.example/"<y>') == "https://x.example/%22%3Cy%3E"
    assert web_address("https://x.example/100%25?q=ü") == "https://x.example/100%25?q=ü"
    for bad in (
        "javascript:alert(1)",
        "https://",
        "https://a b.example/",
        "https://x.example/\nmore",
        "//x.example",
        "x",
    ):
        assert web_address(bad) == ""


def test_the_message_carries_all_of_it() -> None:
    message = compose(announced(alerts=(alert(0, {"summary": "deep"}, queue="orders"),)))
    assert [line.text for line in message.summary] == ["deep"]
    assert [line.text for line in message.differences] == ["queue: orders"]


def test_a_value_in_the_authors_words_that_moves_is_no_news() -> None:
    first, second = (compose(announced(alerts=(alert(0, {"summary": text}),))) for text in ("7 GiB left", "6 GiB left"))
    assert first.digest == second.digest


def test_an_investigation_that_saw_nothing_does_not_say_that_there_is_no_cause() -> None:
    assert without_cause(Coverage(asked=7)) == "no cause found"
    assert without_cause(Coverage(asked=7, failed=7, why="its certificate is not accepted")) == (
        "could not investigate: 7 of 7 checks failed (its certificate is not accepted)"
    )
    assert without_cause(Coverage(asked=7, failed=2, why="no answer")) == (
        "no cause found, but 2 of 7 checks failed (no answer)"
    )


def test_who_was_called_is_said_and_that_nobody_is() -> None:
    def since(*steps: dict[str, Any]) -> str:
        plan = [
            {"level": f"level_{number}", "due_at": NOW, "told_at": NOW} | step for number, step in enumerate(steps, 1)
        ]
        return compose(announced(escalation=plan)).since

    assert since({"role": "On-call", "sinks": ["pager"]}) == "firing 4 min, notifying On-call"
    assert since({"role": "On-call", "sinks": ["pager"], "reached_at": NOW}) == "firing 4 min, escalated to On-call"
    assert since({"role": "On-call"}) == "firing 4 min, nobody is notified: no contact for level_1"
    assert since({"role": "On-call", "sinks": ["pager"], "reached_at": NOW}, {"role": "VP"}) == (
        "firing 4 min, escalated to On-call, no contact for level_2"
    )


def test_the_page_has_the_same_words_and_links_as_the_messages() -> None:
    given = {"summary": "deep", "runbook": "https://wiki.example/a b", "dashboard_url": "javascript:alert(1)"}
    report = announced(alerts=(alert(0, given, queue="orders"),))
    message, shown = compose(report), page(report, None, {}, NOW)
    assert list(shown.summary) == [line.text for line in message.summary] == ["deep"]
    assert list(shown.differences) == [line.text for line in message.differences]
    assert list(shown.links) == [(link.title, link.url) for link in message.links[1:]]
    assert shown.links == [("Runbook", "https://wiki.example/a%20b")]
    assert shown.alerts[0].links == shown.links
