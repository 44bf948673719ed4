"""Alerting expressions are taken apart as Prometheus reads them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from responder.probes._expression import parts


@pytest.mark.parametrize(
    ("expression", "query", "threshold"),
    [
        ("a > 0.5", "a", "> 0.5"),
        ("a<1e-3", "a", "< 0.001"),
        ("(a) >= -2", "a", ">= -2"),
        ("((a / b) != 0)", "a / b", "!= 0"),
        ("0.5 < a", "a", "> 0.5"),
        ("5 >= a", "a", "<= 5"),
        ("0 == up", "up", "== 0"),
        ('up{job="a > 3 or b # c"} == 0', 'up{job="a > 3 or b # c"}', "== 0"),
        (r"up{job='a\' > 3 or b'} == 0", r"up{job='a\' > 3 or b'}", "== 0"),
        ("up{job=`a \\` > 3", "up{job=`a \\` > 3", None),
        ("a > ( 25 / 100 )", "a", "> 0.25"),
        ("a > 10 * 1024 * 1024", "a", "> 10485760"),
        ("a > 0.5 # b > 1", "a", "> 0.5"),
        ("sum by (or) (a) > 2", "sum by (or) (a)", "> 2"),
        ("rate(a[5m:1m]) * 60 < 100", "rate(a[5m:1m]) * 60", "< 100"),
        ("and_more > 1", "and_more", "> 1"),
        ("a:b:c > 1", "a:b:c", "> 1"),
        ("a > 1 > 0", "a > 1", "> 0"),
    ],
)
def test_an_expression_against_a_number_gives_both(expression: str, query: str, threshold: str | None) -> None:
    found = parts(expression)
    assert found.query == query
    bound = f"{found.threshold.operator} {found.threshold.value:g}" if found.threshold else None
    assert bound == (threshold and threshold.replace("10485760", "1.04858e+07"))


@pytest.mark.parametrize(
    "expression",
    ["a > b", "a > on (x) b", "a > bool 1", "1 < bool a", "(a > 1) or b", "a > 1 OR b > 2", "absent(a)", "vector(1)"],
)
def test_an_expression_of_another_form_is_drawn_as_it_is(expression: str) -> None:
    assert (parts(expression).query, parts(expression).threshold) == (expression, None)


def test_the_condition_beside_the_bound_is_left_out_of_the_picture_and_told() -> None:
    found = parts("p95 > 0.5 and on (namespace)\n  rate > 1 unless b == 2")
    assert found.query == "p95"
    assert found.condition == "and on (namespace) rate > 1 unless b == 2"


def test_where_the_first_part_has_no_bound_all_is_drawn() -> None:
    assert parts("a and b > 1").query == "a and b > 1"


@settings(max_examples=200)
@given(st.text(alphabet="ab01 .><=!()[]{}\"'`#\\\n+-*/eorand", max_size=60))
def test_nothing_breaks_it(text: str) -> None:
    found = parts(text)
    assert len(found.query) <= len(text)


def test_long_expressions_do_not_take_long() -> None:
    assert parts("(" * 8000 + "a" + ")" * 8000).query
    assert parts("a > " + "9" * 16_000).threshold is None
