"""A service without its load balancer says so, in the controller's words."""

from datetime import timedelta
from typing import Any

from responder.detectors import load_balancers
from responder.model.finding import Confidence
from tests.detectors.cases import NAMESPACE, case, findings
from tests.detectors.cases import RECORDED_AT as NOW


def service(minutes: float = 60, **status: Any) -> dict[str, Any]:
    created = (NOW - timedelta(minutes=minutes)).isoformat()
    metadata = {"name": "web", "namespace": NAMESPACE, "creationTimestamp": created}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {"type": "LoadBalancer"},
        "status": status,
    }


def event(reason: str, message: str) -> dict[str, Any]:
    about = {"kind": "Service", "name": "web", "namespace": NAMESPACE}
    metadata = {"name": "web.1", "namespace": NAMESPACE}
    return {
        "apiVersion": "v1", "kind": "Event", "metadata": metadata, "type": "Warning", "reason": reason,
        "message": message, "involvedObject": about, "count": 7, "lastTimestamp": NOW.isoformat(),
    }  # fmt: skip


def test_the_controllers_words_are_quoted() -> None:
    said = event("SyncLoadBalancerFailed", "Error syncing load balancer: could not find any suitable subnets")
    (finding,) = findings(load_balancers.detect, case([service(), said]))
    assert (finding.cause, str(finding.subject)) == ("load-balancer-failed", "service/web")
    assert finding.confidence is Confidence.CERTAIN
    assert "could not find any suitable subnets" in finding.headline
    assert "has no load balancer" in finding.headline


def test_a_service_that_waits_long_without_a_word_is_likely_served_by_no_controller() -> None:
    (finding,) = findings(load_balancers.detect, case([service()]))
    assert finding.confidence is Confidence.LIKELY


def test_a_service_that_was_just_made_may_wait() -> None:
    assert not findings(load_balancers.detect, case([service(minutes=1)]))


def test_one_that_has_an_address_is_well() -> None:
    assert not findings(load_balancers.detect, case([service(loadBalancer={"ingress": [{"ip": "192.0.2.7"}]})]))


def test_other_services_need_none() -> None:
    plain = service() | {"spec": {"type": "ClusterIP"}}
    assert not findings(load_balancers.detect, case([plain]))
