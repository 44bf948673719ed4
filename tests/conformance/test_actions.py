"""One suite over every action there is, found as the program finds them."""

import inspect
import re
from typing import Any

import pytest

from responder.actions import Action, Inquiry, Preview, load
from responder.clients import Clients
from responder.errors import ConfigError, Permanent, Reason, Temporary, Trouble
from responder.model.action import EVERYWHERE
from responder.model.subject import Target
from tests.fakes.clients import DRY, FailingHttp, FakeAlertmanager, FakeKubernetes
from tests.fakes.cluster import cron_job, deployment, job, node, owned, pod, revision
from tests.makers import NOW, alert

CATALOG = load()
IN_CLUSTER = [kind for kind in CATALOG.kinds if kind.startswith("kubernetes.")]
NEEDED: dict[str, dict[str, Any]] = {"kubernetes.scale": {"replicas": 5}}
TARGETS = {
    "nothing": Target(),
    "a namespace": Target(namespace="shop"),
    "a workload": Target(namespace="shop", workload="deployment/web"),
    "a job": Target(namespace="shop", workload="job/report"),
    "a pod": Target(namespace="shop", pod="web-1"),
    "a node": Target(node="n1"),
    "nonsense": Target(namespace="shop", workload="cat/web"),
}
WELL = {
    "kubernetes.cordon": "a node",
    "kubernetes.rerun_job": "a job",
    "alertmanager.silence": "nothing",
}
"""The target on which a kind does something; of the others the workload."""
TROUBLES: dict[str, Trouble] = {
    "denied": Permanent("forbidden", Reason.FORBIDDEN),
    "absent": Permanent("not found", Reason.NOT_FOUND),
    "overloaded": Temporary("too many requests", Reason.OVERLOADED, after=1),
    "broken": Temporary("internal error", Reason.SERVER_ERROR),
    "open": Temporary("breaker is open", Reason.BREAKER_OPEN),
}
READS = {"get", "list", "watch"}


def built(kind: str) -> Action:
    """An action with no options but those it cannot do without."""
    return CATALOG.build(kind, NEEDED.get(kind, {}))


def inquiry(target: Target) -> Inquiry:
    return Inquiry(target, (alert(namespace="shop"),), NOW, NOW)


def cluster(**fields: Any) -> FakeKubernetes:
    """A cluster in which every action has something to do."""
    items = [deployment(), revision(1, "web:1"), revision(2, "web:2"), pod("web-1"), node("n1"), node("n2")]
    for item in (*items, job(), cron_job()):
        item["metadata"].setdefault("uid", item["metadata"]["name"])
    items[3]["metadata"]["ownerReferences"] = owned("ReplicaSet", "web-2")
    return FakeKubernetes([*items, job(), cron_job()], **fields)


def clients(kubernetes: FakeKubernetes | None, alertmanager: FakeAlertmanager | None = None) -> Clients:
    return Clients("prod", FailingHttp(), kubernetes, alertmanager_client=alertmanager)


async def previewed(kind: str, kubernetes: FakeKubernetes) -> Preview:
    target = TARGETS[WELL.get(kind, "a workload")]
    return await built(kind).preview(inquiry(target), clients(kubernetes, FakeAlertmanager([])))


async def outcome(kind: str, target: Target, kubernetes: FakeKubernetes) -> Preview | Temporary:
    """What the approver gets: a preview, or trouble that may pass."""
    try:
        return await built(kind).preview(inquiry(target), clients(kubernetes))
    except Temporary as trouble:
        return trouble


@pytest.mark.parametrize("kind", CATALOG.kinds)
def test_says_what_it_does_in_its_docstring(kind: str) -> None:
    plugin = CATALOG.find(kind)
    assert inspect.getdoc(plugin)
    assert plugin.__doc__ != Action.__doc__


@pytest.mark.parametrize("kind", CATALOG.kinds)
def test_refuses_unknown_options(kind: str) -> None:
    with pytest.raises(ConfigError, match="no_such_option"):
        CATALOG.build(kind, {**NEEDED.get(kind, {}), "no_such_option": 1})


