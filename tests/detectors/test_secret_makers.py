"""A Secret that is missing is traced to the operator that should have made it."""

from typing import Any

from responder.detectors import secret_makers
from responder.model.finding import Confidence
from tests.detectors.cases import NAMESPACE, case, findings


def pod(secret: str = "db") -> dict[str, Any]:
    waiting = {"reason": "CreateContainerConfigError", "message": f'secret "{secret}" not found'}
    variable = {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": secret, "key": "password"}}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "worker", "namespace": NAMESPACE},
        "spec": {"containers": [{"name": "main", "env": [variable]}]},
        "status": {"phase": "Pending", "containerStatuses": [{"name": "main", "state": {"waiting": waiting}}]},
    }


def maker(kind: str, spec: dict[str, Any], status: str = "False") -> dict[str, Any]:
    condition = {
        "type": "Ready",
        "status": status,
        "reason": "SecretSyncedError",
        "message": "access to key prod/db denied",
    }
    metadata = {"name": "db", "namespace": NAMESPACE}
    return {
        "apiVersion": "x.io/v1",
        "kind": kind,
        "metadata": metadata,
        "spec": spec,
        "status": {"conditions": [condition]},
    }


def test_those_who_may_make_a_missing_secret_are_asked_for_and_only_then() -> None:
    assert [item.options["resource"] for item in secret_makers.follow_up(case([pod()]))] == list(secret_makers.READS)
    assert not list(secret_makers.follow_up(case([])))


def test_what_the_operator_says_is_the_cause_and_the_pod_suffers() -> None:
    for kind, spec in (
        ("ExternalSecret", {"target": {"name": "db"}}),
        ("ExternalSecret", {}),
        ("Certificate", {"secretName": "db"}),
    ):
        (finding,) = findings(secret_makers.detect, case([pod(), maker(kind, spec)]))
        assert (finding.cause, finding.subject.kind) == ("secret-not-made", kind)
        assert finding.confidence is Confidence.CERTAIN
        assert "access to key prod/db denied" in finding.headline
        assert [item.name for item in finding.suffering] == ["worker"]


def test_an_operator_that_has_done_its_work_or_makes_another_secret_is_not_to_blame() -> None:
    assert not findings(secret_makers.detect, case([pod(), maker("ExternalSecret", {}, status="True")]))
    assert not findings(secret_makers.detect, case([pod(), maker("Certificate", {"secretName": "other"})]))
