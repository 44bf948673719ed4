"""What a delivery does to incidents. Numbers in names: what a receiver of Alertmanager's webhooks must do."""

from dataclasses import replace
from datetime import timedelta

from responder.flow.fold import fold, wanted
from responder.model.alert import Alert, Notification
from responder.model.incident import AlertState, IncidentStatus, Severity
from responder.model.ledger import Assignment, FoldRules, Ledger
from tests.flow.story import NOW, RULES, Story, assign, firing, moment, resolved


def test_a_firing_alert_opens_an_incident_and_has_it_investigated() -> None:
    story = Story()
    changes = story.tell(10, firing())
    assert story.incident.status is IncidentStatus.FIRING
    assert story.incident.title == "PodCrashLooping on pod/api-0"
    assert (story.incident.started_at, story.incident.opened_at) == (NOW, moment(10))
    assert changes.investigate == (story.incident.id,)
    assert len(story.incident.id) == 12


def test_the_id_of_an_incident_follows_from_its_first_alert() -> None:
    one, two = Story(), Story()
    one.tell(10, firing())
    two.tell(70, firing(), firing("Other"))
    assert one.incident.id == two.incident.id


def test_alerts_of_one_group_share_an_incident_and_others_do_not() -> None:
    story = Story()
    story.tell(1, firing(), firing("HighLatency"), firing(namespace="billing"))
    assert sorted(incident.group["namespace"] for incident in story.incidents) == ["billing", "shop"]
    assert len(story.ledger.alerts) == 3


def test_the_severity_is_the_worst_that_fires_and_falls_and_rises_with_it() -> None:
    story = Story()
    story.tell(1, firing(priority="P3"))
    story.tell(2, firing("Outage", priority="P0"))
    assert (story.incident.severity, story.said("Raised from P3 to P0")) == (Severity.P0, True)
    story.tell(3, resolved(firing("Outage", priority="P0"), end=3), firing(priority="P3"))
    assert story.incident.severity is Severity.P3
    assert story.said("Lowered from P0 to P3: its more severe alerts are over")
    story.tell(4, firing("Outage", priority="P0", start=3.5))
    assert story.incident.severity is Severity.P0


def test_the_severity_stands_when_everything_is_over() -> None:
    story = Story()
    story.tell(1, firing(priority="P3"), firing("Outage", priority="P0"))
    story.tell(2, resolved(firing("Outage", priority="P0"), end=2), resolved(firing(priority="P3"), end=2))
    assert story.incident.severity is Severity.P0


def test_the_severity_does_not_fall_while_nobody_says_whether_the_worst_still_fires() -> None:
    story = Story()
    story.tell(1, firing("Outage", priority="P0"), firing(priority="P3"))
    story.tell(3600, firing(priority="P3"))
    story.reconcile(3700)
    assert story.tracked(firing("Outage", priority="P0")).state is AlertState.UNKNOWN
    assert story.incident.severity is Severity.P0


def test_alerts_of_an_older_version_do_not_lower_the_severity() -> None:
    story = Story()
    story.tell(1, firing("Outage", priority="P0"), firing(priority="P3"))
    kept = {place: alert.model_copy(update={"severity": None}) for place, alert in story.ledger.alerts.items()}
    story.ledger = Ledger(story.ledger.incidents, kept, story.ledger.hearts)
    story.tell(2, resolved(firing("Outage", priority="P0"), end=2), firing(priority="P3"))
    assert story.incident.severity is Severity.P0


def test_the_severity_of_a_reopened_incident_starts_anew() -> None:
    story = Story()
    story.tell(1, firing("Outage", priority="P0"))
    story.tell(2, resolved(firing("Outage", priority="P0"), end=2))
    story.tell(60, firing(priority="P3", start=50))
    assert story.incident.severity is Severity.P3


def test_a_resend_changes_nothing_but_when_it_was_seen() -> None:
    story = Story()
    story.tell(1, firing())
    changes = story.tell(60, firing())
    assert changes.incidents == changes.timeline == changes.investigate == ()
    assert story.tracked(firing()).last_seen == moment(60)


def test_an_alert_that_brings_something_new_is_investigated() -> None:
    story = Story()
    story.tell(1, firing())
    assert story.tell(2, firing("HighLatency")).investigate == (story.incident.id,)
    assert story.tell(3, firing(pod="db-0")).investigate == (story.incident.id,)


def test_another_replica_with_the_same_trouble_is_no_news() -> None:
    story = Story()
    story.tell(1, firing(pod="api-7d9f8b6c5d-bcdfg"))
    before = story.incident.revision
    changes = story.tell(2, firing(pod="api-7d9f8b6c5d-hjklm"))
    assert changes.investigate == ()
    assert story.incident.revision == before + 1


