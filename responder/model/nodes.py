"""Nodes by any of their addresses: what an alert's `instance` means, and which instances are of a node. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from responder.model.kubernetes import Object, mappings, string
from responder.model.labels import target_of
from responder.model.subject import Target


@dataclass(frozen=True)
class KnownNode:
    """A node and its addresses, by which exporters and kubelets are scraped."""

    name: str
    addresses: tuple[str, ...] = ()

    @classmethod
    def of(cls, item: Object) -> "KnownNode":
        """The node as the API server has it."""
        found = (string(address.get("address")) for address in mappings(item.status.get("addresses")))
        return cls(item.name, tuple(dict.fromkeys(filter(None, found))))


def at_node(target: Target, labels: Mapping[str, str], nodes: Sequence[KnownNode]) -> Target:
    """The target with its node's own name, and with the hosts by which Prometheus knows what runs on the node.

    Where nothing tells what is meant these are the alert's own instance.
    """
    if not target.node:
        unknown = target == Target(cluster=target.cluster) and labels.get("instance")
        return target.model_copy(update={"instances": (labels["instance"],)}) if unknown else target
    found = next((node for node in nodes if target.node in (node.name, *node.addresses)), None)
    hosts = [found.name, *found.addresses] if found else [target.node, _host(labels)]
    instances = tuple(dict.fromkeys(map(_written, filter(None, hosts))))
    return target.model_copy(update={"node": found.name if found else target.node, "instances": instances})


def _host(labels: Mapping[str, str]) -> str:
    """The host of an instance that is an exporter or a kubelet of a node."""
    return target_of({name: labels.get(name, "") for name in ("instance", "job")}).node


def _written(host: str) -> str:
    return f"[{host}]" if ":" in host else host
