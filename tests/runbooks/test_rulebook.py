"""The index of a rulebook finds what looking at every runbook would find."""

from collections.abc import Mapping

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from responder.model.runbook import Metadata, Runbook
from responder.runbooks.matchers import parse, plain
from responder.runbooks.rulebook import LAST_RESORT, Rulebook, to_match

MATCHERS = (
    "{}",
    'alertname="PodDown"',
    'alertname=~"PodDown|DiskFull"',
    'alertname=~"Pod.*"',
    'alertname=~"(Pod|Disk).+", namespace="shop"',
    'alertname!="PodDown"',
    'alertname_plain="poddown"',
    'alertname_plain=~"poddown|diskfull", namespace!=""',
    'alertname_plain=~"disk.*"',
    'alertname_plain=~"(pod|disk)(down|full)", namespace=~"(shop)?"',
    'namespace="shop"',
)
NAMES = ("PodDown", "pod_down", "Pod down", "DiskFull", "disk-full", "")
labels = st.fixed_dictionaries(
    {"alertname": st.sampled_from(NAMES)}, optional={"namespace": st.sampled_from(["shop", "billing"])}
)
runbooks = st.lists(
    st.tuples(st.lists(st.sampled_from(MATCHERS), min_size=1, max_size=3), st.integers(-1, 1)), max_size=6
)


def by_hand(book: Rulebook, alert: Mapping[str, str]) -> str:
    fitting = [
        (-runbook.priority, -len(matchers.matchers), runbook.name)
        for runbook in book.runbooks.values()
        for matchers in map(parse, runbook.match)
        if matchers.matches(to_match(alert))
    ]
    return min(fitting)[2] if fitting else LAST_RESORT.name


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(runbooks, st.lists(labels, min_size=1, max_size=8))
def test_the_runbook_of_an_alert_is_the_best_of_all_that_fit(
    given_runbooks: list[tuple[list[str], int]], alerts: list[dict[str, str]]
) -> None:
    book = Rulebook(
        Runbook(
            apiVersion="responder/v1",
            kind="Runbook",
            metadata=Metadata(name=f"r{number}", title="R"),
            match=tuple(match),
            priority=priority,
        )
        for number, (match, priority) in enumerate(given_runbooks)
    )
    for alert in alerts * 2:
        assert book.match(alert).name == by_hand(book, alert)


@pytest.mark.parametrize("name", ["DatabaseIssues", "database_issues", "database-issues", "Database issues"])
def test_a_plain_name_has_neither_case_nor_separators(name: str) -> None:
    assert plain(name) == "databaseissues"
