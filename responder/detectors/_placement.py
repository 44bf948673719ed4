"""Where a pod could run: its own placement rules against the nodes that there are."""

from collections.abc import Iterator, Mapping, Sequence

from responder.model.graph import matches
from responder.model.kubernetes import Object, Pod, mapping, mappings, quantity, string

_CONTROL_PLANE = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")
_HOSTNAME = "kubernetes.io/hostname"
_UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
Detail = tuple[str, Sequence[Object]]


def control_plane(node: Object) -> bool:
    """Whether a node belongs to the control plane."""
    taints = [str(taint.get("key")) for taint in mappings(node.spec.get("taints"))]
    return any(role in node.labels or role in taints for role in _CONTROL_PLANE) or (
        node.labels.get("kubernetes.io/role") in ("master", "control-plane")
    )


class Placement:
    """A pod's nodeSelector, node affinity, tolerations and requests against the nodes."""

    def __init__(self, pod: Pod, nodes: Sequence[Object]) -> None:
        self.pod = pod
        self.nodes = nodes
        self.selector: Mapping[str, str] = mapping(pod.spec.get("nodeSelector"))
        required = mapping(mapping(mapping(pod.spec.get("affinity")).get("nodeAffinity")))
        self.affinity = mappings(
            mapping(required.get("requiredDuringSchedulingIgnoredDuringExecution")).get("nodeSelectorTerms")
        )

    def requested(self, resource: str) -> float:
        """What all containers request together; an init container counts where it alone asks for more."""
        together = sum(item.request(resource) for item in self.pod.containers if not item.init)
        return max([together, *(item.request(resource) for item in self.pod.containers if item.init)])

    def selected(self, node: Object) -> bool:
        """Whether the node has the labels of the nodeSelector."""
        return all(_label(node, key) == value for key, value in self.selector.items())

    def preferred(self, node: Object) -> bool:
        """Whether the node satisfies the required node affinity: one of its terms."""
        return not self.affinity or any(_term_holds(term, node) for term in self.affinity)

    def matching(self) -> Sequence[Object]:
        """The nodes that the pod's own placement allows."""
        return [node for node in self.nodes if self.selected(node) and self.preferred(node)]

    def cordoned(self, node: Object) -> bool:
        """Whether the node is marked unschedulable."""
        return bool(node.spec.get("unschedulable"))

    def untolerated(self, node: Object) -> Sequence[str]:
        """The taints that keep the pod away, as `key=value:effect`."""
        tolerations = mappings(self.pod.spec.get("tolerations"))
        return [
            f"{taint.get('key')}={taint.get('value', '')}:{taint.get('effect')}".replace("=:", ":")
            for taint in mappings(node.spec.get("taints"))
            if taint.get("effect") in ("NoSchedule", "NoExecute")
            and taint.get("key") != _UNSCHEDULABLE
            and not any(_tolerates(toleration, taint) for toleration in tolerations)
        ]

    def largest(self, resource: str) -> tuple[Object, float] | None:
        """The matching node that could give most of a resource if it were empty."""
        sizes = [
            (node, amount)
            for node in self.matching()
            if (amount := quantity(mapping(node.status.get("allocatable")).get(resource))) is not None
        ]
        return max(sizes, key=lambda item: item[1], default=None)

    def obstacle(self, said: Mapping[str, int]) -> tuple[str, Sequence[Detail]]:
        """What keeps the pod away, as a cause's slug, with what shows it.

        `said` counts nodes by cause as the scheduler did. What the pod itself asks for comes first: if no
        node is meant at all, nothing else matters. Then what holds of most of the nodes that are meant,
        those of the control plane left aside.
        """
        if self.selector and not any(map(self.selected, self.nodes)):
            return self._unselected()
        if self.affinity and not any(map(self.preferred, self.nodes)):
            return self._unpreferred()
        matching = self.matching()
        workers = [node for node in self.nodes if not control_plane(node)]
        if workers and matching and all(control_plane(node) and self._closed(node) for node in matching):
            # what fits is closed to pods like this one, so it was never meant
            if self.affinity and not any(map(self.preferred, workers)):
                return self._unpreferred()
            if self.selector and not any(map(self.selected, workers)):
                return self._unselected()
        if not matching:
            return "node-affinity-mismatch", [("nodeSelector and node affinity exclude each other", [self.pod])]
        meant = [node for node in matching if not control_plane(node)] or matching
        cordoned = [node for node in meant if self.cordoned(node)]
        tainted = [node for node in meant if not self.cordoned(node) and self.untolerated(node)]
        free = [node for node in meant if node not in cordoned and node not in tainted]
        if not free and cordoned and len(cordoned) >= len(tainted):
            return "node-cordon-mismatch", [(f"{node.name} fits and is cordoned", [node]) for node in cordoned[:3]]
        if not free and tainted:
            by_taint = [(f"{node.name} has {', '.join(self.untolerated(node))}", [node]) for node in tainted[:3]]
            return self._taint_cause(tainted), by_taint
        return self._of_free_nodes(said), list(self._sizes())

    def _unselected(self) -> tuple[str, Sequence[Detail]]:
        return "node-selector-mismatch", [(f"nodeSelector is {_shown(self.selector)}", [self.pod]), self._labels()]

    def _unpreferred(self) -> tuple[str, Sequence[Detail]]:
        terms = "; or ".join(_term_shown(term) for term in self.affinity)
        return "node-affinity-mismatch", [(f"required node affinity is {terms}", [self.pod]), self._labels()]

    def _closed(self, node: Object) -> bool:
        return self.cordoned(node) or bool(self.untolerated(node))

    def _of_free_nodes(self, said: Mapping[str, int]) -> str:
        """Of nodes that are open to the pod only the scheduler's word tells why they did not fit."""
        aside = ("node-cordon-mismatch", "taint-toleration-mismatch", "node-affinity-mismatch")
        rest = {slug: count for slug, count in said.items() if slug not in aside}
        both = {"cpu-capacity-mismatch": "cpu", "memory-capacity-mismatch": "memory"}
        if all(slug in rest for slug in both):
            return max(both, key=lambda slug: (rest[slug], self._excess(both[slug])))
        chosen = rest or said
        return max(chosen, key=lambda slug: chosen[slug]) if chosen else "pod-unschedulable"

    def _excess(self, resource: str) -> float:
        largest = self.largest(resource)
        return self.requested(resource) / largest[1] if largest and largest[1] else 0.0

    def _taint_cause(self, tainted: Sequence[Object]) -> str:
        keys = [text.partition("=")[0].partition(":")[0] for node in tainted for text in self.untolerated(node)]
        of_node = [key for key in keys if key.startswith("node.kubernetes.io/")]
        return "no-node-ready" if len(of_node) == len(keys) else "taint-toleration-mismatch"

    def _labels(self) -> Detail:
        keys = dict.fromkeys([*self.selector, *(key for term in self.affinity for key in _keys(term))])
        have = {key: sorted({node.labels[key] for node in self.nodes if key in node.labels}) for key in keys}
        shown = ", ".join(f"{key}: {', '.join(values[:6]) or 'no node'}" for key, values in have.items())
        return f"labels of the {len(self.nodes)} nodes: {shown}", list(self.nodes)

    def _sizes(self) -> Iterator[Detail]:
        for resource in ("cpu", "memory"):
            largest, wanted = self.largest(resource), self.requested(resource)
            if largest and wanted > largest[1]:
                node, amount = largest
                yield (
                    f"{resource}: {wanted:g} requested, the largest node {node.name} has {amount:g} allocatable",
                    [node],
                )


