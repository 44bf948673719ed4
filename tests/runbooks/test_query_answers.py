"""What the runbooks' queries find in series such as the exporters of a cluster write; promtool evaluates them."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from responder.model.labels import target_of
from responder.model.nodes import at_node
from responder.templating import render
from tests.runbooks.test_kube_prometheus import CATALOG, OURS
from tests.servers import program

CASES: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("queries.yaml").read_text())


def name(case: dict[str, Any]) -> str:
    """What pytest calls it."""
    return f"{case['runbook']} {case['step']} finds {case['finds']}"


@pytest.mark.integration
@pytest.mark.parametrize("case", CASES, ids=name)
def test_the_query_finds_what_it_is_for(case: dict[str, Any], tmp_path: Path) -> None:
    step = next(step for step in OURS.get(case["runbook"]).investigate if step.id == case["step"])
    labels = {"alertname": "Some", **case["labels"]}
    target = at_node(target_of(labels), labels, ())
    context = {"labels": labels, "annotations": {}, "target": target.model_dump(), "evidence": {}}
    query = render(CATALOG.find(step.probe), step.options, context)["query"]
    expected = {
        "expr": f"round(max({query}), 0.001)",
        "eval_time": f"{case.get('minute', 30)}m",
        "exp_samples": [] if case["finds"] is None else [{"labels": "{}", "value": case["finds"]}],
    }
    test = {"interval": "1m", "input_series": case["series"], "promql_expr_test": [expected]}
    file = tmp_path / "test.yml"
    file.write_text(yaml.safe_dump({"rule_files": [], "evaluation_interval": "1m", "tests": [test]}))
    promtool = program("promtool", package="prometheus")
    run = subprocess.run([promtool, "test", "rules", str(file)], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, f"{run.stdout}{run.stderr}\n{query}"
