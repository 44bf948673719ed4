"""Services of type LoadBalancer that get no load balancer, as the cloud's controller says."""

from collections.abc import Iterator
from datetime import timedelta

from responder.detectors import Case
from responder.detectors._writing import CERTAIN, LIKELY, because, found, quote
from responder.model.finding import Cause, Cleared, Finding
from responder.model.kubernetes import Object, mapping, mappings

FAILED = Cause(
    slug="load-balancer-failed",
    title="A service gets no load balancer",
    meaning="The cloud's controller cannot create or update the load balancer: quota, subnets, rights, annotations, or "
    "there is no such controller in the cluster. Nothing from outside reaches the service.",
    confirm="kubectl describe service NAME: Events, and status.loadBalancer.ingress",
    fix="Correct what the event names (subnet tags, quota, the controller's rights, annotations of the service)",
    reference="https://kubernetes.io/docs/concepts/services-networking/service/#loadbalancer",
)
CAUSES = (FAILED,)

REASONS = (
    "SyncLoadBalancerFailed", "CreatingLoadBalancerFailed", "UpdateLoadBalancerFailed", "DeletingLoadBalancerFailed",
    "FailedBuildModel", "FailedDeployModel", "AllocationFailed",
)  # fmt: skip
"""Of k8s.io/cloud-provider, the AWS load balancer controller and MetalLB."""
PATIENCE = timedelta(minutes=5)
"""How long making a load balancer may take."""


def detect(case: Case) -> Iterator[Finding | Cleared]:
    for service in case.picture.all("Service", case.scene.namespace):
        if service.spec.get("type") == "LoadBalancer" and (finding := _failing(case, service)):
            yield finding


def _failing(case: Case, service: Object) -> Finding | None:
    address = mappings(mapping(service.status.get("loadBalancer")).get("ingress"))
    events = [event for event in case.picture.events(service) if event.warning and event.reason in REASONS]
    begin = (
        f"{service.subject} has no load balancer" if not address else f"the load balancer of {service.subject} fails"
    )
    steps = [f"kubectl -n {service.namespace} describe service {service.name}"]
    if events:
        last = max(events, key=lambda event: event.last.timestamp() if event.last else 0.0)
        reasons = [because(f"{last.reason}: {' '.join(last.message.split())[:1000]} (×{last.count})", last)]
        headline = f"{begin}: {quote(last.message)}"
        return found(FAILED, service.subject, CERTAIN, headline, reasons, next_steps=steps, since=service.created)
    if not address and service.created and case.now - service.created > PATIENCE:
        reasons = [because(f"status.loadBalancer is empty since {service.created:%Y-%m-%d %H:%M} UTC", service)]
        headline = f"{begin}: no controller has given it an address"
        return found(FAILED, service.subject, LIKELY, headline, reasons, next_steps=steps, since=service.created)
    return None
