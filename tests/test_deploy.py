"""What we tell people to deploy is accepted by the programs that read it."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from responder import actions, detectors, plugins, probes, settings
from responder.probes import Probe
from responder.runbooks.loading import load, shipped
from responder.runbooks.rights import rights_of

DEPLOY = Path(__file__).parents[1] / "deploy"


def manifests() -> list[dict[str, object]]:
    named = yaml.safe_load((DEPLOY / "kubernetes" / "kustomization.yaml").read_text())["resources"]
    return [item for name in named for item in yaml.safe_load_all((DEPLOY / "kubernetes" / name).read_text())]


@pytest.mark.integration
def test_alertmanager_accepts_the_receiver() -> None:
    if not (amtool := shutil.which("amtool")):
        pytest.skip("amtool is not installed")
    checked = subprocess.run(
        [amtool, "check-config", DEPLOY / "alertmanager" / "alertmanager.yml"], capture_output=True, timeout=30
    )
    assert checked.returncode == 0, checked.stderr


def test_the_receiver_keeps_its_token_in_a_file_and_follows_nobody() -> None:
    (webhook,) = yaml.safe_load((DEPLOY / "alertmanager" / "alertmanager.yml").read_text())["receivers"][1][
        "webhook_configs"
    ]
    assert webhook["http_config"]["authorization"].keys() == {"credentials_file"}
    assert webhook["http_config"]["follow_redirects"] is False
    assert webhook["max_alerts"] == 0
    assert webhook["send_resolved"] is True


def test_the_deployed_settings_are_valid() -> None:
    assert settings.load(DEPLOY / "kubernetes" / "responder.yaml").auth.configured


def granted() -> set[tuple[str, str, str]]:
    """What the deployed role grants, as (group, resource, verb)."""
    (role,) = [item for item in manifests() if item["kind"] == "ClusterRole"]
    return {
        (group, resource, verb)
        for rule in role["rules"]  # type: ignore[attr-defined]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def test_the_cluster_role_only_reads_and_asks() -> None:
    for group, resource, verb in granted():
        asks = group == "authorization.k8s.io" and resource.endswith("accessreviews")
        assert verb in ({"create"} if asks else {"get", "list"})
    assert not any(resource in ("secrets", "pods/exec", "*") for _, resource, _ in granted())


def test_the_cluster_role_covers_every_probe() -> None:
    catalog = plugins.load(probes, Probe, "probe", dotted=True)  # type: ignore[type-abstract]
    for plugin in catalog.kinds.values():
        options = {"wants": ["list pods"]} if "wants" in plugin.model_fields else {}
        if {name for name, field in plugin.model_fields.items() if field.is_required()} - options.keys():
            continue
        for right in plugin.model_validate(options).permissions():
            assert {(right.group, right.resource, verb) for verb in right.verbs} <= granted()


def test_the_cluster_role_is_enough_for_the_shipped_runbooks_and_follow_up_questions() -> None:
    catalog = plugins.load(probes, Probe, "probe", dotted=True)  # type: ignore[type-abstract]
    known = detectors.load()
    rights = rights_of(load([shipped()], catalog, known).runbooks.values(), catalog, known.reads)
    assert not rights.remarks
    wanted = {
        (group, resource, verb)
        for rule in rights.rules()
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    assert wanted <= granted()


def test_the_optional_role_writes_events_and_nothing_else() -> None:
    role, binding = yaml.safe_load_all((DEPLOY / "kubernetes" / "events.yaml").read_text())
    assert role["rules"] == [{"apiGroups": [""], "resources": ["events"], "verbs": ["create", "patch"]}]
    (account,) = [item for item in manifests() if item["kind"] == "ServiceAccount"]
    assert binding["subjects"][0]["name"] == account["metadata"]["name"]  # type: ignore[index]
    assert binding["roleRef"]["name"] == role["metadata"]["name"]


def test_the_pod_runs_without_privileges() -> None:
    (deployment,) = [item for item in manifests() if item["kind"] == "Deployment"]
    pod = deployment["spec"]["template"]["spec"]  # type: ignore[index]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"startupProbe", "readinessProbe", "livenessProbe"} <= container.keys()


def test_the_role_for_actions_is_optional_and_has_what_every_action_inside_a_namespace_needs() -> None:
    resources = yaml.safe_load((DEPLOY / "kubernetes" / "kustomization.yaml").read_text())["resources"]
    assert "actions.yaml" not in resources
    role, _ = yaml.safe_load_all((DEPLOY / "kubernetes" / "actions.yaml").read_text())
    given = {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    wanted = {
        (right.group, right.resource, verb)
        for plugin in actions.load().kinds.values()
        for right in plugin.model_construct().permissions()
        for verb in right.verbs
        if verb not in ("get", "list") and right.resource != "nodes"
    }
    assert given == wanted


def test_the_cluster_role_reads_what_every_action_reads() -> None:
    for plugin in actions.load().kinds.values():
        for right in plugin.model_construct().permissions():
            if set(right.verbs) <= {"get", "list"}:
                assert {(right.group, right.resource, verb) for verb in right.verbs} <= granted()
