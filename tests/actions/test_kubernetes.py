"""Each action changes what it says, and refuses what it must not touch: its nearest misses."""

import json
import shlex
from typing import Any

import pytest

from responder.errors import ConfigError, Permanent, Reason, Temporary
from responder.model.subject import Target
from tests.actions.conftest import CATALOG, Desk
from tests.fakes.apiserver import status
from tests.fakes.cluster import autoscaler, budget, cron_job, deployment, job, node, owned, pod, revision, template

pytestmark = pytest.mark.integration

WEB_PATH = "/apis/apps/v1/namespaces/shop/deployments/web"
JOB = Target(namespace="shop", workload="job/report")


async def test_scaling_says_from_what_to_what_and_does_that(desk: Desk) -> None:
    desk.cluster.add(deployment())
    seen = await desk.preview("kubernetes.scale", replicas=5)
    assert (seen.text, seen.refusal) == ("Scale deployment/web in shop from 3 to 5 replicas", "")
    assert seen.commands[0].endswith("-n shop scale deployment/web --current-replicas=3 --replicas=5")
    assert seen.undo.endswith("scale deployment/web --replicas=3")
    assert seen.objects == ("/shop/deployment/web",)
    assert seen.namespaces == ("shop",)
    assert desk.cluster.tried == [f"PATCH {WEB_PATH}/scale"]
    await desk.apply("kubernetes.scale", replicas=5)
    assert desk.cluster.get("Deployment", "web")["spec"]["replicas"] == 5
    assert desk.cluster.changed == [f"PATCH {WEB_PATH}/scale"]


async def test_scaling_by_a_factor_rounds_up(desk: Desk) -> None:
    desk.cluster.add(deployment())
    assert "from 3 to 5 " in (await desk.preview("kubernetes.scale", factor=1.5)).text


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"replicas": 3}, "has 3 replicas already"),
        ({"factor": 9.0}, "27 replicas are not between 1 (min) and 10 (max)"),
        ({"factor": 0.3, "min": 2}, "1 replicas are not between 2 (min) and 10 (max)"),
    ],
)
async def test_scaling_beyond_what_the_runbook_allows_is_refused(
    desk: Desk, options: dict[str, float], why: str
) -> None:
    desk.cluster.add(deployment())
    assert why in (await desk.preview("kubernetes.scale", **options)).refusal
    assert desk.cluster.tried == []


async def test_replicas_that_an_autoscaler_decides_on_are_left_to_it(desk: Desk) -> None:
    desk.cluster.add(deployment(), autoscaler())
    assert "the autoscaler web decides" in (await desk.preview("kubernetes.scale", replicas=5)).refusal


async def test_another_workloads_autoscaler_is_no_hindrance(desk: Desk) -> None:
    other = autoscaler()
    other["spec"]["scaleTargetRef"]["name"] = "api"
    desk.cluster.add(deployment(), other)
    assert not (await desk.preview("kubernetes.scale", replicas=5)).refusal


async def test_replicas_that_changed_since_the_look_are_not_overwritten(desk: Desk) -> None:
    desk.cluster.add(deployment())
    seen = await desk.preview("kubernetes.scale", replicas=5)
    desk.cluster.get("Deployment", "web")["spec"]["replicas"] = 8
    with pytest.raises(Permanent, match="test failed"):
        await CATALOG.build("kubernetes.scale", {"replicas": 5}).apply(seen, desk.clients, "Ada")
    assert desk.cluster.get("Deployment", "web")["spec"]["replicas"] == 8


async def test_what_is_not_there_or_no_workload_is_refused(desk: Desk) -> None:
    assert "not found" in (await desk.preview("kubernetes.scale", replicas=5)).refusal.lower()
    nothing = await desk.preview("kubernetes.scale", Target(namespace="shop"), replicas=5)
    assert "names neither a workload nor a pod" in nothing.refusal
    desk.cluster.add(job())
    assert "is no deployment" in (await desk.preview("kubernetes.scale", JOB, replicas=5)).refusal


