"""`kubernetes.network_policies`: what policies let through to the target's pods and from them."""

from collections.abc import Iterator, Sequence

from responder.clients import Clients
from responder.errors import Permanent, Reason
from responder.model.evidence import Observation, Reproduction
from responder.model.kubernetes import Object, Pod
from responder.model.policies import DNS, DNS_PORT, Direction, Peer, Policies, Policy, in_words
from responder.model.subject import Target
from responder.probes import Inquiry, Permission, Probe
from responder.probes._kubernetes import (
    WORKLOADS,
    Gathering,
    Question,
    find_workload,
    in_namespace,
    place,
    pods_in,
    reads,
)
from responder.templating import KubeName

_POLICIES = "networkpolicies.networking.k8s.io"
_DIRECTIONS: tuple[Direction, ...] = ("Ingress", "Egress")
_LISTED = 12


class KubernetesNetworkPolicies(Probe):
    """The network policies that select the target's pods, what they let through, and whether DNS may be asked.

    `value` is how many policies select the pods; without any, everything may pass. That policies are there does not
    mean that the cluster's network enforces them.
    """

    workload: KubeName = ""
    namespace: KubeName = ""

    async def run(self, inquiry: Inquiry, clients: Clients) -> Observation:
        where = place(inquiry, self.namespace, self.workload)
        namespace = in_namespace(where)
        found = Gathering(clients.kubernetes, inquiry)
        await found.ask(
            Question(_POLICIES, namespace), Question("pods", namespace), Question("namespaces", welcome=True)
        )
        items = [Object(item) for item in found.of("NetworkPolicy")]
        policies = Policies(items, map(Object, found.of("Namespace")))
        title, labels = await _meant(clients, where, pods_in(found.objects))
        closing = {
            direction: policies.closing(direction, namespace, labels) if labels is not None else ()
            for direction in _DIRECTIONS
        }
        names = {policy.item.name for chosen in closing.values() for policy in chosen}
        dns = policies.allow("Egress", Peer(namespace, labels), DNS, DNS_PORT, "UDP") if labels is not None else True
        return Observation(
            summary=_summary(title or f"namespace {namespace}", items, closing if labels is not None else {}, dns),
            data=found.content(),
            empty=not items,
            facts=tuple(_facts(closing, items if labels is None else ()))[:_LISTED],
            value=float(len(names) if labels is not None else len(items)),
            breached=dns is False,
            truncated="; ".join(found.truncated),
            gaps=tuple(found.gaps),
        )

    def reproduce(self, inquiry: Inquiry, clients: Clients) -> tuple[Reproduction, ...]:
        namespace = place(inquiry, self.namespace, self.workload).namespace
        return (Reproduction(command=clients.kubernetes.kubectl("-n", namespace, "describe", "networkpolicies")),)

    def permissions(self) -> tuple[Permission, ...]:
        return reads(_POLICIES, "pods", "namespaces", *WORKLOADS.values())


async def _meant(clients: Clients, where: Target, pods: Sequence[Pod]) -> tuple[str, dict[str, str] | None]:
    """Name and labels of the pods that the target means; None where it names neither a workload nor a pod."""
    if not where.workload and not where.pod:
        return "", None
    for pod in pods:
        if not where.workload and pod.name == where.pod:
            return f"pod/{pod.name}", dict(pod.labels)
    try:
        workload = Object(await find_workload(clients.kubernetes, where))
    except Permanent as trouble:
        if trouble.reason is not Reason.NOT_FOUND:
            raise
        return "", None
    return f"{workload.kind.lower()}/{workload.name}", dict(workload.template_labels)


def _summary(title: str, items: Sequence[Object], closing: dict[Direction, Sequence[Policy]], dns: bool | None) -> str:
    if not items:
        return f"no network policies: everything may pass to and from {title}"
    many = f"{len(items)} network polic{'y' if len(items) == 1 else 'ies'}"
    if not closing:
        return f"{many} in {title}"
    words = []
    for direction, chosen in closing.items():
        what = "to" if direction == "Ingress" else "from"
        words.append(f"traffic {what} it is {f'restricted by {len(chosen)}' if chosen else 'open'}")
    blocked = "; DNS is blocked" if dns is False else ""
    return f"{title}, {many}: {', '.join(words)}{blocked}"


def _facts(closing: dict[Direction, Sequence[Policy]], others: Sequence[Object]) -> Iterator[str]:
    for direction, chosen in closing.items():
        for policy in chosen:
            rules = [in_words(rule, direction) for rule in policy.rules(direction)]
            yield f"{policy.item.name}, {direction.lower()}: {'; '.join(rules) or 'nothing'}"[:300]
    for item in others:
        yield f"{item.name}: {', '.join(sorted(Policy(item).directions)).lower()}"
