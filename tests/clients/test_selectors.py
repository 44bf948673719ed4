"""Label and field selectors."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from responder.clients.selectors import by_fields, by_labels, written
from responder.errors import Permanent, Reason

LABELS = {"app": "web", "tier": "front", "app.kubernetes.io/name": "web"}


@pytest.mark.parametrize(
    "selector",
    [
        "",
        "app=web",
        "app==web,tier=front",
        "app != api",
        "absent!=x",
        "app",
        "!absent",
        "app in (web, api)",
        "app notin (api)",
        "absent notin (a,b)",
        "app.kubernetes.io/name=web",
    ],
)
def test_fits(selector: str) -> None:
    assert by_labels(selector)(LABELS)


@pytest.mark.parametrize("selector", ["app=api", "app!=web", "absent", "!app", "app in (api)", "absent in (a)", "app="])
def test_does_not_fit(selector: str) -> None:
    assert not by_labels(selector)(LABELS)


@pytest.mark.parametrize("selector", ["app in web", "app = = x", "a b", "in (a)", "=x"])
def test_what_is_no_selector_is_refused(selector: str) -> None:
    with pytest.raises(Permanent) as caught:
        by_labels(selector)
    assert caught.value.reason is Reason.BAD_REQUEST


def test_fields_are_compared_as_text() -> None:
    node = {"metadata": {"name": "n1"}, "spec": {"unschedulable": True}, "type": "Warning"}
    assert by_fields("metadata.name=n1,spec.unschedulable=true,type!=Normal")(node)
    assert not by_fields("metadata.name=n2")(node)
    assert by_fields("spec.nodeName=")(node)


@pytest.mark.parametrize("selector", ["metadata.name", "a in (b)"])
def test_what_is_no_field_selector_is_refused(selector: str) -> None:
    with pytest.raises(Permanent):
        by_fields(selector)


NAMES = st.sampled_from(["app", "tier", "zone"])
VALUES = st.sampled_from(["a", "b", "c"])
EXPRESSIONS = st.fixed_dictionaries(
    {
        "key": NAMES,
        "operator": st.sampled_from(["In", "NotIn", "Exists", "DoesNotExist"]),
        "values": st.lists(VALUES, min_size=1),
    }
)


@given(st.dictionaries(NAMES, VALUES), st.lists(EXPRESSIONS, max_size=3), st.dictionaries(NAMES, VALUES))
def test_a_selector_as_text_means_the_same(match: dict[str, str], terms: list[dict], labels: dict[str, str]) -> None:
    expected = all(labels.get(name) == value for name, value in match.items())
    for term in terms:
        has, value = term["key"] in labels, labels.get(term["key"])
        match term["operator"]:
            case "In":
                expected &= value in term["values"]
            case "NotIn":
                expected &= value not in term["values"]
            case "Exists":
                expected &= has
            case _:
                expected &= not has
    text = written({"matchLabels": match, "matchExpressions": terms})
    assert by_labels(text)(labels) is expected