async def test_a_missing_right_is_a_refusal_that_says_where_rights_come_from(desk: Desk) -> None:
    desk.cluster.add(deployment())
    words = 'deployments.apps "web" is forbidden: User "x" cannot patch resource "deployments/scale"'
    desk.cluster.refused[f"{WEB_PATH}/scale"] = status(403, "Forbidden", words)
    seen = await desk.preview("kubernetes.scale", replicas=5)
    assert "is forbidden" in seen.refusal
    assert "responder rbac" in seen.refusal


async def test_a_conflict_with_another_writer_is_told_as_such(desk: Desk) -> None:
    desk.cluster.add(deployment())
    seen = await desk.preview("kubernetes.rollout_restart")
    desk.cluster.refused[WEB_PATH] = status(409, "Conflict", "the object has been modified")
    with pytest.raises(Permanent, match="has been modified"):
        await CATALOG.build("kubernetes.rollout_restart", {}).apply(seen, desk.clients, "Ada")


async def test_a_server_that_is_busy_can_be_asked_again(desk: Desk) -> None:
    desk.cluster.add(deployment())
    desk.cluster.refused[f"{WEB_PATH}/scale"] = status(503, "ServiceUnavailable", "try again")
    with pytest.raises(Temporary) as caught:
        await desk.preview("kubernetes.scale", replicas=5)
    assert caught.value.reason is Reason.SERVER_ERROR


async def test_what_argo_or_flux_keeps_is_said_beforehand(desk: Desk) -> None:
    kept = deployment()
    kept["metadata"]["labels"] = {"argocd.argoproj.io/instance": "shop"}
    desk.cluster.add(kept)
    assert "Argo CD manages deployment/web" in (await desk.preview("kubernetes.scale", replicas=5)).warnings[0]


async def test_a_restart_marks_the_template_as_kubectl_does(desk: Desk) -> None:
    desk.cluster.add(deployment())
    assert (await desk.preview("kubernetes.rollout_restart")).text == "Restart deployment/web in shop, pod by pod"
    await desk.apply("kubernetes.rollout_restart")
    annotations = desk.cluster.get("Deployment", "web")["spec"]["template"]["metadata"]["annotations"]
    assert annotations == {"kubectl.kubernetes.io/restartedAt": "2026-03-04T03:00:00Z"}


async def test_a_restart_that_takes_all_pods_at_once_respects_their_budget(desk: Desk) -> None:
    desk.cluster.add(deployment(strategy={"type": "Recreate"}))
    assert "all pods at once" in (await desk.preview("kubernetes.rollout_restart")).text
    desk.cluster.add(budget(1))
    assert "the PodDisruptionBudget web forbids" in (await desk.preview("kubernetes.rollout_restart")).refusal


@pytest.mark.parametrize(
    ("spec", "why"), [({"paused": True}, "is paused"), ({"updateStrategy": {"type": "OnDelete"}}, "(OnDelete)")]
)
async def test_a_restart_that_would_do_nothing_is_refused(desk: Desk, spec: dict[str, object], why: str) -> None:
    desk.cluster.add(deployment(**spec))
    assert why in (await desk.preview("kubernetes.rollout_restart")).refusal


async def test_a_rollback_goes_to_the_revision_before_and_says_what_differs(desk: Desk) -> None:
    desk.cluster.add(deployment(), revision(1, "web:0"), revision(2, "web:1"), revision(3, "web:2"))
    seen = await desk.preview("kubernetes.rollout_undo")
    assert seen.text == "Roll deployment/web in shop back from revision 3 to revision 2: web.image: web:2 → web:1"
    assert seen.commands[0].endswith("rollout undo deployment/web --to-revision=2")
    await desk.apply("kubernetes.rollout_undo")
    made = desk.cluster.get("Deployment", "web")["spec"]["template"]
    assert made["spec"]["containers"][0]["image"] == "web:1"
    assert made["metadata"]["labels"] == {"app": "web"}


async def test_a_rollout_since_the_look_is_not_rolled_back(desk: Desk) -> None:
    desk.cluster.add(deployment(), revision(1, "web:1"), revision(2, "web:2"))
    seen = await desk.preview("kubernetes.rollout_undo")
    await desk.apply("kubernetes.rollout_restart")
    with pytest.raises(Permanent, match="generation failed"):
        await CATALOG.build("kubernetes.rollout_undo", {}).apply(seen, desk.clients, "Ada")


