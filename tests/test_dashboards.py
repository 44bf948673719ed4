"""The dashboards are ones that Grafana opens, and every query asks for a metric that there is."""

import asyncio
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from responder.metrics import Metrics
from scripts import dashboards
from tests.servers import Servers, program
from tests.service import PATIENCE, Starter, alert

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "deploy" / "grafana"
NAMES = sorted(dashboards.BOARDS)
_METRIC = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?=\{)")


def board(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    return found


def queries(name: str) -> Iterator[str]:
    for panel in board(name)["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))


def metrics(name: str) -> set[str]:
    return {metric for query in queries(name) for metric in _METRIC.findall(query)}


@pytest.mark.parametrize("name", NAMES)
def test_the_file_is_what_the_script_writes(name: str) -> None:
    written = (FOLDER / name).read_text(encoding="utf-8")
    assert written == dashboards.text(dashboards.BOARDS[name]), "run: python -m scripts.dashboards"


@pytest.mark.parametrize("name", NAMES)
def test_panels_have_numbers_places_and_the_chosen_source(name: str) -> None:
    document = board(name)
    assert {"uid", "title", "schemaVersion", "panels", "templating", "time"} <= document.keys()
    assert document["templating"]["list"][0]["type"] == "datasource"
    panels = document["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for one, other in combinations((panel["gridPos"] for panel in panels), 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        assert beside or one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
    for panel in panels:
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= dashboards.WIDTH
        if panel["type"] != "row":
            assert panel["datasource"] == dashboards.SOURCE
            assert panel["targets"]
            assert panel["fieldConfig"]["defaults"]["thresholds"]["steps"][0]["value"] is None
            assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


def test_every_metric_of_ours_that_a_panel_asks_for_is_exported() -> None:
    exported = {"responder_incidents"}
    for family in Metrics().registry.collect():
        ends = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}.get(family.type, [""])
        exported |= {f"{family.name}{end}" for end in ends}
    assert metrics("responder.json") <= exported


def test_there_is_a_row_for_every_part() -> None:
    rows = [panel["title"] for panel in board("responder.json")["panels"] if panel["type"] == "row"]
    parts = ("Success", "Incidents and escalation", "Intake", "Investigations", "Outbox and sinks", "Queue", "Clients")
    assert rows == [*parts]


def test_every_metric_of_kubechat_that_a_panel_asks_for_is_documented() -> None:
    page = (ROOT / "docs" / "kubechat-metrics.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"`([a-zA-Z_:]+[a-zA-Z0-9_:]*)`", page))
    assert metrics("kubechat.json") <= documented


@pytest.mark.parametrize(
    ("title", "limit"),
    [
        ("Time to detection, P0 and P1", 5 * 60),
        ("Time to resolution, P0", 30 * 60),
        ("Time to resolution, P1", 4 * 3600),
        ("Availability", 0.999),
        ("False alarms", 0.05),
    ],
)
def test_the_success_metrics_have_the_guides_targets(title: str, limit: float) -> None:
    (panel,) = [panel for panel in board("responder.json")["panels"] if panel["title"] == title]
    assert panel["fieldConfig"]["defaults"]["thresholds"]["steps"][1]["value"] == limit


def panel_query(name: str, title: str, **filled: str) -> str:
    (query,) = (panel["targets"][0]["expr"] for panel in board(name)["panels"] if panel["title"] == title)
    for variable, value in filled.items():
        query = query.replace(f"${variable}", value)
    return str(query)


@pytest.mark.parametrize("name", NAMES)
def test_the_incidents_are_marked_on_every_panel(name: str) -> None:
    (shown,) = board(name)["annotations"]["list"]
    assert shown["enable"]
    assert shown["datasource"]["uid"] == "-- Grafana --"
    assert shown["target"] == {"type": "tags", "tags": ["responder"], "matchAny": False, "limit": 100}


GATEWAY = 'http_requests_total{namespace="kubechat-system",job="api-gateway",status='
OK, BAD = GATEWAY + '"200"}', GATEWAY + '"503"}'
SAID = 'responder_false_alarms_total{severity="P1",why="said"}'
RESOLVED = 'responder_incidents_resolved_total{severity="P1",runbook="default"}'


@pytest.mark.integration
@pytest.mark.parametrize(
    ("board_name", "title", "series", "value"),
    [
        ("kubechat.json", "Availability of the API gateway", {OK: "0+600x60"}, 1.0),
        ("kubechat.json", "Availability of the API gateway", {OK: "0+600x25 _x35", BAD: "0x25 _x35"}, 0.0),
        ("kubechat.json", "Availability of the API gateway", {OK: "0+90x60", BAD: "0+10x60"}, 0.9),
        ("responder.json", "False alarms", {SAID: "0x30 1x30", RESOLVED: "0x30 4x30"}, 0.25),
        ("responder.json", "False alarms", {SAID: "0x30 1x30", RESOLVED: "0x60"}, None),
        ("responder.json", "False alarms", {SAID: "0x60", RESOLVED: "0x60"}, None),
        ("responder.json", "False alarms", {SAID: "0x30 2x30", RESOLVED: "0x30 1x30"}, 1.0),
    ],
)
def test_a_panel_shows_the_right_share(
    tmp_path: Path, board_name: str, title: str, series: dict[str, str], value: float | None
) -> None:
    query = panel_query(board_name, title, namespace="kubechat-system", __range="30m")
    labels = '{namespace="kubechat-system"}' if board_name == "kubechat.json" else "{}"
    expected = [{"labels": labels, "value": value}] if value is not None else []
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [{"expr": f"round({query}, 0.01)", "eval_time": "58m", "exp_samples": expected}],
    }
    rules = [str(ROOT / "rules" / "alerts" / "kubechat.yaml")]
    (tmp_path / "test.yml").write_text(
        yaml.safe_dump({"rule_files": rules, "evaluation_interval": "1m", "tests": [test]})
    )
    command = [program("promtool", package="prometheus"), "test", "rules", tmp_path / "test.yml"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.integration
@pytest.mark.parametrize("name", NAMES)
def test_prometheus_can_read_every_query(name: str, tmp_path: Path) -> None:
    if not (promtool := shutil.which("promtool")):
        pytest.skip("promtool is not installed: apt-get install prometheus")
    filled = [
        query.replace("$__rate_interval", "5m").replace("$__range", "7d").replace("$namespace", "kubechat-system")
        for query in queries(name)
    ]
    rules = [{"record": f"panel:query{number}", "expr": query} for number, query in enumerate(filled)]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    checked = subprocess.run(
        [promtool, "check", "rules", tmp_path / "rules.yml"], capture_output=True, text=True, timeout=30
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"{len(rules)} rules found" in checked.stdout


@pytest.mark.integration
async def test_a_prometheus_that_scrapes_responder_answers_every_panel(
    servers: Servers, start_service: Starter
) -> None:
    service = await start_service("crash_loop")
    await service.post(alert("KubeChatPodCrashLooping", priority="P0"))
    incident = await service.incident()
    await service.say(f"incidents/{incident['id']}/acknowledge", by="Ada")
    prometheus = await servers.prometheus(scrape={"responder": [service.url.removeprefix("http://")]})
    answers: dict[str, Any] = {}
    async with asyncio.timeout(PATIENCE):
        while not answers.get(f"1 - avg_over_time(({dashboards._OUTAGE})[1m:1m])"):
            for query in queries("responder.json"):
                filled = query.replace("$__rate_interval", "1m").replace("$__range", "1m")
                async with service.session.get(f"{prometheus.url}/api/v1/query", params={"query": filled}) as answer:
                    body = await answer.json()
                assert body["status"] == "success", body
                answers[filled] = body["data"]["result"]
            await asyncio.sleep(0.2)
    (outage,) = answers[f"1 - avg_over_time(({dashboards._OUTAGE})[1m:1m])"]
    assert float(outage["value"][1]) <= 1
