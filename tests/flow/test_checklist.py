"""A procedure as it stands: the next open step, and commands in which nobody's label becomes a command."""

import shlex
import string
from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from responder.errors import ConfigError
from responder.flow.checklist import lines
from responder.model.incident import AlertState, TrackedAlert
from responder.model.procedure import StepMark, StepState
from responder.model.runbook import Runbook
from responder.model.subject import Target
from responder.templating import render_text
from responder.templating.escaping import Language
from tests.makers import NOW

IDS = ("a", "b", "c", "d")
PROCEDURE = [
    {"id": "a", "title": "A", "command": "do {{ labels.service }} -n {{ target.namespace }}"},
    {"id": "b", "title": "B", "needs": ["a"]},
    {"id": "c", "title": "C"},
    {"id": "d", "title": "D", "needs": ["b", "c"]},
]
RUNBOOK = Runbook.model_validate(
    {
        "apiVersion": "responder/v1",
        "kind": "Runbook",
        "metadata": {"name": "r", "title": "R"},
        "match": ["alertname=R"],
        "procedure": PROCEDURE,
    }
)


def marked(**states: str) -> Mapping[str, StepMark]:
    return {name: StepMark(step=name, state=StepState(state), at=NOW) for name, state in states.items()}


def next_of(**states: str) -> str:
    found = [line.id for line in lines(RUNBOOK, Target(), [], marked(**states)) if line.next]
    assert len(found) <= 1
    return "".join(found)


def test_the_next_step_is_the_first_open_one_that_waits_for_nothing() -> None:
    assert next_of() == "a"
    assert next_of(a="failed") == "a"
    assert next_of(a="done") == "b"
    assert next_of(a="skipped", b="done") == "c"
    assert next_of(c="done") == "a"
    assert next_of(a="done", b="done", c="done") == "d"
    assert next_of(**dict.fromkeys(IDS, "done")) == ""


@given(st.dictionaries(st.sampled_from(IDS), st.sampled_from([state.value for state in StepState])))
def test_there_is_a_next_step_until_all_are_settled_and_it_never_waits(states: dict[str, str]) -> None:
    found = lines(RUNBOOK, Target(), [], marked(**states))
    open_ones = [line for line in found if not line.state.settled]
    (one,) = [line for line in found if line.next] or [None]
    assert (one is None) == (not open_ones)
    if one is not None:
        assert one.waits_for == ()
        assert one in open_ones
    for line in found:
        assert set(line.waits_for) <= set(line.needs)


def alert(**labels: str) -> TrackedAlert:
    times: dict[str, Any] = {"starts_at": NOW, "first_seen": NOW, "last_seen": NOW}
    return TrackedAlert(incident_id="i", key="k", fingerprint="k", state=AlertState.FIRING, labels=labels, **times)


def test_a_command_is_filled_in_or_shown_with_the_reason_why_not() -> None:
    target = Target(namespace="shop")
    (line, *_) = lines(RUNBOOK, target, [alert(service="cart")], {})
    assert (line.command, line.trouble) == ("do cart -n shop", "")
    (line, *_) = lines(RUNBOOK, target, [alert(service="$(reboot)")], {})
    assert line.command == "do {{ labels.service }} -n {{ target.namespace }}"
    assert "has characters that a shell would read" in line.trouble
    (line, *_) = lines(RUNBOOK, target, [], {})
    assert "there is no label 'service'" in line.trouble


@given(st.one_of(st.text(max_size=12), st.text(alphabet=string.punctuation + "a \n", max_size=12)))
def test_a_value_in_a_command_is_one_word_in_every_kind_of_quotes_or_refused(value: str) -> None:
    for template, wrapped in (
        ("{{ labels.x }}", "{}"),
        ('"{{ labels.x }}"', "{}"),
        ("'{{ labels.x }}'", "{}"),
        ("\"$(echo '{{ labels.x }}')\"", "$(echo '{}')"),
    ):
        try:
            filled = render_text(template, Language.SHELL, {"labels": {"x": value}})
        except ConfigError:
            continue
        assert not value.startswith("-")
        if value:
            assert shlex.split(filled, comments=True) == [wrapped.format(value)]
            assert not set(value) & set("'\"`$\\;&|<>(){}[]*?!#~ \n\t\r\0")