async def test_a_rollback_of_a_stateful_set_takes_its_controller_revisions(desk: Desk) -> None:
    state = deployment() | {"kind": "StatefulSet"}
    past = [
        {
            "kind": "ControllerRevision",
            "metadata": {
                "name": f"web-{number}",
                "namespace": "shop",
                "labels": {"app": "web"},
                "ownerReferences": owned("StatefulSet", "web"),
            },
            "revision": number,
            "data": {"spec": {"template": {**template(image), "$patch": "replace"}}},
        }
        for number, image in ((1, "web:1"), (2, "web:2"))
    ]
    desk.cluster.add(state, *past)
    await desk.apply("kubernetes.rollout_undo", Target(namespace="shop", workload="statefulset/web"))
    made = desk.cluster.get("StatefulSet", "web")["spec"]["template"]
    assert made == template("web:1")


async def test_a_restart_is_no_revision_to_roll_back_to(desk: Desk) -> None:
    now, restarted = deployment(), revision(2, "web:2")
    for made in (now["spec"]["template"], restarted["spec"]["template"]):
        made["metadata"]["annotations"] = {"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"}
    desk.cluster.add(now, revision(1, "web:2"), restarted)
    assert "no older revision" in (await desk.preview("kubernetes.rollout_undo")).refusal


async def test_what_was_rolled_back_from_is_not_gone_back_to(desk: Desk) -> None:
    desk.cluster.add(deployment(), revision(2, "web:bad"), revision(3, "web:2", born=1))
    assert "was not rolled back from" in (await desk.preview("kubernetes.rollout_undo")).refusal
    desk.cluster.add(revision(1, "web:0", "web-0"))
    desk.cluster.get("ReplicaSet", "web-0")["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    assert "to revision 1" in (await desk.preview("kubernetes.rollout_undo")).text


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("kubernetes.scale", {"replicas": 5}),
        ("kubernetes.rollout_restart", {}),
        ("kubernetes.rollout_undo", {}),
        ("kubernetes.set_resources", {}),
    ],
)
async def test_another_object_of_the_same_name_is_left_alone(desk: Desk, kind: str, options: dict[str, Any]) -> None:
    desk.cluster.add(deployment(), revision(1, "web:1"), revision(2, "web:2"))
    seen = await desk.preview(kind, **options)
    desk.cluster.get("Deployment", "web")["metadata"]["uid"] = "another"
    assert not seen.same(await desk.preview(kind, **options))
    with pytest.raises(Permanent, match="another deployment/web took its place"):
        await CATALOG.build(kind, options).apply(seen, desk.clients, "Ada")
    assert desk.cluster.changed[:-1] == []


async def test_a_conflict_says_who_changed_what(desk: Desk) -> None:
    desk.cluster.add(deployment())
    seen = await desk.preview("kubernetes.scale", replicas=5)
    found = desk.cluster.get("Deployment", "web")
    found["spec"]["replicas"] = 4
    found["metadata"]["managedFields"] = [
        {
            "manager": "kubectl-edit",
            "operation": "Update",
            "time": "2026-01-02T03:04:05Z",
            "fieldsV1": {"f:spec": {"f:replicas": {}}},
        }
    ]
    with pytest.raises(Permanent, match=r"kubectl-edit changed it last \(spec.replicas\), at 2026-01-02 03:04:05 UTC"):
        await CATALOG.build("kubernetes.scale", {"replicas": 5}).apply(seen, desk.clients, "Ada")


async def test_without_an_older_revision_there_is_nothing_to_roll_back_to(desk: Desk) -> None:
    stranger = revision(1, "web:0", "other-1")
    stranger["metadata"]["ownerReferences"] = owned("Deployment", "other")
    desk.cluster.add(deployment(), revision(2, "web:2"), stranger)
    assert "no older revision" in (await desk.preview("kubernetes.rollout_undo")).refusal


async def test_secrets_in_a_template_are_not_told_by_its_rollback(desk: Desk) -> None:
    before, now = revision(1, "web:1"), deployment()
    environment = [{"name": "DB_PASSWORD", "value": "hunter2-very-secret"}]
    before["spec"]["template"]["spec"]["containers"][0]["env"] = environment
    desk.cluster.add(now, before, revision(2, "web:2"))
    seen = await desk.preview("kubernetes.rollout_undo")
    assert "hunter2" not in seen.model_dump_json()
    assert "hunter2" not in repr(seen)


