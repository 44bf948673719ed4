"""The alerts that ship: correct PromQL, tested at each threshold, and answered by the runbook that they name."""

import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from responder import detectors, plugins, probes
from responder.probes import Probe
from responder.runbooks.loading import load, shipped
from tests.servers import program

ALERTS = shipped() / "alerts"
RULES = sorted(ALERTS.glob("*.yaml"))
TESTS = sorted(ALERTS.glob("tests/*.yaml"))
LABELS = {"namespace": "kubechat-system", "persistentvolumeclaim": "data-postgres-0"}


def alerts() -> Iterator[Mapping[str, Any]]:
    for file in RULES:
        for group in yaml.safe_load(file.read_text())["groups"]:
            yield from (rule for rule in group["rules"] if "alert" in rule)


ALERTING = list(alerts())


def promtool(*arguments: object) -> str:
    command = [program("promtool", package="prometheus"), *map(str, arguments)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


@pytest.mark.integration
@pytest.mark.parametrize("file", RULES, ids=lambda file: file.name)
def test_prometheus_takes_the_rules(file: Path) -> None:
    assert "SUCCESS" in promtool("check", "rules", file)


@pytest.mark.integration
@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.name)
def test_the_alerts_fire_past_their_thresholds_and_not_before(file: Path) -> None:
    assert "SUCCESS" in promtool("test", "rules", file)


def test_each_alert_is_tested_firing_and_not_firing() -> None:
    fires, stays_quiet = set(), set()
    for file in TESTS:
        for test in yaml.safe_load(file.read_text())["tests"]:
            for check in test.get("alert_rule_test", ()):
                (fires if check.get("exp_alerts") else stays_quiet).add(check["alertname"])
    names = {rule["alert"] for rule in ALERTING}
    assert names <= fires
    assert names <= stays_quiet


@pytest.mark.parametrize("rule", ALERTING, ids=lambda rule: rule["alert"])
def test_the_runbook_that_an_alert_names_answers_it(rule: Mapping[str, Any]) -> None:
    catalog = plugins.load(probes, Probe, "probe", dotted=True)  # type: ignore[type-abstract]
    book = load([shipped() / "runbooks", shipped() / "templates"], catalog, detectors.load())
    labels = {"alertname": rule["alert"], **LABELS, **rule["labels"]}
    named = rule["annotations"]["runbook"]
    for claim in ("data-postgres-0", "data-redis-0") if "$labels" in named else ("data-postgres-0",):
        answers = book.match({**labels, "persistentvolumeclaim": claim}).name
        # what the template makes of it is in the tests of the alert
        assert answers in named if "$labels" in named else answers == named


@pytest.mark.parametrize("rule", ALERTING, ids=lambda rule: rule["alert"])
def test_an_alert_has_a_severity_and_words_for_people(rule: Mapping[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    assert all(rule["annotations"][name] for name in ("summary", "description"))
