"""What webhooks leave out is learned from Alertmanager's API, or decided by the clock."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from responder.flow.reconcile import Answer, reconcile
from responder.model.alert import Alert
from responder.model.incident import AlertState, IncidentStatus
from responder.model.ledger import Assignment, Changes
from tests.flow.story import Story, assign, firing, in_api, moment, resolved


def nothing(changes: Changes) -> bool:
    """Whether nothing but what was seen last changed."""
    return not (changes.incidents or changes.timeline or changes.investigate or changes.verify)


def held() -> Story:
    """An alert that fires again with the start that it was resolved with."""
    story = Story()
    story.tell(1, firing())
    story.tell(21, resolved(firing(), end=20))
    story.tell(31, firing())
    return story


def test_3_a_held_alert_that_the_api_has_reopens_its_incident() -> None:
    story = held()
    changes = story.reconcile(32, [in_api(firing())])
    assert story.state(firing()) is AlertState.FIRING
    assert (story.incident.open, story.incident.flaps) == (True, 1)
    assert changes.investigate == (story.incident.id,)
    assert story.tracked(firing()).episodes == 1


def test_3_a_held_alert_that_the_api_lacks_was_a_late_duplicate() -> None:
    story = held()
    story.reconcile(32, [])
    assert story.state(firing()) is AlertState.RESOLVED
    assert story.incident.flaps == 0


def test_3_a_held_alert_that_is_silenced_wakes_nobody() -> None:
    story = held()
    story.reconcile(32, [in_api(firing(), silencedBy=["x"])])
    assert not story.incident.open


def test_3_without_the_api_a_held_alert_reopens_when_no_second_resolve_came() -> None:
    story = held()
    assert nothing(story.reconcile(80))
    assert story.state(firing()) is AlertState.HELD
    story.reconcile(91)
    assert story.state(firing()) is AlertState.FIRING
    assert story.incident.flaps == 1


def test_3_a_held_alert_whose_incident_is_long_over_opens_another() -> None:
    story = Story()
    story.tell(1, firing())
    story.tell(21, resolved(firing(), end=20))
    story.tell(7200, firing())
    story.reconcile(7300)
    assert [incident.open for incident in story.incidents] == [False, True]
    assert story.state(firing()) is AlertState.FIRING


def test_5_an_open_alert_that_the_api_lacks_is_over() -> None:
    story = Story()
    story.tell(1, firing())
    changes = story.reconcile(60, [])
    assert story.state(firing()) is AlertState.RESOLVED
    assert story.incident.resolved_at == moment(60)
    assert changes.verify == (story.incident.id,)
    assert story.said("never told")


def test_5_an_alert_just_told_is_not_over_because_a_peer_has_not_heard_of_it() -> None:
    story = Story()
    story.tell(1, firing())
    assert nothing(story.reconcile(5, []))


def test_5_an_alert_of_another_sender_is_not_looked_for_in_the_api() -> None:
    story = Story()
    grafanas = firing().model_copy(update={"key": "aaaa", "fingerprint": "aaaa"})
    story.tell(1, grafanas)
    story.reconcile(60, [])
    assert story.state(grafanas) is AlertState.FIRING


@pytest.mark.parametrize(
    ("status", "word"), [("silencedBy", "silenced"), ("inhibitedBy", "inhibited"), ("mutedBy", "muted")]
)
def test_5_a_suppressed_alert_fires_on_and_the_timeline_says_so_once(status: str, word: str) -> None:
    story = Story()
    story.tell(1, firing())
    story.reconcile(60, [in_api(firing(), **{status: ["x"]})])
    assert story.incident.status is IncidentStatus.FIRING
    assert story.tracked(firing()).suppressed == word
    assert story.said(f"is {word}")
    assert nothing(story.reconcile(120, [in_api(firing(), **{status: ["x"]})]))
    story.reconcile(180, [in_api(firing())])
    assert story.said(f"No longer {word}")


def test_5_an_alert_that_ended_while_silenced_is_resolved() -> None:
    story = Story()
    story.tell(1, firing())
    story.reconcile(60, [in_api(firing(), silencedBy=["x"])])
    story.reconcile(120, [])
    assert story.state(firing()) is AlertState.RESOLVED
    assert story.tracked(firing()).suppressed == ""


def test_5_without_the_api_an_alert_whose_repeat_is_overdue_is_unknown() -> None:
    story = Story()
    story.tell(1, firing())
    assert nothing(story.reconcile(3600))
    story.reconcile(3700)
    assert story.state(firing()) is AlertState.UNKNOWN
    assert story.incident.status is IncidentStatus.UNKNOWN
    assert story.verified == []


def test_5_an_unknown_alert_that_is_heard_of_again_fires() -> None:
    story = Story()
    story.tell(1, firing())
    story.reconcile(3700)
    story.tell(3800, firing())
    assert story.incident.status is IncidentStatus.FIRING
    assert story.incident.flaps == 0


def test_5_an_unknown_alert_that_the_api_has_fires_and_one_it_lacks_is_over() -> None:
    story = Story()
    story.tell(1, firing(), firing("HighLatency"))
    story.reconcile(3700)
    story.reconcile(3701, [in_api(firing())])
    assert story.state(firing()) is AlertState.FIRING
    assert story.state(firing("HighLatency")) is AlertState.RESOLVED


def test_4_a_newer_start_in_the_api_is_an_untold_flap_and_a_cut_one_is_not() -> None:
    story = Story()
    story.tell(1, firing(start=0.0004567))
    assert nothing(story.reconcile(60, [in_api(firing(start=0.0004567))]))
    story.reconcile(120, [in_api(firing(start=100))])
    assert (story.incident.flaps, story.tracked(firing()).episodes) == (1, 2)


def test_6_the_rest_of_a_resolved_group_is_asked_for() -> None:
    story = Story()
    one, two, three = (firing(pod=f"api-{n}") for n in range(3))
    story.tell(1, one, two, three)
    assert story.tell(60, resolved(one, end=50)).reconcile
    story.reconcile(61, [in_api(two, silencedBy=["x"])])
    assert [story.state(alert) for alert in (one, two, three)] == ["resolved", "firing", "resolved"]


def test_truncated_members_are_joined_from_the_api() -> None:
    story = Story()
    story.tell(1, firing(), alerts_truncated=2)
    hidden = [firing(pod="api-1"), firing(pod="api-2")]
    stranger, silenced = firing(namespace="billing"), firing(pod="api-3")
    api = [*(in_api(alert) for alert in (firing(), *hidden, stranger)), in_api(silenced, silencedBy=["x"])]
    story.reconcile(2, api)
    assert len(story.ledger.alerts) == 3
    assert story.incident.alerts_truncated == 0
    story.tell(3, *hidden, firing())
    assert story.incident.flaps == 0


def test_10_an_overdue_heart_is_an_incident_that_its_next_beat_ends() -> None:
    story = Story()
    story.tell(1, firing("Watchdog"))
    assert nothing(story.reconcile(600))
    changes = story.reconcile(601)
    assert story.incident.open
    assert changes.investigate == (story.incident.id,)
    assert nothing(story.reconcile(602))
    story.tell(700, firing("Watchdog"))
    assert not story.incident.open


def test_10_a_heart_that_beats_only_in_the_api_is_overdue_all_the_same() -> None:
    story = Story()
    story.tell(1, firing("Watchdog"))
    story.reconcile(700, [in_api(firing("Watchdog"))])
    assert story.incident.open
    assert nothing(story.reconcile(760, [in_api(firing("Watchdog"))]))


def test_10_while_a_heart_is_silent_absence_is_no_recovery() -> None:
    story = Story()
    dog = firing("Watchdog")
    story.tell(1, dog, firing())
    story.tell(300, resolved(dog, end=290))
    story.reconcile(1000, [])
    assert story.state(firing()) is AlertState.UNKNOWN
    assert nothing(story.reconcile(1060, []))
    story.tell(1100, firing("Watchdog", start=1090))
    story.reconcile(1160, [in_api(firing("Watchdog", start=1090))])
    assert story.state(firing()) is AlertState.RESOLVED


def test_10_a_doubted_resolve_is_believed_when_the_pipeline_works_and_does_not_tell_of_it_again() -> None:
    story = Story()
    dog, other = firing("Watchdog"), firing(namespace="billing")
    story.tell(1, dog, firing(), other)
    story.tell(300, resolved(firing(), end=290), resolved(other, end=290), resolved(dog, end=290))
    assert nothing(story.reconcile(2000))
    story.tell(2010, firing("Watchdog", start=2000))
    assert nothing(story.reconcile(2030))
    story.tell(2040, firing("PodCrashLooping", start=2035, namespace="billing"))
    story.reconcile(2100)
    assert story.state(firing()) is AlertState.RESOLVED
    assert story.state(other) is AlertState.FIRING
    assert story.tracked(other).ends_at is None


def test_10_a_heart_that_beat_on_with_its_old_start_is_believed_after_a_while() -> None:
    story = Story()
    dog = firing("Watchdog")
    story.tell(1, dog)
    story.tell(300, resolved(dog, end=290))
    story.tell(310, dog)
    story.reconcile(361)
    assert not story.incident.open


def test_nonsense_in_the_api_is_passed_over() -> None:
    story = Story()
    story.tell(1, firing(), alerts_truncated=1)
    odd = [{}, {"fingerprint": 7}, {"fingerprint": "a", "labels": None}, {**in_api(firing("X")), "startsAt": "soon"}]
    story.reconcile(2, [*odd, {**in_api(firing()), "status": None, "startsAt": None}])
    assert story.state(firing()) is AlertState.FIRING
    assert len(story.ledger.alerts) == 1


@pytest.mark.parametrize("api", [None, [], [in_api(firing())], [in_api(firing(), silencedBy=["x"])]])
@pytest.mark.parametrize("last", [firing(), resolved(firing(), end=20)])
def test_reconciling_twice_is_reconciling_once(api: Sequence[dict[str, object]] | None, last: Alert) -> None:
    story = Story()
    story.tell(1, firing(), firing("Watchdog"))
    story.tell(21, resolved(firing(), end=20))
    story.tell(31, firing())
    story.tell(40, last)
    story.reconcile(5000, api)
    assert nothing(story.reconcile(5000, api))


def regrouped(alert: Alert) -> Assignment:
    found = assign(alert)
    return replace(found, identity=f"{found.identity}|prod")


def without_heartbeats(alert: Alert) -> Assignment:
    found = assign(alert)
    return replace(found, runbook=found.runbook.model_copy(update={"heartbeat": None}))


def test_a_heart_that_is_grouped_otherwise_after_a_reload_is_no_silence() -> None:
    story = Story()
    story.tell(1, firing("Watchdog"))
    story.assign = regrouped
    story.reconcile(300)
    story.tell(500, firing("Watchdog"))
    story.reconcile(900)
    assert story.incidents == []
    story.reconcile(1200)
    assert story.incident.runbook == "watchdog"


def test_a_heart_that_stopped_beats_again_under_its_new_grouping() -> None:
    story = Story()
    story.tell(1, firing("Watchdog"))
    story.reconcile(700)
    story.assign = regrouped
    story.reconcile(760)
    assert story.incident.open
    story.tell(800, firing("Watchdog", start=790))
    story.reconcile(860)
    assert not story.incident.open


def test_where_the_rules_name_no_heartbeat_any_more_the_pipeline_is_not_broken_for_ever() -> None:
    story = Story()
    story.tell(1, firing("Watchdog"))
    story.tell(2, firing())
    story.assign = without_heartbeats
    story.reconcile(700)
    story.tell(710, resolved(firing(), end=705))
    assert story.state(firing()) is AlertState.RESOLVED


def test_an_incident_is_compared_with_its_own_alertmanager_alone() -> None:
    story = Story()
    story.tell(1, firing(), firing(namespace="billing"))
    here = next(incident for incident in story.incidents if incident.group["namespace"] == "shop")
    changes = reconcile(story.ledger, {here.id: Answer([])}, assign, story.rules, moment(60))
    assert [(alert.labels["namespace"], alert.state) for alert in changes.alerts] == [("shop", AlertState.RESOLVED)]