def _label(node: Object, key: str) -> str | None:
    """A node's label; every kubelet sets the one of the hostname, so where it was not told it is the node's name."""
    return node.labels.get(key, node.name if key == _HOSTNAME else None)


def _tolerates(toleration: Mapping[str, object], taint: Mapping[str, object]) -> bool:
    """As kubernetes/api core/v1/toleration.go does it."""
    if toleration.get("effect") and toleration.get("effect") != taint.get("effect"):
        return False
    if toleration.get("key") and toleration.get("key") != taint.get("key"):
        return False
    if toleration.get("operator") == "Exists":
        return True
    return bool(toleration.get("key")) and (toleration.get("value") or "") == (taint.get("value") or "")


def _term_holds(term: Mapping[str, object], node: Object) -> bool:
    """One node selector term: all its expressions over labels, and over fields (only metadata.name there is)."""
    labels, fields = mappings(term.get("matchExpressions")), mappings(term.get("matchFields"))
    if not labels and not fields:
        return False
    return matches({"matchExpressions": labels}, node.labels) and matches(
        {"matchExpressions": fields}, {"metadata.name": node.name}
    )


def _keys(term: Mapping[str, object]) -> Iterator[str]:
    for item in mappings(term.get("matchExpressions")):
        yield string(item.get("key"))


def _term_shown(term: Mapping[str, object]) -> str:
    return " and ".join(
        f"{item.get('key')} {item.get('operator')} {', '.join(map(str, item.get('values') or []))}".strip()
        for item in (*mappings(term.get("matchExpressions")), *mappings(term.get("matchFields")))
    )


def _shown(labels: Mapping[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in labels.items())