@pytest.mark.parametrize("kind", CATALOG.kinds)
def test_names_the_rights_it_needs_and_none_to_delete_or_to_do_everything(kind: str) -> None:
    permissions = built(kind).permissions()
    assert bool(permissions) is kind.startswith("kubernetes.")
    for permission in permissions:
        assert set(permission.verbs) <= {*READS, "patch", "create"}
        assert "*" not in (permission.group, permission.resource)
        assert permission.resource != "pods/exec"
    changing = [permission for permission in permissions if not READS.issuperset(permission.verbs)]
    assert bool(changing) is bool(permissions)
    assert len(set(permissions)) == len(permissions)


@pytest.mark.parametrize("kind", CATALOG.kinds)
async def test_says_in_one_sentence_what_will_change_on_what_and_how_to_do_it_by_hand(kind: str) -> None:
    seen = await previewed(kind, cluster())
    assert not seen.refusal
    assert "\n" not in seen.text
    assert re.fullmatch(r"[A-Z][^.]*(\.[^ ][^.]*)*", seen.text), seen.text
    assert seen.objects
    assert seen.changes
    assert all(command.startswith(("kubectl", "amtool")) for command in seen.commands)
    assert bool(seen.namespaces) is kind.startswith("kubernetes.")
    assert set(seen.namespaces) <= {"shop", EVERYWHERE}


@pytest.mark.parametrize("kind", IN_CLUSTER)
async def test_looking_changes_nothing_and_has_the_server_try(kind: str) -> None:
    kubernetes = cluster()
    before = str(kubernetes.objects)
    await previewed(kind, kubernetes)
    assert str(kubernetes.objects) == before
    writes = [what for what in kubernetes.asked if what.startswith(("patch ", "create ", "evict "))]
    assert writes
    assert all(what.endswith(DRY) for what in writes)


@pytest.mark.parametrize("kind", IN_CLUSTER)
async def test_does_what_it_said_and_the_same_look_comes_to_the_same(kind: str) -> None:
    kubernetes = cluster()
    before = str(kubernetes.objects)
    first, second = await previewed(kind, kubernetes), await previewed(kind, kubernetes)
    assert first.same(second)
    done = await built(kind).apply(second, clients(kubernetes), "Ada")
    assert done
    assert str(kubernetes.objects) != before


@pytest.mark.parametrize("kind", CATALOG.kinds)
async def test_what_is_kept_of_a_look_holds_no_objects(kind: str) -> None:
    seen = await previewed(kind, cluster())
    assert Preview.model_validate_json(seen.model_dump_json()).changes == ()


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("kind", CATALOG.kinds)
async def test_refuses_where_nothing_is_configured(kind: str, target: str) -> None:
    seen = await built(kind).preview(inquiry(TARGETS[target]), clients(None))
    assert seen.refusal
    assert not seen.changes


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("kind", IN_CLUSTER)
async def test_refuses_in_an_empty_cluster(kind: str, target: str) -> None:
    seen = await built(kind).preview(inquiry(TARGETS[target]), clients(FakeKubernetes()))
    assert seen.refusal
    assert not seen.changes


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("kind", IN_CLUSTER)
async def test_trouble_is_a_refusal_or_told_never_a_change(kind: str, target: str, trouble: str) -> None:
    seen = await outcome(kind, TARGETS[target], cluster(troubles={"*": TROUBLES[trouble]}))
    if isinstance(seen, Temporary):
        assert seen.reason is TROUBLES[trouble].reason
    else:
        assert seen.refusal
        assert not seen.changes


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("kind", IN_CLUSTER)
async def test_a_change_that_fails_says_so(kind: str, trouble: str) -> None:
    kubernetes = cluster()
    seen = await previewed(kind, kubernetes)
    kubernetes.troubles["*"] = TROUBLES[trouble]
    with pytest.raises(type(TROUBLES[trouble]), match=str(TROUBLES[trouble])):
        await built(kind).apply(seen, clients(kubernetes), "Ada")
