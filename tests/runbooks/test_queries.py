"""A query that is none, and a name that there is not, are found before an alert asks for them."""

import importlib.util
from pathlib import Path

import pytest
import yaml

from responder import detectors, plugins, probes
from responder.documents import Problems
from responder.probes import Probe
from responder.runbooks.loading import load
from responder.runbooks.queries import query_problem
from responder.templating.escaping import Language

needs_parser = pytest.mark.skipif(
    importlib.util.find_spec("promql_parser") is None,
    reason="promql-parser is not installed: pip install promql-parser",
)


@needs_parser
@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("rate(http_requests_total[5m])", ""),
        ('sum(rate(x{namespace="{{ target.namespace }}"}[{{ vars.window }}])) > {{ vars.most }}', ""),
        ("up == {{ vars.most }}", ""),
        ("{{ vars.metric }}:rate5m", ""),
        ("rate(http_requests_total[5m)", "is no PromQL"),
        ("rat(http_requests_total[5m])", "unknown function"),
        ('up{job="{{ labels.job }}"', "is no PromQL"),
        ("sum by (le rate(x[5m]))", "is no PromQL"),
    ],
)
def test_what_is_no_promql_is_named(query: str, said: str) -> None:
    problem = query_problem(query, Language.PROMQL)
    assert said in problem
    assert bool(said) == bool(problem)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ('{namespace="shop"} |= "error" | json', ""),
        ('sum(count_over_time({app=~"a.+"} |~ `x{2}` [5m]))', ""),
        ('{namespace="{{ target.namespace }}"}', ""),
        ('{namespace="shop" |= "error"', "{ is not closed"),
        ('count_over_time({app="a"}[5m]))', ") closes nothing"),
        ('{namespace="shop} |= error', "a string is not closed"),
        ('{namespace!="shop"}', "a selector needs a matcher"),
        ("error", "it selects no streams"),
    ],
)
def test_what_is_no_logql_is_named(query: str, said: str) -> None:
    problem = query_problem(query, Language.LOGQL)
    assert said in problem
    assert bool(said) == bool(problem)


def runbook(folder: Path, **parts: object) -> Path:
    steps = [{"id": "latency", "probe": "prometheus.query", "query": "up"}, {"id": "pods", "probe": "kubernetes.pods"}]
    document = {
        "apiVersion": "responder/v1",
        "kind": "Runbook",
        "metadata": {"name": "shop", "title": "Shop"},
        "match": ["alertname=Shop"],
        "variables": {"most": "3"},
        "investigate": steps,
        **parts,
    }
    file = folder / "shop.yaml"
    file.write_text(yaml.safe_dump(document))
    return file


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ("evidence.latncy.breached", "evidence.latncy: there is no such step, did you mean 'latency'?"),
        ("target.namspace == 'shop'", "target.namspace: there is no such field, did you mean 'namespace'?"),
    ],
)
def test_a_condition_that_names_what_there_is_not_is_refused(tmp_path: Path, when: str, said: str) -> None:
    file = runbook(tmp_path, diagnose=[{"when": when, "cleared": "all is well"}])
    catalog = plugins.load(probes, Probe, "probe", dotted=True)  # type: ignore[type-abstract]
    with pytest.raises(Problems) as refused:
        load([file], catalog, detectors.load())
    (problem,) = refused.value.problems
    assert problem.place == "diagnose[0].when"
    assert problem.message == said


def test_names_in_strings_are_words(tmp_path: Path) -> None:
    file = runbook(
        tmp_path, diagnose=[{"when": "labels.x == 'evidence.latncy' || evidence.latency.breached", "cleared": "-"}]
    )
    catalog = plugins.load(probes, Probe, "probe", dotted=True)  # type: ignore[type-abstract]
    assert "shop" in load([file], catalog, detectors.load()).runbooks


def test_a_step_may_ask_only_for_what_it_needs(tmp_path: Path) -> None:
    steps = [
        {"id": "latency", "probe": "prometheus.query", "query": "up"},
        {"id": "pods", "probe": "kubernetes.pods", "when": "evidence.latency.breached"},
    ]
    file = runbook(tmp_path, investigate=steps)
    catalog = plugins.load(probes, Probe, "probe", dotted=True)  # type: ignore[type-abstract]
    with pytest.raises(Problems, match="add latency to the step's needs"):
        load([file], catalog, detectors.load())
