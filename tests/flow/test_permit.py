"""Policy: whatever is asked, in whatever order, its limits hold."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from responder.actions import load
from responder.flow import permit
from responder.flow.justify import Offers
from responder.model.action import ActionState, Attempt, Mode, Preview, Stop
from responder.model.runbook import ActionProposal, Runbook
from responder.model.subject import Target
from responder.settings import Actions
from tests.makers import NOW

MODES: tuple[Mode, ...] = ("suggest", "approve", "auto")
RANK = {"none": 0, "suggest": 0, "approve": 1, "auto": 2}
NAMES = st.sampled_from(["shop", "bank", "*"])
OBJECTS = st.sampled_from(["/shop/deployment/web", "/shop/deployment/api", "/bank/deployment/web"])


def proposal(mode: str = "approve", **fields: Any) -> ActionProposal:
    given: dict[str, Any] = {"id": "more", "action": "kubernetes.scale", "mode": mode, "causes": ["oom-killed"]}
    return ActionProposal.model_validate({**given, **fields})


def attempt(**fields: Any) -> Attempt:
    given: dict[str, Any] = {"incident_id": "i", "action": "more", "kind": "kubernetes.scale", "title": "More"}
    given |= {"mode": "approve", "proposed_at": NOW, "expires_at": NOW + timedelta(hours=1)}
    return Attempt.model_validate({**given, **fields})


def preview(*objects: str, namespace: str = "shop") -> Preview:
    return Preview(text="It", objects=objects or ("/shop/deployment/web",), namespaces=(namespace,))


@given(st.sampled_from(["none", "approve", "auto"]), st.sampled_from(MODES))
def test_a_runbook_never_goes_beyond_the_settings(allow: Any, mode: str) -> None:
    left = permit.mode_of(Actions(allow=allow), proposal(mode))
    assert RANK[left] == min(RANK[allow], RANK[mode])
    hindered = permit.hindrance(Actions(allow=allow), None, proposal(mode))
    assert bool(hindered) is (left == "suggest")


@given(
    limit=st.integers(0, 4),
    cool_down=st.integers(0, 120),
    allowed=st.sets(NAMES),
    asked=st.lists(st.tuples(st.integers(0, 40), st.sets(OBJECTS, min_size=1), NAMES), max_size=25),
)
def test_limits_hold_for_every_order_of_requests(
    limit: int, cool_down: int, allowed: set[str], asked: list[tuple[int, set[str], str]]
) -> None:
    policy = Actions(
        allow="auto", namespaces=tuple(allowed), hourly_limit=limit, cool_down=timedelta(minutes=cool_down)
    )
    now, made = NOW, list[Attempt]()
    for minutes, objects, namespace in asked:
        now += timedelta(minutes=minutes)
        wanted = preview(*objects, namespace=namespace)
        since = permit.remembered(policy, now)
        known = [one for one in made if one.started_at and one.started_at >= since]
        if permit.refusal(policy, wanted, known, now):
            continue
        assert "*" in allowed or namespace in allowed
        made.append(attempt(started_at=now, preview=wanted, state=ActionState.DONE))
    times = [one.started_at for one in made if one.started_at]
    for at in times:
        assert sum(at - timedelta(hours=1) < other <= at for other in times) <= limit
    for place, one in enumerate(made):
        for other in made[place + 1 :]:
            assert one.preview
            assert other.preview
            if set(one.preview.objects) & set(other.preview.objects):
                assert one.started_at
                assert other.started_at
                assert other.started_at - one.started_at >= policy.cool_down


@given(st.lists(st.builds(attempt, started_at=st.just(NOW), preview=st.just(preview()))), st.text(min_size=1))
def test_what_the_action_itself_refuses_is_refused(begun: list[Attempt], why: str) -> None:
    policy = Actions(allow="auto", namespaces=("*",))
    assert permit.refusal(policy, preview().model_copy(update={"refusal": why}), begun, NOW) == why


@given(st.sampled_from(["none", "approve", "auto"]), st.sampled_from(MODES), st.booleans())
def test_a_stop_stops_everything(allow: Any, mode: str, in_settings: bool) -> None:
    policy = Actions(allow=allow, stop=in_settings)
    stop = None if in_settings else Stop(at=NOW, by="Ada")
    assert "stop" in permit.hindrance(policy, stop, proposal(mode))


def test_what_stopped_itself_leaves_people_free() -> None:
    stop = Stop(scope="auto", at=NOW, by="Responder")
    assert permit.hindrance(Actions(allow="auto"), stop, proposal()) == ""


def test_what_has_no_namespace_needs_all_of_them() -> None:
    node = preview("//node/n1", namespace="*")
    assert "without a namespace" in permit.refusal(Actions(allow="auto", namespaces=("shop",)), node, [], NOW)
    assert permit.refusal(Actions(allow="auto", namespaces=("*",)), node, [], NOW) == ""
    silence = Preview(text="Silence it", objects=("alertmanager/x",))
    assert permit.refusal(Actions(allow="auto"), silence, [], NOW) == ""


def test_a_kind_that_is_not_named_is_not_allowed() -> None:
    policy = Actions(allow="approve", kinds=("kubernetes.rollout_restart",))
    assert "not among actions.kinds" in permit.hindrance(policy, None, proposal())


def test_what_is_done_by_itself_has_to_say_for_what() -> None:
    with pytest.raises(ValueError, match="needs 'causes'"):
        proposal("auto", causes=[])


def test_a_proposal_that_nobody_approved_in_time_has_expired() -> None:
    book = {
        "apiVersion": "responder/v1",
        "kind": "Runbook",
        "metadata": {"name": "web", "title": "web"},
        "match": ["{}"],
        "actions": [{"id": "more", "action": "kubernetes.scale", "replicas": 2, "mode": "approve"}],
    }
    known = {"more": attempt()}
    runbook, later = Runbook.model_validate(book), NOW + timedelta(hours=1)
    policy, offers = Actions(allow="approve"), Offers(load(), (), Target(), {})
    assert permit.lines(policy, None, runbook, offers, known, NOW)[0].state is ActionState.PROPOSED
    assert permit.lines(policy, None, runbook, offers, known, later)[0].state is ActionState.EXPIRED
    known = {"more": attempt(state=ActionState.APPROVED, approved_by="Ada")}
    assert permit.lines(policy, None, runbook, offers, known, later)[0].state is ActionState.APPROVED


@pytest.mark.parametrize(
    ("approvers", "known", "claimed", "may"),
    [
        ((), "", "", False),
        ((), "", "Ada", True),
        ((), "Ada", "", True),
        (("Ada",), "Ada", "", True),
        (("Ada",), "Ben", "Ada", False),
        (("Ada",), "", "Ada", False),
    ],
)
def test_a_name_that_somebody_gives_does_not_make_an_approver(
    approvers: tuple[str, ...], known: str, claimed: str, may: bool
) -> None:
    assert (permit.may_approve(Actions(approvers=approvers), known, claimed) == "") is may
