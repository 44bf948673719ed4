"""`kubernetes.cordon`: no new pods on a node."""

from collections.abc import Mapping, Sequence

from pydantic import Field

from responder.actions._kubernetes import KubernetesAction, Refusal, changes_of, patch, planned
from responder.clients import Kubernetes
from responder.model.action import Preview
from responder.model.kubernetes import Object, mappings
from responder.model.subject import Subject, Target
from responder.probes import Inquiry, Permission
from responder.probes._kubernetes import reads
from responder.templating import KubeName


class KubernetesCordon(KubernetesAction):
    """Cordons a node: pods that run there stay, new ones go elsewhere.

    Without `node` it is the incident's. Refused where fewer than `leave` other nodes would take pods.
    """

    node: KubeName = ""
    leave: int = Field(1, ge=1, description="nodes that still have to take pods")

    @classmethod
    def object_among(cls, about: Sequence[Subject], options: Mapping[str, str], target: Target) -> Subject | None:
        """The node that a finding is about: the one that the options name, if they do."""
        return next((one for one in about if one.kind == "Node" and options.get("node") in (None, "", one.name)), None)

    async def plan(self, inquiry: Inquiry, kubernetes: Kubernetes) -> Preview:
        name = self.node or inquiry.target.node
        if not name:
            raise Refusal("the alert names no node: set the option node")
        if inquiry.only_target and name != inquiry.target.node:
            raise Refusal(f"the finding is about {inquiry.target.subject}, not about node/{name}")
        node = Object(await kubernetes.get("nodes", name))
        if node.spec.get("unschedulable"):
            raise Refusal(f"{node.subject} is cordoned already")
        others = [item for item in map(Object, (await kubernetes.list("nodes")).items) if item.name != node.name]
        taking = sum(_takes_pods(item) for item in others)
        if taking < self.leave:
            raise Refusal(f"only {taking} other nodes would take pods, {self.leave} have to be left")
        return planned(
            kubernetes,
            f"Cordon {node.subject}; {taking} other nodes take pods",
            [node],
            [patch(node, "nodes", {"spec": {"unschedulable": True}})],
            kubernetes.kubectl("cordon", node.name),
            undo=kubernetes.kubectl("uncordon", node.name),
        )

    def permissions(self) -> tuple[Permission, ...]:
        return *reads("nodes"), changes_of("nodes")


def _takes_pods(node: Object) -> bool:
    """Whether a pod without tolerations may go there."""
    if any(taint.get("effect") in ("NoSchedule", "NoExecute") for taint in mappings(node.spec.get("taints"))):
        return False
    return not node.spec.get("unschedulable") and node.conditions.get("Ready", {}).get("status") == "True"