def test_an_incident_about_a_hundred_things_has_no_news_any_more() -> None:
    story = Story()
    story.tell(1, *(firing(pod=f"service{number}-0") for number in range(150)))
    assert story.tell(2, firing(pod="another-0")).investigate == ()
    assert len(story.incident.about) <= 101


def test_an_incident_is_resolved_with_its_last_alert_and_then_verified() -> None:
    story = Story()
    one, two = firing(), firing("HighLatency")
    story.tell(1, one, two)
    assert story.tell(50, resolved(one, end=40), two).verify == ()
    assert story.incident.open
    changes = story.tell(100, resolved(two, end=90))
    assert changes.verify == (story.incident.id,)
    assert story.incident.resolved_at == moment(90)


def test_what_is_resolved_without_annotations_keeps_those_of_the_firing() -> None:
    story = Story()
    story.tell(1, firing())
    story.tell(2, resolved(firing(), end=2))
    assert story.tracked(firing()).annotations == {"summary": "PodCrashLooping fires"}


def test_firing_again_soon_reopens_the_incident() -> None:
    story = Story()
    story.tell(1, firing())
    story.tell(60, resolved(firing(), end=50))
    changes = story.tell(120, firing(start=110))
    assert (story.incident.status, story.incident.flaps) == (IncidentStatus.FIRING, 1)
    assert story.incident.resolved_at is None
    assert changes.investigate == (story.incident.id,)
    assert story.tracked(firing()).episodes == 2


def test_firing_again_later_opens_another_incident() -> None:
    story = Story()
    story.tell(1, firing())
    story.tell(60, resolved(firing(), end=50))
    story.tell(7200, firing(start=7190))
    assert [incident.open for incident in story.incidents] == [False, True]


def test_another_alert_reopens_the_incident_of_its_group() -> None:
    story = Story()
    story.tell(1, firing())
    story.tell(60, resolved(firing(), end=50))
    story.tell(120, firing("HighLatency", start=110))
    assert story.incident.open
    assert story.incident.flaps == 1


def test_2_duplicates_of_another_peer_change_nothing() -> None:
    story = Story()
    story.tell(1, firing(), external_url="http://one", reason="first notification")
    after = story.ledger.incidents
    story.tell(1, firing(), external_url="http://two", reason="repeat interval elapsed")
    assert story.ledger.incidents == after


def test_3_firing_with_the_start_of_the_resolved_one_is_held_and_the_api_asked() -> None:
    story = Story()
    story.tell(1, firing())
    story.tell(21, resolved(firing(), end=20))
    changes = story.tell(31, firing())
    assert story.state(firing()) is AlertState.HELD
    assert changes.reconcile
    assert [(due.what, due.at) for due in changes.due if due.what == "settle"] == [("settle", moment(91))]
    assert not story.incident.open
    assert changes.investigate == ()


def test_3_a_second_resolve_ends_the_hold() -> None:
    story = Story()
    story.tell(1, firing())
    story.tell(21, resolved(firing(), end=20))
    story.tell(31, firing())
    story.tell(46, resolved(firing(), end=20))
    story.reconcile(600)
    assert story.state(firing()) is AlertState.RESOLVED
    assert (story.incident.flaps, story.investigated) == (0, [story.incident.id])


def test_3_a_firing_that_began_before_the_resolve_is_held_too() -> None:
    story = Story()
    story.tell(1, firing())
    story.tell(60, resolved(firing(), end=50))
    story.tell(70, firing(start=30))
    assert story.state(firing()) is AlertState.HELD


def test_3_a_newer_start_is_not_held() -> None:
    story = Story()
    story.tell(1, firing())
    story.tell(21, resolved(firing(), end=20))
    story.tell(31, firing())
    story.tell(35, firing(start=33))
    assert story.state(firing()) is AlertState.FIRING
    assert story.tracked(firing()).hold_until is None
    assert story.incident.flaps == 1


def test_4_a_newer_start_on_an_open_alert_is_an_untold_flap() -> None:
    story = Story()
    story.tell(1, firing())
    changes = story.tell(60, firing(start=50))
    assert (story.incident.flaps, story.tracked(firing()).episodes) == (1, 2)
    assert story.said("Fires anew")
    assert changes.investigate == ()


def test_4_an_older_start_on_an_open_alert_changes_nothing() -> None:
    story = Story()
    story.tell(60, firing(start=50))
    story.tell(61, firing(start=0).model_copy(update={"annotations": {"summary": "old"}}))
    tracked = story.tracked(firing())
    assert (tracked.starts_at, tracked.episodes, story.incident.flaps) == (moment(50), 1, 0)
    assert tracked.annotations["summary"] == "PodCrashLooping fires"


def test_4_the_end_of_an_older_episode_does_not_end_the_newer_one() -> None:
    story = Story()
    story.tell(60, firing(start=50))
    story.tell(61, resolved(firing(start=0), end=20))
    assert story.state(firing()) is AlertState.FIRING


