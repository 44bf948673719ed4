"""What real Alertmanagers sent in experiments, read and folded; the names say what each experiment shows."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from responder.intake.payload import BadPayload, parse
from responder.model.incident import AlertState, IncidentStatus
from responder.model.ledger import Changes, FoldRules
from tests.flow.story import Story

Replay = Callable[..., tuple[Story, list[Changes]]]

HOLDING = FoldRules(group_interval=timedelta(seconds=30), repeat_interval=timedelta(hours=1))


def bodies(path: Path) -> Sequence[dict[str, Any]]:
    """The requests of a recording that hold a notification."""
    requests = json.loads(path.read_text(encoding="utf-8"))
    return [item for item in requests if isinstance(item, dict) and _is_notification(item)]


def _is_notification(item: dict[str, Any]) -> bool:
    body = (item.get("request") or {}).get("body")
    return isinstance(body, dict) and bool(body.get("alerts"))


def received(items: Sequence[dict[str, Any]]) -> list[datetime]:
    """When each request came: the recordings tell offsets, and the first start that fits them."""
    starts = [alert["startsAt"] for item in items for alert in item["request"]["body"]["alerts"]]
    ends = [alert["endsAt"] for item in items for alert in item["request"]["body"]["alerts"]]
    last = max(datetime.fromisoformat(text) for text in [*starts, *ends] if text[:4].isdigit() and text > "0002")
    offsets = [float(item.get("received_at_offset_s") or 0) for item in items]
    begin = last.astimezone(UTC) - timedelta(seconds=offsets[-1])
    return [begin + timedelta(seconds=offset) for offset in offsets]


@pytest.fixture
def replay(shared: Path) -> Replay:
    """Fold a recording."""

    def play(name: str, until: float = 1e9, scenario: str = "") -> tuple[Story, list[Changes]]:
        path = shared / "alertmanager" / "recorded" / f"{name}.json"
        if not path.exists():
            pytest.skip(f"there is no recording {name}")
        items = [item for item in bodies(path) if scenario in item.get("scenario", "")]
        story, changes = Story(HOLDING), []
        for number, (item, at) in enumerate(zip(items, received(items), strict=True)):
            if float(item.get("received_at_offset_s") or 0) <= until:
                body = json.dumps(item["request"]["body"]).encode()
                changes.append(story.read(parse(body, id=number, received_at=at)))
        return story, changes

    return play


def states(story: Story) -> list[str]:
    return sorted(alert.state.value for alert in story.ledger.alerts.values())


def test_02_a_whole_life_is_one_incident(replay: Replay) -> None:
    story, changes = replay("02-lifecycle-am0.33")
    assert story.incident.status is IncidentStatus.RESOLVED
    assert set(states(story)) == {"resolved"}
    assert len(story.ledger.alerts) == 3
    assert changes[2].incidents == ()
    assert changes[2].alerts


def test_03_a_flap_that_was_not_told_is_counted(replay: Replay) -> None:
    story, _ = replay("03-flap-inside-group-interval-am0.33")
    assert (story.incident.flaps, story.incident.open) == (1, False)
    assert story.said("Fires anew")
    assert story.investigated == [story.incident.id]


def test_04_an_episode_told_only_as_resolved_is_recorded(replay: Replay) -> None:
    story, changes = replay("04-blip-am0.33", until=30)
    assert story.incident.open
    assert states(story) == ["firing", "resolved"]
    assert changes[-1].investigate == ()


def test_06_the_same_alerts_of_several_routes_are_one_alert_each(replay: Replay) -> None:
    story, _ = replay("06-group-by-and-receiver-names-am0.33")
    keys = [key for _, key in story.ledger.alerts]
    assert len(keys) == len(set(keys))
    assert any(len(alert.receivers) > 1 for alert in story.ledger.alerts.values())


def test_07_without_resolves_nothing_is_resolved(replay: Replay) -> None:
    story, _ = replay("07-send-resolved-false-am0.33")
    assert set(states(story)) == {"firing"}


def test_08_truncated_alerts_mark_the_incident_and_ask_for_the_rest(replay: Replay) -> None:
    story, changes = replay("08-max-alerts-truncated-am0.33", until=3)
    assert (story.incident.alerts_truncated, len(story.ledger.alerts)) == (2, 3)
    assert all(change.reconcile for change in changes)


def test_09_a_silenced_member_fires_on_and_its_lost_resolve_is_asked_for(replay: Replay) -> None:
    story, changes = replay("09-silence-one-of-two-am0.33")
    assert states(story) == ["firing", "resolved"]
    assert changes[-1].reconcile
    now = story.incident.updated_at + timedelta(seconds=60)
    seconds = (now - datetime(2026, 3, 4, 3, 0, tzinfo=UTC)).total_seconds()
    story.reconcile(seconds, [])
    assert not story.incident.open


def test_12_a_lost_resolve_leaves_the_alert_firing_until_it_is_asked_for(replay: Replay) -> None:
    story, changes = replay("12-restart-sigterm-sigkill-am0.33", until=40)
    assert changes[-1].reconcile
    assert states(story) == ["firing", "resolved"]


def test_13_what_is_told_again_after_a_kill_is_no_news(replay: Replay) -> None:
    story, changes = replay("13-sigkill-without-snapshot-am0.33")
    assert [bool(change.incidents) for change in changes] == [True, False, False]
    assert story.investigated == [story.incident.id]


def test_14_resolves_lost_by_a_restart_are_asked_for(replay: Replay) -> None:
    story, changes = replay("14-restart-loses-resolved-am0.33", until=10)
    assert changes[1].reconcile
    assert story.incident.open
    assert "firing" in states(story)


def test_15_alerts_that_come_in_two_bodies_are_one_incident(replay: Replay) -> None:
    story, _ = replay("15-old-alerts-skip-group-wait-am0.33")
    assert story.incident.open
    assert story.incident.flaps == 0


@pytest.mark.parametrize(
    "name",
    [
        "16-reload-am0.33",
        "17-sigterm-in-flight-am0.33",
        "19-ha-slow-receiver-am0.33",
        "20-ha-503-then-200-am0.33",
        "37-idle-connection-closed-am0.33",
        "41-backoff-503-100s-am0.33",
    ],
)
def test_what_is_sent_again_is_one_incident_and_one_investigation(replay: Replay, name: str) -> None:
    story, _ = replay(name)
    assert story.incident.flaps == 0
    assert story.incident.status is IncidentStatus.FIRING
    assert not any("Fires anew" in text for text in story.timeline)


@pytest.mark.parametrize("name", ["18-ha-healthy-am0.25", "18-ha-healthy-am0.33", "21-ha-split-brain-am0.33"])
def test_a_pair_tells_one_incident_whether_its_peers_can_talk_or_not(replay: Replay, name: str) -> None:
    story, _ = replay(name)
    assert (story.incident.status, story.incident.flaps) == (IncidentStatus.RESOLVED, 0)
    assert story.verified == [story.incident.id]


def test_22_a_stale_firing_after_the_resolve_does_not_reopen(replay: Replay) -> None:
    story, changes = replay("22-ha-stale-firing-after-resolved-am0.33", until=50)
    assert [states(story), story.incident.flaps, story.incident.open] == [["resolved"], 0, False]
    assert changes[2].reconcile
    assert story.investigated == story.verified == [story.incident.id]


def test_22_a_second_episode_reopens_once(replay: Replay) -> None:
    story, _ = replay("22-ha-stale-firing-after-resolved-am0.33")
    assert (story.incident.flaps, story.incident.open, story.investigated) == (1, False, [story.incident.id] * 2)


def test_23_a_flap_told_by_two_peers_is_one_flap(replay: Replay) -> None:
    story, _ = replay("23-ha-flap-am0.33")
    assert (story.incident.flaps, story.incident.open) == (1, False)


def test_24_peers_that_differ_in_the_start_do_not_reopen(replay: Replay) -> None:
    story, changes = replay("24-ha-peer-timers-apart-am0.33", until=170)
    assert (story.incident.flaps, story.incident.open) == (0, False)
    assert any(change.reconcile for change in changes)


def test_25_a_sender_that_came_back_fires_once_the_hold_is_over(replay: Replay) -> None:
    story, changes = replay("25-sender-gap-same-startsat-am0.33")
    assert states(story) == ["held"]
    assert changes[-1].reconcile
    (settle,) = [due.at for due in changes[-1].due if due.what == "settle"]
    story.reconcile((settle - datetime(2026, 3, 4, 3, 0, tzinfo=UTC)).total_seconds())
    assert (story.incident.open, story.incident.flaps) == (True, 1)


def test_31_a_watchdog_is_an_incident_only_when_it_resolves(replay: Replay) -> None:
    story, _ = replay("31-watchdog-am0.33", until=50)
    assert story.incidents == []
    story, _ = replay("31-watchdog-am0.33")
    assert story.incident.open
    assert story.incident.runbook == "watchdog"


def test_33_a_changed_label_is_another_alert_of_the_same_incident(replay: Replay) -> None:
    story, changes = replay("33-annotations-and-labels-change-am0.33")
    assert states(story) == ["firing", "resolved"]
    assert story.incident.open
    assert changes[1].incidents == ()


def test_36_a_member_that_fires_again_is_another_episode(replay: Replay) -> None:
    story, _ = replay("36-member-fires-again-am0.33")
    assert max(alert.episodes for alert in story.ledger.alerts.values()) == 2
    assert not story.incident.open


@pytest.mark.parametrize("name", ["60-prometheus2.42-to-receiver", "60-prometheus3.5-to-receiver"])
def test_60_a_prometheus_that_dies_resolves_everything_and_that_is_no_recovery(replay: Replay, name: str) -> None:
    story, _ = replay(name)
    stopped = [incident for incident in story.incidents if incident.runbook == "watchdog"]
    assert stopped, "the watchdog was told as resolved"
    assert story.said("not a recovery")


def test_every_recorded_notification_can_be_folded_twice_to_the_same_end(shared: Path) -> None:
    for path in sorted((shared / "alertmanager" / "recorded").glob("*.json")):
        items = [] if path.stem == "INDEX" else bodies(path)
        story = Story(HOLDING)
        for number, (item, at) in enumerate(zip(items, received(items) if items else [], strict=True)):
            body = json.dumps(item["request"]["body"]).encode()
            try:
                delivery = parse(body, id=number, received_at=at)
            except BadPayload:
                continue
            story.read(delivery)
            again = story.read(delivery)
            assert again.incidents == again.timeline == again.investigate == (), path.name
        open_states = (AlertState.FIRING, AlertState.UNKNOWN)
        for incident in story.incidents:
            members = [alert for (name, _), alert in story.ledger.alerts.items() if name == incident.id]
            assert incident.open == any(alert.state in open_states for alert in members), path.name
