"""A sample of recorded cluster faults through the real service: the cause and the object are named."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SAMPLE = (
    "boutique/admission/13",
    "boutique/infrastructure/11",
    "boutique/performance/1",
    "boutique/runtime/23",
    "boutique/scheduling/65",
)

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(180),
    pytest.mark.skipif(not shutil.which("promtool"), reason="Prometheus is not installed: make setup"),
]


def test_a_sample_of_recorded_faults_is_diagnosed(shared: Path, tmp_path: Path) -> None:
    cases = shared / "opsbench" / "cases"
    if not cases.is_dir():
        pytest.skip("there are no recorded faults beside this checkout")
    only, results = tmp_path / "only", tmp_path / "results.jsonl"
    only.write_text("\n".join(SAMPLE))
    command = [sys.executable, "-m", "benchmarks.bench_diagnosis", str(cases), "--only", str(only)]
    run = subprocess.run(
        [*command, "--results", str(results), "--lanes", "1"], cwd=ROOT, capture_output=True, text=True, timeout=150
    )
    assert run.returncode == 0, run.stderr
    assert "'a1': 1.0" in run.stdout, run.stdout
    told = [json.loads(line) for line in results.read_text().splitlines()]
    assert {line["case"] for line in told} == set(SAMPLE)
    assert all(line["requests"] <= 40 for line in told)
    assert all(not line["remarks"] for line in told)
