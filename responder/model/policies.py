"""Network policies: what they let through (Kubernetes, concepts/services-networking/network-policies).

Policies only add up: a pod that one selects is closed in that direction but for what any of them allows. `None` is for
what cannot be told from what was seen.
"""

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from responder.model.graph import declared_ports, matches
from responder.model.kubernetes import Object, Pod, mapping, mappings, string, whole

Direction = Literal["Ingress", "Egress"]
NAME_LABEL = "kubernetes.io/metadata.name"
DNS_PORT = 53


@dataclass(frozen=True)
class Peer:
    """A side of the traffic: a pod by its namespace and labels, or an address. `pod` tells the names of its ports."""

    namespace: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    address: str = ""
    pod: Pod | None = None

    @classmethod
    def of(cls, pod: Pod) -> "Peer":
        """A pod as the other side."""
        return cls(pod.namespace, pod.labels, str(pod.status.get("podIP") or ""), pod)


DNS = Peer("kube-system", {"k8s-app": "kube-dns"})
"""The cluster's name servers, as nearly every cluster has them."""


@dataclass(frozen=True)
class Policy:
    """A policy."""

    item: Object

    @property
    def directions(self) -> frozenset[str]:
        """The directions in which it closes the pods it selects."""
        types = self.item.spec.get("policyTypes")
        if types:
            return frozenset(map(str, types))
        return frozenset({"Ingress", "Egress"} if self.item.spec.get("egress") else {"Ingress"})

    def selects(self, namespace: str, labels: Mapping[str, str]) -> bool:
        """Whether it is about a pod."""
        return namespace == self.item.namespace and matches(mapping(self.item.spec.get("podSelector")), labels)

    def rules(self, direction: Direction) -> Sequence[Mapping[str, Any]]:
        """What it lets through."""
        return mappings(self.item.spec.get(direction.lower()))


class Policies:
    """The policies of a namespace, with the labels of namespaces as far as they were seen."""

    def __init__(self, policies: Iterable[Object], namespaces: Iterable[Object] = ()) -> None:
        self._policies = [Policy(item) for item in policies]
        self._namespaces = {item.name: item.labels for item in namespaces}

    def closing(self, direction: Direction, namespace: str, labels: Mapping[str, str]) -> Sequence[Policy]:
        """The policies that close a pod in a direction."""
        return [
            policy for policy in self._policies if direction in policy.directions and policy.selects(namespace, labels)
        ]

    def allow(
        self, direction: Direction, pod: Peer, other: Peer, port: int | None, protocol: str = "TCP"
    ) -> bool | None:
        """Whether traffic between a pod and another side may pass in the pod's direction; `port` is the receiver's."""
        closing = self.closing(direction, pod.namespace, pod.labels)
        if not closing:
            return True
        receiver = pod if direction == "Ingress" else other
        side = "from" if direction == "Ingress" else "to"
        verdicts = [
            _both(self._side(rule.get(side), policy.item.namespace, other), _ports(rule, receiver, port, protocol))
            for policy in closing
            for rule in policy.rules(direction)
        ]
        return True if True in verdicts else None if None in verdicts else False

    def _side(self, peers: Any, namespace: str, other: Peer) -> bool | None:
        found = mappings(peers)
        if not found:
            return True
        verdicts = [self._is(peer, namespace, other) for peer in found]
        return True if True in verdicts else None if None in verdicts else False

    def _is(self, peer: Mapping[str, Any], namespace: str, other: Peer) -> bool | None:
        if block := mapping(peer.get("ipBlock")):
            return _in_block(block, other.address)
        if not other.namespace:
            return None if not other.address else False
        if not matches(mapping(peer.get("podSelector")), other.labels):
            return False
        if peer.get("namespaceSelector") is None:
            return other.namespace == namespace
        return self._namespace_fits(mapping(peer.get("namespaceSelector")), other.namespace)

    def _namespace_fits(self, selector: Mapping[str, Any], name: str) -> bool | None:
        known = self._namespaces.get(name)
        if known is None and _keys(selector) - {NAME_LABEL}:
            return None
        return matches(selector, {NAME_LABEL: name, **(known or {})})


def in_words(rule: Mapping[str, Any], direction: Direction) -> str:
    """What a rule lets through: `from pods tier=backend on TCP 5432`."""
    side = "from" if direction == "Ingress" else "to"
    peers = [_peer_in_words(peer) for peer in mappings(rule.get(side))]
    ports = [
        f"{item.get('protocol', 'TCP')} {item.get('port', 'any port')}"
        + (f"-{item['endPort']}" if item.get("endPort") else "")
        for item in mappings(rule.get("ports"))
    ]
    on = f" on {', '.join(ports)}" if ports else ""
    return f"{side} {' or '.join(peers) or 'anywhere'}{on}"


def _peer_in_words(peer: Mapping[str, Any]) -> str:
    if block := mapping(peer.get("ipBlock")):
        others = ", ".join(map(str, block.get("except") or ()))
        return f"{string(block.get('cidr'))}{f' but {others}' if others else ''}"
    pods = _selector_in_words(mapping(peer.get("podSelector")))
    said = f"pods {pods}" if pods else "all pods"
    if peer.get("namespaceSelector") is None:
        return said
    inside = _selector_in_words(mapping(peer["namespaceSelector"]))
    return f"{said} in namespaces {inside}" if inside else f"{said} in all namespaces"


def _selector_in_words(selector: Mapping[str, Any]) -> str:
    terms = [f"{key}={value}" for key, value in mapping(selector.get("matchLabels")).items()]
    terms += [
        f"{item.get('key')} {item.get('operator')} {','.join(map(str, item.get('values') or ()))}".strip()
        for item in mappings(selector.get("matchExpressions"))
    ]
    return ", ".join(terms)


def _keys(selector: Mapping[str, Any]) -> set[str]:
    expressions = mappings(selector.get("matchExpressions"))
    return {*mapping(selector.get("matchLabels")), *(str(item.get("key")) for item in expressions)}


def _in_block(block: Mapping[str, Any], address: str) -> bool | None:
    try:
        network = ipaddress.ip_network(str(block.get("cidr")), strict=False)
        if network.prefixlen == 0 and not block.get("except"):
            return True
        if not address:
            return None
        here = ipaddress.ip_address(address)
        outside = [ipaddress.ip_network(str(item), strict=False) for item in block.get("except") or ()]
    except ValueError:
        return None
    return here in network and not any(here in item for item in outside)


def _ports(rule: Mapping[str, Any], receiver: Peer, port: int | None, protocol: str) -> bool | None:
    found = mappings(rule.get("ports"))
    if not found:
        return True
    verdicts = [_port(item, receiver, port, protocol) for item in found]
    return True if True in verdicts else None if None in verdicts else False


def _port(item: Mapping[str, Any], receiver: Peer, port: int | None, protocol: str) -> bool | None:
    if str(item.get("protocol") or "TCP") != protocol:
        return False
    wanted = item.get("port")
    if wanted is None:
        return True
    if port is None:
        return None
    first = whole(wanted)
    if first is None:
        if receiver.pod is None:
            return None
        declared = declared_ports(receiver.pod.containers)
        return any(number == port and one.get("name") == wanted for number, one in declared.items())
    last = whole(item.get("endPort")) or first
    return first <= port <= last


def _both(first: bool | None, second: bool | None) -> bool | None:
    if first is False or second is False:
        return False
    return None if first is None or second is None else True
