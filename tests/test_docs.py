"""The documentation says what the code does."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from docs import generate
from responder import actions, detectors, plugins, probes, sinks
from responder.app import make_sinks
from responder.flow.routing import Routing
from responder.metrics import Metrics
from responder.probes import Probe
from responder.settings import Settings
from responder.settings import load as load_settings
from responder.sinks import Sink

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("deploy/*.md")])


def section(page: str, title: str) -> str:
    """The text under a heading."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", generate.pages()[page], re.DOTALL | re.MULTILINE)
    assert found, f"{page} has no section {title}"
    return found[1]


@pytest.mark.parametrize("name", ["probes.md", "sinks.md", "actions.md", "settings.md", "metrics.md", "causes.md"])
def test_the_generated_pages_are_up_to_date(name: str) -> None:
    written = (ROOT / "docs" / name).read_text(encoding="utf-8")
    assert written == generate.pages()[name], "run: make docs"


def test_every_probe_is_described_with_its_options() -> None:
    for kind, probe in plugins.load(probes, Probe, "probe", dotted=True).kinds.items():
        text = section("probes.md", kind)
        assert len(text.split()) > 5
        assert all(f"`{option}`" in text for option in probe.model_fields)


def test_every_action_is_described_with_its_options_and_rights() -> None:
    for kind, action in actions.load().kinds.items():
        text = section("actions.md", kind)
        assert all(f"`{option}`" in text for option in action.model_fields)
        assert ("Needs: " in text) is kind.startswith("kubernetes.")


def test_every_sink_is_described_with_its_options() -> None:
    for kind, sink in plugins.load(sinks, Sink, "sink").kinds.items():
        text = section("sinks.md", kind)
        assert all(f"`{option}`" in text for option in sink.model_fields)


def test_every_setting_is_described() -> None:
    text = generate.pages()["settings.md"]
    for name in Settings.model_fields:
        assert f"| `{name}` | `RESPONDER_{name.upper()}` |" in text
    undescribed = re.findall(r"^\| (`[^`]+`) .*\|  \|$", text, re.MULTILINE)
    assert not undescribed


def test_every_metric_is_described() -> None:
    text = generate.pages()["metrics.md"]
    for family in Metrics().registry.collect():
        assert f"`{family.name}" in text
        assert family.documentation


def test_every_cause_says_how_to_confirm_and_fix_it() -> None:
    for slug, cause in detectors.load().causes.items():
        text = section("causes.md", slug)
        assert all(part in text for part in (cause.title, cause.meaning, cause.confirm, cause.fix))
        assert cause.confirm
        assert cause.fix


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_link_leads_nowhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_the_changelog_has_a_place_for_what_is_new() -> None:
    assert "## [Unreleased]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_example_of_a_runbook_passes_the_example_of_a_test(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "runbooks.md").read_text(encoding="utf-8")
    examples = re.findall(r"```yaml\n(apiVersion.*?)```", page, re.DOTALL)
    assert len(examples) == 2
    (tmp_path / "example.yaml").write_text("---\n".join(examples))
    (tmp_path / "clusters" / "shop").mkdir(parents=True)
    for command in (["check", str(tmp_path)], ["test", str(tmp_path), "--rules", str(tmp_path)]):
        run = subprocess.run([sys.executable, "-m", "responder", *command], capture_output=True, text=True, timeout=60)
        assert run.returncode == 0, run.stdout + run.stderr


def test_the_examples_of_a_policy_of_texts_and_of_a_procedure_are_right(tmp_path: Path) -> None:
    escalation, procedures = ((ROOT / "docs" / name).read_text() for name in ("escalation.md", "procedures.md"))
    examples = re.findall(r"```yaml\n(apiVersion.*?)```", escalation, re.DOTALL)
    assert len(examples) == 2
    (procedure,) = re.findall(r"```yaml\n(procedure.*?)```", procedures, re.DOTALL)
    runbook = (
        "apiVersion: responder/v1\nkind: Runbook\nmetadata: {name: shop, title: Shop}\nmatch: [alertname=Shop]\n"
        "investigate: [{id: checkout, probe: kubernetes.workload, workload: deployment/checkout}]\n"
    )
    (tmp_path / "example.yaml").write_text("---\n".join([*examples, runbook + procedure]))
    run = subprocess.run(
        [sys.executable, "-m", "responder", "check", str(tmp_path)], capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 0, run.stdout + run.stderr


SETTINGS_EXAMPLES = [
    pytest.param(block, id=f"{page.relative_to(ROOT)} {number}")
    for page in PAGES
    for number, block in enumerate(re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL))
    if re.search(r"^sinks:", block, re.MULTILINE)
]


@pytest.mark.parametrize("block", SETTINGS_EXAMPLES)
def test_the_examples_of_sinks_and_routes_are_settings_that_work(block: str, tmp_path: Path) -> None:
    file = tmp_path / "responder.yaml"
    file.write_text(block)
    settings = load_settings(file)
    assert Routing(settings.routes, make_sinks(settings))


def test_the_settings_are_shown_as_people_write_them() -> None:
    text = generate.pages()["settings.md"]
    for line in (
        "| `routes[].continue` |  | bool | `false` |",
        "| `routes[].hours[].from` |  | time | `00:00` |",
        "| `incidents.keep` | `RESPONDER_INCIDENTS__KEEP` | duration | `90d` |",
        "| `routes` | `RESPONDER_ROUTES` | list of [routes[]](#routes) |",
        "| `clusters[].prometheus` |  | [prometheus](#prometheus) |",
        "| `sinks` | `RESPONDER_SINKS` | list of map of anything | `[{name: console, kind: log}]` |",
    ):
        assert line in text
    assert text.count("## kubernetes\n") == 1
    assert "clusters[].kubernetes.kubeconfig" not in text
