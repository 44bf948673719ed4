"""Variables of runbooks: defaults, what the settings set, and what is wrong with them."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from responder import detectors, plugins, probes
from responder.errors import ConfigError
from responder.model.runbook import Runbook
from responder.probes import Probe
from responder.runbooks.loading import load
from responder.runbooks.variables import Variables

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
