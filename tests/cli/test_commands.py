"""The commands, as somebody types them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from responder.demo.clusters import RECORDINGS

SNAPSHOT = RECORDINGS / "crash_loop" / "faulty"
ALERT = {"labels": {"alertname": "KubePodCrashLooping", "namespace": "kubechat-system"}}


def responder(*arguments: object, given: str = "", code: int = 0) -> str:
    """What the command says; its exit code is checked."""
    run = subprocess.run(
        [sys.executable, "-m", "responder", *map(str, arguments)],
        input=given,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == code, run.stdout + run.stderr
    assert "Traceback" not in run.stderr
    return run.stdout + run.stderr


def test_an_alert_named_on_the_command_line_is_investigated() -> None:
    said = responder(
        "investigate", "--alertname", "KubePodCrashLooping", "-l", "namespace=kubechat-system", "--snapshot", SNAPSHOT
    )
    assert "deployment/api-gateway is killed for using more memory than its limit of 256Mi" in said
    assert "no Prometheus is configured" in said


@pytest.mark.parametrize(
    "body",
    [{"alerts": [ALERT]}, [ALERT], ALERT, [{**ALERT, "status": {"state": "active"}}]],
    ids=["webhook", "list", "alert", "of the API"],
)
def test_alerts_are_read_as_the_programs_at_hand_print_them(body: object) -> None:
    said = responder("investigate", "-", "--snapshot", SNAPSHOT, "--json", given=json.dumps(body))
    (report,) = [json.loads(line) for line in said.splitlines()]
    assert report["findings"][0]["cause"] == "oom-killed"
    assert report["runbook"] == "kubechat-pod-crash-loop"


def test_what_was_saved_is_concluded_again_without_the_cluster(tmp_path: Path) -> None:
    first = responder("investigate", "-", "--snapshot", SNAPSHOT, "--save", tmp_path / "kept", given=json.dumps(ALERT))
    assert responder("replay", tmp_path / "kept") == first
    assert responder("replay", tmp_path / "kept" / "incident-1.json") == first
    assert json.loads((tmp_path / "kept" / "webhook.json").read_text())["alerts"] == [ALERT]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["investigate"], "name a file with the alert"),
        (["investigate", "/nonexistent.json"], "No such file"),
        (["investigate", "--alertname", "X", "--label", "namespace"], "NAME=VALUE"),
        (["replay", "/nonexistent"], "No such file"),
        (["test", "/nonexistent"], "no such file or folder"),
        (["check", "/nonexistent"], "no such file or folder"),
    ],
)
def test_a_mistake_is_one_line_that_says_what_to_do(arguments: list[str], said: str) -> None:
    assert said in responder(*arguments, code=1)


@pytest.mark.parametrize("body", ["", "{", "[]", '{"alerts": 5}', "\0", '"text"'])
def test_what_is_no_alert_is_refused(body: str) -> None:
    assert "responder: " in responder("investigate", "-", given=body, code=1)


def test_what_ships_is_right() -> None:
    assert "are right" in responder("check")


def test_mistakes_in_a_runbook_are_told_with_file_and_line_and_what_was_meant(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "apiVersion: responder/v1\n"
        "kind: Runbook\n"
        "metadata: {name: mine, title: Mine}\n"
        "match: ['alertname = X']\n"
        "investigate:\n"
        "  - {id: pods, probe: kubernetes.podz}\n"
        "diagnose:\n"
        "  - use: al\n"
    )
    said = responder("check", file, code=1)
    assert f"{file}:6: investigate[0].probe: unknown probe 'kubernetes.podz', did you mean 'kubernetes.pods'?" in said
    assert f"{file}:8: diagnose[0].use: unknown detectors 'al'" in said


@pytest.mark.parametrize(
    ("action", "place", "why"),
    [
        (
            "kubernetes.scal, replicas: 2",
            "action",
            "unknown action 'kubernetes.scal', did you mean 'kubernetes.scale'?",
        ),
        ("kubernetes.scale, replica: 2, replicas: 2", "replica", "unknown option 'replica', did you mean 'replicas'?"),
        ("kubernetes.scale, replicas: many", "replicas", "valid integer"),
        ("kubernetes.scale", "", "write either 'replicas' or 'factor'"),
        (
            "kubernetes.rollout_restart, target: '{{ label.app }}'",
            "target",
            "unknown name 'label', did you mean 'labels'?",
        ),
        (
            "kubernetes.rollout_restart, causes: [oom-kill]",
            "causes",
            "unknown cause 'oom-kill', did you mean 'oom-killed'?",
        ),
        ("kubernetes.rollout_restart, mode: auto", "", "mode auto needs 'causes'"),
        ("kubernetes.rollout_restart, verify: [web]", "", "verify of the runbook has no step 'web'"),
    ],
)
def test_mistakes_in_actions_are_told(tmp_path: Path, action: str, place: str, why: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "apiVersion: responder/v1\n"
        "kind: Runbook\n"
        "metadata: {name: mine, title: Mine}\n"
        "match: ['alertname = X']\n"
        "actions:\n"
        f"  - {{id: more, action: {action}}}\n"
    )
    said = responder("check", file, code=1)
    assert why in said
    assert f"{place}: " in said


def test_mistakes_in_the_settings_are_told(tmp_path: Path) -> None:
    file = tmp_path / "responder.yaml"
    file.write_text("lisen: 127.0.0.1:1\n")
    assert "did you mean 'listen'" in responder("check", "--config", file, code=1)
    file.write_text("actions: {kinds: [kubernetes.scales]}\n")
    assert "actions.kinds: unknown action 'kubernetes.scales', did you mean 'kubernetes.scale'?" in responder(
        "check", "--config", file, code=1
    )


def test_the_schema_is_printed_for_editors() -> None:
    schema = json.loads(responder("check", "--schema", "Runbook"))
    assert {"match", "investigate", "diagnose"} <= schema["properties"].keys()


def test_a_test_of_a_runbook_that_fails_says_what_was_found_instead(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "apiVersion: responder/v1\n"
        "kind: RunbookTest\n"
        "metadata: {name: mine, title: Mine}\n"
        "now: 2020-01-01T00:00:00Z\n"
        "alerts: [{labels: {alertname: KubePodCrashLooping, namespace: kubechat-system}}]\n"
        f"snapshot: {SNAPSHOT}\n"
        "expect: {runbook: other, findings: [{cause: image-not-found, subject: deployment/api-gateway}]}\n"
    )
    said = responder("test", file, code=1)
    assert "the runbook kubechat-pod-crash-loop answers, not other" in said
    assert "found was oom-killed of deployment/api-gateway (certain)" in said
    assert "0 of 1 passed" in said


def test_a_level_of_escalation_that_nothing_reaches_is_a_warning_of_the_check(tmp_path: Path) -> None:
    file = tmp_path / "responder.yaml"
    file.write_text("escalation: {contacts: {level_1: [console]}}\n")
    assert "warning: escalation.contacts: no contact for level_2, level_3" in responder("check", "--config", file)
    file.write_text("listen: 127.0.0.1:9095\n")
    assert "nobody is notified: no contact for level_1, level_2, level_3" in responder("check", "--config", file)
