"""Alerts about a node by its name or by an address are about the same node, in subject, place and every query."""

from collections.abc import Mapping
from typing import Any

import pytest

from responder.clients import Clients
from responder.errors import Permanent, Reason, Trouble
from responder.flow.nodes import known_nodes
from responder.flow.target import aims
from responder.model.clusters import ONE_LABEL
from responder.model.evidence import Sample
from responder.model.nodes import KnownNode
from responder.model.report import Investigation, summary
from responder.model.subject import Subject, Target
from responder.templating import render
from tests.fakes.clients import FailingHttp, FailingPrometheus, FakeKubernetes
from tests.fakes.prometheus import FakePrometheus
from tests.flow.test_communicate import incident
from tests.flow.test_match import PLAINEST, tracked
from tests.runbooks.test_kube_prometheus import CATALOG, OURS

NODE = {
    "kind": "Node",
    "metadata": {"name": "worker-a"},
    "status": {
        "addresses": [
            {"type": "InternalIP", "address": "10.20.0.11"},
            {"type": "InternalIP", "address": "fd00::11"},
            {"type": "Hostname", "address": "worker-a"},
        ]
    },
}
BY_ADDRESS = {"alertname": "NodeDiskIOSaturation", "instance": "10.20.0.11:9100", "job": "node-exporter"}
BY_NAME = {
    "alertname": "KubeNodeNotReady",
    "node": "worker-a",
    "job": "kube-state-metrics",
    "instance": "10.1.0.9:8443",
}
KNOWN = KnownNode("worker-a", ("10.20.0.11", "fd00::11", "worker-a"))
DENIED = Permanent("forbidden", Reason.FORBIDDEN)


def clients(objects: list[dict[str, Any]], trouble: Trouble | None = None, prometheus: Any = None) -> Clients:
    kubernetes = FakeKubernetes(objects, troubles={"*": trouble} if trouble else {})
    return Clients("", FailingHttp(), kubernetes, prometheus or FailingPrometheus(DENIED))


def target(labels: Mapping[str, str], *nodes: KnownNode) -> Target:
    (aim,) = aims(PLAINEST, [tracked(**labels)], ONE_LABEL, {"": nodes})
    return aim.target


async def test_the_cluster_tells_its_nodes_with_their_addresses() -> None:
    assert await known_nodes([BY_ADDRESS], ONE_LABEL, lambda _: clients([NODE])) == {"": [KNOWN]}


async def test_kube_state_metrics_tells_where_the_cluster_may_not_be_asked() -> None:
    prometheus = FakePrometheus([Sample(labels={"node": "worker-a", "internal_ip": "10.20.0.11"}, value=1)])
    found = await known_nodes([BY_ADDRESS], ONE_LABEL, lambda _: clients([], DENIED, prometheus))
    assert found == {"": [KnownNode("worker-a", ("10.20.0.11",))]}
    assert prometheus.asked[0][0].startswith('kube_node_info{internal_ip="10.20.0.11"}')


async def test_without_an_answer_the_node_is_called_as_the_alert_calls_it() -> None:
    assert await known_nodes([BY_ADDRESS], ONE_LABEL, lambda _: clients([], DENIED)) == {"": ()}
    assert target(BY_ADDRESS) == Target(node="10.20.0.11", instances=("10.20.0.11",))


async def test_nothing_is_asked_where_no_alert_is_about_a_node() -> None:
    asked = clients([NODE])
    assert await known_nodes([{"alertname": "X", "namespace": "shop"}], ONE_LABEL, lambda _: asked) == {}
    assert isinstance(asked.kubernetes, FakeKubernetes)
    assert asked.kubernetes.asked == []


@pytest.mark.parametrize("labels", [BY_ADDRESS, BY_NAME])
def test_a_node_has_its_own_name_and_all_its_instances(labels: dict[str, str]) -> None:
    assert target(labels, KNOWN) == Target(node="worker-a", instances=("worker-a", "10.20.0.11", "[fd00::11]"))


def test_alerts_by_name_and_by_address_have_one_target() -> None:
    alerts = [tracked(**BY_ADDRESS), tracked(**{**BY_NAME, "alertname": "NodeDiskIOSaturation"})]
    assert [aim.target.node for aim in aims(PLAINEST, alerts, ONE_LABEL, {"": [KNOWN]})] == ["worker-a"]


@pytest.mark.parametrize("runbook", ["node-disk-io", "node-filesystem-inodes", "node-memory", "node-cpu"])
@pytest.mark.parametrize("labels", [BY_ADDRESS, BY_NAME])
def test_every_query_finds_the_node_by_address_and_by_name(runbook: str, labels: dict[str, str]) -> None:
    context = {"labels": labels, "annotations": {}, "target": target(labels, KNOWN).model_dump(), "evidence": {}}
    steps = [step for step in OURS.get(runbook).investigate if "target." in str(step.options.get("query"))]
    assert steps
    for step in steps:
        query = str(render(CATALOG.find(step.probe), step.options, context)["query"])
        assert r"(?:worker\\-a|10\\.20\\.0\\.11|\\[fd00\\:\\:11\\])(:[0-9]+)?" in query, step.id
        assert "10.1.0.9" not in query


def test_the_report_names_the_node_and_not_its_address() -> None:
    given = incident(subject=Subject(kind="Node", name="10.20.0.11"), title="NodeDiskIOSaturation on node/10.20.0.11")
    shown = summary(given, Investigation(target=target(BY_ADDRESS, KNOWN)), [tracked(**BY_ADDRESS)], url="")
    assert (str(shown.subject), shown.title) == ("node/worker-a", "NodeDiskIOSaturation on node/worker-a")
