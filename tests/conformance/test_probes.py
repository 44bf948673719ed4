"""One suite over every probe there is, found as the program finds them."""

import asyncio
import inspect
from typing import Any

import pytest

from responder import plugins, probes
from responder.clients import Clients
from responder.errors import Permanent, Reason, Temporary, Trouble
from responder.model.evidence import Gap, Observation, Reproduction
from responder.model.subject import Target
from responder.probes import Inquiry, Probe
from tests.fakes.clients import (
    FailingHttp,
    FailingLoki,
    FailingPostgres,
    FailingPrometheus,
    FailingRedis,
    FakeAlertmanager,
    FakeKubernetes,
    FakeNetwork,
)
from tests.makers import NOW, alert

CATALOG = plugins.load(probes, Probe, "probe", dotted=True)
NEEDED: dict[str, dict[str, Any]] = {
    "prometheus.query": {"query": "up"},
    "prometheus.range": {"query": "up"},
    "loki.query": {"query": '{app="web"}'},
    "postgres.query": {"statement": "SELECT 1"},
    "http.get": {"url": "http://web.example/health"},
    "tcp.connect": {"address": "web.example:8080"},
    "dns.resolve": {"name": "web.example"},
    "tls.certificate": {"address": "web.example:443"},
    "websocket.connect": {"url": "ws://web.example/chat"},
    "kubernetes.access": {"wants": ["list pods"]},
    "kubernetes.exec": {"command": ["id"]},
    "kubernetes.objects": {"resource": "networkpolicies.networking.k8s.io"},
    "kubernetes.custom_resources": {"resource": "kubechatcommands.kubechat.io"},
}
REVIEWS = ("selfsubjectaccessreviews", "subjectaccessreviews", "localsubjectaccessreviews")
# reviews are questions that are posted; a command in a container runs only where the settings allow it
CHANGING_NOTHING = {("authorization.k8s.io", name): {"create"} for name in REVIEWS} | {
    ("", "pods/exec"): {"create", "get"}
}
TARGETS = {
    "nothing": Target(),
    "a namespace": Target(namespace="shop"),
    "a workload": Target(namespace="shop", workload="deployment/web"),
    "a pod": Target(namespace="shop", pod="web-1"),
    "nonsense": Target(namespace="shop", workload="cat/web"),
}
TROUBLES: dict[str, Trouble] = {
    "denied": Permanent("forbidden", Reason.FORBIDDEN),
    "unauthorized": Permanent("unauthorized", Reason.UNAUTHORIZED),
    "absent": Permanent("not found", Reason.NOT_FOUND),
    "overloaded": Temporary("too many requests", Reason.OVERLOADED, after=1),
    "broken": Temporary("internal error", Reason.SERVER_ERROR),
    "open": Temporary("breaker is open", Reason.BREAKER_OPEN),
}


def built(kind: str) -> Probe:
    """A probe with no options but those it cannot do without."""
    return CATALOG.build(kind, NEEDED.get(kind, {}))


def inquiry(target: Target) -> Inquiry:
    """A question about a target."""
    return Inquiry(target, (alert(),), NOW, NOW, seconds=0.25)


def failing(trouble: Trouble | None) -> Clients:
    """Clients of which everything fails; without a trouble everything hangs."""
    kubernetes = FakeKubernetes(troubles={"*": trouble} if trouble else {}, slow=set() if trouble else {"*"})
    return Clients(
        "prod",
        FailingHttp(trouble),
        kubernetes,
        FailingPrometheus(trouble),
        FailingLoki(trouble),
        {"main": FailingPostgres(trouble)},
        {"sessions": FailingRedis(trouble)},
        network_client=FakeNetwork(trouble=trouble),
        alertmanager_client=FakeAlertmanager(trouble=trouble),
    )


