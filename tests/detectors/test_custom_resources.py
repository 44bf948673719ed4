"""Custom resources: what operators say of them, and what they have not seen."""

from datetime import timedelta
from typing import Any

from responder.detectors import Case, custom_resources
from responder.errors import Reason
from responder.model.custom_resources import CustomResource, CustomResources
from responder.model.evidence import EvidenceStatus
from responder.model.finding import Confidence
from responder.model.kubernetes import Object
from responder.model.subject import Target
from tests.detectors import cases
from tests.makers import NOW, alert, evidence

OLD = (NOW - timedelta(hours=1)).isoformat()


def raw(name: str = "cmd", *, generation: int = 3, created: str = OLD, **fields: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "shop", "generation": generation, "creationTimestamp": created}
    return {"kind": "KubeChatCommand", "metadata": metadata | fields.pop("metadata", {}), **fields}


def ready(status: str = "True", reason: str = "", message: str = "", observed: int = 3) -> dict[str, Any]:
    found = {"type": "Ready", "status": status, "reason": reason, "message": message, "lastTransitionTime": OLD}
    return {"conditions": [found], "observedGeneration": observed}


def case(*items: dict[str, Any], present: bool = True) -> Case:
    found = tuple(CustomResource.of(Object(item)) for item in items)
    content = CustomResources(
        resource="kubechatcommands.kubechat.io", kind="KubeChatCommand", present=present, total=len(found), items=found
    )
    return Case(Target(namespace="shop"), (alert(),), NOW, NOW, {"e": evidence("e", content)})


def told(seen: Case) -> list[tuple[str, str, Confidence]]:
    return [(i.cause, str(i.subject), i.confidence) for i in cases.findings(custom_resources.detect, seen)]


def test_a_condition_that_says_no_is_quoted() -> None:
    seen = case(raw(status=ready("False", "QuotaExceeded", "no cpu left")), raw("b", status=ready()))
    (finding,) = cases.findings(custom_resources.detect, seen)
    assert (finding.cause, finding.confidence) == ("custom-resource-not-ready", Confidence.CERTAIN)
    assert finding.headline == "kubechatcommand/cmd: Ready is False (QuotaExceeded no cpu left)"
    assert finding.since is not None


def test_objects_that_fail_alike_are_one_finding() -> None:
    seen = case(*(raw(name, status=ready("False", "Bad", name)) for name in "abc"))
    (finding,) = cases.findings(custom_resources.detect, seen)
    assert "3 of 3 kubechatcommands.kubechat.io (a, b and 1 more)" in finding.headline or "a, b" in finding.headline
    assert finding.subject.kind == "CustomResourceDefinition"


def test_a_generation_that_was_not_seen_is_the_operators() -> None:
    assert told(case(raw(status=ready(observed=2)))) == [
        ("custom-resource-not-reconciled", "kubechatcommand/cmd", Confidence.LIKELY)
    ]


def test_what_was_made_just_now_may_wait() -> None:
    now = (NOW - timedelta(seconds=30)).isoformat()
    assert told(case(raw(created=now, status=ready(observed=2)), raw("b", status=ready()))) == []
    assert told(case(raw(created=now), raw("b", status=ready()))) == []


def test_an_object_without_a_status_counts_where_others_have_one() -> None:
    assert told(case(raw(), raw("b", status=ready()))) == [
        ("custom-resource-not-reconciled", "kubechatcommand/cmd", Confidence.LIKELY)
    ]
    assert told(case(raw(), raw("b"))) == []


def test_one_that_waits_for_its_finalizers() -> None:
    leaving = {"deletionTimestamp": OLD, "finalizers": ["kubechat.io/cleanup"]}
    (finding,) = cases.findings(custom_resources.detect, case(raw(metadata=leaving, status=ready())))
    assert finding.cause == "custom-resource-stuck-deleting"
    assert "kubechat.io/cleanup for 60 min" in finding.headline


def test_a_resource_that_the_cluster_does_not_know_is_certain() -> None:
    subject = "customresourcedefinition/kubechatcommands.kubechat.io"
    assert told(case(present=False)) == [("custom-resource-definition-missing", subject, Confidence.CERTAIN)]


def test_all_reconciled_is_cleared_and_nothing_seen_is_not() -> None:
    assert cases.cleared(custom_resources.detect, case(raw(status=ready()))) == [
        "kubechatcommands.kubechat.io (1 object, all reconciled)"
    ]
    assert list(custom_resources.detect(case())) == []
    denied = evidence("e", status=EvidenceStatus.DENIED, reason=Reason.FORBIDDEN, summary="no")
    assert list(custom_resources.detect(Case(Target(), (), NOW, NOW, {"e": denied}))) == []