async def test_unhealthy_pods_go_the_worst_first_and_few_at_a_time(desk: Desk) -> None:
    desk.cluster.add(deployment(), revision(2, "web:2"), pod("well", ready=True))
    desk.cluster.add(pod("a", restarts=1), pod("b", restarts=9), pod("c", restarts=5))
    seen = await desk.preview("kubernetes.delete_pods", max=2)
    wanted = "Delete 2 of 3 unhealthy pods of deployment/web in shop: b (CrashLoopBackOff), c (CrashLoopBackOff)"
    assert seen.text == wanted
    await desk.apply("kubernetes.delete_pods", max=2)
    left = {path.rpartition("/")[2] for path in desk.cluster.objects if "/pods/" in path}
    assert left == {"well", "a"}


async def test_pods_that_a_budget_protects_stay(desk: Desk) -> None:
    desk.cluster.add(deployment(), revision(2, "web:2"), pod("a"), budget(0))
    assert "a PodDisruptionBudget would be broken" in (await desk.preview("kubernetes.delete_pods")).refusal


async def test_a_budget_that_ends_on_the_way_is_heeded_and_what_was_done_is_told(desk: Desk) -> None:
    desk.cluster.add(deployment(), revision(2, "web:2"), pod("a", restarts=2), pod("b"), budget(2))
    seen = await desk.preview("kubernetes.delete_pods")
    desk.cluster.add(budget(1))
    with pytest.raises(Permanent, match="changed a; then: a PodDisruptionBudget would be broken"):
        await CATALOG.build("kubernetes.delete_pods", {}).apply(seen, desk.clients, "Ada")


async def test_no_more_pods_go_than_their_budget_allows_and_by_hand_neither(desk: Desk) -> None:
    desk.cluster.add(deployment(), revision(2, "web:2"), pod("a", restarts=2), pod("b"), budget(1))
    seen = await desk.preview("kubernetes.delete_pods")
    assert seen.text == "Delete 1 of 2 unhealthy pods of deployment/web in shop: a (CrashLoopBackOff)"
    (command,) = seen.commands
    read, _, body = command.partition(" <<< ")
    assert read.endswith("create --raw /api/v1/namespaces/shop/pods/a/eviction -f -")
    assert json.loads(shlex.split(body)[0])["kind"] == "Eviction"
    enough = budget(0)
    enough["status"] |= {"currentHealthy": 3, "desiredHealthy": 2}
    desk.cluster.add(enough)
    assert "a PodDisruptionBudget" in (await desk.preview("kubernetes.delete_pods")).refusal


async def test_a_pod_without_a_controller_is_never_deleted(desk: Desk) -> None:
    desk.cluster.add(pod("bare", owner=""))
    alone = await desk.preview("kubernetes.delete_pods", Target(namespace="shop", pod="bare"))
    assert "has no controller" in alone.refusal
    desk.cluster.add(deployment(), revision(2, "web:2"))
    assert "has no unhealthy pods" in (await desk.preview("kubernetes.delete_pods")).refusal


async def test_a_pod_of_the_same_name_that_came_since_is_not_the_one(desk: Desk) -> None:
    desk.cluster.add(deployment(), revision(2, "web:2"), pod("a"))
    seen = await desk.preview("kubernetes.delete_pods")
    desk.cluster.get("Pod", "a")["metadata"]["uid"] = "another"
    with pytest.raises(Permanent, match="Precondition failed"):
        await CATALOG.build("kubernetes.delete_pods", {}).apply(seen, desk.clients, "Ada")


async def test_a_failed_job_runs_once_more_and_only_once(desk: Desk) -> None:
    desk.cluster.add(job())
    seen = await desk.preview("kubernetes.rerun_job", JOB)
    await desk.apply("kubernetes.rerun_job", JOB)
    [made] = [item for path, item in desk.cluster.objects.items() if "-rerun-" in path]
    assert made["spec"]["backoffLimit"] == 2
    assert made["metadata"]["labels"] == {"app": "report"}
    assert made["metadata"]["name"] in seen.text
    assert "was run again already" in (await desk.preview("kubernetes.rerun_job", JOB)).refusal
    with pytest.raises(AssertionError):
        await desk.apply("kubernetes.rerun_job", JOB)