async def outcome(probe: Probe, asked: Inquiry, clients: Clients) -> Observation | Trouble:
    """What the runner gets: an observation, or trouble of the two kinds."""
    try:
        async with asyncio.timeout(asked.seconds):
            return await probe.run(asked, clients)
    except (Temporary, Permanent) as trouble:
        return trouble
    except TimeoutError:
        return Temporary("cut off by the runner", Reason.TIMEOUT)


@pytest.mark.parametrize("kind", CATALOG.kinds)
def test_says_what_it_does_in_its_docstring(kind: str) -> None:
    plugin = CATALOG.find(kind)
    assert inspect.getdoc(plugin)
    assert plugin.__doc__ != Probe.__doc__


@pytest.mark.parametrize("kind", CATALOG.kinds)
def test_names_the_rights_it_needs_and_none_to_change_anything(kind: str) -> None:
    permissions = built(kind).permissions()
    assert bool(permissions) is kind.startswith("kubernetes.")
    for permission in permissions:
        assert set(permission.verbs) <= CHANGING_NOTHING.get((permission.group, permission.resource), {"get", "list"})
        assert "*" not in (permission.group, permission.resource)
        assert "." not in permission.resource
    assert len(set(permissions)) == len(permissions)


@pytest.mark.parametrize("kind", CATALOG.kinds)
def test_refuses_unknown_options(kind: str) -> None:
    with pytest.raises(probes_error()):
        CATALOG.build(kind, {**NEEDED.get(kind, {}), "no_such_option": 1})


def probes_error() -> type[Exception]:
    """What a bad option raises."""
    from responder.errors import ConfigError

    return ConfigError


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("kind", CATALOG.kinds)
async def test_says_so_where_nothing_is_configured(kind: str, target: str) -> None:
    seen = await outcome(built(kind), inquiry(TARGETS[target]), Clients("prod", FailingHttp(TROUBLES["denied"])))
    assert isinstance(seen, Permanent)
    if kind.startswith(("kubernetes.", "prometheus.query", "prometheus.range")) and target in ("a pod", "a workload"):
        assert seen.reason is Reason.NOT_CONFIGURED


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("kind", CATALOG.kinds)
async def test_trouble_is_told_never_anything_else_raised(kind: str, target: str, trouble: str) -> None:
    seen = await outcome(built(kind), inquiry(TARGETS[target]), failing(TROUBLES[trouble]))
    if isinstance(seen, Observation):
        assert seen.gaps
        assert all(isinstance(gap, Gap) and gap.message for gap in seen.gaps)


@pytest.mark.parametrize("kind", CATALOG.kinds)
async def test_a_server_that_hangs_is_given_up_before_the_runner_loses_patience(kind: str) -> None:
    seen = await outcome(built(kind), inquiry(TARGETS["a namespace"]), failing(None))
    if isinstance(seen, Observation):
        assert {gap.reason for gap in seen.gaps} == {Reason.TIMEOUT}
    else:
        assert seen.reason in (Reason.TIMEOUT, Reason.BAD_REQUEST)


@pytest.mark.parametrize("kind", [kind for kind in CATALOG.kinds if kind.startswith("kubernetes.")])
async def test_an_empty_cluster_is_an_answer(kind: str) -> None:
    seen = await outcome(
        built(kind), inquiry(TARGETS["a namespace"]), Clients("", FailingHttp(), FakeKubernetes(), FailingPrometheus())
    )
    if isinstance(seen, Observation):
        assert seen.empty or seen.gaps
        assert seen.summary
        assert "\n" not in seen.summary
    else:
        assert seen.reason in (Reason.BAD_REQUEST, Reason.NOT_FOUND)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("kind", CATALOG.kinds)
def test_says_how_to_see_the_same(kind: str, target: str) -> None:
    try:
        shown = built(kind).reproduce(inquiry(TARGETS[target]), failing(TROUBLES["denied"]))
    except (Temporary, Permanent):
        return
    assert all(isinstance(item, Reproduction) and bool(item.command) != bool(item.link) for item in shown)
    assert shown or kind == "prometheus.alert"
