"""`responder coverage`, on rule files and on a real Prometheus."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.test_commands import responder
from tests.servers import Servers

RULES: list[dict[str, Any]] = [
    {"alert": "KubePodCrashLooping", "expr": "vector(1)", "labels": {"severity": "warning"}},
    {"alert": "NodeClockSkewDetected", "expr": "vector(1)", "labels": {"severity": "{{ $value }}"}},
    {"alert": "CheckoutSlow", "expr": "vector(1)", "labels": {"team": "shop"}},
    {"record": "a:b", "expr": "vector(1)"},
]
RUNBOOK = """\
apiVersion: responder/v1
kind: Runbook
metadata: {name: shop-checkout, title: Checkout}
match: ['alertname="CheckoutSlow", team="%s"%s']
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A rule file."""
    path = tmp_path / "rules.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "a", "rules": RULES}]}))
    return path


def own(folder: Path, team: str = "shop", more: str = "") -> Path:
    """A folder with a runbook of one's own."""
    path = folder / "runbooks"
    path.mkdir()
    (path / "checkout.yaml").write_text(RUNBOOK % (team, more))
    return path


def test_rules_without_a_runbook_are_listed(file: Path) -> None:
    said = responder("coverage", "--rules", file)
    assert "2 of 3 alert rules have a runbook (66.7 %)" in said
    bare, answered = said.split("Answered:")
    assert "CheckoutSlow" in bare
    assert "NodeClockSkewDetected  node-clock" in answered
    assert "\n  etcd-quorum\n" in answered.split("none of these rules")[1]


def test_labels_that_a_rule_sets_decide_as_they_will_for_its_alerts(file: Path, tmp_path: Path) -> None:
    said = json.loads(responder("coverage", "--rules", file, "--runbooks", own(tmp_path), "--json"))
    assert (said["answered"], said["total"], said["percent"]) == (3, 3, 100)
    assert {rule["rule"]["alert"]: rule["runbook"] for rule in said["rules"]}["CheckoutSlow"] == "shop-checkout"
    assert "shop-checkout" not in said["unused"]


def test_a_runbook_for_other_labels_answers_nothing(file: Path, tmp_path: Path) -> None:
    said = json.loads(responder("coverage", "--rules", file, "--runbooks", own(tmp_path, "warehouse"), "--json"))
    assert said["answered"] == 2
    assert "shop-checkout" in said["unused"]


def test_a_runbook_that_asks_for_labels_of_the_series_answers_under_a_condition(file: Path, tmp_path: Path) -> None:
    folder = own(tmp_path, more=', namespace=~"shop-.+"')
    assert 'CheckoutSlow; shop-checkout where namespace=~"shop-.+"' in responder(
        "coverage", "--rules", file, "--runbooks", folder
    )


def test_too_few_runbooks_fail_a_pipeline(file: Path) -> None:
    responder("coverage", "--rules", file, "--fail-under", 60)
    assert "66.7 %" in responder("coverage", "--rules", file, "--fail-under", 80, code=1)


def test_a_prometheus_rule_object_is_read_as_well(tmp_path: Path) -> None:
    path = tmp_path / "object.yml"
    wrapped = {"kind": "PrometheusRule", "spec": {"groups": [{"name": "a", "rules": RULES}]}}
    path.write_text(yaml.safe_dump_all([wrapped, wrapped]))
    assert json.loads(responder("coverage", "--rules", path, "--json"))["total"] == 6


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("groups: []", "no alert rules"),
        ("- a\n", "wanted are groups"),
        ("a: [", "rules.yml"),
        ("groups: [3, {rules: [4, {alert: 5, labels: }]}]", None),
    ],
)
def test_a_file_that_is_none_is_refused_in_one_line(tmp_path: Path, text: str, wanted: str | None) -> None:
    path = tmp_path / "rules.yml"
    path.write_text(text)
    said = responder("coverage", "--rules", path, code=1 if wanted else 0)
    assert (wanted or "0 of 1") in said


def test_nothing_to_look_at_says_what_to_give() -> None:
    assert "set prometheus.url" in responder("coverage", code=1)
    assert "write http:// or https://" in responder("coverage", "--prometheus", "localhost:9090", code=1)
    assert "responder: " in responder("coverage", "--prometheus", "http://127.0.0.1:1", code=1)


@pytest.mark.integration
async def test_a_real_prometheus_is_asked_for_its_rules(servers: Servers) -> None:
    prometheus = await servers.prometheus([{**rule, "labels": {"severity": "info"}} for rule in RULES])
    said = json.loads(responder("coverage", "--prometheus", prometheus.url, "--json"))
    assert {rule["rule"]["alert"]: rule["runbook"] for rule in said["rules"]} == {
        "KubePodCrashLooping": "kubernetes-pod",
        "NodeClockSkewDetected": "node-clock",
        "CheckoutSlow": "",
    }
    assert "coverage" in responder("--help")
