"""The alerts of the kube-prometheus stack are answered, and what their runbooks ask is PromQL."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from responder import detectors, plugins, probes
from responder.flow.diagnose import diagnose
from responder.model.evidence import Evidence, EvidenceStatus, KubernetesObjects, Sample, Samples
from responder.model.labels import target_of
from responder.model.runbook import Runbook, Step
from responder.probes import Probe
from responder.runbooks.conditions import Condition
from responder.runbooks.loading import load, load_tests, shipped
from responder.templating import render
from tests.makers import NOW, alert
from tests.servers import Servers

STACK = Path(__file__).parents[3] / "shared" / "kube-prometheus"
FOLDERS = ("alertmanager", "etcd", "kubernetes", "node", "prometheus")
CATALOG = plugins.load(probes, Probe, "probe", dotted=True)  # type: ignore[type-abstract]
BOOK = load([shipped()], CATALOG, detectors.load())
OURS = load([shipped() / "runbooks" / folder for folder in FOLDERS], CATALOG, detectors.load())
TESTS = [test for test, _ in load_tests([shipped() / "tests" / folder for folder in FOLDERS])]
SILENCE_SPEAKS = {"prometheus-down", "api-server-down"}
"""Causes that may be concluded from a source that does not answer."""
OTHER_DOMAINS = {"WebSocketFailures", "PostgresDown", "QueueBacklog", "CertificateExpiring", "HighResponseTime"}
"""Families of applications and databases; runbooks of their own answer them."""

FULL = {
    name: f'x"{{}}\\{name}'
    for name in ("job", "service", "endpoint", "integration", "reason", "mountpoint", "device", "name", "remote_name")
} | {
    "alertname": "Some",
    "cluster": "prod",
    "namespace": "shop",
    "pod": "api-0",
    "container": "api",
    "deployment": "api",
    "statefulset": "db",
    "daemonset": "agent",
    "job_name": "nightly-1",
    "horizontalpodautoscaler": "api",
    "persistentvolumeclaim": "data-db-0",
    "persistentvolume": "pv-1",
    "poddisruptionbudget": "api",
    "resourcequota": "compute",
    "instance": "10.0.0.1:9100",
    "node": "node-1",
}  # fmt: skip
LABELS = {
    "full": FULL,
    "bare": {"alertname": "Some"},
    "namespace": {"alertname": "Some", "namespace": "monitoring"},
    "memory": {"alertname": "KubeMemoryOvercommit"},
}


def stack(file: str) -> list[dict[str, Any]]:
    """The alerts of a file of the reference material."""
    path = STACK / file
    if not path.is_file():
        pytest.skip(f"{path} is not here: the rules of the stack as it renders them are no part of this repository")
    found: list[dict[str, Any]] = yaml.safe_load(path.read_text())["alerts"]
    return found


def default(runbook: Runbook) -> bool:
    """Whether it is what answers an alert that no runbook claims."""
    return runbook.name == BOOK.default.name


def test_every_alert_of_the_stack_is_answered_by_a_runbook_of_its_own() -> None:
    rules = stack("alerts.yaml")
    unanswered = {
        rule["alert"] for rule in rules if default(BOOK.match({**rule.get("labels", {}), "alertname": rule["alert"]}))
    }
    assert not unanswered
    assert len({rule["alert"] for rule in rules}) == 125


def test_every_family_has_a_runbook_that_a_test_proves_to_conclude_something_specific() -> None:
    proven = {
        BOOK.match(test.alerts[0].labels).name
        for test in TESTS
        if any(not _generic(BOOK.match(test.alerts[0].labels), finding.cause) for finding in test.expect.findings or ())
    }
    for family in stack("diagnosis-candidates.yaml"):
        names = family["names"]
        if OTHER_DOMAINS & set(names) or names in (["Watchdog"], ["InfoInhibitor"]):
            continue
        for name in names:
            answers = BOOK.match({"alertname": name})
            assert not default(answers), name
            assert answers.name in proven, f"{name}: no test of {answers.name} expects a specific cause"


def _generic(runbook: Runbook, slug: str) -> bool:
    """Whether a cause only restates a symptom."""
    causes = {**detectors.load().causes, **{cause.slug: cause for cause in runbook.causes}}
    return causes[slug].generic


def test_the_names_of_the_stack_mean_nothing_else_to_runbooks_of_other_domains() -> None:
    for rule in stack("alerts.yaml"):
        labels = {**rule.get("labels", {}), "alertname": rule["alert"], "namespace": "shop"}
        assert OURS.match(labels).name == BOOK.match(labels).name, rule["alert"]


def test_each_name_is_claimed_by_one_runbook() -> None:
    claims: dict[str, str] = {}
    for runbook in OURS.runbooks.values():
        for name in _names(runbook):
            assert claims.setdefault(name, runbook.name) == runbook.name, f"{name}: {runbook.name}, {claims[name]}"


def test_no_two_runbooks_mean_different_things_by_one_cause() -> None:
    meanings: dict[str, tuple[str, str]] = {
        slug: ("detectors", cause.title) for slug, cause in detectors.load().causes.items()
    }
    for runbook in OURS.runbooks.values():
        for cause in runbook.causes:
            other = meanings.setdefault(cause.slug, (runbook.name, cause.title))
            assert other[1] == cause.title, f"{cause.slug}: {runbook.name} and {other[0]}"


def _names(runbook: Runbook) -> Iterator[str]:
    for text in runbook.match:
        yield from text.partition('"')[2].rpartition('"')[0].split("|")


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
def test_every_step_can_be_asked_whatever_the_labels_are(labels: Mapping[str, str]) -> None:
    for runbook in OURS.runbooks.values():
        for step in runbook.investigate:
            context = _context(labels)
            if not step.when or Condition(step.when).evaluate(context):
                CATALOG.build(step.probe, render(CATALOG.find(step.probe), step.options, context))


@pytest.mark.integration
async def test_prometheus_takes_every_query_whatever_the_labels_are(servers: Servers) -> None:
    prometheus = await servers.prometheus()
    wrong: list[str] = []
    async with aiohttp.ClientSession() as session:
        for runbook in OURS.runbooks.values():
            for label, labels in LABELS.items():
                for step in runbook.investigate:
                    for query in _queries(step, labels):
                        async with session.post(f"{prometheus.url}/api/v1/query", data={"query": query}) as answer:
                            said = await answer.json()
                        if said["status"] != "success":
                            wrong.append(f"{runbook.name}/{step.id} ({label}): {said['error']}: {query}")
    assert not wrong, "\n".join(wrong)


def _queries(step: Step, labels: Mapping[str, str]) -> Iterator[str]:
    """What a step asks of Prometheus for an alert with the labels; nothing where it is skipped."""
    context = _context(labels)
    if "query" not in step.options or (step.when and not Condition(step.when).evaluate(context)):
        return
    yield str(render(CATALOG.find(step.probe), step.options, context)["query"])


def _context(labels: Mapping[str, str]) -> dict[str, Any]:
    return {"labels": labels, "annotations": {}, "target": target_of(labels).model_dump(), "evidence": {}}


def _answers(step: Step, how: str) -> Evidence:
    """What a step may have seen: nothing that can be counted on."""
    sample = Sample(labels={}, value=1.0)
    shapes = {"kubernetes": KubernetesObjects(), "prometheus": Samples(query="q", at=NOW, samples=(sample,))}
    shape = shapes.get(step.probe.partition(".")[0])
    seen: dict[str, Any] = {"status": EvidenceStatus(how if how in ("error", "empty", "skipped") else "ok")}
    if how in ("past", "within"):
        seen |= {"value": 1.0, "breached": how == "past"}
    if shape is not None and seen["status"] is EvidenceStatus.OK:
        seen |= {"shape": shape.shape, "data": shape.model_dump(mode="json")}
    return Evidence(id=step.id, probe=step.probe, summary=how, at=NOW, **seen)


@pytest.mark.parametrize("how", ["past", "within", "bare", "empty", "skipped", "error"])
@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
def test_no_rule_fails_whatever_was_seen(how: str, labels: Mapping[str, str]) -> None:
    found, wrong = detectors.load(), []
    for runbook in OURS.runbooks.values():
        for name in sorted(_names(runbook)):
            alerts = (alert(**{**labels, "alertname": name}),)
            evidence = {step.id: _answers(step, how) for step in runbook.investigate}
            case = detectors.Case(target_of(alerts[0].labels), alerts, NOW, NOW, evidence)
            diagnosis = diagnose(case, runbook, found)
            wrong += [f"{runbook.name}, {name}: {remark}" for remark in diagnosis.remarks]
            guesses = {finding.cause for finding in diagnosis.findings} - SILENCE_SPEAKS
            if how in ("error", "skipped") and guesses:
                wrong.append(f"{runbook.name}, {name}: {guesses} of nothing")
    assert not wrong, "\n".join(wrong)
