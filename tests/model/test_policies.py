"""Network policies: what they let through, what they do not, and what cannot be told."""

from typing import Any

import pytest

from responder.model.kubernetes import Object, Pod
from responder.model.policies import DNS, Peer, Policies, in_words

WEB = Peer("shop", {"app": "web"}, "10.0.0.5")
DB_POD = Pod(
    {
        "kind": "Pod",
        "metadata": {"name": "db-0", "namespace": "shop", "labels": {"app": "db"}},
        "spec": {"containers": [{"name": "db", "ports": [{"name": "sql", "containerPort": 5432}]}]},
        "status": {"podIP": "10.0.0.9"},
    }
)
DB = Peer.of(DB_POD)


def policy(selector: dict[str, Any] | None = None, **spec: Any) -> Object:
    chosen = {"matchLabels": selector} if selector else {}
    return Object({"kind": "NetworkPolicy", "metadata": {"name": "p", "namespace": "shop"},
                   "spec": {"podSelector": chosen, **spec}})  # fmt: skip


def namespace(name: str, **labels: str) -> Object:
    return Object({"kind": "Namespace", "metadata": {"name": name, "labels": labels}})


DENY = policy(policyTypes=["Ingress", "Egress"])


def test_without_a_policy_everything_may_pass() -> None:
    assert Policies([]).allow("Ingress", DB, WEB, 5432) is True
    assert Policies([policy({"app": "other"}, ingress=[])]).allow("Ingress", DB, WEB, 5432) is True


def test_a_policy_without_rules_closes_its_directions() -> None:
    assert Policies([DENY]).allow("Ingress", DB, WEB, 5432) is False
    assert Policies([DENY]).allow("Egress", WEB, DB, 5432) is False
    only_ingress = policy({"app": "db"})
    assert Policies([only_ingress]).allow("Ingress", DB, WEB, 5432) is False
    assert Policies([only_ingress]).allow("Egress", DB, WEB, 80) is True


@pytest.mark.parametrize(
    ("rule", "allowed"),
    [
        ({}, True),
        ({"from": [{"podSelector": {"matchLabels": {"app": "web"}}}]}, True),
        ({"from": [{"podSelector": {"matchLabels": {"app": "api"}}}]}, False),
        ({"from": [{"podSelector": {}}], "ports": [{"port": 5432}]}, True),
        ({"ports": [{"port": "sql"}]}, True),
        ({"ports": [{"port": "http"}]}, False),
        ({"ports": [{"port": 5433}]}, False),
        ({"ports": [{"port": 5000, "endPort": 6000}]}, True),
        ({"ports": [{"port": 5432, "protocol": "UDP"}]}, False),
        ({"from": [{"namespaceSelector": {"matchLabels": {"team": "a"}}}]}, None),
        ({"from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}}]}, True),
        ({"from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "other"}}}]}, False),
        ({"from": [{"namespaceSelector": {}}]}, True),
        ({"from": [{"ipBlock": {"cidr": "10.0.0.0/24"}}]}, True),
        ({"from": [{"ipBlock": {"cidr": "10.0.0.0/24", "except": ["10.0.0.5/32"]}}]}, False),
        ({"from": [{"ipBlock": {"cidr": "nonsense"}}]}, None),
    ],
)
def test_a_rule_lets_through_what_it_names(rule: dict[str, Any], allowed: bool | None) -> None:
    assert Policies([policy({"app": "db"}, ingress=[rule])]).allow("Ingress", DB, WEB, 5432) is allowed


def test_policies_add_up() -> None:
    opening = policy({"app": "db"}, ingress=[{"from": [{"podSelector": {"matchLabels": {"app": "web"}}}]}])
    assert Policies([DENY, opening]).allow("Ingress", DB, WEB, 5432) is True


def test_labels_of_namespaces_that_were_seen_decide() -> None:
    rule = {"from": [{"namespaceSelector": {"matchLabels": {"team": "a"}}}]}
    closed = policy({"app": "db"}, ingress=[rule])
    assert Policies([closed], [namespace("shop", team="a")]).allow("Ingress", DB, WEB, 5432) is True
    assert Policies([closed], [namespace("shop", team="b")]).allow("Ingress", DB, WEB, 5432) is False


def test_dns_needs_its_own_rule() -> None:
    to_db = {"to": [{"podSelector": {"matchLabels": {"app": "db"}}}]}
    to_dns = {"to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}],
              "ports": [{"protocol": "UDP", "port": 53}]}  # fmt: skip
    closed = policy({"app": "web"}, policyTypes=["Egress"], egress=[to_db])
    opened = policy({"app": "web"}, policyTypes=["Egress"], egress=[to_db, to_dns])
    assert Policies([closed]).allow("Egress", WEB, DNS, 53, "UDP") is False
    assert Policies([opened]).allow("Egress", WEB, DNS, 53, "UDP") is True
    assert Policies([opened]).allow("Egress", WEB, DNS, 53, "TCP") is False


def test_an_address_that_is_not_known_cannot_be_judged() -> None:
    closed = policy({"app": "web"}, policyTypes=["Egress"], egress=[{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}])
    assert Policies([closed]).allow("Egress", WEB, DNS, 53, "UDP") is None


def test_rules_are_told_in_words() -> None:
    rule = {"from": [{"podSelector": {"matchLabels": {"tier": "backend"}}}, {"ipBlock": {"cidr": "10.0.0.0/8"}}],
            "ports": [{"port": 5432}]}  # fmt: skip
    assert in_words(rule, "Ingress") == "from pods tier=backend or 10.0.0.0/8 on TCP 5432"
    assert in_words({}, "Egress") == "to anywhere"
    assert in_words({"to": [{"namespaceSelector": {}}]}, "Egress") == "to all pods in all namespaces"