def test_4_an_end_told_with_an_older_start_ends_what_it_covers() -> None:
    story = Story()
    story.tell(60, firing(start=50))
    story.tell(120, resolved(firing(start=0), end=110))
    assert story.state(firing()) is AlertState.RESOLVED


def test_4_a_resolve_of_an_untold_episode_ends_the_alert() -> None:
    story = Story()
    story.tell(1, firing())
    story.tell(60, resolved(firing(start=40), end=50))
    assert story.state(firing()) is AlertState.RESOLVED
    assert (story.incident.flaps, story.tracked(firing()).episodes) == (1, 2)


def test_5_a_member_that_vanishes_from_its_group_still_fires() -> None:
    story = Story()
    story.tell(1, firing(), firing("HighLatency"))
    story.tell(60, firing())
    assert story.state(firing("HighLatency")) is AlertState.FIRING


def test_6_a_resolved_group_that_lacks_a_member_has_the_api_asked() -> None:
    story = Story()
    one, two = firing(pod="api-0"), firing(pod="api-1")
    group = {"alertname": "PodCrashLooping"}
    assert not story.tell(1, one, two, group_labels=group).reconcile
    assert story.tell(60, resolved(one, end=50), group_labels=group).reconcile
    assert story.incident.open


def test_6_alerts_of_another_group_are_not_missed() -> None:
    story = Story()
    story.tell(1, firing(), group_labels={"alertname": "PodCrashLooping"})
    story.tell(1, firing("HighLatency"), group_labels={"alertname": "HighLatency"})
    assert not story.tell(60, resolved(firing(), end=50), group_labels={"alertname": "PodCrashLooping"}).reconcile


def test_7_a_resolve_never_told_as_firing_is_recorded_and_wakes_nobody() -> None:
    story = Story()
    changes = story.tell(60, resolved(firing(), end=50))
    assert story.incident.status is IncidentStatus.RESOLVED
    assert (story.incident.resolved_at, story.incident.started_at) == (moment(50), NOW)
    assert changes.investigate == changes.verify == ()


def test_7_a_resolve_never_told_as_firing_joins_the_open_incident() -> None:
    story = Story()
    story.tell(1, firing())
    changes = story.tell(60, firing(), resolved(firing("HighLatency"), end=50))
    assert story.incident.open
    assert changes.investigate == ()
    assert len(story.ledger.alerts) == 2


def test_7_a_second_episode_told_only_as_resolved_is_recorded_without_reopening() -> None:
    story = Story()
    story.tell(1, firing())
    story.tell(10, resolved(firing(), end=9))
    changes = story.tell(60, resolved(firing(start=40), end=50))
    assert not story.incident.open
    assert story.incident.resolved_at == moment(50)
    assert changes.investigate == changes.verify == ()


def test_truncated_alerts_mark_the_incident_and_have_the_api_asked() -> None:
    story = Story()
    changes = story.tell(1, firing(), alerts_truncated=7)
    assert changes.reconcile
    assert story.incident.alerts_truncated == 7
    assert story.tell(60, firing(), alerts_truncated=7).incidents == ()


def test_10_a_watchdog_that_fires_is_no_incident() -> None:
    story = Story()
    changes = story.tell(1, firing("Watchdog"))
    assert story.incidents == []
    assert next(due.at for due in changes.due if due.what == "overdue") == moment(601)


def test_10_a_resolved_watchdog_is_an_incident_and_its_return_the_end() -> None:
    story = Story()
    dog = firing("Watchdog", priority="P1")
    story.tell(1, dog)
    changes = story.tell(300, resolved(dog, end=290))
    assert (story.incident.status, story.incident.severity) == (IncidentStatus.FIRING, Severity.P1)
    assert story.incident.runbook == "watchdog"
    assert changes.investigate == (story.incident.id,)
    assert story.tell(301, resolved(dog, end=290)).incidents == ()
    changes = story.tell(400, firing("Watchdog", start=390, priority="P1"))
    assert not story.incident.open
    assert changes.verify == (story.incident.id,)


def test_10_a_watchdog_never_seen_that_resolves_is_an_incident() -> None:
    story = Story()
    story.tell(300, resolved(firing("Watchdog"), end=290))
    assert story.incident.open


def test_10_resolves_in_the_watchdogs_own_delivery_are_no_recoveries() -> None:
    story = Story()
    dog = firing("Watchdog")
    story.tell(1, dog)
    story.tell(1, firing())
    changes = story.tell(300, resolved(firing(), end=290), resolved(dog, end=290))
    assert story.state(firing()) is AlertState.UNKNOWN
    assert story.said("not a recovery")
    assert changes.verify == ()