@pytest.mark.parametrize(("state", "why"), [("Complete", "has succeeded"), ("", "has not failed")])
async def test_a_job_that_runs_or_is_done_is_not_run_again(desk: Desk, state: str, why: str) -> None:
    desk.cluster.add(job(state=state))
    assert why in (await desk.preview("kubernetes.rerun_job", JOB)).refusal


async def test_the_job_of_a_cron_job_runs_unless_one_does(desk: Desk) -> None:
    nightly = Target(namespace="shop", workload="cronjob/nightly")
    desk.cluster.add(cron_job())
    seen = await desk.preview("kubernetes.rerun_job", nightly)
    assert seen.commands[0].endswith("--from=cronjob/nightly")
    desk.cluster.add(cron_job(active=[{"name": "nightly-1"}]))
    assert "it forbids another one" in (await desk.preview("kubernetes.rerun_job", nightly)).refusal


async def test_a_node_is_cordoned_as_long_as_others_take_pods(desk: Desk) -> None:
    here = Target(node="n1")
    desk.cluster.add(node("n1"), node("n2", ready=False), node("n3", cordoned=True))
    assert "only 0 other nodes" in (await desk.preview("kubernetes.cordon", here)).refusal
    desk.cluster.add(node("n4"))
    seen = await desk.preview("kubernetes.cordon", here)
    assert seen.namespaces == ("*",)
    assert seen.undo.endswith("uncordon n1")
    await desk.apply("kubernetes.cordon", here)
    assert desk.cluster.objects["/api/v1/nodes/n1"]["spec"]["unschedulable"] is True
    assert "cordoned already" in (await desk.preview("kubernetes.cordon", here)).refusal


@pytest.mark.parametrize(("taint", "takes"), [("NoSchedule", 0), ("NoExecute", 0), ("PreferNoSchedule", 1)])
async def test_a_node_that_takes_no_ordinary_pods_does_not_count(desk: Desk, taint: str, takes: int) -> None:
    desk.cluster.add(node("n1"), node("control-plane", taint=taint))
    seen = await desk.preview("kubernetes.cordon", Target(node="n1"))
    assert (f"only {takes} other nodes" in seen.refusal) is (takes == 0)


async def test_a_limit_is_raised_and_never_beyond_what_the_runbook_allows(desk: Desk) -> None:
    desk.cluster.add(deployment())
    seen = await desk.preview("kubernetes.set_resources")
    assert "container web of deployment/web in shop from 512Mi to 768Mi" in seen.text
    assert "is more than 600Mi" in (await desk.preview("kubernetes.set_resources", max="600Mi")).refusal
    assert "is 512Mi already" in (await desk.preview("kubernetes.set_resources", limit="256Mi")).refusal
    assert "no limit of cpu" in (await desk.preview("kubernetes.set_resources", resource="cpu")).refusal
    assert "which container" in (await desk.preview("kubernetes.set_resources", container="db")).refusal
    await desk.apply("kubernetes.set_resources", limit="1Gi")
    container = desk.cluster.get("Deployment", "web")["spec"]["template"]["spec"]["containers"][0]
    assert container["resources"]["limits"]["memory"] == "1Gi"


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("kubernetes.scale", {}),
        ("kubernetes.scale", {"replicas": 1, "factor": 2}),
        ("kubernetes.scale", {"replicas": -1}),
        ("kubernetes.scale", {"replicas": 0}),
        ("kubernetes.scale", {"replicas": 11}),
        ("kubernetes.set_resources", {"limit": "5Gi"}),
        ("kubernetes.delete_pods", {"max": 0}),
        ("kubernetes.set_resources", {"limit": "much"}),
        ("kubernetes.rollout_restart", {"target": "deployment/web; rm -rf /"}),
        ("alertmanager.silence", {"duration": "30d"}),
    ],
)
def test_options_that_make_no_sense_are_refused(kind: str, options: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        CATALOG.build(kind, options)


async def test_commands_survive_a_shell(desk: Desk) -> None:
    desk.cluster.add(job())
    seen = await desk.preview("kubernetes.rerun_job", JOB)
    words = shlex.split(seen.commands[0])
    assert words.count("|") == 2
    assert json.dumps(words)
