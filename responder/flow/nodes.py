"""Nodes: which ones the alerts mean, asked of their cluster before anything else is."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from responder.clients import Clients
from responder.errors import Trouble
from responder.flow.target import Nodes
from responder.model.clusters import ClusterLabels
from responder.model.kubernetes import Object
from responder.model.labels import target_of
from responder.model.nodes import KnownNode

PATIENCE = 3.0
"""Seconds; without an answer the node is called as the alert calls it."""


async def known_nodes(
    alerts: Iterable[Mapping[str, str]], clusters: ClusterLabels, clients: Callable[[str], Clients]
) -> Nodes:
    """The nodes that the labels of alerts may mean; nothing is asked where none names a node."""
    wanted: dict[str, set[str]] = {}
    for each in alerts:
        if node := target_of(each, clusters).node:
            wanted.setdefault(clusters.cluster(each), set()).add(node)
    return {cluster: await _of_cluster(clients(cluster), hosts) for cluster, hosts in wanted.items()}


async def _of_cluster(clients: Clients, hosts: Iterable[str]) -> Sequence[KnownNode]:
    for ask in (partial(_of_kubernetes, clients), partial(_of_prometheus, clients, hosts)):
        try:
            async with asyncio.timeout(PATIENCE):
                if found := await ask():
                    return found
        except (Trouble, TimeoutError):
            continue
    return ()


async def _of_kubernetes(clients: Clients) -> Sequence[KnownNode]:
    return [KnownNode.of(Object(item)) for item in (await clients.kubernetes.list("nodes")).items]


async def _of_prometheus(clients: Clients, hosts: Iterable[str]) -> Sequence[KnownNode]:
    """What kube-state-metrics says of the nodes; hosts are valid names, so that nothing in them needs escaping."""
    asked = (f'kube_node_info{{internal_ip="{host}"}} or kube_node_info{{node="{host}"}}' for host in sorted(hosts))
    samples = await clients.prometheus.query(" or ".join(asked))
    return [
        KnownNode(one.labels["node"], (one.labels.get("internal_ip", ""),)) for one in samples if "node" in one.labels
    ]