def test_10_resolves_soon_after_the_watchdogs_are_no_recoveries_and_later_ones_are() -> None:
    story = Story()
    dog = firing("Watchdog")
    one, two = firing(), firing(namespace="billing")
    story.tell(1, dog, one, two)
    story.tell(300, resolved(dog, end=290))
    story.tell(350, resolved(one, end=290))
    story.tell(500, resolved(two, end=499))
    assert story.state(one) is AlertState.UNKNOWN
    assert story.state(two) is AlertState.RESOLVED


def test_10_resolves_of_another_prometheus_stay_recoveries() -> None:
    story = Story()
    dog = firing("Watchdog", prometheus="one")
    other = firing(prometheus="two")
    story.tell(1, dog, other)
    story.tell(300, resolved(dog, end=290), resolved(other, end=290))
    assert story.state(other) is AlertState.RESOLVED


def test_10_what_is_unknown_and_fires_again_goes_on_in_its_incident() -> None:
    story = Story()
    dog = firing("Watchdog")
    story.tell(1, dog, firing())
    story.tell(300, resolved(firing(), end=290), resolved(dog, end=290))
    story.tell(600, firing("Watchdog", start=590), firing(start=590))
    assert story.state(firing()) is AlertState.FIRING
    assert len(story.incidents) == 2


def test_10_a_late_beat_of_a_second_peer_does_not_end_the_silence() -> None:
    story = Story()
    dog = firing("Watchdog")
    story.tell(1, dog)
    story.tell(300, resolved(dog, end=290))
    changes = story.tell(310, dog)
    assert story.incident.open
    assert changes.reconcile
    story.tell(325, resolved(dog, end=290))
    story.reconcile(500)
    assert story.incident.open


def test_13_a_start_far_in_the_future_counts_as_unknown() -> None:
    story = Story()
    wrong = firing(start=10 * 365 * 86400)
    story.tell(1, wrong)
    assert story.incident.started_at == moment(1)
    story.tell(60, resolved(firing(), end=50))
    assert story.state(firing()) is AlertState.RESOLVED


def test_a_clock_that_is_a_little_ahead_does_not_make_resends_into_flaps() -> None:
    story = Story()
    story.tell(1, firing(start=120))
    story.tell(61, firing(start=120))
    assert (story.incident.flaps, story.incident.started_at) == (0, moment(1))
    story.tell(180, resolved(firing(start=120), end=170))
    assert story.incident.resolved_at == moment(170)


def test_resends_of_senders_that_name_no_start_are_one_episode() -> None:
    story = Story()
    story.tell(1, firing(known=False, start=1))
    story.tell(60, firing(known=False, start=60))
    assert (story.incident.flaps, story.tracked(firing()).episodes) == (0, 1)
    story.tell(90, resolved(firing(known=False, start=90), end=90))
    assert not story.incident.open
    story.tell(120, firing(known=False, start=120))
    assert story.incident.open


def test_of_two_words_on_one_alert_in_one_delivery_the_end_counts() -> None:
    story = Story()
    story.tell(1, resolved(firing(), end=1), firing())
    assert story.state(firing()) is AlertState.RESOLVED


def test_receivers_are_remembered_together() -> None:
    story = Story()
    story.tell(1, firing(), receiver="a")
    story.tell(2, firing(), receiver="b")
    story.tell(3, firing(), receiver="a")
    assert story.tracked(firing()).receivers == ("a", "b")


def test_what_the_ledger_must_hold_names_keys_and_identities() -> None:
    delivery = Notification(id=1, received_at=NOW, alerts=(firing(), firing("Watchdog")))
    keys, identities = wanted(delivery, assign)
    assert {firing().key, firing("Watchdog").key} < set(keys)
    assert set(identities) == {"triage|shop", "watchdog|shop"}


def test_an_alert_is_kept_by_its_open_incident_when_the_rules_change() -> None:
    story = Story()
    story.tell(1, firing())
    delivery = Notification(id=2, received_at=moment(60), alerts=(firing(), resolved(firing("New"), end=50)))

    def other(alert: Alert) -> Assignment:
        return replace(assign(alert), identity="elsewhere")

    changes = fold(story.ledger, delivery, other, RULES, moment(60))
    assert {alert.incident_id for alert in changes.alerts if alert.key == firing().key} == {story.incident.id}


def test_the_hold_and_the_deadline_follow_the_route() -> None:
    rules = FoldRules(group_interval=timedelta(minutes=5), repeat_interval=timedelta(hours=4))
    assert rules.hold == timedelta(minutes=5, seconds=15)
    assert rules.overdue == timedelta(hours=4, minutes=5, seconds=15)


def test_an_empty_ledger_and_delivery_change_nothing() -> None:
    changes = fold(Ledger(), Notification(id=1, received_at=NOW, alerts=()), assign, RULES, NOW)
    assert changes.incidents == changes.alerts == changes.due == ()
