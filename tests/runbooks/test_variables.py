"""Variables of runbooks: defaults, what the settings set, and what is wrong with them."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from responder import detectors, plugins, probes
from responder.cli import main
from responder.errors import ConfigError
from responder.model.runbook import Runbook
from responder.probes import Probe
from responder.runbooks.loading import load, shipped_rules
from responder.runbooks.variables import Variables
from responder.templating import render

SHOP: dict[str, Any] = {
    "apiVersion": "responder/v1",
    "kind": "Runbook",
    "metadata": {"name": "shop", "title": "Shop"},
    "match": ['alertname="Shop"'],
    "variables": {
        "page": {"inside": "http://web.{{ target.namespace }}.svc:8080", "about": "the shop's front page"},
        "domain": "shop.example",
    },
    "investigate": [
        {"id": "page", "probe": "http.get", "when": 'vars.page != ""', "url": "{{ vars.page }}/health"},
    ],
    "advise": {"immediate": ["Open https://{{ vars.domain }} in a private window"]},
}


def read(folder: Path, given: Variables, **changes: Any) -> Runbook:
    (folder / "shop.yaml").write_text(yaml.safe_dump({**SHOP, **changes}))
    catalog = plugins.load(probes, Probe, "probe", dotted=True)  # type: ignore[type-abstract]
    return load([folder], catalog, detectors.load(), given).get("shop")


def test_a_default_counts_until_the_settings_say_otherwise(tmp_path: Path) -> None:
    usual = read(tmp_path, Variables())
    assert usual.values == {"page": "", "domain": "shop.example"}
    assert usual.advise["immediate"] == ("Open https://shop.example in a private window",)
    given = read(tmp_path, Variables({"page": "https://127.0.0.1:1", "domain": "shop.test"}))
    assert given.investigate[0].options["url"] == "https://127.0.0.1:1/health"
    assert given.advise["immediate"] == ("Open https://shop.test in a private window",)
    assert given.variables["page"].about == "the shop's front page"


def test_names_of_the_clusters_services_count_only_inside_of_it(tmp_path: Path) -> None:
    inside = read(tmp_path, Variables(inside=True))
    assert inside.investigate[0].options["url"] == "http://web.{{ target.namespace }}.svc:8080/health"
    assert read(tmp_path, Variables({"page": ""}, inside=True)).values["page"] == ""
    assert read(tmp_path, Variables()).values["page"] == ""


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"advise": {"now": ["{{ vars.domian }}"]}}, r"advise\.now\[0\]: .*'domian', did you mean 'domain'"),
        ({"advise": {"now": ["{{ vars.domain | upper }}"]}}, "stands alone"),
        (
            {"investigate": [{**SHOP["investigate"][0], "when": 'vars.pgae != ""'}]},
            r"investigate\[0\]\.when: .*'pgae', did you mean 'page'",
        ),
        ({"variables": ["page"]}, "variables"),
        ({"variables": {**SHOP["variables"], "page": {"default": "x"}}}, "unknown key 'default'"),
        ({"variables": {**SHOP["variables"], "page": "{{ target.namspace }}"}}, "namspace"),
    ],
)
def test_what_is_wrong_with_a_variable_is_said_with_its_place(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        read(tmp_path, Variables(), **changes)


def test_a_variable_that_no_runbook_has_is_named_with_what_was_meant() -> None:
    (said,) = Variables({"gateway_ulr": "x", "domain": ""}).unknown(iter(["gateway_url", "domain", "domain"]))
    assert said == "variables: no runbook has the variable 'gateway_ulr', did you mean 'gateway_url'?"


def test_a_variable_of_the_settings_that_nobody_has_is_found_by_the_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "responder.yaml").write_text("variables: {gatewayurl: 'http://127.0.0.1'}\n")
    monkeypatch.setattr("sys.argv", ["responder", "check", "--config", str(tmp_path / "responder.yaml")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert "no runbook has the variable 'gatewayurl', did you mean 'gateway_url'" in capsys.readouterr().err


def test_inside_of_the_cluster_the_shipped_runbooks_ask_its_services(tmp_path: Path) -> None:
    catalog = plugins.load(probes, Probe, "probe", dotted=True)  # type: ignore[type-abstract]
    book = load(shipped_rules(), catalog, detectors.load(), Variables(inside=True))
    context = {"target": {"namespace": "kubechat-staging"}}
    asked = {
        rendered[option]
        for runbook in book.runbooks.values()
        for step in runbook.investigate
        if step.when.startswith("vars.") and not runbook.awaits(step) and step.probe in ("http.get", "tcp.connect")
        for rendered in [render(catalog.find(step.probe), step.options, context)]
        for option in ("url", "address")
        if option in rendered
    }
    assert {
        "http://api-gateway.kubechat-staging.svc:8080/health",
        "postgres-service.kubechat-staging.svc:5432",
        "redis-service.kubechat-staging.svc:6379",
        "https://api.openai.com/v1/models",
    } <= asked
    outside = load(shipped_rules(), catalog, detectors.load(), Variables())
    assert all(
        runbook.awaits(step)
        for runbook in outside.runbooks.values()
        for step in runbook.investigate
        if step.when.startswith("vars.")
    )
