"""Whatever the order of re-sends, duplicates and peers: no alert is lost, doubled or left open."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from responder.flow.heartbeat import is_silence
from responder.model.alert import Alert
from responder.model.incident import AlertState, IncidentStatus
from tests.flow.story import Story, firing, in_api, moment, resolved

PODS = tuple(firing(pod=f"api-{number}", namespace=namespace) for number in range(3) for namespace in ("shop", "pay"))
EVERYTHING = (*PODS, firing("Watchdog"))
GAP = 10.0


def episode(pod: Alert, number: int, over: bool) -> Alert:
    """One of several episodes of an alert, at its begin or at its end."""
    start = number * 100.0
    begun = pod.model_copy(update={"starts_at": moment(start)})
    return resolved(begun, end=start + 50) if over else begun


def bodies_of(pods: Sequence[Alert]) -> st.SearchStrategy[list[list[Alert]]]:
    """Deliveries that tell of these alerts, in any order."""
    told = st.builds(episode, st.sampled_from(pods), st.integers(0, 3), st.booleans())
    return st.lists(st.lists(told, min_size=1, max_size=4), min_size=1, max_size=10)


deliveries = bodies_of(EVERYTHING)


def play(bodies: Sequence[Sequence[Alert]]) -> Story:
    story = Story()
    for number, body in enumerate(bodies):
        story.tell(400 + number * GAP, *body)
    return story


def beliefs(story: Story) -> dict[tuple[str, str], object]:
    """All that is believed, but when it was heard last."""
    return {
        place: alert.model_copy(update={"last_seen": alert.first_seen, "receivers": ()})
        for place, alert in story.ledger.alerts.items()
    }


def hold(story: Story) -> None:
    """What is true of every ledger."""
    alerts = list(story.ledger.alerts.values())
    for incident in story.incidents:
        states = {alert.state for alert in alerts if alert.incident_id == incident.id}
        assert (incident.status is IncidentStatus.FIRING) == (AlertState.FIRING in states)
        assert incident.open == bool(states & {AlertState.FIRING, AlertState.UNKNOWN})
        assert (incident.resolved_at is None) == incident.open
        assert states
    open_places = [alert.key for alert in alerts if alert.state in (AlertState.FIRING, AlertState.UNKNOWN)]
    assert len(open_places) == len(set(open_places))
    open_identities = [incident.identity for incident in story.incidents if incident.open]
    assert len(open_identities) == len(set(open_identities))
    assert all((alert.hold_until is not None) == (alert.state is AlertState.HELD) for alert in alerts)
    assert not any(alert.ends_at for alert in alerts if alert.state is AlertState.FIRING)
    for heart in story.ledger.hearts.values():
        assert heart.stopped == any(
            incident.open for incident in story.incidents if incident.identity == heart.identity
        )


@settings(max_examples=150)
@given(deliveries)
def test_an_incident_is_open_exactly_while_one_of_its_alerts_fires_or_is_unknown(bodies: list[list[Alert]]) -> None:
    story = play(bodies)
    hold(story)
    told = {alert.key for body in bodies for alert in body if alert.name != "Watchdog"}
    assert told == {key for _, key in story.ledger.alerts if not is_silence(key)}


@settings(max_examples=100)
@given(deliveries)
def test_folding_twice_is_folding_once(bodies: list[list[Alert]]) -> None:
    once, twice = play(bodies), Story()
    for number, body in enumerate(bodies):
        twice.tell(400 + number * GAP, *body)
        again = twice.tell(400 + number * GAP, *body)
        assert again.incidents == again.timeline == again.investigate == again.verify == ()
    assert twice.ledger.incidents == once.ledger.incidents
    assert beliefs(twice) == beliefs(once)


@settings(max_examples=100)
@given(bodies_of(PODS), st.data())
def test_resends_of_the_latest_word_change_no_belief(bodies: list[list[Alert]], data: st.DataObject) -> None:
    one, other, at = play(bodies), Story(), 400.0
    for body in bodies:
        for _ in range(data.draw(st.integers(min_value=1, max_value=3))):
            other.tell(at, *body)
            at += 1
    assert {key: alert.state for key, alert in one.ledger.alerts.items()} == {
        key: alert.state for key, alert in other.ledger.alerts.items()
    }
    assert [i.flaps for i in one.incidents] == [i.flaps for i in other.incidents]


@settings(max_examples=150)
@given(st.lists(st.tuples(st.sampled_from(PODS), st.integers(1, 3)), min_size=1, max_size=6), st.data())
def test_two_peers_in_any_interleaving_end_with_every_alert_resolved_once(
    pods: list[tuple[Alert, int]], data: st.DataObject
) -> None:
    """Each peer tells each alert as firing and then, once or more often, as resolved; the peers run as they like."""
    told = [alert for alert, _ in pods]
    ends = [[resolved(alert, end=300)] for alert, times in pods for _ in range(times)]
    peers = [[told[:1], told, *ends] for _ in range(2)]
    story, at = Story(), 400.0
    while any(peers):
        peer = data.draw(st.sampled_from([peer for peer in peers if peer]))
        story.tell(at, *peer.pop(0))
        at += 1
    hold(story)
    assert {story.state(alert) for alert, _ in pods} == {AlertState.RESOLVED}
    assert len(story.incidents) == len({alert.labels["namespace"] for alert, _ in pods})
    assert all(not incident.open for incident in story.incidents)
    story.reconcile(at + 10_000)
    assert all(not incident.open for incident in story.incidents)


@settings(max_examples=100)
@given(st.lists(st.sampled_from(PODS), min_size=1, max_size=6, unique_by=lambda alert: alert.key), st.data())
def test_partial_resolves_in_any_order_never_lose_or_double_an_alert(pods: list[Alert], data: st.DataObject) -> None:
    story = Story()
    story.tell(1, *pods)
    firing_still = list(pods)
    at = 10.0
    for alert in data.draw(st.permutations(pods)):
        firing_still.remove(alert)
        story.tell(at, *firing_still, resolved(alert, end=at))
        at += 10
        expected = {pod.key: "firing" if pod in firing_still else "resolved" for pod in pods}
        assert {key: known.state.value for (_, key), known in story.ledger.alerts.items()} == expected
        hold(story)
    assert not any(incident.open for incident in story.incidents)
    assert all(incident.flaps == 0 for incident in story.incidents)


@settings(max_examples=150)
@given(deliveries, st.lists(st.sampled_from(PODS), unique_by=lambda alert: alert.key), st.booleans())
def test_reconciling_brings_every_open_alert_in_line_with_the_api_and_is_idempotent(
    bodies: list[list[Alert]], active: list[Alert], asked: bool
) -> None:
    story = play(bodies)
    api = [in_api(alert) for alert in active] if asked else None
    story.reconcile(5000, api)
    hold(story)
    again = story.reconcile(5000, api)
    assert again.incidents == again.timeline == again.investigate == again.verify == ()
    if asked:
        keys = {alert.key for alert in active}
        fires = {key for (_, key), alert in story.ledger.alerts.items() if alert.state is AlertState.FIRING}
        assert {key for key in fires if not is_silence(key)} <= keys
    assert not any(alert.state is AlertState.HELD for alert in story.ledger.alerts.values())
