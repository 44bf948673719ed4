"""`kubernetes.access`: rights as the server judges them, or as roles and bindings have them."""

from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import ValidationError

from responder.clients import Clients
from responder.errors import Permanent, Reason
from responder.model.access import Access, Right
from responder.model.evidence import Observation
from responder.model.subject import Target
from responder.probes import Inquiry
from responder.probes.kubernetes_access import KubernetesAccess
from tests.fakes.clients import FailingHttp, FakeKubernetes
from tests.makers import NOW, alert

RBAC = "rbac.authorization.k8s.io"
DENIED = Permanent("forbidden", Reason.FORBIDDEN)


def item(kind: str, name: str, namespace: str = "", **fields: Any) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": name, "namespace": namespace}, **fields}


def binding(kind: str, role: str, subject: Mapping[str, str], namespace: str = "") -> dict[str, Any]:
    role_kind, _, name = role.partition("/")
    return item(kind, "b", namespace, subjects=[subject], roleRef={"kind": role_kind, "name": name})


OPERATOR = {"kind": "ServiceAccount", "name": "operator", "namespace": "shop"}
ROLES = [
    item("Role", "reader", "shop", rules=[{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}]),
    item("ClusterRole", "scaler", rules=[{"apiGroups": ["apps"], "resources": ["*/scale"], "verbs": ["*"]}]),
    item("ClusterRole", "metrics", rules=[{"nonResourceURLs": ["/metrics", "/debug/*"], "verbs": ["get"]}]),
    item(
        "Role",
        "one",
        "shop",
        rules=[{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"], "resourceNames": ["a"]}],
    ),
    binding("RoleBinding", "Role/reader", OPERATOR, "shop"),
    binding("RoleBinding", "Role/one", {"kind": "Group", "name": "system:serviceaccounts:shop"}, "shop"),
    binding("ClusterRoleBinding", "ClusterRole/scaler", OPERATOR),
    binding("ClusterRoleBinding", "ClusterRole/metrics", {"kind": "Group", "name": "system:authenticated"}),
    binding("RoleBinding", "ClusterRole/scaler", {"kind": "User", "name": "mallory"}, "other"),
]
for number, found in enumerate(ROLES):
    found["metadata"]["name"] += "" if found["kind"].endswith("Role") else str(number)


async def ask(kubernetes: FakeKubernetes, *wants: str, target: Target | None = None, **options: Any) -> Observation:
    asked = Inquiry(target or Target(namespace="shop"), (alert(),), NOW, NOW)
    return await KubernetesAccess(wants=wants, **options).run(asked, Clients("", FailingHttp(), kubernetes))


def judging(*granted: str) -> FakeKubernetes:
    def judge(kind: str, spec: Mapping[str, Any], namespace: str) -> Mapping[str, Any]:
        asked.append((kind, spec))
        wanted = spec.get("resourceAttributes") or {}
        return {"allowed": wanted.get("verb") in granted, "reason": "RBAC: says so"}

    asked: list[tuple[str, Mapping[str, Any]]] = []
    cluster = FakeKubernetes(reviews=judge)
    cluster.__dict__["seen"] = asked
    return cluster


async def test_a_review_tells_what_is_missing() -> None:
    cluster = judging("list")
    seen = await ask(cluster, "list pods", "patch deployments.apps/scale web", service_account="operator")
    assert "1 of 2 rights, not patch deployments.apps/scale web" in seen.summary
    assert (seen.value, seen.breached) == (1, True)
    kind, spec = cluster.__dict__["seen"][1]
    assert kind == "SubjectAccessReview"
    assert spec["user"] == "system:serviceaccount:shop:operator"
    assert "system:serviceaccounts:shop" in spec["groups"]
    assert spec["resourceAttributes"] == {
        "verb": "patch", "group": "apps", "resource": "deployments", "subresource": "scale", "name": "web",
        "namespace": "shop",
    }  # fmt: skip


async def test_everything_is_asked_as_kubectl_does() -> None:
    cluster = judging("*")
    seen = await ask(cluster, "* *", service_account="operator", cluster=True)
    assert seen.breached is False
    assert "in the whole cluster" in seen.summary
    assert cluster.__dict__["seen"][0][1]["resourceAttributes"] == {"verb": "*", "group": "*", "resource": "*"}


async def test_our_own_account_is_asked_about_ourselves() -> None:
    cluster = judging("get")
    await ask(cluster, "get /metrics", own=True)
    assert cluster.__dict__["seen"] == [
        ("SelfSubjectAccessReview", {"nonResourceAttributes": {"verb": "get", "path": "/metrics"}})
    ]


async def test_the_account_is_that_of_the_workload_where_none_is_named() -> None:
    deployment = item("Deployment", "web", "shop", spec={"template": {"spec": {"serviceAccountName": "operator"}}})
    cluster = judging("get")
    cluster.objects = [deployment]
    target = Target(namespace="shop", workload="deployment/web")
    assert "system:serviceaccount:shop:operator" in (await ask(cluster, "get pods", target=target)).summary


async def test_where_wide_reviews_are_denied_local_ones_are_asked_for() -> None:
    cluster = judging("get")
    cluster.troubles = {"SubjectAccessReview": DENIED}
    await ask(cluster, "get pods", service_account="operator")
    assert [kind for kind, _ in cluster.__dict__["seen"]] == ["LocalSubjectAccessReview"]


@pytest.mark.parametrize(
    ("want", "granted"),
    [
        ("list pods", True),
        ("delete pods", False),
        ("list pods.metrics.k8s.io", False),
        ("patch deployments.apps/scale", True),
        ("patch deployments.apps", False),
        ("get secrets a", True),
        ("get secrets b", False),
        ("get secrets", False),
        ("get /metrics", True),
        ("get /debug/pprof", True),
        ("get /healthz", False),
        ("* *", False),
    ],
)
async def test_without_reviews_roles_and_bindings_are_read(want: str, granted: bool) -> None:
    seen = await ask(FakeKubernetes(ROLES), want, service_account="operator")
    assert isinstance(seen.data, Access)
    assert (seen.data.by, seen.data.rights[0].allowed) == ("roles", granted)
    assert "read from roles and bindings" in seen.summary


async def test_bindings_of_others_and_of_other_namespaces_do_not_count() -> None:
    assert (await ask(FakeKubernetes(ROLES), "patch deployments.apps/scale", user="mallory")).breached
    assert (await ask(FakeKubernetes(ROLES), "list pods", service_account="operator", cluster=True)).breached


async def test_roles_that_cannot_be_read_are_no_answer() -> None:
    cluster = FakeKubernetes(ROLES, troubles={f"rolebindings.{RBAC}": DENIED})
    with pytest.raises(Permanent, match="neither be reviewed nor read"):
        await ask(cluster, "list pods", service_account="operator")


@pytest.mark.parametrize("text", ["pods", "list", "list pods x y", "LIST pods", "list Pods", "list pods;rm", ""])
def test_what_is_no_right_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        KubernetesAccess(wants=(text,))
    with pytest.raises(ValueError, match="is no right"):
        Right.parse(text)


def test_the_command_is_that_of_the_guide() -> None:
    probe = KubernetesAccess(wants=("* *",), service_account="kubechat-operator", namespace="kubechat-system")
    asked = Inquiry(Target(), (), NOW, NOW)
    (shown,) = probe.reproduce(asked, Clients("", FailingHttp(), FakeKubernetes()))
    account = "system:serviceaccount:kubechat-system:kubechat-operator"
    assert shown.command == f"kubectl -n kubechat-system auth can-i * * --as {account}"
