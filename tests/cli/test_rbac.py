"""`responder rbac`: roles for what the runbooks ask, and for nothing else."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from responder.cli import main

RUNBOOK = """
apiVersion: responder/v1
kind: Runbook
metadata: {name: web, title: web}
match: [alertname="Web"]
investigate:
  - {id: workload, probe: kubernetes.workload, workload: deployment/web, namespace: '{{ labels.namespace }}'}
  - {id: node, probe: kubernetes.nodes, node: '{{ labels.node }}'}
  - {id: commands, probe: kubernetes.custom_resources, resource: commands.example.io}
  - {id: rights, probe: kubernetes.access, wants: ['list pods'], service_account: '{{ labels.account }}'}
  - {id: ping, probe: kubernetes.exec, command: [nc, -z, '{{ labels.host }}', '80'], workload: deployment/web}
  - {id: numbers, probe: prometheus.query, query: 'up{job="{{ labels.job }}"}'}
diagnose: [{use: all}]
"""
ACTIONS = """
actions:
  - {id: more, action: kubernetes.scale, replicas: 5, mode: approve}
  - {id: fewer, action: kubernetes.delete_pods, mode: suggest}
  - {id: aside, action: kubernetes.cordon, mode: approve}
"""


@pytest.fixture
def printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """What the command prints, as text and as manifests."""
    (tmp_path / "runbooks").mkdir()
    (tmp_path / "runbooks" / "web.yaml").write_text(RUNBOOK)

    def run(*arguments: str, settings: str = "") -> tuple[str, list[dict[str, Any]]]:
        given = ["responder", "rbac", "--runbooks", str(tmp_path / "runbooks"), *arguments]
        if settings:
            (tmp_path / "responder.yaml").write_text(settings)
            given += ["--config", str(tmp_path / "responder.yaml")]
        monkeypatch.setattr("sys.argv", given)
        with pytest.raises(SystemExit) as ended:
            main()
        assert not ended.value.code
        text = capsys.readouterr().out
        return text, list(yaml.safe_load_all(text))

    return run


def rights(role: dict[str, Any]) -> set[tuple[str, str, str]]:
    return {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def test_one_cluster_role_has_what_the_steps_need(printed: Any) -> None:
    text, (role, binding) = printed()
    assert (role["kind"], binding["kind"]) == ("ClusterRole", "ClusterRoleBinding")
    assert binding["roleRef"] == {
        "apiGroup": "rbac.authorization.k8s.io",
        "kind": "ClusterRole",
        "name": role["metadata"]["name"],
    }
    have = rights(role)
    assert {("apps", "deployments", "get"), ("example.io", "commands", "list"), ("", "nodes", "list")} <= have
    assert ("authorization.k8s.io", "subjectaccessreviews", "create") in have
    assert not any(
        resource in ("secrets", "pods/exec") or verb in ("delete", "patch", "*") for _, resource, verb in have
    )
    assert "allows none" in text


def test_namespaces_get_roles_and_what_has_none_a_cluster_role(printed: Any) -> None:
    text, found = printed("--namespace", "shop", "--namespace", "bank", "--account", "ops/watcher")
    assert [(item["kind"], item["metadata"].get("namespace")) for item in found] == [
        ("ClusterRole", None), ("ClusterRoleBinding", None),
        ("Role", "shop"), ("RoleBinding", "shop"), ("Role", "bank"), ("RoleBinding", "bank"),
    ]  # fmt: skip
    assert ("", "nodes", "list") in rights(found[0])
    assert not {resource for _, resource, _ in rights(found[0])} & {"pods", "deployments", "commands"}
    assert ("apps", "deployments", "get") in rights(found[2])
    assert found[3]["subjects"] == [{"kind": "ServiceAccount", "name": "watcher", "namespace": "ops"}]
    assert "will be told as not seen" in text


def test_commands_get_a_right_only_where_the_settings_allow_them(printed: Any) -> None:
    _, found = printed(settings="kubernetes: {exec: {shop: [[nc, -z, '*', '80']], empty: []}}")
    (role,) = [item for item in found if item["kind"] == "Role"]
    assert role["metadata"] == {"name": "responder-exec", "namespace": "shop"}
    assert rights(role) == {("", "pods/exec", "create"), ("", "pods/exec", "get")}


def test_a_step_that_wants_a_variable_needs_its_rights_once_it_is_set(printed: Any, tmp_path: Path) -> None:
    file = tmp_path / "runbooks" / "web.yaml"
    secretive = "ingress, probe: kubernetes.ingress, secrets: true, namespace: shop, when: 'vars.deep != \"\"'"
    file.write_text(
        f"{RUNBOOK}variables: {{deep: ''}}\n".replace("investigate:", f"investigate:\n  - {{id: {secretive}}}")
    )
    _, (role, *_) = printed()
    assert ("", "secrets", "get") not in rights(role)
    _, (role, *_) = printed(settings=f"{{rules: ['{tmp_path}/runbooks'], variables: {{deep: 'yes'}}}}")
    assert ("", "secrets", "get") in rights(role)


def changing(roles: list[dict[str, Any]]) -> dict[str, set[tuple[str, str, str]]]:
    """What the roles for actions allow, by namespace; empty for a cluster role."""
    found = [role for role in roles if role["kind"].endswith("Role") and role["metadata"]["name"].endswith("-actions")]
    return {role["metadata"].get("namespace", ""): rights(role) for role in found}


def test_actions_get_rights_only_where_the_settings_allow_them(printed: Any, tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "shop.yaml").write_text(RUNBOOK.replace("name: web", "name: shop") + ACTIONS)
    rules = f"rules: [{tmp_path}/rules]\n"
    assert changing(printed(settings=rules)[1]) == {}
    assert changing(printed(settings=rules + "actions: {allow: approve}\n")[1]) == {}
    allowed = "actions: {allow: approve, namespaces: [shop, bank], kinds: [kubernetes.scale, kubernetes.cordon]}\n"
    scale = {("apps", "deployments/scale", "patch"), ("apps", "statefulsets/scale", "patch")}
    roles = printed(settings=rules + allowed)[1]
    assert changing(roles) == {"shop": scale, "bank": scale}
    assert ("autoscaling", "horizontalpodautoscalers", "list") in rights(roles[0])
    everywhere = allowed.replace("[shop, bank]", "['*']")
    assert changing(printed(settings=rules + everywhere)[1]) == {"": scale | {("", "nodes", "patch")}}
